//! SHA-256 and MD5 of files and bytes.

use crate::error::{Error, Result};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The SHA-256 of the file at `path`.
pub(crate) fn sha256_of_file(path: &Path) -> Result<String> {
    Ok(sums_of_file(path, false, true)?.1)
}

/// The SHA-256 of some bytes.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// MD5 and SHA-256 of a file in one reading; empty if not wanted.
pub(super) fn sums_of_file(path: &Path, md5: bool, sha256: bool) -> Result<(String, String)> {
    let broken = |error| Error::io(path, error, "Check that you may read it.");
    let mut file = File::open(path).map_err(broken)?;
    let (mut short, mut long) = (Md5::new(), Sha256::new());
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = file.read(&mut buffer).map_err(broken)?;
        if count == 0 {
            break;
        }
        if md5 {
            short.update(&buffer[..count]);
        }
        if sha256 {
            long.update(&buffer[..count]);
        }
    }
    let text = |wanted: bool, bytes: &[u8]| if wanted { hexadecimal(bytes) } else { String::new() };
    Ok((text(md5, &short.finalize()), text(sha256, &long.finalize())))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
