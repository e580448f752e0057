//! MNIST and Fashion-MNIST, which has the same format.

use super::samples::{digit_classes, stand_in_for, strokes};
use crate::data::{Dataset, Split, idx};
use crate::error::{Error, Result};
use crate::fetch::bundle;
use crate::fetch::locations::{FileSet, Locations, SearchResult};
use crate::fetch::remote_file::RemoteFile;

/// MNIST: 60,000 + 10,000 handwritten digits, gray, 28 by 28 pixels.
///
/// From the four idx files, gzipped or not, in `mnist/` of `TCHALK_DATA_DIR`, from the cache, or from
/// the network (12 MB, once). If it is not available, the built-in [`strokes`](super::strokes)
/// stand in for it, and the source says why. Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner,
/// *Gradient-based learning applied to document recognition*, 1998.
///
/// # Errors
///
/// If files in `TCHALK_DATA_DIR` are damaged or some of the four are missing; or after an interrupt,
/// which keeps the received bytes for the next call.
pub fn mnist() -> Result<Dataset> {
    mnist_from(&Locations::from_env()?)
}

/// Fashion-MNIST: 60,000 + 10,000 pieces of clothing of ten kinds, gray, 28 by 28 pixels.
///
/// From the four idx files, gzipped or not, in `fashion-mnist/` of `TCHALK_DATA_DIR`, from the cache,
/// or from the network (31 MB, once). Nothing stands in for it. Source: H. Xiao, K. Rasul,
/// R. Vollgraf, *Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms*,
/// 2017.
///
/// # Errors
///
/// If it is not available, and as for [`mnist`].
pub fn fashion_mnist() -> Result<Dataset> {
    fashion_mnist_from(&Locations::from_env()?)
}

/// MNIST from these locations, or the built-in strokes.
pub(crate) fn mnist_from(locations: &Locations) -> Result<Dataset> {
    match load(locations, "MNIST", &published_mnist(), digit_classes())? {
        Ok(mnist) => Ok(mnist),
        Err(why) => Ok(stand_in_for(strokes()?, "MNIST", &why)),
    }
}

fn fashion_mnist_from(locations: &Locations) -> Result<Dataset> {
    let classes = FASHION_CLASSES.map(str::to_owned).to_vec();
    load(locations, "Fashion-MNIST", &published_fashion_mnist(), classes)?.map_err(|why| {
        let hint = format!(
            "Connect to the network, or put the four files train-images-idx3-ubyte.gz, \
             train-labels-idx1-ubyte.gz and the two that begin with t10k into fashion-mnist/ of the \
             folder that {} names.",
            bundle::DATA_DIR_VARIABLE
        );
        Error::invalid("datasets::fashion_mnist", "its four files", format!("none: {why}"), hint)
    })
}

const FASHION_CLASSES: [&str; 10] = [
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// Name, size, MD5 and SHA-256 of each file.
type PublishedFiles = [(&'static str, u64, &'static str, &'static str); 4];

/// The MD5s are those of torchvision, sizes and SHA-256s those of TensorFlow Datasets.
fn published_mnist() -> FileSet {
    const FILES: PublishedFiles = [
        (
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            28_881,
            "d53e105ee54ea40749a09fcbcd1e9432",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "9fb629c4189551a2d022fa330f9573f3",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "ec29112dd5afa0611ce80d1b7f02629c",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ];
    // The official page sometimes refuses downloads, so the copy of torchvision comes first.
    let urls = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ];
    file_set("mnist", FILES, urls, "torchvision")
}

/// The MD5s are those of the README of the set, sizes and SHA-256s those of TensorFlow Datasets.
fn published_fashion_mnist() -> FileSet {
    const FILES: PublishedFiles = [
        (
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            29_515,
            "25c81989df183df01b3e8a0aad5dffbe",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "bef4ecab320f06d8554ea6380940ec79",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            5_148,
            "bb300cfdad3c16e7a12a480ee83cd310",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ];
    let urls = [
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ];
    file_set("fashion-mnist", FILES, urls, "its README")
}

fn file_set<const N: usize>(
    folder: &'static str,
    files: PublishedFiles,
    urls: [&str; N],
    publisher: &str,
) -> FileSet {
    let source = |(name, size, md5, sha256): (&str, u64, &str, &str)| {
        let [first, mirrors @ ..] = &urls[..] else { unreachable!("a set has an address") };
        let source = RemoteFile::new(name, format!("{first}{name}")).size(size);
        let source = mirrors.iter().fold(source, |source, it| source.mirror(format!("{it}{name}")));
        source.md5(md5, publisher).sha256(sha256, "TensorFlow Datasets")
    };
    FileSet { folder, files: files.map(source).to_vec() }
}

/// A set of four idx files, or why it is not available.
fn load(
    locations: &Locations,
    name: &str,
    wanted: &FileSet,
    classes: Vec<String>,
) -> Result<Result<Dataset, String>> {
    let (files, source) = match locations.find(wanted)? {
        SearchResult::Found(files, source) => (files, source),
        SearchResult::Missing(why) => return Ok(Err(why)),
    };
    let split = |part: &str, at: usize| {
        Split::new(
            format!("{name} {part}"),
            idx::images(&files[at].bytes, &files[at].path)?,
            idx::labels(&files[at + 1].bytes, &files[at + 1].path)?,
            classes.clone(),
        )
    };
    Ok(Ok(Dataset::new(name, source, split("train", 0)?, split("test", 2)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::bundle::Bundle;

    fn idx_file(numbers: &[u32], payload: &[u8]) -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .chain(payload.iter().copied())
            .collect()
    }

    fn small_set(home: &std::path::Path, folder: &str) {
        std::fs::create_dir(home.join(folder)).unwrap();
        for part in ["train", "t10k"] {
            let put = |kind: &str, bytes: Vec<u8>| {
                std::fs::write(home.join(folder).join(format!("{part}-{kind}-ubyte")), bytes)
                    .unwrap();
            };
            put("images-idx3", idx_file(&[2051, 2, 1, 1], &[5, 6]));
            put("labels-idx1", idx_file(&[2049, 2], &[9, 0]));
        }
    }

    #[test]
    fn without_files_the_strokes_stand_in_for_mnist_only() {
        let nowhere = Locations::only(None);
        let source = mnist_from(&nowhere).unwrap().source();
        assert!(source.contains("they are not MNIST"), "{source}");
        assert!(source.contains("stand in for MNIST, because TCHALK_DATA_DIR"), "{source}");
        let error = fashion_mnist_from(&nowhere).unwrap_err().to_string();
        assert!(error.contains("its four files, got none: TCHALK_DATA_DIR is not set"), "{error}");
    }

    #[test]
    fn both_are_read_from_a_bundle() {
        let home = tempfile::tempdir().unwrap();
        small_set(home.path(), "mnist");
        small_set(home.path(), "fashion-mnist");
        let locations = Locations::only(Some(Bundle::open(home.path()).unwrap()));
        let mnist = mnist_from(&locations).unwrap();
        assert_eq!((mnist.name().as_str(), mnist.train.labels()), ("MNIST", vec![9, 0]));
        assert!(mnist.source().contains("no checksum verifies"), "{}", mnist.source());
        let fashion = fashion_mnist_from(&locations).unwrap();
        assert_eq!(fashion.test.image(0).class_name().unwrap(), "ankle boot");
        std::fs::remove_file(home.path().join("mnist/t10k-labels-idx1-ubyte")).unwrap();
        let error = mnist_from(&locations).unwrap_err().to_string();
        assert!(error.contains("neither mnist/t10k-labels-idx1-ubyte nor"), "{error}");
    }
}
