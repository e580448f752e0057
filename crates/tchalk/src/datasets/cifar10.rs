//! CIFAR-10, and where it is published.

use super::samples::{shapes, stand_in_for};
use crate::data::{Dataset, Split, cifar};
use crate::error::Result;
use crate::fetch::locations::{FileSet, Locations, SearchResult};
use crate::fetch::remote_file::RemoteFile;

/// CIFAR-10: 50,000 + 10,000 color photos of ten kinds of things, 32 by 32 pixels.
///
/// From `cifar10/cifar-10-binary.tar.gz` or the extracted `cifar10/cifar-10-batches-bin/` in
/// `TCHALK_DATA_DIR`, from the cache, or from the network (170 MB, once). If it is not
/// available, the built-in [`shapes`](super::shapes) stand in for it, and the source says why. Source:
/// A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009.
///
/// # Errors
///
/// If `TCHALK_DATA_DIR` is not a folder, or the files in it are damaged; or after an interrupt, which
/// keeps the received bytes for the next call.
pub fn cifar10() -> Result<Dataset> {
    cifar10_from(&Locations::from_env()?)
}

fn published() -> FileSet {
    // The page of the set publishes the MD5, TensorFlow Datasets size and SHA-256. The mirror is the one
    // that the lessons of MindSpore use.
    let file = RemoteFile::new(
        "cifar-10-binary.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    )
    .mirror(
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/cifar-10-binary.tar.gz",
    )
    .size(170_052_171)
    .md5("c32a1d4ab5d03f1284b67883e8d87530", "the set's own page")
    .sha256(
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        "TensorFlow Datasets",
    );
    FileSet { folder: "cifar10", files: vec![file] }
}

fn cifar10_from(locations: &Locations) -> Result<Dataset> {
    let file_set = published();
    let extracted =
        locations.bundle().map(|bundle| bundle.folder().join("cifar10/cifar-10-batches-bin"));
    let packed = locations
        .bundle()
        .map(|bundle| bundle.folder().join("cifar10").join(file_set.files[0].name()));
    if let Some(folder) = extracted.filter(|folder| folder.is_dir())
        && !packed.is_some_and(|file| file.is_file())
    {
        let source = format!("Read from {}, which no checksum verifies.", folder.display());
        return dataset(cifar::read_folder(&folder)?, source);
    }
    match locations.find(&file_set)? {
        SearchResult::Found(files, source) => {
            dataset(cifar::read_archive(&files[0].bytes, &files[0].path)?, source)
        }
        SearchResult::Missing(why) => Ok(stand_in_for(shapes()?, "CIFAR-10", &why)),
    }
}

fn dataset((train, test): (cifar::Records, cifar::Records), source: String) -> Result<Dataset> {
    let classes = || cifar::CLASSES.map(str::to_owned).to_vec();
    let train = Split::new("CIFAR-10 train", train.0, train.1, classes())?;
    let test = Split::new("CIFAR-10 test", test.0, test.1, classes())?;
    Ok(Dataset::new("CIFAR-10", source, train, test))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::bundle::Bundle;

    #[test]
    fn the_source_says_that_the_sample_is_not_the_real_set() {
        let empty = tempfile::tempdir().unwrap();
        for bundle in [None, Some(Bundle::open(empty.path()).unwrap())] {
            let source = cifar10_from(&Locations::only(bundle)).unwrap().source();
            assert!(source.contains("not CIFAR-10") && source.contains("because"), "{source}");
        }
    }

    #[test]
    fn an_extracted_folder_is_read_as_unverified() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cifar10/cifar-10-batches-bin");
        std::fs::create_dir_all(&folder).unwrap();
        for (label, name) in cifar::BATCHES.iter().enumerate() {
            let record = [vec![label as u8], vec![7; 3072]].concat();
            std::fs::write(folder.join(name), record).unwrap();
        }
        let locations = Locations::only(Some(Bundle::open(home.path()).unwrap()));
        let dataset = cifar10_from(&locations).unwrap();
        assert_eq!((dataset.train.len(), dataset.test.labels()), (5, vec![5]));
        assert!(dataset.source().contains("no checksum verifies"));
    }

    #[test]
    fn a_damaged_archive_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("cifar10")).unwrap();
        std::fs::write(home.path().join("cifar10/cifar-10-binary.tar.gz"), "damaged").unwrap();
        let locations = Locations::only(Some(Bundle::open(home.path()).unwrap()));
        let error = cifar10_from(&locations).unwrap_err().to_string();
        assert!(error.contains("the archive is broken"), "{error}");
    }
}
