//! The folders that set-up and notebooks write to.

use super::finding::Finding::{self, Bad, Good, Note};
use crate::common::cargo;
use crate::common::files::is_writable;
use crate::common::paths::{DATA_FOLDER, Paths};
use crate::common::variables::Variables;
use crate::setup::bundled_data;
use crate::setup::kernel;
use std::path::{Path, PathBuf};

/// Whether all of them can be written to. A `complete` cache need not be.
pub fn findings(paths: &Paths, variables: &Variables, complete: bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [
        unusable(&paths.home),
        home(paths, complete),
        unwritable(&paths.root.join(".cargo"), "the checkout", "copy it to a folder of your own"),
        unwritable(&paths.state, "the checkout's part of the cache", MOVE_CACHE),
        cargo_home(variables)
            .and_then(|folder| crates(&folder, &|| cargo::is_fetched(&paths.root))),
        kernel::user_jupyter().and_then(|folder| {
            unwritable(&folder, "Jupyter's data folder", "set JUPYTER_DATA_DIR to another")
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    if findings.is_empty() {
        findings.push(Good("all are writable".into()));
    }
    findings
}

/// A fault, if the path of the cache cannot be passed on: lists of paths are separated by colons, and
/// configurations are UTF-8.
fn unusable(folder: &Path) -> Option<Finding> {
    let why = match folder.to_str() {
        None => "is not UTF-8",
        Some(text) if text.contains(':') => "has a colon in it",
        Some(_) => return None,
    };
    let what = format!("the cache: the path {} {why}", folder.display());
    Some(Bad(what, "set TCHALK_HOME to another folder".into()))
}

const MOVE_CACHE: &str = "set TCHALK_HOME to a folder that you may write to";

fn home(paths: &Paths, complete: bool) -> Option<Finding> {
    match unwritable(&paths.home, "the cache", MOVE_CACHE)? {
        Bad(what, _) if complete => Some(Note(format!("{what}; it is complete"))),
        finding => Some(finding),
    }
}

fn cargo_home(variables: &Variables) -> Option<PathBuf> {
    let named = variables.get("CARGO_HOME").map(PathBuf::from);
    named.or_else(|| Some(Path::new(variables.get("HOME")?).join(".cargo")))
}

fn crates(folder: &Path, is_fetched: &dyn Fn() -> bool) -> Option<Finding> {
    match unwritable(folder, "cargo's folder", "set CARGO_HOME to a folder that you may write to")?
    {
        Bad(what, _) if is_fetched() => Some(Note(format!("{what}; all crates are downloaded"))),
        finding => Some(finding),
    }
}

/// A fault, if a folder cannot be written to or created.
fn unwritable(folder: &Path, name: &str, remedy: &str) -> Option<Finding> {
    let existing = folder.ancestors().find(|ancestor| ancestor.symlink_metadata().is_ok())?;
    (!is_writable(folder)).then(|| {
        let why = match existing.is_dir() {
            true => format!("{} cannot be written to", existing.display()),
            false => format!("{} is not a folder", existing.display()),
        };
        Bad(format!("{name}: {why}"), remedy.into())
    })
}

/// The folder of data sets, `folder` as the library has it.
pub fn data(paths: &Paths, folder: Option<&str>) -> Finding {
    data_in(folder, bundled_data::find(&paths.home).as_deref())
}

fn data_in(folder: Option<&str>, bundled: Option<&Path>) -> Finding {
    match folder {
        Some(folder) if bundled == Some(Path::new(folder)) => {
            Good(format!("from a bundle: {folder}"))
        }
        Some(folder) if Path::new(folder).is_dir() => Good(format!("{DATA_FOLDER} = {folder}")),
        Some(folder) => Bad(
            format!("{DATA_FOLDER} = {folder:?} is not a folder"),
            "correct it, or unset it to use the built-in samples".into(),
        ),
        None => Note(format!(
            "{DATA_FOLDER} is not set: data sets are fetched into the cache, and without a network \
             the built-in samples are used"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_created_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(unwritable(&folder.path().join("a/b"), "x", "y"), None);
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(unwritable(&file.join("a"), "x", "y"), Some(Bad(..))));
    }

    #[test]
    #[cfg(unix)]
    fn a_cache_whose_path_cannot_be_passed_on_is_a_fault() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(unusable(Path::new("/a b,c/Pru\u{308}fung")), None);
        let not_text = std::ffi::OsStr::from_bytes(b"/a\xff");
        for folder in [Path::new("/a:b"), Path::new(not_text)] {
            assert!(matches!(unusable(folder), Some(Bad(..))));
        }
    }

    #[test]
    fn a_cache_or_a_cargo_home_that_is_complete_need_not_be_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let paths = Paths { root: "/c".into(), home: file.join("h"), state: file.join("h/s") };
        assert!(matches!(home(&paths, true), Some(Note(_))));
        assert!(matches!(home(&paths, false), Some(Bad(..))));
        assert!(matches!(crates(&file, &|| true), Some(Note(_))));
        assert!(matches!(crates(&file, &|| false), Some(Bad(..))));
        assert_eq!(crates(folder.path(), &|| false), None);
    }

    #[test]
    fn a_data_folder_that_does_not_exist_is_a_fault() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (named, bundled) = (folder.path().to_str(), Some(folder.path()));
        assert!(matches!(data_in(None, None), Note(_)));
        assert!(matches!(data_in(named, None), Good(what) if what.starts_with(DATA_FOLDER)));
        assert!(matches!(data_in(named, bundled), Good(what) if what.contains("a bundle")));
        assert!(matches!(data_in(other.path().to_str(), bundled), Good(_)));
        assert!(matches!(data_in(Some("/no/folder"), bundled), Bad(..)));
    }
}
