//! The idx format, in which MNIST is published: a magic number, sizes, then bytes.

use crate::error::{Error, Result};
use flate2::read::GzDecoder;
use ndarray::Array4;
use std::io::Read;
use std::path::Path;

const IMAGES_MAGIC: u32 = 2051;
const LABELS_MAGIC: u32 = 2049;
/// The most bytes that are decompressed, whatever a header says.
const MAX_BYTES: u64 = 1 << 30;

/// The images in an idx file, gzipped or not: `[n, height, width, 1]`.
pub(crate) fn images(bytes: &[u8], path: &Path) -> Result<Array4<u8>> {
    let bytes = decompress(bytes, path)?;
    let [n, height, width] = header(&bytes, IMAGES_MAGIC, path)?;
    let pixels = payload(&bytes, &[n, height, width], path)?;
    Array4::from_shape_vec((n, height, width, 1), pixels)
        .map_err(|error| Error::bad_file(path, error.to_string(), ""))
}

/// The labels in an idx file, gzipped or not.
pub(crate) fn labels(bytes: &[u8], path: &Path) -> Result<Vec<usize>> {
    let bytes = decompress(bytes, path)?;
    let [n] = header(&bytes, LABELS_MAGIC, path)?;
    Ok(payload(&bytes, &[n], path)?.into_iter().map(usize::from).collect())
}

/// The content, decompressed if it is gzipped.
fn decompress(bytes: &[u8], path: &Path) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).take(MAX_BYTES).read_to_end(&mut unpacked).map_err(|error| {
        let hint = "The file is cut off or damaged: download it again.";
        Error::bad_file(path, format!("the gzip data is broken: {error}"), hint)
    })?;
    Ok(unpacked)
}

fn read_u32(bytes: &[u8], index: usize) -> Option<u32> {
    let four = bytes.get(4 * index..4 * index + 4)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

/// The sizes in the header, after the magic number.
fn header<const AXES: usize>(bytes: &[u8], magic: u32, path: &Path) -> Result<[usize; AXES]> {
    let found = read_u32(bytes, 0);
    if found != Some(magic) {
        let what = |magic| if magic == IMAGES_MAGIC { "images" } else { "labels" };
        let likely = match found {
            Some(IMAGES_MAGIC | LABELS_MAGIC) => {
                format!("This is the file of {}.", what(found.unwrap_or(0)))
            }
            _ if bytes.first() == Some(&b'<') => "This is a web page: the download failed.".into(),
            _ => "This is no idx file: download it again.".into(),
        };
        let found = found.map_or("an empty file".into(), |found| found.to_string());
        let problem = format!("expected the magic number {magic} of {}, got {found}", what(magic));
        return Err(Error::bad_file(path, problem, likely));
    }
    let mut sizes = [0; AXES];
    for (axis, size) in sizes.iter_mut().enumerate() {
        *size = read_u32(bytes, 1 + axis).ok_or_else(|| cut_off(path, "the header"))? as usize;
    }
    Ok(sizes)
}

/// The bytes after the header. Their number has to match the sizes.
fn payload(bytes: &[u8], sizes: &[usize], path: &Path) -> Result<Vec<u8>> {
    let payload = &bytes[4 * (1 + sizes.len())..];
    let expected = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    match expected {
        Some(expected) if expected == payload.len() => Ok(payload.to_vec()),
        Some(expected) if expected < payload.len() => Err(Error::bad_file(
            path,
            format!("expected {expected} bytes after the header, got {}", payload.len()),
            "There is more in the file than its header says: download it again.",
        )),
        _ => Err(cut_off(path, &format!("{sizes:?}, of which {} bytes are there", payload.len()))),
    }
}

fn cut_off(path: &Path, what: &str) -> Error {
    let hint = "The download was interrupted: download it again.";
    Error::bad_file(path, format!("the file ends too early: it should hold {what}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn file(numbers: &[u32], payload: &[u8]) -> Vec<u8> {
        let head = numbers.iter().flat_map(|number| number.to_be_bytes());
        head.chain(payload.iter().copied()).collect()
    }

    fn refusal<T>(result: Result<T>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn images_and_labels_are_read_plain_and_gzipped() {
        let plain = file(&[IMAGES_MAGIC, 2, 1, 2], &[1, 2, 3, 4]);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&plain).unwrap();
        for bytes in [plain, encoder.finish().unwrap()] {
            let images = images(&bytes, Path::new("x")).unwrap();
            assert_eq!(images.dim(), (2, 1, 2, 1));
            assert_eq!(images[[1, 0, 1, 0]], 4);
        }
        assert_eq!(
            labels(&file(&[LABELS_MAGIC, 3], &[7, 0, 9]), Path::new("x")).unwrap(),
            [7, 0, 9]
        );
    }

    #[test]
    fn errors_name_the_problem() {
        let path = Path::new("train-images");
        let swapped = refusal(images(&file(&[LABELS_MAGIC, 1], &[3]), path));
        assert!(
            swapped.contains("got 2049") && swapped.contains("the file of labels"),
            "{swapped}"
        );
        assert!(refusal(images(b"<html>", path)).contains("web page"));
        assert!(refusal(labels(b"", path)).contains("an empty file"));
        assert!(
            refusal(images(&file(&[IMAGES_MAGIC, 2, 1, 2], &[1, 2]), path))
                .contains("ends too early")
        );
        assert!(refusal(labels(&file(&[LABELS_MAGIC, 1], &[1, 2]), path)).contains("got 2"));
        assert!(refusal(images(&[0x1f, 0x8b, 8, 0, 1], path)).contains("gzip data is broken"));
        let huge = refusal(images(&file(&[IMAGES_MAGIC, u32::MAX, u32::MAX, u32::MAX], &[]), path));
        assert!(huge.contains("ends too early"), "{huge}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = images(&bytes, Path::new("x"));
            let _ = labels(&bytes, Path::new("x"));
            let with_magic = [&IMAGES_MAGIC.to_be_bytes()[..], &bytes].concat();
            let _ = images(&with_magic, Path::new("x"));
        }
    }
}
