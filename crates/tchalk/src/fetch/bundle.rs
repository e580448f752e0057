//! A classroom bundle: a folder of downloaded files, with their checksums.

use super::checksum::{sha256_of, sha256_of_file};
use crate::error::{Error, Result};
use crate::files::expand_home;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The variable that names the folder.
pub(crate) const DATA_DIR_VARIABLE: &str = "TCHALK_DATA_DIR";

/// A folder of downloaded files.
pub(crate) struct Bundle {
    folder: PathBuf,
    /// SHA-256 by path inside the folder, with forward slashes.
    checksums: HashMap<String, String>,
}

/// A file in memory.
pub(crate) struct LoadedFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    /// Whether a checksum verified it.
    pub(crate) verified: bool,
}

impl Bundle {
    /// The bundle that `TCHALK_DATA_DIR` names, if the variable is set.
    pub(crate) fn from_env() -> Result<Option<Bundle>> {
        match std::env::var_os(DATA_DIR_VARIABLE).filter(|value| !value.is_empty()) {
            Some(folder) => Bundle::open(&expand_home(folder.as_ref() as &Path)).map(Some),
            None => Ok(None),
        }
    }

    /// The bundle in `folder`.
    ///
    /// # Errors
    ///
    /// If there is no such folder, or its `SHA256SUMS` cannot be read.
    pub(crate) fn open(folder: &Path) -> Result<Bundle> {
        if !folder.is_dir() {
            return Err(Error::invalid(
                DATA_DIR_VARIABLE,
                "an existing folder of data sets",
                format!("{}", folder.display()),
                "Correct the path, or unset the variable to use the built-in samples.",
            ));
        }
        let list = folder.join("SHA256SUMS");
        let text = match std::fs::read_to_string(&list) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io(list, error, "")),
        };
        let checksums = text.lines().filter_map(|line| {
            let (sum, name) = line.split_once(char::is_whitespace)?;
            let name = name.trim_start().trim_start_matches('*').trim_start_matches("./");
            Some((name.trim_end().to_owned(), sum.to_lowercase()))
        });
        Ok(Bundle { folder: folder.to_owned(), checksums: checksums.collect() })
    }

    /// The folder's own path.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The first of these files that exists, read and verified; `None` if none exists.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or its checksum is not the listed one.
    pub(crate) fn read(&self, names: &[&str]) -> Result<Option<LoadedFile>> {
        for name in names {
            let path = self.folder.join(name);
            if path.is_file() {
                return self.read_one(name, path).map(Some);
            }
        }
        Ok(None)
    }

    fn read_one(&self, name: &str, path: PathBuf) -> Result<LoadedFile> {
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(|error| Error::io(&path, error, "Check that you may read it."))?;
        let verified = self.check(name, &bytes)?;
        Ok(LoadedFile { path, bytes, verified })
    }

    /// Whether a checksum is listed for the file `name`, a path inside the folder, and these bytes match.
    ///
    /// # Errors
    ///
    /// If they do not match.
    pub(crate) fn check(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        self.compare(name, || Ok(sha256_of(bytes)))
    }

    /// The same for a file on the disk.
    pub(crate) fn check_file(&self, name: &str, path: &Path) -> Result<bool> {
        self.compare(name, || sha256_of_file(path))
    }

    fn compare(&self, name: &str, sum: impl Fn() -> Result<String>) -> Result<bool> {
        let Some(expected) = self.checksums.get(name) else { return Ok(false) };
        let sum = sum()?;
        if sum != *expected {
            return Err(Error::bad_file(
                self.folder.join(name),
                format!("its SHA-256 is {sum}, but SHA256SUMS says {expected}"),
                "The file is damaged or another one. Copy it again from the original bundle.",
            ));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_file_is_verified_and_a_changed_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = |sums: &str| {
            std::fs::write(folder.path().join("SHA256SUMS"), sums).unwrap();
            Bundle::open(folder.path()).unwrap().read(&["none", "a.txt"])
        };
        std::fs::write(folder.path().join("a.txt"), "abc").unwrap();
        let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.txt\n";
        assert!(bundle(right).unwrap().unwrap().verified);
        assert!(!bundle("").unwrap().unwrap().verified);
        let error = bundle(&right.replace("ba78", "ba79")).err().unwrap();
        assert!(matches!(error, Error::BadFile { .. }), "{error}");
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let error = Bundle::open(Path::new("/no/such/folder")).err().unwrap();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
}
