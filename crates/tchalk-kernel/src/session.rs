//! A folder of its own for each kernel, cloned from a template in which everything is built.
//!
//! Evcxr names its outputs the same in every session, so two kernels must not share a folder. The
//! template holds the library and all it depends on, built once by `--warm`; a clone of it starts in
//! seconds. A lock file beside each folder says that its kernel is alive: the system gives the lock
//! back however the kernel ended, and the next start removes what the dead have left.

use crate::engine::Engine;
use crate::publish::Publisher;
use crate::quick;
use crate::user_dir;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// For how long it is tried again to remove a folder that is still written into.
const PATIENCE: Duration = Duration::from_secs(15);

/// The two folders that set-up names in the kernel's environment.
#[derive(Debug, Clone)]
pub struct Home {
    /// Holds `template/`, and `sessions/` if it is this user's; one for each checkout.
    pub state: PathBuf,
    /// The `tchalk` crate that cells use.
    pub library: PathBuf,
}

impl Home {
    pub fn from_env() -> Result<Home> {
        let folder = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).with_context(|| {
                format!(
                    "{name} is not set: start the kernel from Jupyter after `cargo xtask setup`"
                )
            })
        };
        Ok(Home { state: folder("TCHALK_STATE")?, library: folder("TCHALK_LIBRARY")? })
    }

    /// The folder in which this user's kernels work.
    pub fn writable_state(&self) -> Result<PathBuf> {
        user_dir::writable_state(&self.state)
    }

    fn template(&self) -> PathBuf {
        self.state.join("template")
    }

    /// The lock file of the workspace: sessions use the very versions the library was tested with.
    pub fn lock_file(&self) -> PathBuf {
        self.library.join("../../Cargo.lock")
    }
}

/// The folder of one running kernel; removed when this is dropped.
pub struct Session {
    /// Its plain name.
    pub folder: PathBuf,
    /// Where it lies.
    real_folder: PathBuf,
    lock: PathBuf,
    _held: File,
}

impl Session {
    /// Clones the template into a new folder, after removing what dead kernels left behind.
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

    /// A new folder with nothing in it.
    fn empty(home: &Home) -> Result<Session> {
        let sessions = home.writable_state()?.join("sessions");
        remove_dead(&sessions);
        user_dir::remove_dead_aliases();
        loop {
            let name = &uuid::Uuid::new_v4().simple().to_string()[..16];
            let (real_folder, lock) = (sessions.join(name), sessions.join(format!("{name}.lock")));
            let held =
                File::create(&lock).with_context(|| format!("cannot create {}", lock.display()))?;
            if !hold(&held, &lock).with_context(|| format!("cannot lock {}", lock.display()))? {
                continue;
            }
            user_dir::create_private(&real_folder)
                .with_context(|| format!("cannot create {}", real_folder.display()))?;
            let folder = user_dir::alias(&real_folder)?;
            return Ok(Session { folder, real_folder, lock, _held: held });
        }
    }
}

/// Locks a new file; `false` if another start took it for a dead kernel's before that, and removed it.
fn hold(file: &File, path: &Path) -> std::io::Result<bool> {
    file.lock()?;
    let ours = file.metadata()?;
    Ok(fs::metadata(path).is_ok_and(|it| (it.dev(), it.ino()) == (ours.dev(), ours.ino())))
}

impl Drop for Session {
    fn drop(&mut self) {
        // Jupyter asks, and soon after tells a kernel to end: what has begun to go shall be gone.
        // SAFETY: SIG_IGN is a valid disposition.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
        quick::close();
        let _ = fs::remove_file(socket(&self.folder));
        // A build that is still at work writes while this removes.
        let give_up = Instant::now() + PATIENCE;
        while fs::remove_dir_all(&self.real_folder).is_err()
            && self.real_folder.exists()
            && Instant::now() < give_up
        {
            std::thread::sleep(PATIENCE / 200);
        }
        if self.folder != self.real_folder {
            let _ = fs::remove_file(&self.folder);
        }
        let _ = fs::remove_file(&self.lock);
    }
}

/// The socket of a session: beside its folder.
pub fn socket(folder: &Path) -> PathBuf {
    folder.with_extension("s")
}

/// Removes the folders whose kernel no longer holds its lock, or that have none.
fn remove_dead(sessions: &Path) {
    let Ok(entries) = fs::read_dir(sessions) else { return };
    for entry in entries.flatten().map(|entry| entry.path()) {
        match entry.extension().map(OsStr::to_string_lossy).as_deref() {
            Some("lock") => {
                // Held until all is gone: it may be that of a kernel which is just beginning.
                let Ok(held) = File::open(&entry) else { continue };
                if held.try_lock().is_err() {
                    continue;
                }
                let _ = fs::remove_dir_all(entry.with_extension(""));
                let _ = fs::remove_file(socket(&entry));
                let _ = fs::remove_file(&entry);
            }
            // Its kernel removed the lock, and a last build wrote into the folder once more.
            None if !entry.with_extension("lock").exists() => {
                let _ = fs::remove_dir_all(entry);
            }
            _ => {}
        }
    }
}

/// Copies the files of a folder that are `wanted`. Built third-party files are linked, since nothing
/// ever changes them; all else is copied with its times, by which cargo knows what is fresh.
fn clone_tree(from: &Path, to: &Path, wanted: &dyn Fn(&Path) -> bool) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            clone_tree(&source, &target, wanted)?;
        } else if !wanted(&source) {
            continue;
        } else if !(is_third_party(&source) && fs::hard_link(&source, &target).is_ok()) {
            fs::copy(&source, &target)?;
            let times = FileTimes::new().set_modified(entry.metadata()?.modified()?);
            File::options().write(true).open(&target)?.set_times(times)?;
        }
    }
    Ok(())
}

/// Whether this is a built dependency other than the library itself and the cells.
fn is_third_party(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    matches!(extension, Some("rlib" | "rmeta")) && !is_ours(path)
}

/// Whether this was built from the library or from cells.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    ["libtchalk", "libctx", "libcode_"].iter().any(|ours| name.starts_with(ours))
}

/// Builds the template: a session in which the library is compiled, checked, and a first cell has run. The
/// dependencies that another template has built are not built again.
pub fn warm(other: Option<&Path>) -> Result<()> {
    let home = Home::from_env()?;
    let session = Session::empty(&home)?;
    if let Some(other) = other {
        clone_tree(&other.join("target"), &session.folder.join("target"), &|path| !is_ours(path))
            .with_context(|| format!("cannot take over {}", other.display()))?;
    }
    use_folder(&session.folder);
    let (sender, _receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut engine = Engine::start(&home, Publisher::new(sender))?;
    engine.first_cell()?;
    // The first Tab would otherwise wait until all dependencies have been checked.
    engine.completions("datasets::shapes", 16)?;
    drop(engine);
    quick::close();
    quick::tidy(&session.folder);
    remove_what_rebuilds(&session.folder.join("target"))?;
    let template = home.template();
    if template.exists() {
        fs::remove_dir_all(&template)
            .with_context(|| format!("cannot replace {}", template.display()))?;
    }
    become_template(&session.real_folder, &template)
        .with_context(|| format!("cannot create {}", template.display()))
}

/// Moves a session's folder, which was its user's alone, to where others find it: as open as the umask has
/// new folders.
fn become_template(session: &Path, template: &Path) -> std::io::Result<()> {
    fs::create_dir(template)?;
    fs::set_permissions(session, fs::metadata(template)?.permissions())?;
    fs::rename(session, template)
}

/// Removes what rustc keeps to build a changed library again in less time: more than half of all, which
/// each session would copy at its start and remove at its end.
fn remove_what_rebuilds(target: &Path) -> Result<()> {
    for entry in fs::read_dir(target)?.flatten().map(|entry| entry.path()).chain([target.into()]) {
        let kept = entry.join("debug/incremental");
        if kept.is_dir() {
            fs::remove_dir_all(&kept)
                .with_context(|| format!("cannot remove {}", kept.display()))?;
        }
    }
    Ok(())
}

/// Tells Evcxr to work in `folder`, with quick cells. To be called before any thread is started.
pub fn use_folder(folder: &Path) {
    // SAFETY: no other thread exists yet that could read the environment.
    unsafe { std::env::set_var("EVCXR_TMPDIR", folder) };
    quick::start(folder);
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
    fn a_session_is_a_copy_that_goes_when_it_is_dropped() {
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
    fn a_template_is_as_open_as_other_folders_are() {
        let (_guard, home) = home();
        let session = Session::empty(&home).unwrap();
        fs::write(session.folder.join("file"), "").unwrap();
        become_template(&session.real_folder, &home.template()).unwrap();
        assert!(home.template().join("file").is_file() && !session.real_folder.exists());
        let mode = |folder: &Path| fs::metadata(folder).unwrap().permissions();
        fs::create_dir(home.state.join("other")).unwrap();
        assert_eq!(mode(&home.template()), mode(&home.state.join("other")));
    }

    #[test]
    fn a_template_holds_nothing_that_only_a_rebuild_needs() {
        let target = tempfile::tempdir().unwrap();
        for name in ["debug/incremental/a", "host/debug/incremental/b", "host/debug/deps"] {
            fs::create_dir_all(target.path().join(name)).unwrap();
        }
        remove_what_rebuilds(target.path()).unwrap();
        assert!(!target.path().join("debug/incremental").exists());
        assert!(!target.path().join("host/debug/incremental").exists());
        assert!(target.path().join("host/debug/deps").exists());
    }

    #[test]
    fn the_dead_are_removed_and_the_living_left() {
        let (_guard, home) = home();
        fs::create_dir_all(home.template()).unwrap();
        let living = Session::open(&home).unwrap();
        let dead = home.state.join("sessions/dead");
        fs::create_dir_all(&dead).unwrap();
        fs::write(dead.with_extension("lock"), "").unwrap();
        let left = home.state.join("sessions/left");
        fs::create_dir_all(left.join("target")).unwrap();
        let newcomer = Session::open(&home).unwrap();
        assert!(!left.exists(), "it has no lock");
        assert!(!dead.exists() && !dead.with_extension("lock").exists());
        assert!(living.folder.exists() && newcomer.folder.exists());
    }

    #[test]
    fn a_lock_that_was_removed_before_it_was_held_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let file = File::create(&path).unwrap();
        assert!(hold(&file, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!hold(&file, &path).unwrap());
        File::create(&path).unwrap();
        assert!(!hold(&file, &path).unwrap(), "another one has its name");
    }

    #[test]
    fn those_who_remove_the_dead_leave_the_newborn_alone() {
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
    fn nobody_else_looks_into_a_session() {
        let (_guard, home) = home();
        fs::create_dir_all(home.template()).unwrap();
        let session = Session::open(&home).unwrap();
        for folder in [session.folder.as_path(), session.folder.parent().unwrap()] {
            assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_session_with_an_odd_path_has_a_plain_name() {
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
    fn without_a_template_the_message_says_what_to_run() {
        let (_guard, home) = home();
        let message = Session::open(&home).err().unwrap().to_string();
        assert!(message.contains("cargo xtask setup"), "{message}");
    }
}
