//! CIFAR-10: what it is, where it is published, and what stands in for it.

use super::samples::{in_place_of, shapes};
use crate::data::{Dataset, Split, cifar};
use crate::error::Result;
use crate::fetch::locations::{FileSet, Locations, SearchResult};
use crate::fetch::remote_file::RemoteFile;

/// CIFAR-10: 50,000 + 10,000 color photos of ten kinds of things, 32 by 32 pixels.
///
/// From `cifar10/cifar-10-binary.tar.gz` or the extracted `cifar10/cifar-10-batches-bin/` in
/// `TCHALK_DATA_DIR`, from the cache, or from the network (170 MB, once). Where it is not to be had,
/// the built-in [`shapes`](super::shapes) take its place, and the source says so, and why. Source:
/// A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009.
///
/// # Errors
///
/// If `TCHALK_DATA_DIR` is no folder, or the files in it are damaged; or after the stop button, which
/// keeps what was fetched so far for the next call.
pub fn cifar10() -> Result<Dataset> {
    cifar10_from(&Locations::from_env()?)
}

fn published() -> FileSet {
    // The page beside the file publishes the MD5; TensorFlow Datasets, in its list of checksums,
    // size and SHA-256. The mirror is the one that MindSpore's lessons use.
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

fn cifar10_from(places: &Locations) -> Result<Dataset> {
    let wanted = published();
    let extracted =
        places.bundle().map(|bundle| bundle.folder().join("cifar10/cifar-10-batches-bin"));
    let packed =
        places.bundle().map(|bundle| bundle.folder().join("cifar10").join(wanted.files[0].name()));
    if let Some(folder) = extracted.filter(|folder| folder.is_dir())
        && !packed.is_some_and(|file| file.is_file())
    {
        let source = format!("Read from {}, which no sum vouches for.", folder.display());
        return dataset(cifar::folder(&folder)?, source);
    }
    match places.find(&wanted)? {
        SearchResult::Found(files, source) => {
            dataset(cifar::archive(&files[0].bytes, &files[0].path)?, source)
        }
        SearchResult::Missing(why) => Ok(in_place_of(shapes()?, "CIFAR-10", &why)),
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
    fn the_sample_never_passes_for_the_real_thing() {
        let empty = tempfile::tempdir().unwrap();
        for bundle in [None, Some(Bundle::open(empty.path()).unwrap())] {
            let source = cifar10_from(&Locations::only(bundle)).unwrap().source();
            assert!(source.contains("not CIFAR-10") && source.contains("because"), "{source}");
        }
    }

    #[test]
    fn an_extracted_folder_is_read_and_said_to_be_unverified() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cifar10/cifar-10-batches-bin");
        std::fs::create_dir_all(&folder).unwrap();
        for (label, name) in cifar::BATCHES.iter().enumerate() {
            let record = [vec![label as u8], vec![7; 3072]].concat();
            std::fs::write(folder.join(name), record).unwrap();
        }
        let places = Locations::only(Some(Bundle::open(home.path()).unwrap()));
        let dataset = cifar10_from(&places).unwrap();
        assert_eq!((dataset.train.len(), dataset.test.labels()), (5, vec![5]));
        assert!(dataset.source().contains("no sum vouches"));
    }

    #[test]
    fn a_damaged_archive_is_an_error_and_no_reason_for_the_sample() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("cifar10")).unwrap();
        std::fs::write(home.path().join("cifar10/cifar-10-binary.tar.gz"), "damaged").unwrap();
        let places = Locations::only(Some(Bundle::open(home.path()).unwrap()));
        let error = cifar10_from(&places).unwrap_err().to_string();
        assert!(error.contains("the archive is broken"), "{error}");
    }
}
