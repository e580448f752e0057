//! The binary format of CIFAR-10: records of a label and 3,072 bytes of red, green and blue planes.

use crate::error::{Error, Result};
use flate2::read::GzDecoder;
use ndarray::Array4;
use std::io::Read;
use std::path::Path;

const SIDE: usize = 32;
const PLANE_BYTES: usize = SIDE * SIDE;
const RECORD_BYTES: usize = 1 + 3 * PLANE_BYTES;
/// The largest file that is accepted; a batch has 10,000 records.
const MAX_BYTES: u64 = 4 * 10_000 * RECORD_BYTES as u64;

/// The files of the archive, in order; the last is the test set.
pub(crate) const BATCHES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

/// The classes, in the order of their labels.
pub(crate) const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Images `[n, 32, 32, 3]` and their labels.
pub(crate) type Records = (Array4<u8>, Vec<usize>);

/// The training and the test records in the archive `cifar-10-binary.tar.gz`.
pub(crate) fn read_archive(bytes: &[u8], path: &Path) -> Result<(Records, Records)> {
    let broken = |error: std::io::Error| {
        let hint = "The file is cut off or damaged: download it again.";
        Error::bad_file(path, format!("the archive is broken: {error}"), hint)
    };
    let mut batches: [Option<Vec<u8>>; 6] = Default::default();
    let mut archive = tar::Archive::new(GzDecoder::new(bytes));
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        // Members are found by name, and nothing is written, so paths cannot escape.
        let name = entry.path().map_err(broken)?.file_name().map(|name| name.to_owned());
        let Some(position) =
            BATCHES.iter().position(|batch| name.as_deref() == Some(batch.as_ref()))
        else {
            continue;
        };
        let mut batch = Vec::new();
        entry.by_ref().take(MAX_BYTES).read_to_end(&mut batch).map_err(broken)?;
        batches[position] = Some(batch);
    }
    from_batches(batches, path)
}

/// The same in the extracted folder `cifar-10-batches-bin`.
pub(crate) fn read_folder(path: &Path) -> Result<(Records, Records)> {
    let mut batches: [Option<Vec<u8>>; 6] = Default::default();
    for (batch, name) in batches.iter_mut().zip(BATCHES) {
        let file = path.join(name);
        if file.is_file() {
            let bytes = std::fs::read(&file).map_err(|error| Error::io(&file, error, ""))?;
            *batch = Some(bytes);
        }
    }
    from_batches(batches, path)
}

fn from_batches(batches: [Option<Vec<u8>>; 6], path: &Path) -> Result<(Records, Records)> {
    let mut whole = Vec::new();
    for (batch, name) in batches.into_iter().zip(BATCHES) {
        let hint = "Download the archive cifar-10-binary.tar.gz again.";
        whole.push(batch.ok_or_else(|| Error::bad_file(path, format!("{name} is missing"), hint))?);
    }
    let test = whole.pop().unwrap_or_default();
    Ok((
        read_records(&whole.iter().map(Vec::as_slice).collect::<Vec<_>>(), path)?,
        read_records(&[&test], path)?,
    ))
}

/// The records of several batches, in order.
pub(crate) fn read_records(batches: &[&[u8]], path: &Path) -> Result<Records> {
    let total: usize = batches.iter().map(|batch| batch.len() / RECORD_BYTES).sum();
    let mut pixels = Vec::with_capacity(total * 3 * PLANE_BYTES);
    let mut labels = Vec::with_capacity(total);
    for batch in batches {
        if batch.len() % RECORD_BYTES != 0 || batch.is_empty() {
            let problem =
                format!("expected records of {RECORD_BYTES} bytes, got {} bytes", batch.len());
            let hint = "The file is cut off or damaged: download it again.";
            return Err(Error::bad_file(path, problem, hint));
        }
        for record in batch.chunks_exact(RECORD_BYTES) {
            let (label, planes) = (usize::from(record[0]), &record[1..]);
            if label >= CLASSES.len() {
                let problem = format!("record {} has label {label}, not 0 to 9", labels.len());
                return Err(Error::bad_file(path, problem, "This is not CIFAR-10's binary form."));
            }
            labels.push(label);
            let (red, rest) = planes.split_at(PLANE_BYTES);
            let (green, blue) = rest.split_at(PLANE_BYTES);
            pixels.extend(red.iter().zip(green).zip(blue).flat_map(|((&r, &g), &b)| [r, g, b]));
        }
    }
    let images = Array4::from_shape_vec((labels.len(), SIDE, SIDE, 3), pixels)
        .expect("every record gave its pixels");
    Ok((images, labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A record whose planes are all one value each.
    fn record(label: u8, [red, green, blue]: [u8; 3]) -> Vec<u8> {
        let mut record = vec![label];
        for value in [red, green, blue] {
            record.extend([value; PLANE_BYTES]);
        }
        record
    }

    fn packed(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(encoder);
        for (name, bytes) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            // Written past the checks of `set_path`, as an attacker would.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, bytes.as_slice()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn refusal<T>(result: Result<T>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn planes_become_pixels() {
        let batch = [record(3, [10, 20, 30]), record(9, [1, 2, 3])].concat();
        let (images, labels) = read_records(&[&batch], Path::new("x")).unwrap();
        assert_eq!(labels, [3, 9]);
        assert_eq!(images.slice(ndarray::s![0, 31, 5, ..]).to_vec(), [10, 20, 30]);
    }

    #[test]
    fn an_archive_is_read_whatever_folder_its_members_claim() {
        let members: Vec<(&str, Vec<u8>)> = [
            "a/data_batch_2.bin",
            "../../data_batch_1.bin",
            "/etc/data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
            "b/c/test_batch.bin",
        ]
        .iter()
        .enumerate()
        .map(|(i, &name)| (name, record(i as u8, [0, 0, 0])))
        .collect();
        let (train, test) = read_archive(&packed(&members), Path::new("x")).unwrap();
        assert_eq!(train.1, [1, 0, 2, 3, 4], "by number, not by position in the archive");
        assert_eq!(test.1, [5]);
    }

    #[test]
    fn errors_name_the_problem() {
        let path = Path::new("cifar");
        let whole = packed(&[("data_batch_1.bin", record(0, [0, 0, 0]))]);
        assert!(refusal(read_archive(&whole, path)).contains("data_batch_2.bin is missing"));
        assert!(
            refusal(read_archive(&whole[..whole.len() / 2], path)).contains("archive is broken")
        );
        assert!(refusal(read_records(&[&record(0, [0; 3])[..99]], path)).contains("got 99 bytes"));
        assert!(refusal(read_records(&[&record(10, [0; 3])], path)).contains("label 10"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_archive(&bytes, Path::new("x"));
            let _ = read_records(&[&bytes], Path::new("x"));
        }
    }
}
