//! Files and folders: written completely or not at all, copied, listed; and the space on the disk.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Lets `make` write under a temporary name beside `target`, and renames that at the end: `target` exists
/// completely or not at all.
pub fn atomically(target: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let partial = partial_name(target);
    remove(&partial);
    let made = make(&partial).and_then(|()| {
        std::fs::rename(&partial, target)
            .with_context(|| format!("cannot write {}", target.display()))
    });
    if made.is_err() {
        remove(&partial);
    }
    made
}

/// Creates a folder atomically, with what `fill` writes into it.
pub fn create_filled(folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    atomically(folder, |partial| {
        create_folder(partial)?;
        fill(partial)
    })
}

/// Writes a file atomically. A file with this content is left as it is.
pub fn write_file(file: &Path, content: &str) -> Result<()> {
    if std::fs::read_to_string(file).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(parent) = file.parent() {
        create_folder(parent)?;
    }
    atomically(file, |partial| {
        std::fs::write(partial, content).with_context(|| format!("cannot write {}", file.display()))
    })
}

/// Gives `work` a folder that exists only while it runs. After an interruption `remove_partial` removes it.
pub fn with_temporary_folder<T>(
    home: &Path,
    name: &str,
    work: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    let folder = partial_name(&home.join(name));
    create_folder(&folder)?;
    let result = work(&folder);
    remove(&folder);
    result
}

pub fn create_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| {
        format!(
            "cannot write to {}: set TCHALK_HOME to a folder you may write to",
            folder.display()
        )
    })
}

/// Copies the files of a folder for which `is_wanted` is true, with permissions and times.
pub fn copy_tree(from: &Path, to: &Path, is_wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
    create_folder(to)?;
    for source in entries(from)? {
        let target = to.join(source.file_name().unwrap_or_default());
        if source.is_dir() {
            copy_tree(&source, &target, is_wanted)?;
        } else if is_wanted(&source) {
            copy_file(&source, &target)?;
        }
    }
    Ok(())
}

/// Copies a file with its permissions and its modification time.
pub fn copy_file(source: &Path, target: &Path) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        std::fs::copy(source, target)?;
        let modified = std::fs::metadata(source)?.modified()?;
        let times = std::fs::FileTimes::new().set_modified(modified);
        // A file that may not be written to keeps the time of the copy.
        let _ = std::fs::File::options().write(true).open(target).map(|file| file.set_times(times));
        Ok(())
    };
    copy().with_context(|| format!("cannot copy {} to {}", source.display(), target.display()))
}

/// All files below a folder, in no particular order.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        match path.is_dir() {
            true => files.extend(files_below(&path)?),
            false => files.push(path),
        }
    }
    Ok(files)
}

/// What a folder contains, in no particular order.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let entries: std::io::Result<_> = read();
    entries.with_context(|| format!("cannot read {}", folder.display()))
}

/// Removes the partial files and folders of interrupted set-ups. Call it only while holding the cache's lock.
pub fn remove_partial(home: &Path) -> Result<()> {
    entries(home)?.iter().filter(|entry| is_partial(entry)).for_each(|entry| remove(entry));
    Ok(())
}

fn remove(path: &Path) {
    let _ = match path.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    };
}

/// Whether this is the temporary name of something incomplete.
pub fn is_partial(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = name.rsplit_once(".part-").map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// The temporary name under which this process makes or removes something.
pub fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".part-{}", std::process::id()));
    path.with_file_name(name)
}

/// Whether this user may write into the folder, or create it.
#[cfg(unix)]
pub fn is_writable(folder: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let existing = folder.ancestors().find(|folder| folder.exists()).filter(|path| path.is_dir());
    let name = existing.and_then(|path| std::ffi::CString::new(path.as_os_str().as_bytes()).ok());
    // SAFETY: the path is terminated.
    name.is_some_and(|name| unsafe { libc::access(name.as_ptr(), libc::W_OK | libc::X_OK) } == 0)
}

#[cfg(not(unix))]
pub fn is_writable(_: &Path) -> bool {
    true
}

/// The free space at `path` in GB, if the system tells.
#[cfg(unix)]
pub fn free_gb(path: &Path) -> Option<f64> {
    use std::os::unix::ffi::OsStrExt;
    let existing = path.ancestors().find(|ancestor| ancestor.exists())?;
    let name = std::ffi::CString::new(existing.as_os_str().as_bytes()).ok()?;
    // SAFETY: statvfs is plain data, for which zero is a valid value; the system fills it.
    let mut stats: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path is terminated, and the answer is written to a valid address.
    let failed = unsafe { libc::statvfs(name.as_ptr(), &mut stats) } != 0;
    (!failed).then(|| stats.f_bavail as f64 * stats.f_frsize as f64 / 1e9)
}

#[cfg(not(unix))]
pub fn free_gb(_path: &Path) -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_filled_does_not_exist() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("part");
        let failed = create_filled(&folder, |part| {
            std::fs::write(part.join("half"), "x")?;
            anyhow::bail!("no network")
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        create_filled(&folder, |part| Ok(std::fs::write(part.join("all"), "x")?)).unwrap();
        assert!(folder.join("all").is_file());
    }

    #[test]
    fn a_temporary_folder_is_partial_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let folder = with_temporary_folder(home.path(), "pip", |folder| {
            assert!(folder.is_dir() && is_partial(folder));
            Ok(folder.to_owned())
        });
        assert!(!folder.unwrap().exists());
        assert!(
            with_temporary_folder::<()>(home.path(), "pip", |_| anyhow::bail!("no network"))
                .is_err()
        );
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_partial_files_and_folders_are_removed() {
        let home = tempfile::tempdir().unwrap();
        for name in ["kernel-12.part-345", "kernel-12", "data"] {
            std::fs::create_dir_all(home.path().join(name).join("inside")).unwrap();
        }
        std::fs::write(home.path().join("note.part-6"), "").unwrap();
        std::fs::write(home.path().join("film.part-two"), "").unwrap();
        remove_partial(home.path()).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["data", "film.part-two", "kernel-12"]);
    }

    #[test]
    fn a_copy_keeps_times_and_contains_only_what_is_wanted() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(from.path().join("a")).unwrap();
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        for name in ["a/x.rs", "a/y.tmp"] {
            std::fs::write(from.path().join(name), name).unwrap();
            let file = std::fs::File::options().write(true).open(from.path().join(name)).unwrap();
            file.set_modified(then).unwrap();
        }
        let wanted = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
        copy_tree(from.path(), to.path(), &wanted).unwrap();
        let copy = std::fs::metadata(to.path().join("a/x.rs")).unwrap();
        assert_eq!(copy.modified().unwrap(), then);
        assert!(!to.path().join("a/y.tmp").exists());
    }
}
