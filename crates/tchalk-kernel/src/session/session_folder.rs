//! The folder of one kernel: cloned from the template, removed at the end.
//!
//! A lock file beside the folder shows that its kernel is running. The system releases the lock however
//! the kernel ends, and the next kernel to start removes the folder.

use super::user_dir;
use crate::engine::compile_server::{server, setup};
use crate::home::Home;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to retry the removal of a folder that a build still writes to.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(15);

/// The folder of one running kernel; removed when this is dropped.
pub struct Session {
    /// The folder by its plain path.
    pub folder: PathBuf,
    /// The folder without aliases.
    pub real_folder: PathBuf,
    lock: PathBuf,
    _lock_file: File,
}

impl Session {
    /// Clones the template into a new folder, after removing the folders of kernels that have ended.
    pub fn open(home: &Home) -> Result<Session> {
        if !home.template().is_dir() {
            bail!("{} is missing: run `cargo xtask setup` once", home.template().display());
        }
        let session = Session::empty(home)?;
        clone_tree(&home.template(), &session.folder, &|_| true).with_context(|| {
            format!("cannot clone the template into {}", session.folder.display())
        })?;
        Ok(session)
    }

    /// A new, empty folder.
    pub fn empty(home: &Home) -> Result<Session> {
        let sessions = user_dir::writable_state(&home.state)?.join("sessions");
        remove_abandoned(&sessions);
        user_dir::remove_dead_aliases();
        loop {
            let name = &uuid::Uuid::new_v4().simple().to_string()[..16];
            let (real_folder, lock) = (sessions.join(name), sessions.join(format!("{name}.lock")));
            let lock_file =
                File::create(&lock).with_context(|| format!("cannot create {}", lock.display()))?;
            if !lock_new_file(&lock_file, &lock)
                .with_context(|| format!("cannot lock {}", lock.display()))?
            {
                continue;
            }
            user_dir::create_private(&real_folder)
                .with_context(|| format!("cannot create {}", real_folder.display()))?;
            let folder = user_dir::alias(&real_folder)?;
            return Ok(Session { folder, real_folder, lock, _lock_file: lock_file });
        }
    }
}

/// Locks a new file; `false` if another kernel removed it before, as that of a kernel that has ended.
fn lock_new_file(file: &File, path: &Path) -> std::io::Result<bool> {
    file.lock()?;
    let ours = file.metadata()?;
    Ok(fs::metadata(path).is_ok_and(|it| (it.dev(), it.ino()) == (ours.dev(), ours.ino())))
}

impl Drop for Session {
    fn drop(&mut self) {
        // Jupyter terminates a kernel soon after it has asked it to end: the removal must not be cut short.
        // SAFETY: SIG_IGN is a valid disposition.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
        server::close();
        let _ = fs::remove_file(socket(&self.folder));
        // A build may still write into the folder.
        let deadline = Instant::now() + REMOVE_TIMEOUT;
        while fs::remove_dir_all(&self.real_folder).is_err()
            && self.real_folder.exists()
            && Instant::now() < deadline
        {
            std::thread::sleep(REMOVE_TIMEOUT / 200);
        }
        if self.folder != self.real_folder {
            let _ = fs::remove_file(&self.folder);
        }
        let _ = fs::remove_file(&self.lock);
    }
}

/// The socket of the compile server: beside the session's folder.
fn socket(folder: &Path) -> PathBuf {
    folder.with_extension("s")
}

/// Removes the folders whose lock is free or missing.
fn remove_abandoned(sessions: &Path) {
    let Ok(entries) = fs::read_dir(sessions) else { return };
    for entry in entries.flatten().map(|entry| entry.path()) {
        match entry.extension().map(OsStr::to_string_lossy).as_deref() {
            Some("lock") => {
                // Locked until all is removed: a kernel that is starting may have just created it.
                let Ok(lock_file) = File::open(&entry) else { continue };
                if lock_file.try_lock().is_err() {
                    continue;
                }
                let _ = fs::remove_dir_all(entry.with_extension(""));
                let _ = fs::remove_file(socket(&entry));
                let _ = fs::remove_file(&entry);
            }
            // Its kernel removed the lock, and a last build then wrote into the folder.
            None if !entry.with_extension("lock").exists() => {
                let _ = fs::remove_dir_all(entry);
            }
            _ => {}
        }
    }
}

/// Copies the files of a folder for which `include` is true. Compiled third-party files are hard links,
/// since they never change; the others are copied with their times, by which cargo finds out what is fresh.
pub fn clone_tree(from: &Path, to: &Path, include: &dyn Fn(&Path) -> bool) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            clone_tree(&source, &target, include)?;
        } else if !include(&source) {
            continue;
        } else if !(is_third_party(&source) && fs::hard_link(&source, &target).is_ok()) {
            fs::copy(&source, &target)?;
            let times = FileTimes::new().set_modified(entry.metadata()?.modified()?);
            File::options().write(true).open(&target)?.set_times(times)?;
        }
    }
    Ok(())
}

/// Whether this is a compiled dependency, not the library or a cell.
fn is_third_party(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    matches!(extension, Some("rlib" | "rmeta")) && !is_own(path)
}

/// Whether this was compiled from the library or from a cell.
pub fn is_own(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    ["libtchalk", "libctx", "libcode_"].iter().any(|ours| name.starts_with(ours))
}

/// Makes Evcxr work in `folder`, with quick cells. Must be called before any thread is started.
pub fn use_folder(folder: &Path) {
    // SAFETY: no other thread exists yet that could read the environment.
    unsafe { std::env::set_var("EVCXR_TMPDIR", folder) };
    setup::start(folder, &socket(folder));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let state = tempfile::tempdir().unwrap();
        let home = Home { state: state.path().to_owned(), library: PathBuf::from("unused") };
        (state, home)
    }

    #[test]
    fn a_session_is_a_copy_that_is_removed_when_dropped() {
        let (_guard, home) = home();
        let deps = home.template().join("target/deps");
        fs::create_dir_all(&deps).unwrap();
        fs::write(home.template().join("Cargo.toml"), "template").unwrap();
        fs::write(deps.join("libserde.rlib"), "built").unwrap();
        let session = Session::open(&home).unwrap();
        fs::write(session.folder.join("Cargo.toml"), "changed").unwrap();
        assert_eq!(fs::read(home.template().join("Cargo.toml")).unwrap(), b"template");
        assert_eq!(fs::read(session.folder.join("target/deps/libserde.rlib")).unwrap(), b"built");
        let folder = session.folder.clone();
        drop(session);
        assert!(!folder.exists());
        assert_eq!(fs::read_dir(home.state.join("sessions")).unwrap().count(), 0);
    }

    #[test]
    fn times_are_kept() {
        let (_guard, home) = home();
        fs::create_dir_all(home.template()).unwrap();
        let file = home.template().join("lib.rs");
        let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::write(&file, "x").unwrap();
        let times = FileTimes::new().set_modified(then);
        File::options().write(true).open(&file).unwrap().set_times(times).unwrap();
        let session = Session::open(&home).unwrap();
        let copy = fs::metadata(session.folder.join("lib.rs")).unwrap();
        assert_eq!(copy.modified().unwrap(), then);
    }

    #[test]
    fn only_abandoned_folders_are_removed() {
        let (_guard, home) = home();
        fs::create_dir_all(home.template()).unwrap();
        let running = Session::open(&home).unwrap();
        let abandoned = home.state.join("sessions/abandoned");
        fs::create_dir_all(&abandoned).unwrap();
        fs::write(abandoned.with_extension("lock"), "").unwrap();
        let unlocked = home.state.join("sessions/unlocked");
        fs::create_dir_all(unlocked.join("target")).unwrap();
        let newcomer = Session::open(&home).unwrap();
        assert!(!unlocked.exists(), "it has no lock");
        assert!(!abandoned.exists() && !abandoned.with_extension("lock").exists());
        assert!(running.folder.exists() && newcomer.folder.exists());
    }

    #[test]
    fn a_lock_file_that_was_removed_is_not_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let file = File::create(&path).unwrap();
        assert!(lock_new_file(&file, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!lock_new_file(&file, &path).unwrap());
        File::create(&path).unwrap();
        assert!(!lock_new_file(&file, &path).unwrap(), "another file has its name");
    }

    #[test]
    fn sessions_that_start_at_once_do_not_remove_each_other() {
        let (_guard, home) = home();
        fs::create_dir_all(home.template()).unwrap();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..50 {
                        let session = Session::open(&home).unwrap();
                        assert!(session.folder.is_dir() && session.lock.is_file());
                    }
                });
            }
        });
    }

    #[test]
    fn only_the_user_can_read_a_session() {
        let (_guard, home) = home();
        fs::create_dir_all(home.template()).unwrap();
        let session = Session::open(&home).unwrap();
        for folder in [session.folder.as_path(), session.folder.parent().unwrap()] {
            assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_session_with_a_special_path_has_a_plain_alias() {
        let state = tempfile::tempdir().unwrap();
        let home = Home { state: state.path().join("a b"), library: "unused".into() };
        fs::create_dir_all(home.template()).unwrap();
        let session = Session::open(&home).unwrap();
        fs::write(session.folder.join("file"), "").unwrap();
        assert!(
            session.real_folder.join("file").is_file()
                && session.real_folder.starts_with(&home.state)
        );
        assert!(!session.folder.to_str().unwrap().contains(' '));
        let (folder, real_folder) = (session.folder.clone(), session.real_folder.clone());
        drop(session);
        assert!(!folder.is_symlink() && !real_folder.exists());
    }

    #[test]
    fn without_a_template_the_error_names_the_command() {
        let (_guard, home) = home();
        let message = Session::open(&home).err().unwrap().to_string();
        assert!(message.contains("cargo xtask setup"), "{message}");
    }
}
