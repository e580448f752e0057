//! What became of earlier set-ups: broken off, of a checkout that has moved since, older than this one.

use super::template::OWNER;
use super::torch_build::TORCH;
use crate::common::files::is_partial;
use crate::common::paths::Paths;
use std::path::{Path, PathBuf};

/// Where this checkout stands with the cache.
#[derive(Debug, PartialEq)]
pub enum CheckoutState {
    SetUp,
    /// Nobody has called set-up here.
    New,
    /// It was set up under another path, at which there is nothing now.
    MovedFrom(PathBuf),
    /// It was set up, and what belongs to it in the cache is gone.
    CacheGone,
}

impl CheckoutState {
    pub fn of(paths: &Paths) -> CheckoutState {
        if owner(&paths.state).as_deref() == Some(&paths.root) {
            return CheckoutState::SetUp;
        }
        // Set-up writes this file into the checkout, where it moves along.
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

/// What set-ups that were broken off have left half-made.
pub fn half_made(paths: &Paths) -> Vec<PathBuf> {
    entries(&paths.home).into_iter().filter(|entry| is_partial(entry)).collect()
}

/// Parts in the cache that this checkout does not use: of older versions, or of other checkouts.
pub fn unused(paths: &Paths, used: &[PathBuf]) -> Vec<PathBuf> {
    const KINDS: [&str; 6] = ["python", "glue-", "kernel-", "rust-src-", "crates-", "reference-"];
    let is_versioned = |entry: &PathBuf| {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        KINDS.iter().any(|kind| name.starts_with(kind)) && !is_partial(entry)
    };
    let mut parts: Vec<_> = entries(&paths.home).into_iter().filter(is_versioned).collect();
    // The compiled glue is linked anew for every environment with the same libtorch.
    let compiled = |part: &Path| {
        let name = part.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("glue-objects-") && name.ends_with(&format!("-{TORCH}"))
    };
    parts.retain(|part| !used.contains(part) && !compiled(part));
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
    fn a_checkout_knows_whether_it_was_moved() {
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
        assert_eq!(CheckoutState::of(&paths), CheckoutState::CacheGone, "that one is still there");
        std::fs::create_dir_all(&paths.state).unwrap();
        std::fs::write(paths.state.join(OWNER), paths.root.to_str().unwrap()).unwrap();
        assert_eq!(CheckoutState::of(&paths), CheckoutState::SetUp);
    }

    #[test]
    fn older_parts_and_half_made_ones_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        for name in ["kernel-1", "kernel-2", "glue-cpu-1", "kernel-3.part-44", "data", "target"] {
            std::fs::create_dir(paths.home.join(name)).unwrap();
        }
        std::fs::create_dir(paths.home.join(format!("glue-objects-0.1.0-{TORCH}"))).unwrap();
        let used = [paths.home.join("kernel-2"), paths.home.join("glue-cpu-1")];
        assert_eq!(unused(&paths, &used), [paths.home.join("kernel-1")]);
        assert_eq!(half_made(&paths), [paths.home.join("kernel-3.part-44")]);
    }
}
