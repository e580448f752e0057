//! Virtual environments, and pip in them.

use super::interpreter;
use crate::common::files::with_temporary_folder;
use crate::common::process::run_quietly;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// A fresh virtual environment in `folder`, in place of whatever was there.
pub fn create_environment(folder: &Path) -> Result<()> {
    create_environment_with(&interpreter::find()?.0, folder)
}

/// The same, made by another Python.
pub fn create_environment_with(python: &str, folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    run_quietly(Command::new(python).args(["-m", "venv"]).arg(folder))
}

/// Installs what a lock file names, checking every hash; from a folder of wheels, if there is one, and
/// else from the network. What pip needs meanwhile lies in `home`.
pub fn install(
    home: &Path,
    python: &Path,
    lock_file: &Path,
    wheels: Option<&Path>,
    more: &[&str],
) -> Result<()> {
    with_temporary_folder(home, PIP, |room| {
        let mut pip = pip(python, "install", room);
        pip.args(["--require-hashes", "--no-compile"]).args(more).arg("-r").arg(lock_file);
        if let Some(wheels) = wheels {
            pip.args(["--no-index", "--find-links"]).arg(wheels);
        }
        run_quietly(&mut pip)
    })
}

/// Fetches what a lock file names, for this Python, and keeps it in a folder. What pip needs meanwhile
/// lies in `home`.
pub fn download(
    home: &Path,
    python: &Path,
    lock_file: &Path,
    wheels: &Path,
    more: &[&str],
) -> Result<()> {
    with_temporary_folder(home, PIP, |room| {
        let mut pip = pip(python, "download", room);
        pip.args(["--require-hashes"]).args(more).arg("-r").arg(lock_file);
        run_quietly(pip.arg("--dest").arg(wheels))
    })
}

/// What the folder for pip's own needs is called.
const PIP: &str = "pip";

/// pip, which keeps nothing outside `room`: neither the system's folder for what is temporary nor the
/// user's for caches need have gigabytes to spare.
fn pip(python: &Path, command: &str, room: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", command, "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip.arg("--no-cache-dir").env("TMPDIR", room);
    // A `user = true` of the user's own would fail in an environment.
    pip.args((command == "install").then_some("--no-user"));
    pip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_keeps_what_it_needs_meanwhile_in_its_room() {
        let pip = pip(Path::new("python"), "install", Path::new("/home/pip.part-1"));
        let room = Some(std::ffi::OsStr::new("/home/pip.part-1"));
        assert!(pip.get_envs().any(|(name, value)| name == "TMPDIR" && value == room));
        assert!(pip.get_args().any(|argument| argument == "--no-cache-dir"));
        assert!(pip.get_args().any(|argument| argument == "--no-user"));
    }
}
