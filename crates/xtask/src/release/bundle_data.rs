//! Data sets and weights for a [bundle](crate::release::bundle): from the folder that the user has named, and from
//! the cache.

use super::checksums;
use crate::common::files::{copy_file, create_folder, files_below};
use crate::common::paths::Paths;
use crate::common::step::step;
use anyhow::{Context, Result};
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What notebooks look for, and what becomes of them without it.
const WANTED: [(&str, &str); 10] = [
    ("cifar10/cifar-10-binary.tar.gz", "the tutorial trains on drawn shapes"),
    ("mnist/train-images-idx3-ubyte.gz", "digits are drawn"),
    ("mnist/train-labels-idx1-ubyte.gz", "digits are drawn"),
    ("mnist/t10k-images-idx3-ubyte.gz", "digits are drawn"),
    ("mnist/t10k-labels-idx1-ubyte.gz", "digits are drawn"),
    ("digit-recognizer/train.csv", "the exercise makes its digits from MNIST"),
    ("digit-recognizer/test.csv", "the exercise makes its digits from MNIST"),
    ("weights/vgg16-397923af.pth", "the built-in base takes the place of VGG16"),
    ("weights/squeezenet1_1-b8a52dc0.pth", "the tutorial's table goes without SqueezeNet 1.1"),
    ("weights/imagenet_class_index.json", "classes of ImageNet go by their numbers"),
];

/// What is missing, and what happens without it.
pub type Missing = (&'static str, &'static str);

/// Copies what `named` and the cache hold into `to`, and returns what is missing there. Where both have
/// a file, the one in `named` is taken.
pub fn gather(paths: &Paths, named: Option<&Path>, to: &Path) -> Result<Vec<Missing>> {
    if let Some(folder) = named.filter(|folder| folder.join(checksums::LIST).is_file()) {
        step("the sums that your data came with", || checksums::check_present(folder))?;
    }
    let mut places: Vec<(PathBuf, PathBuf)> = Vec::new();
    places.extend(named.map(|folder| (folder.to_owned(), to.to_owned())));
    places.push((paths.home.join("data"), to.to_owned()));
    places.push((paths.home.join("weights"), to.join("weights")));
    step("data sets and weights", || {
        create_folder(to)?;
        let mut taken = HashSet::new();
        for (from, to) in &places {
            copy_new(from, to, &mut taken)?;
        }
        checksums::write(to)
    })?;
    Ok(WANTED.into_iter().filter(|(file, _)| !is_there(to, file)).collect())
}

/// Copies what is not there in the same form, and not what the cache keeps for itself. What has been
/// `taken` already is left as it is.
fn copy_new(from: &Path, to: &Path, taken: &mut HashSet<PathBuf>) -> Result<()> {
    let Ok(files) = files_below(from) else { return Ok(()) };
    for file in files {
        let copy = to.join(file.strip_prefix(from)?);
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let own = name.starts_with('.') || name.ends_with(".part") || name == checksums::LIST;
        if own || !taken.insert(copy.clone()) || is_same(&file, &copy)? {
            continue;
        }
        create_folder(copy.parent().context("a file is in a folder")?)?;
        copy_file(&file, &copy)?;
    }
    Ok(())
}

/// Whether there is a copy already, byte for byte.
fn is_same(file: &Path, copy: &Path) -> Result<bool> {
    let length = |path: &Path| path.metadata().ok().map(|metadata| metadata.len());
    if length(copy).is_none() || length(file) != length(copy) {
        return Ok(false);
    }
    let open = |path: &Path| {
        std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (mut file, mut copy) = (open(file)?, open(copy)?);
    let (mut one, mut other) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let count = file.read(&mut one)?;
        if count == 0 {
            return Ok(true);
        }
        if copy.read_exact(&mut other[..count]).is_err() || one[..count] != other[..count] {
            return Ok(false);
        }
    }
}

/// Whether the library would find this file, or another that serves as well: unpacked, or weights of
/// the same network in another form.
fn is_there(data: &Path, file: &str) -> bool {
    let unpacked = file.strip_suffix(".gz").filter(|rest| !rest.ends_with(".tar"));
    if data.join(file).is_file() || unpacked.is_some_and(|file| data.join(file).is_file()) {
        return true;
    }
    let network = file.strip_prefix("weights/").and_then(|file| file.split_once('-'));
    let entries = std::fs::read_dir(data.join("weights")).into_iter().flatten().flatten();
    network.is_some_and(|(network, _)| {
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.any(|name| name.starts_with(network) && !name.ends_with(".json"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, files: &[(&str, &str)]) {
        for (file, text) in files {
            std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            std::fs::write(folder.join(file), text).unwrap();
        }
    }

    fn at(home: &Path) -> Paths {
        Paths { root: "/r".into(), home: home.to_owned(), state: "/s".into() }
    }

    #[test]
    fn data_come_from_all_places_and_what_is_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (home, to) = (folder.path().join("home"), folder.path().join("out/data"));
        let files = [
            ("data/mnist/train-images-idx3-ubyte.gz", ""),
            ("data/mnist/.train-images-idx3-ubyte.gz.lock", ""),
            ("data/cifar10/cifar-10-binary.tar.gz.part", ""),
            ("weights/vgg16-base.safetensors", ""),
        ];
        put(&home, &files);
        let named = folder.path().join("stick");
        put(&named, &[("weights/resnet.pth", ""), ("mnist/t10k-images-idx3-ubyte", "")]);
        let missing = gather(&at(&home), Some(&named), &to).unwrap();
        assert!(to.join("weights/resnet.pth").is_file());
        assert!(to.join("mnist/train-images-idx3-ubyte.gz").is_file());
        assert!(to.join("weights/vgg16-base.safetensors").is_file());
        assert!(!to.join("mnist/.train-images-idx3-ubyte.gz.lock").exists());
        let lacks = |part: &str| missing.iter().any(|(file, _)| file.contains(part));
        assert!(lacks("cifar10/") && lacks("train-labels") && lacks("squeezenet1_1"));
        assert!(lacks("imagenet_class_index"));
        assert!(!lacks("vgg16"), "its base alone is what the tutorial needs");
        assert!(!lacks("t10k-images"), "it may lie there unpacked");
        checksums::check(&to).unwrap();
    }

    #[test]
    fn the_named_folder_comes_first_and_what_has_changed_is_copied_again() {
        let folder = tempfile::tempdir().unwrap();
        let (home, to) = (folder.path().join("home"), folder.path().join("out/data"));
        let named = folder.path().join("stick");
        put(&home, &[("data/mnist/a", "of the cache")]);
        put(&named, &[("mnist/a", "1")]);
        let text = || std::fs::read_to_string(to.join("mnist/a")).unwrap();
        gather(&at(&home), Some(&named), &to).unwrap();
        assert_eq!(text(), "1");
        put(&named, &[("mnist/a", "2")]);
        gather(&at(&home), Some(&named), &to).unwrap();
        assert_eq!(text(), "2", "as long as before, and another file");
        gather(&at(&home), None, &to).unwrap();
        assert_eq!(text(), "of the cache");
    }

    #[test]
    fn a_file_that_its_own_list_does_not_vouch_for_is_not_handed_on() {
        let folder = tempfile::tempdir().unwrap();
        let (home, to) = (folder.path().join("home"), folder.path().join("out/data"));
        let named = folder.path().join("stick");
        put(&named, &[("mnist/a", "1"), ("mnist/b", "2")]);
        checksums::write(&named).unwrap();
        std::fs::remove_file(named.join("mnist/b")).unwrap();
        gather(&at(&home), Some(&named), &to).unwrap();
        put(&named, &[("mnist/a", "3")]);
        let error = format!("{:#}", gather(&at(&home), Some(&named), &to).unwrap_err());
        assert!(error.contains("mnist/a"), "{error}");
    }
}
