//! The results of earlier set-ups: of interrupted ones, of a moved checkout, of older versions.

use super::template::OWNER;
use super::torch_build::TORCH;
use crate::common::files::is_partial;
use crate::common::paths::Paths;
use std::path::{Path, PathBuf};

/// Whether this checkout is set up in the cache.
#[derive(Debug, PartialEq)]
pub enum CheckoutState {
    SetUp,
    /// Set-up has never run here.
    New,
    /// It was set up at another path, which no longer exists.
    MovedFrom(PathBuf),
    /// It was set up, and its part of the cache no longer exists.
    CacheGone,
}

impl CheckoutState {
    pub fn of(paths: &Paths) -> CheckoutState {
        if owner(&paths.state).as_deref() == Some(&paths.root) {
            return CheckoutState::SetUp;
        }
        // Set-up writes this file into the checkout, and it moves with the checkout.
        if !paths.root.join(".cargo/libtorch.toml").is_file() {
            return CheckoutState::New;
        }
        let states = paths.state.parent().map(entries).unwrap_or_default();
        let mut owners = states.iter().filter_map(|state| owner(state));
        match owners.find(|owner| !owner.exists()) {
            Some(before) => CheckoutState::MovedFrom(before),
            None => CheckoutState::CacheGone,
        }
    }
}

/// The checkout that a state folder belongs to.
fn owner(state: &Path) -> Option<PathBuf> {
    std::fs::read_to_string(state.join(OWNER)).ok().map(PathBuf::from)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The partial files and folders of interrupted set-ups.
pub fn partial(paths: &Paths) -> Vec<PathBuf> {
    entries(&paths.home).into_iter().filter(|entry| is_partial(entry)).collect()
}

/// Parts of the cache that this checkout does not use: of older versions, or of other checkouts.
pub fn unused(paths: &Paths, used: &[PathBuf]) -> Vec<PathBuf> {
    const KINDS: [&str; 6] = ["python", "glue-", "kernel-", "rust-src-", "crates-", "reference-"];
    let is_versioned = |entry: &PathBuf| {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        KINDS.iter().any(|kind| name.starts_with(kind)) && !is_partial(entry)
    };
    let mut parts: Vec<_> = entries(&paths.home).into_iter().filter(is_versioned).collect();
    // Every environment with this libtorch is linked with these object files.
    let is_object_folder = |part: &Path| {
        let name = part.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("glue-objects-") && name.ends_with(&format!("-{TORCH}"))
    };
    parts.retain(|part| !used.contains(part) && !is_object_folder(part));
    parts.sort();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(folder: &Path) -> Paths {
        let home = folder.join("home");
        let paths =
            Paths { root: folder.join("checkout"), state: home.join("checkouts/checkout-1"), home };
        std::fs::create_dir_all(paths.root.join(".cargo")).unwrap();
        std::fs::create_dir_all(&paths.home).unwrap();
        paths
    }

    #[test]
    fn a_moved_checkout_is_recognized() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        assert_eq!(CheckoutState::of(&paths), CheckoutState::New);
        std::fs::write(paths.root.join(".cargo/libtorch.toml"), "").unwrap();
        assert_eq!(CheckoutState::of(&paths), CheckoutState::CacheGone);
        let before = folder.path().join("before");
        let state = paths.home.join("checkouts/before-1");
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(state.join(OWNER), before.to_str().unwrap()).unwrap();
        assert_eq!(CheckoutState::of(&paths), CheckoutState::MovedFrom(before.clone()));
        std::fs::create_dir(&before).unwrap();
        assert_eq!(
            CheckoutState::of(&paths),
            CheckoutState::CacheGone,
            "the other checkout still exists"
        );
        std::fs::create_dir_all(&paths.state).unwrap();
        std::fs::write(paths.state.join(OWNER), paths.root.to_str().unwrap()).unwrap();
        assert_eq!(CheckoutState::of(&paths), CheckoutState::SetUp);
    }

    #[test]
    fn unused_and_partial_parts_are_listed_separately() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        for name in ["kernel-1", "kernel-2", "glue-cpu-1", "kernel-3.part-44", "data", "target"] {
            std::fs::create_dir(paths.home.join(name)).unwrap();
        }
        std::fs::create_dir(paths.home.join(format!("glue-objects-0.1.0-{TORCH}"))).unwrap();
        let used = [paths.home.join("kernel-2"), paths.home.join("glue-cpu-1")];
        assert_eq!(unused(&paths, &used), [paths.home.join("kernel-1")]);
        assert_eq!(partial(&paths), [paths.home.join("kernel-3.part-44")]);
    }
}
