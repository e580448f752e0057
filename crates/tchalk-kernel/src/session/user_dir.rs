//! Folders that belong to one user alone, and short plain names for folders that have others.
//!
//! Evcxr separates the path of a library from a function's name by a space, and the path of a socket has
//! at most about a hundred characters. So a folder with a long path, or with characters other than letters,
//! digits and `/._-+`, gets an alias: a symbolic link in a folder that only this user can enter.

use crate::text::hex;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::ffi::{CString, OsStr};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The maximum length of a folder's path, so that a socket in it has a valid path.
const MAX_LENGTH: usize = 80;
/// For the owner only.
const MODE: u32 = 0o700;

fn user() -> u32 {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() }
}

/// Creates a folder that only this user can read, whatever the umask.
pub fn create_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(MODE).create(folder)
}

/// Creates a private folder, or makes an existing one private: cells may contain secrets of the reader's
/// environment. A folder of another user is an error, and so is a link.
pub fn ensure_private(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match create_private(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => return created,
    }
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() || metadata.uid() != user() {
        return Err(io::Error::other("the folder belongs to another user, or is a link"));
    }
    if metadata.mode() & 0o777 != MODE {
        fs::set_permissions(folder, Permissions::from_mode(MODE))?;
    }
    let name = CString::new(folder.as_os_str().as_bytes())?;
    // SAFETY: a path that ends with a null byte.
    match unsafe { libc::access(name.as_ptr(), libc::W_OK) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The folder in which this user's kernels work: the state folder, or one in the user's own cache if the
/// state folder belongs to another user or is read-only.
pub fn writable_state(state: &Path) -> Result<PathBuf> {
    let name = state.file_name().unwrap_or_default();
    let others = [cache_dir().map(|caches| caches.join("tchalk")), alias_dir().ok()];
    let others = others.into_iter().flatten().map(|folder| folder.join("checkouts").join(name));
    let mut tried = String::new();
    for folder in std::iter::once(state.to_owned()).chain(others) {
        match ensure_private(&folder.join("sessions"))
            .and_then(|()| copy_cargo_config(state, &folder))
        {
            Ok(()) => return Ok(folder),
            Err(error) => tried.push_str(&format!("\n  {}: {error}", folder.display())),
        }
    }
    bail!(
        "there is no folder for this notebook's session: set XDG_CACHE_HOME to a folder that you can \
         write to. These folders were tried:{tried}"
    )
}

/// Copies the configuration that cargo finds above a session.
fn copy_cargo_config(state: &Path, folder: &Path) -> io::Result<()> {
    let file = |of: &Path| of.join(".cargo/config.toml");
    match fs::read(file(state)) {
        Ok(text) if fs::read(file(folder)).ok().as_ref() != Some(&text) => {
            fs::create_dir_all(folder.join(".cargo"))?;
            fs::write(file(folder), text)
        }
        _ => Ok(()),
    }
}

fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute())
}

/// The system's folder for the user's caches.
fn cache_dir() -> Option<PathBuf> {
    let usual = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(usual)))
}

/// Whether Evcxr and sockets can use a path.
fn is_plain(path: &Path) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(byte);
    let bytes = path.as_os_str().as_bytes();
    bytes.len() <= MAX_LENGTH && bytes.iter().all(is_plain)
}

/// The folder of the aliases.
fn alias_dir() -> io::Result<PathBuf> {
    let runtime = absolute("XDG_RUNTIME_DIR").map(|folder| folder.join("tchalk"));
    if let Some(dir) = runtime.filter(|dir| is_plain(dir))
        && dir.parent().is_some_and(Path::is_dir)
        && ensure_private(&dir).is_ok()
    {
        return Ok(dir);
    }
    let dir = PathBuf::from(format!("/tmp/tchalk-{}", user()));
    ensure_private(&dir).map(|()| dir)
}

/// The path by which a folder is used: its own if it is plain, or else an alias.
pub fn alias(folder: &Path) -> Result<PathBuf> {
    if is_plain(folder) {
        return Ok(folder.to_owned());
    }
    let dir = alias_dir().context("there is no folder for aliases")?;
    alias_in(&dir, folder)
        .with_context(|| format!("cannot create an alias of {}", folder.display()))
}

fn alias_in(dir: &Path, folder: &Path) -> io::Result<PathBuf> {
    let digest = Sha256::digest(folder.as_os_str().as_bytes());
    let alias = dir.join(hex(&digest[..8]));
    match symlink(folder, &alias) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => return created.map(|()| alias),
    }
    if fs::read_link(&alias)? != folder {
        return Err(io::Error::other(format!("{} is in the way", alias.display())));
    }
    Ok(alias)
}

/// Removes the aliases whose folder no longer exists, and the sockets beside them.
pub fn remove_dead_aliases() {
    if let Ok(dir) = alias_dir() {
        remove_dead_in(&dir);
    }
}

fn remove_dead_in(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let is_dead = match entry.extension().and_then(OsStr::to_str) {
            None => entry.is_symlink() && !entry.exists(),
            Some("s") => !entry.with_extension("").exists(),
            _ => false,
        };
        if is_dead {
            let _ = fs::remove_file(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_private_folder_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        ensure_private(&open).unwrap();
        assert_eq!(mode(&open), MODE);
        let new = folder.path().join("above/new");
        ensure_private(&new).unwrap();
        assert_eq!(mode(&new), MODE);
        let link = folder.path().join("link");
        symlink(&open, &link).unwrap();
        assert!(ensure_private(&link).is_err(), "a link can be changed by others");
    }

    #[test]
    fn only_plain_and_short_paths_need_no_alias() {
        assert!(is_plain(Path::new("/home/a-b_c/.cache/tchalk+1")));
        for odd in ["/a b", "/a,b", "/a'b", "/\u{fc}", "/u\u{308}", "/a:b", "/a\tb"] {
            assert!(!is_plain(Path::new(odd)), "{odd}");
        }
        assert!(!is_plain(Path::new(&format!("/{}", "x".repeat(120)))));
    }

    #[test]
    fn an_alias_points_to_its_folder_and_is_removed_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, odd) = (folder.path().join("dir"), folder.path().join("Pru\u{308}f, ung"));
        fs::create_dir(&dir).unwrap();
        fs::create_dir(&odd).unwrap();
        let alias = alias_in(&dir, &odd).unwrap();
        fs::write(alias.join("file"), "").unwrap();
        assert!(odd.join("file").is_file());
        assert_eq!(alias_in(&dir, &odd).unwrap(), alias, "it exists already");
        fs::write(alias.with_extension("s"), "").unwrap();
        remove_dead_in(&dir);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
        fs::remove_dir_all(&odd).unwrap();
        remove_dead_in(&dir);
        remove_dead_in(&dir);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    }

    #[test]
    fn an_alias_of_another_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let alias = alias_in(folder.path(), Path::new("/a b")).unwrap();
        fs::remove_file(&alias).unwrap();
        symlink("/elsewhere", &alias).unwrap();
        assert!(alias_in(folder.path(), Path::new("/a b")).is_err());
    }

    #[test]
    fn a_session_elsewhere_gets_cargos_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let (state, own) = (folder.path().join("state"), folder.path().join("own"));
        fs::create_dir_all(state.join(".cargo")).unwrap();
        fs::write(state.join(".cargo/config.toml"), "[net]").unwrap();
        copy_cargo_config(&state, &own).unwrap();
        assert_eq!(fs::read(own.join(".cargo/config.toml")).unwrap(), b"[net]");
        copy_cargo_config(&state, &state).unwrap();
        copy_cargo_config(&folder.path().join("none"), &own).unwrap();
        assert_eq!(fs::read(own.join(".cargo/config.toml")).unwrap(), b"[net]");
    }
}
