//! The picture sets there are.
//!
//! A set is looked for in the folder that `TCHALK_DATA_DIR` names. CIFAR-10 has a stand-in that the
//! library draws itself; [`Dataset::source`] always says which one was loaded.

use crate::data::bundle::{self, Bundle, Found};
use crate::data::{Dataset, Split, cifar, idx, shapes as drawn};
use crate::error::{Error, Result};
use std::path::Path;

/// CIFAR-10: 50,000 + 10,000 colour photos of ten kinds of things, 32 by 32 pixels.
///
/// From `cifar10/cifar-10-binary.tar.gz` or the extracted `cifar10/cifar-10-batches-bin/` in
/// `TCHALK_DATA_DIR`. Where it is not to be had, the built-in [`shapes`] take its place, and the
/// source says so. Source: A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*,
/// 2009.
///
/// # Errors
///
/// If `TCHALK_DATA_DIR` is no folder, or the files in it are damaged.
pub fn cifar10() -> Result<Dataset> {
    cifar10_from(Bundle::from_env()?.as_ref())
}

fn cifar10_from(bundle: Option<&Bundle>) -> Result<Dataset> {
    if let Some(bundle) = bundle {
        let archive = bundle.read(&["cifar10/cifar-10-binary.tar.gz"])?;
        let folder = bundle.folder().join("cifar10/cifar-10-batches-bin");
        let (loaded, source) = match archive {
            Some(found) => (Some(cifar::archive(&found.bytes, &found.path)?), source(&[&found])),
            None if folder.is_dir() => {
                let source = format!("Read from {}, which no sum vouches for.", folder.display());
                (Some(cifar::folder(&folder)?), source)
            }
            None => (None, String::new()),
        };
        if let Some((train, test)) = loaded {
            let classes = || cifar::CLASSES.map(str::to_owned).to_vec();
            let train = Split::new("CIFAR-10 train", train.0, train.1, classes())?;
            let test = Split::new("CIFAR-10 test", test.0, test.1, classes())?;
            return Ok(Dataset::new("CIFAR-10", source, train, test));
        }
    }
    let why = match bundle {
        Some(bundle) => format!("there is no CIFAR-10 in {}", bundle.folder().display()),
        None => format!("{} is not set", bundle::VARIABLE),
    };
    let shapes = shapes()?;
    let source = format!("{} They stand in for CIFAR-10, because {why}.", shapes.source());
    Ok(Dataset::new("shapes", source, shapes.train, shapes.test))
}

/// MNIST: 60,000 + 10,000 handwritten digits, grey, 28 by 28 pixels.
///
/// From the four idx files, gzipped or not, in `mnist/` of `TCHALK_DATA_DIR`. Source: Y. LeCun,
/// L. Bottou, Y. Bengio, P. Haffner, *Gradient-based learning applied to document recognition*, 1998.
///
/// # Errors
///
/// If the files are not there, or are damaged.
pub fn mnist() -> Result<Dataset> {
    mnist_from(Bundle::from_env()?.as_ref())
}

fn mnist_from(bundle: Option<&Bundle>) -> Result<Dataset> {
    let bundle = bundle.ok_or_else(|| {
        let hint = "Set it to a folder that holds mnist/train-images-idx3-ubyte.gz, \
                    mnist/train-labels-idx1-ubyte.gz, and the two files that begin with t10k.";
        Error::invalid(
            "datasets::mnist",
            format!("{} to be set", bundle::VARIABLE),
            "it is not",
            hint,
        )
    })?;
    let file = |name: &str| -> Result<Found> {
        let names = [format!("mnist/{name}"), format!("mnist/{name}.gz")];
        bundle.read(&[&names[0], &names[1]])?.ok_or_else(|| {
            let problem = format!("there is neither {} nor {}", names[0], names[1]);
            Error::bad_file(bundle.folder(), problem, "Put MNIST's four files there.")
        })
    };
    let split = |name: &str, part: &str| -> Result<(Split, Found, Found)> {
        let images = file(&format!("{part}-images-idx3-ubyte"))?;
        let labels = file(&format!("{part}-labels-idx1-ubyte"))?;
        let digits = ('0'..='9').map(String::from).collect();
        let split = Split::new(
            name,
            idx::images(&images.bytes, &images.path)?,
            idx::labels(&labels.bytes, &labels.path)?,
            digits,
        )?;
        Ok((split, images, labels))
    };
    let (train, a, b) = split("MNIST train", "train")?;
    let (test, c, d) = split("MNIST test", "t10k")?;
    Ok(Dataset::new("MNIST", source(&[&a, &b, &c, &d]), train, test))
}

/// The built-in sample: 5,000 + 1,000 pictures of ten shapes, drawn by the library in a second, the
/// same on every machine. It has CIFAR-10's form: colour, 32 by 32 pixels.
///
/// # Errors
///
/// None today; the result is one so that all sets are called alike.
///
/// ```
/// let shapes = tchalk::datasets::shapes()?;
/// assert_eq!((shapes.train.len(), shapes.test.len()), (5_000, 1_000));
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn shapes() -> Result<Dataset> {
    let classes = || drawn::CLASSES.map(str::to_owned).to_vec();
    let (images, labels) = drawn::draw(5_000, 0);
    let train = Split::new("shapes train", images, labels, classes())?;
    let (images, labels) = drawn::draw(1_000, 1);
    let test = Split::new("shapes test", images, labels, classes())?;
    let source =
        "These are the built-in shapes, drawn by the library: not photos, and not CIFAR-10.";
    Ok(Dataset::new("shapes", source, train, test))
}

/// Where some files of one bundle came from, and whether sums vouched for them.
fn source(files: &[&Found]) -> String {
    let folder = files.first().and_then(|found| found.path.parent()).unwrap_or(Path::new("."));
    let verified = if files.iter().all(|found| found.verified) {
        "verified against SHA256SUMS"
    } else {
        "which no sum vouches for"
    };
    format!("Read from {}, {verified}.", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_never_passes_for_the_real_thing() {
        let empty = tempfile::tempdir().unwrap();
        let bundle = Bundle::open(empty.path()).unwrap();
        for bundle in [None, Some(&bundle)] {
            let source = cifar10_from(bundle).unwrap().source();
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
        let dataset = cifar10_from(Some(&Bundle::open(home.path()).unwrap())).unwrap();
        assert_eq!((dataset.train.len(), dataset.test.labels()), (5, vec![5]));
        assert!(dataset.source().contains("no sum vouches"));
    }

    #[test]
    fn mnist_without_files_says_which_are_wanted() {
        let error = mnist_from(None).unwrap_err().to_string();
        assert!(error.contains("TCHALK_DATA_DIR") && error.contains("train-images"), "{error}");
        let empty = tempfile::tempdir().unwrap();
        let error = mnist_from(Some(&Bundle::open(empty.path()).unwrap())).unwrap_err().to_string();
        assert!(error.contains("neither mnist/train-images-idx3-ubyte nor"), "{error}");
    }
}
