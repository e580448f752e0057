//! Files in a zip archive, as Kaggle packs them.

use crate::error::{Error, Result};
use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::{CompressionMethod, ZipArchive};

/// No file of the competition is larger. One that claims to be is not unpacked.
const MAX_BYTES: u64 = 512 << 20;

/// Whether the file at `path` begins as a zip archive does.
pub(super) fn is_archive(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == *b"PK\x03\x04"
}

/// The file `name` in any folder of the archive at `path`; `None` if it has none.
///
/// # Errors
///
/// If the archive is damaged or cut off.
pub(super) fn unpack(path: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let broken = |problem: String| {
        let hint = "The download was cut off or changed on its way: run this again.";
        Error::bad_file(path, format!("the zip archive is damaged: {problem}"), hint)
    };
    let file = File::open(path).map_err(|error| Error::io(path, error, ""))?;
    let damaged = |error: zip::result::ZipError| broken(error.to_string());
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let Some(index) = index_of(&mut archive, name).map_err(damaged)? else { return Ok(None) };
    let mut entry = archive.by_index_raw(index).map_err(damaged)?;
    let (size, sum) = (entry.size(), entry.crc32());
    if size > MAX_BYTES {
        return Err(broken(format!("{name} claims {size} bytes")));
    }
    let mut bytes = Vec::new();
    let read = match entry.compression() {
        CompressionMethod::Stored => (&mut entry).take(size + 1).read_to_end(&mut bytes),
        // Deflate's number in a zip archive; the crate may be built without a name for it.
        method if u16_of(method) == 8 => {
            DeflateDecoder::new(&mut entry).take(size + 1).read_to_end(&mut bytes)
        }
        method => return Err(broken(format!("{name} is packed by an unknown method, {method}"))),
    };
    read.map_err(|error| broken(format!("{name}: {error}")))?;
    let mut crc = Crc::new();
    crc.update(&bytes);
    if bytes.len() as u64 != size || crc.sum() != sum {
        return Err(broken(format!("the checksum of {name} is wrong")));
    }
    Ok(Some(bytes))
}

/// The index of the file `name`, whether it can be unpacked or not.
fn index_of(
    archive: &mut ZipArchive<BufReader<File>>,
    name: &str,
) -> zip::result::ZipResult<Option<usize>> {
    for index in 0..archive.len() {
        if archive.by_index_raw(index)?.name().rsplit('/').next() == Some(name) {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

#[expect(deprecated, reason = "the number is the same whatever the crate can unpack itself")]
fn u16_of(method: CompressionMethod) -> u16 {
    method.to_u16()
}
