//! Where everything lives.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// The folders of this checkout and of the cache.
pub struct Paths {
    /// The checkout.
    pub root: PathBuf,
    /// The cache for heavy parts, shared by all checkouts: `TCHALK_HOME`.
    pub home: PathBuf,
    /// What belongs to this checkout alone: template, sessions, kernel description. It lies in that
    /// cache, or in the user's own where that one may not be written to.
    pub state: PathBuf,
}

impl Paths {
    pub fn find() -> Result<Paths> {
        // Cargo says where the crate is that it runs. A program that another checkout has built in the
        // same target folder counts as this one's, and knows only where that one is.
        let told = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let manifest = told
            .filter(|folder| folder.ends_with("crates/xtask"))
            .unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root =
            manifest.parent().and_then(Path::parent).context("the crate is in crates/xtask")?;
        let root = root.to_owned();
        let home = match std::env::var_os("TCHALK_HOME") {
            Some(home) if !home.is_empty() => std::path::absolute(from_home(Path::new(&home)))?,
            _ => cache_folder().context("neither TCHALK_HOME nor HOME is set")?.join("tchalk"),
        };
        let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let slug = format!("{name}-{}", &key(&[root.to_string_lossy().as_ref()])[..8]);
        let state = state_folder(&home, cache_folder(), &slug);
        Ok(Paths { root, home, state })
    }

    /// The folder that is locked while set-up is at work.
    pub fn lock_folder(&self) -> &Path {
        if is_writable(&self.home) { &self.home } else { &self.state }
    }

    /// Says what to do where a part is missing in a cache that is only for reading.
    pub fn require_writable(&self) -> Result<()> {
        if !is_writable(&self.home) {
            bail!(
                "{} lacks a part that this checkout needs, and you may not write to it: have its owner \
                 run `cargo xtask setup` in the same version, or set TCHALK_HOME to a folder of your own",
                self.home.display()
            );
        }
        Ok(())
    }

    /// The crate that notebooks use.
    pub fn library(&self) -> PathBuf {
        self.root.join("crates/tchalk")
    }

    /// The folder on `JUPYTER_PATH` in which the kernel of this checkout is described.
    pub fn jupyter(&self) -> PathBuf {
        self.state.join("jupyter")
    }

    /// Where cargo builds.
    pub fn target(&self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        self.root.join(target.unwrap_or_else(|| "target".into()))
    }

    /// Where executed notebooks and pages go.
    pub fn pages(&self) -> PathBuf {
        self.target().join("notebooks")
    }
}

/// The user's folder for caches, as the system has it.
fn cache_folder() -> Option<PathBuf> {
    // A path that is not absolute counts as none, as it does for the library.
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

/// Whether this user may write into the folder, or make it.
#[cfg(unix)]
pub fn is_writable(folder: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let there = folder.ancestors().find(|folder| folder.exists()).filter(|there| there.is_dir());
    let name = there.and_then(|there| std::ffi::CString::new(there.as_os_str().as_bytes()).ok());
    // SAFETY: a terminated path.
    name.is_some_and(|name| unsafe { libc::access(name.as_ptr(), libc::W_OK | libc::X_OK) } == 0)
}

#[cfg(not(unix))]
pub fn is_writable(_: &Path) -> bool {
    true
}

/// A path with `~` at its beginning read as a shell reads it, where the user's home is known.
fn from_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) if !home.is_empty() => PathBuf::from(home).join(rest),
        _ => path.to_owned(),
    }
}

/// A short key for what a part depends on: 16 hexadecimal digits (FNV-1a; it only has to tell
/// versions apart).
pub fn key(parts: &[&str]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

/// The key of a folder's files: names and contents, in order of name.
pub fn key_of_tree(folder: &Path) -> Result<String> {
    let mut parts = Vec::new();
    for path in files_below(folder)? {
        let bytes = std::fs::read(&path)?;
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        parts.push(format!("{name}\0{}", String::from_utf8_lossy(&bytes)));
    }
    parts.sort();
    Ok(key(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// All files below a folder, in no particular order.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        match path.is_dir() {
            true => files.extend(files_below(&path)?),
            false => files.push(path),
        }
    }
    Ok(files)
}

/// The variable that names a folder of downloaded data sets.
pub const DATA_FOLDER: &str = "TCHALK_DATA_DIR";

/// The folder of downloaded data sets that the user has named, or that a bundle has brought.
pub fn data_folder() -> Option<String> {
    let folder = std::env::var(DATA_FOLDER).ok().filter(|folder| !folder.is_empty())?;
    Some(from_home(Path::new(&folder)).to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_apart_and_stay() {
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
        assert_ne!(key(&["a", "b"]), key(&["ab"]));
        assert_eq!(key(&[]).len(), 16);
    }

    #[test]
    fn a_tilde_is_the_home() {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        assert_eq!(from_home(Path::new("~")), home.join(""));
        assert_eq!(from_home(Path::new("~/a b")), home.join("a b"));
        for other in ["/a/~", "a/~/b", "~user/a", "./~"] {
            assert_eq!(from_home(Path::new(other)), Path::new(other));
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_belongs_to_a_checkout_lies_where_it_can_be_written() {
        let home = tempfile::tempdir().unwrap();
        let of = |home: &Path| state_folder(home, Some("/cache".into()), "slug");
        assert_eq!(of(home.path()), home.path().join("checkouts/slug"));
        // Nobody, not even root, writes here.
        let shared = Path::new("/dev/null/tchalk");
        assert_eq!(of(shared), Path::new("/cache/tchalk/checkouts/slug"));
        assert_eq!(state_folder(shared, None, "slug"), shared.join("checkouts/slug"));
        let paths = Paths { root: "/r".into(), home: shared.into(), state: of(shared) };
        assert_eq!(paths.lock_folder(), paths.state);
        let words = paths.require_writable().unwrap_err().to_string();
        assert!(words.contains("/dev/null/tchalk") && words.contains("TCHALK_HOME"), "{words}");
    }

    #[test]
    fn a_tree_s_key_changes_with_names_and_contents() {
        let folder = tempfile::tempdir().unwrap();
        let of = || key_of_tree(folder.path()).unwrap();
        std::fs::write(folder.path().join("a"), "1").unwrap();
        let before = of();
        std::fs::write(folder.path().join("a"), "2").unwrap();
        let changed = of();
        std::fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert!(before != changed && changed != of() && before != of());
    }
}
