//! The data sets and weights of a bundle: from the folder that the user has named, and from the cache.

use super::checksums;
use crate::common::files::{copy_file, create_folder, files_below};
use crate::common::paths::Paths;
use crate::common::step::step;
use anyhow::{Context, Result};
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The files that notebooks use, and the consequence if one is missing.
const FILES: [(&str, &str); 10] = [
    ("cifar10/cifar-10-binary.tar.gz", "the tutorial trains on generated shapes"),
    ("mnist/train-images-idx3-ubyte.gz", "digits are generated"),
    ("mnist/train-labels-idx1-ubyte.gz", "digits are generated"),
    ("mnist/t10k-images-idx3-ubyte.gz", "digits are generated"),
    ("mnist/t10k-labels-idx1-ubyte.gz", "digits are generated"),
    ("digit-recognizer/train.csv", "the exercise makes its digits from MNIST"),
    ("digit-recognizer/test.csv", "the exercise makes its digits from MNIST"),
    ("weights/vgg16-397923af.pth", "the built-in base is used instead of VGG16"),
    ("weights/squeezenet1_1-b8a52dc0.pth", "the tutorial's table has no SqueezeNet 1.1"),
    ("weights/imagenet_class_index.json", "the classes of ImageNet have numbers instead of names"),
];

/// A missing file, and the consequence.
pub type MissingFile = (&'static str, &'static str);

/// Copies the files in `named` and in the cache to `to`, and returns the missing ones. A file that is in both is
/// copied from `named`.
pub fn collect_data(paths: &Paths, named: Option<&Path>, to: &Path) -> Result<Vec<MissingFile>> {
    if let Some(folder) = named.filter(|folder| folder.join(checksums::LIST).is_file()) {
        step("the checksums of your data", || checksums::check_present(folder))?;
    }
    let mut sources: Vec<(PathBuf, PathBuf)> = Vec::new();
    sources.extend(named.map(|folder| (folder.to_owned(), to.to_owned())));
    sources.push((paths.home.join("data"), to.to_owned()));
    sources.push((paths.home.join("weights"), to.join("weights")));
    step("data sets and weights", || {
        create_folder(to)?;
        let mut copied = HashSet::new();
        for (from, to) in &sources {
            copy_new(from, to, &mut copied)?;
        }
        checksums::write(to)
    })?;
    Ok(FILES.into_iter().filter(|(file, _)| !is_available(to, file)).collect())
}

/// Copies the files that differ, except the cache's own. Files that are in `copied` are skipped.
fn copy_new(from: &Path, to: &Path, copied: &mut HashSet<PathBuf>) -> Result<()> {
    let Ok(files) = files_below(from) else { return Ok(()) };
    for file in files {
        let copy = to.join(file.strip_prefix(from)?);
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let own = name.starts_with('.') || name.ends_with(".part") || name == checksums::LIST;
        if own || !copied.insert(copy.clone()) || is_same(&file, &copy)? {
            continue;
        }
        create_folder(copy.parent().context("a file is in a folder")?)?;
        copy_file(&file, &copy)?;
    }
    Ok(())
}

/// Whether the copy exists and has the same bytes.
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

/// Whether the library would find this file or an equivalent one: unpacked, or weights of the same network in
/// another form.
fn is_available(data: &Path, file: &str) -> bool {
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
    fn data_come_from_all_sources_and_missing_files_are_returned() {
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
        let missing = collect_data(&at(&home), Some(&named), &to).unwrap();
        assert!(to.join("weights/resnet.pth").is_file());
        assert!(to.join("mnist/train-images-idx3-ubyte.gz").is_file());
        assert!(to.join("weights/vgg16-base.safetensors").is_file());
        assert!(!to.join("mnist/.train-images-idx3-ubyte.gz.lock").exists());
        let lacks = |part: &str| missing.iter().any(|(file, _)| file.contains(part));
        assert!(lacks("cifar10/") && lacks("train-labels") && lacks("squeezenet1_1"));
        assert!(lacks("imagenet_class_index"));
        assert!(!lacks("vgg16"), "its base is enough for the tutorial");
        assert!(!lacks("t10k-images"), "it may be unpacked");
        checksums::check(&to).unwrap();
    }

    #[test]
    fn the_named_folder_comes_first_and_a_changed_file_is_copied_again() {
        let folder = tempfile::tempdir().unwrap();
        let (home, to) = (folder.path().join("home"), folder.path().join("out/data"));
        let named = folder.path().join("stick");
        put(&home, &[("data/mnist/a", "of the cache")]);
        put(&named, &[("mnist/a", "1")]);
        let text = || std::fs::read_to_string(to.join("mnist/a")).unwrap();
        collect_data(&at(&home), Some(&named), &to).unwrap();
        assert_eq!(text(), "1");
        put(&named, &[("mnist/a", "2")]);
        collect_data(&at(&home), Some(&named), &to).unwrap();
        assert_eq!(text(), "2", "the same length, and other content");
        collect_data(&at(&home), None, &to).unwrap();
        assert_eq!(text(), "of the cache");
    }

    #[test]
    fn a_file_with_a_wrong_checksum_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (home, to) = (folder.path().join("home"), folder.path().join("out/data"));
        let named = folder.path().join("stick");
        put(&named, &[("mnist/a", "1"), ("mnist/b", "2")]);
        checksums::write(&named).unwrap();
        std::fs::remove_file(named.join("mnist/b")).unwrap();
        collect_data(&at(&home), Some(&named), &to).unwrap();
        put(&named, &[("mnist/a", "3")]);
        let error = format!("{:#}", collect_data(&at(&home), Some(&named), &to).unwrap_err());
        assert!(error.contains("mnist/a"), "{error}");
    }
}
