//! The folders of the checkout and of the cache.

use super::files::is_writable;
use super::fingerprint::fingerprint;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// The folders of this checkout and of the cache.
pub struct Paths {
    /// The checkout.
    pub root: PathBuf,
    /// The cache for heavy parts, shared by all checkouts: `TCHALK_HOME`.
    pub home: PathBuf,
    /// What belongs to this checkout alone: template, sessions, kernel description. It is in that cache, or in
    /// the user's own cache if that one is read-only.
    pub state: PathBuf,
}

impl Paths {
    pub fn find() -> Result<Paths> {
        // cargo names the crate that it runs. The path at compile time may be another checkout's, because
        // checkouts can share a target folder.
        let named = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let manifest = named
            .filter(|folder| folder.ends_with("crates/xtask"))
            .unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root =
            manifest.parent().and_then(Path::parent).context("the crate is in crates/xtask")?;
        let root = root.to_owned();
        let home = match std::env::var_os("TCHALK_HOME") {
            Some(home) if !home.is_empty() => std::path::absolute(expand_home(Path::new(&home)))?,
            _ => cache_folder().context("neither TCHALK_HOME nor HOME is set")?.join("tchalk"),
        };
        let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let slug = format!("{name}-{}", &fingerprint(&[root.to_string_lossy().as_ref()])[..8]);
        let state = state_folder(&home, cache_folder(), &slug);
        Ok(Paths { root, home, state })
    }

    /// The folder that is locked while set-up is running.
    pub fn lock_folder(&self) -> &Path {
        if is_writable(&self.home) { &self.home } else { &self.state }
    }

    /// An error if the cache is read-only: to be called when a part is missing.
    pub fn require_writable(&self) -> Result<()> {
        if !is_writable(&self.home) {
            bail!(
                "{} lacks a part that this checkout needs, and you may not write to it: ask its owner to \
                 run `cargo xtask setup` in the same version, or set TCHALK_HOME to a folder of your own",
                self.home.display()
            );
        }
        Ok(())
    }

    /// The library's crate.
    pub fn library(&self) -> PathBuf {
        self.root.join("crates/tchalk")
    }

    /// The folder on `JUPYTER_PATH` in which the kernel of this checkout is described.
    pub fn jupyter(&self) -> PathBuf {
        self.state.join("jupyter")
    }

    /// cargo's target folder.
    pub fn target(&self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        self.root.join(target.unwrap_or_else(|| "target".into()))
    }

    /// The folder for executed notebooks and their pages.
    pub fn pages(&self) -> PathBuf {
        self.target().join("notebooks")
    }
}

/// The system's folder for this user's caches.
fn cache_folder() -> Option<PathBuf> {
    // A relative path is ignored, as the library does.
    let from = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute())
    };
    if cfg!(target_os = "macos") {
        return Some(from("HOME")?.join("Library/Caches"));
    }
    from("XDG_CACHE_HOME").or_else(|| Some(from("HOME")?.join(".cache")))
}

fn state_folder(home: &Path, cache: Option<PathBuf>, slug: &str) -> PathBuf {
    let shared = home.join("checkouts").join(slug);
    match cache {
        Some(cache) if !is_writable(&shared) => cache.join("tchalk/checkouts").join(slug),
        _ => shared,
    }
}

/// Replaces a leading `~` by the user's home folder, as a shell does.
fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) if !home.is_empty() => PathBuf::from(home).join(rest),
        _ => path.to_owned(),
    }
}

/// The variable that names a folder of downloaded data sets.
pub const DATA_FOLDER: &str = "TCHALK_DATA_DIR";

/// The folder of downloaded data sets: named by the user, or from a bundle.
pub fn data_folder() -> Option<String> {
    let folder = std::env::var(DATA_FOLDER).ok().filter(|folder| !folder.is_empty())?;
    Some(expand_home(Path::new(&folder)).to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home() {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        assert_eq!(expand_home(Path::new("~")), home.join(""));
        assert_eq!(expand_home(Path::new("~/a b")), home.join("a b"));
        for other in ["/a/~", "a/~/b", "~user/a", "./~"] {
            assert_eq!(expand_home(Path::new(other)), Path::new(other));
        }
    }

    #[test]
    #[cfg(unix)]
    fn the_checkout_s_state_is_in_a_writable_folder() {
        let home = tempfile::tempdir().unwrap();
        let of = |home: &Path| state_folder(home, Some("/cache".into()), "slug");
        assert_eq!(of(home.path()), home.path().join("checkouts/slug"));
        // Not even root can write here.
        let shared = Path::new("/dev/null/tchalk");
        assert_eq!(of(shared), Path::new("/cache/tchalk/checkouts/slug"));
        assert_eq!(state_folder(shared, None, "slug"), shared.join("checkouts/slug"));
        let paths = Paths { root: "/r".into(), home: shared.into(), state: of(shared) };
        assert_eq!(paths.lock_folder(), paths.state);
        let error = paths.require_writable().unwrap_err().to_string();
        assert!(error.contains("/dev/null/tchalk") && error.contains("TCHALK_HOME"), "{error}");
    }
}
