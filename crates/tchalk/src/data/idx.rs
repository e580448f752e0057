//! The idx format, in which MNIST is published: a magic number, sizes, then bytes.

use crate::error::{Error, Result};
use flate2::read::GzDecoder;
use ndarray::Array4;
use std::io::Read;
use std::path::Path;

const IMAGES: u32 = 2051;
const LABELS: u32 = 2049;
/// No digit set is larger: what a header says is not believed beyond this.
const MOST_BYTES: u64 = 1 << 30;

/// The images in an idx file, gzipped or not: `[n, height, width, 1]`.
pub(crate) fn images(bytes: &[u8], path: &Path) -> Result<Array4<u8>> {
    let bytes = unpacked(bytes, path)?;
    let [n, height, width] = header(&bytes, IMAGES, path)?;
    let pixels = payload(&bytes, &[n, height, width], path)?;
    Array4::from_shape_vec((n, height, width, 1), pixels)
        .map_err(|error| Error::bad_file(path, error.to_string(), ""))
}

/// The labels in an idx file, gzipped or not.
pub(crate) fn labels(bytes: &[u8], path: &Path) -> Result<Vec<usize>> {
    let bytes = unpacked(bytes, path)?;
    let [n] = header(&bytes, LABELS, path)?;
    Ok(payload(&bytes, &[n], path)?.into_iter().map(usize::from).collect())
}

/// The content, whether it was gzipped or not.
fn unpacked(bytes: &[u8], path: &Path) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).take(MOST_BYTES).read_to_end(&mut unpacked).map_err(|error| {
        let hint = "The file is cut off or damaged: download it again.";
        Error::bad_file(path, format!("the gzip data is broken: {error}"), hint)
    })?;
    Ok(unpacked)
}

fn number(bytes: &[u8], place: usize) -> Option<u32> {
    let four = bytes.get(4 * place..4 * place + 4)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

/// The sizes in the header, after the magic number.
fn header<const AXES: usize>(bytes: &[u8], magic: u32, path: &Path) -> Result<[usize; AXES]> {
    let found = number(bytes, 0);
    if found != Some(magic) {
        let what = |magic| if magic == IMAGES { "images" } else { "labels" };
        let likely = match found {
            Some(IMAGES | LABELS) => format!("This is the file of {}.", what(found.unwrap_or(0))),
            _ if bytes.first() == Some(&b'<') => {
                "This is a web page: the download failed and was saved all the same.".into()
            }
            _ => "This is no idx file: download it again.".into(),
        };
        let found = found.map_or("an empty file".into(), |found| found.to_string());
        let problem = format!("expected the magic number {magic} of {}, got {found}", what(magic));
        return Err(Error::bad_file(path, problem, likely));
    }
    let mut sizes = [0; AXES];
    for (axis, size) in sizes.iter_mut().enumerate() {
        *size = number(bytes, 1 + axis).ok_or_else(|| cut_off(path, "the header"))? as usize;
    }
    Ok(sizes)
}

/// The bytes after the header, which have to be just as many as the sizes say.
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
        let plain = file(&[IMAGES, 2, 1, 2], &[1, 2, 3, 4]);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&plain).unwrap();
        for bytes in [plain, encoder.finish().unwrap()] {
            let images = images(&bytes, Path::new("x")).unwrap();
            assert_eq!(images.dim(), (2, 1, 2, 1));
            assert_eq!(images[[1, 0, 1, 0]], 4);
        }
        assert_eq!(labels(&file(&[LABELS, 3], &[7, 0, 9]), Path::new("x")).unwrap(), [7, 0, 9]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let path = Path::new("train-images");
        let swapped = refusal(images(&file(&[LABELS, 1], &[3]), path));
        assert!(
            swapped.contains("got 2049") && swapped.contains("the file of labels"),
            "{swapped}"
        );
        assert!(refusal(images(b"<html>", path)).contains("web page"));
        assert!(refusal(labels(b"", path)).contains("an empty file"));
        assert!(
            refusal(images(&file(&[IMAGES, 2, 1, 2], &[1, 2]), path)).contains("ends too early")
        );
        assert!(refusal(labels(&file(&[LABELS, 1], &[1, 2]), path)).contains("got 2"));
        assert!(refusal(images(&[0x1f, 0x8b, 8, 0, 1], path)).contains("gzip data is broken"));
        let huge = refusal(images(&file(&[IMAGES, u32::MAX, u32::MAX, u32::MAX], &[]), path));
        assert!(huge.contains("ends too early"), "{huge}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = images(&bytes, Path::new("x"));
            let _ = labels(&bytes, Path::new("x"));
            let with_magic = [&IMAGES.to_be_bytes()[..], &bytes].concat();
            let _ = images(&with_magic, Path::new("x"));
        }
    }
}
