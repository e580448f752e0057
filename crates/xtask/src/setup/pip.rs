//! Virtual environments, and pip in them.

use super::interpreter;
use crate::common::files::with_temporary_folder;
use crate::common::process::run_quietly;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Creates a virtual environment in `folder`, in place of an existing folder.
pub fn create_environment(folder: &Path) -> Result<()> {
    create_environment_with(&interpreter::find()?.0, folder)
}

/// The same, with another Python.
pub fn create_environment_with(python: &str, folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    run_quietly(Command::new(python).args(["-m", "venv"]).arg(folder))
}

/// Installs the packages of a lock file and checks every hash. They come from a folder of wheels, if there is
/// one, and else from the network. pip's temporary files are in `home`.
pub fn install(
    home: &Path,
    python: &Path,
    lock_file: &Path,
    wheels: Option<&Path>,
    more: &[&str],
) -> Result<()> {
    with_temporary_folder(home, PIP, |temporary| {
        let mut pip = pip(python, "install", temporary);
        pip.args(["--require-hashes", "--no-compile"]).args(more).arg("-r").arg(lock_file);
        if let Some(wheels) = wheels {
            pip.args(["--no-index", "--find-links"]).arg(wheels);
        }
        run_quietly(&mut pip)
    })
}

/// Downloads the packages of a lock file for this Python into a folder. pip's temporary files are in `home`.
pub fn download(
    home: &Path,
    python: &Path,
    lock_file: &Path,
    wheels: &Path,
    more: &[&str],
) -> Result<()> {
    with_temporary_folder(home, PIP, |temporary| {
        let mut pip = pip(python, "download", temporary);
        pip.args(["--require-hashes"]).args(more).arg("-r").arg(lock_file);
        run_quietly(pip.arg("--dest").arg(wheels))
    })
}

/// The name of the folder for pip's temporary files.
const PIP: &str = "pip";

/// pip with all temporary files in `temporary`: the system's temporary folder and the user's cache may have no
/// gigabytes free.
fn pip(python: &Path, command: &str, temporary: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", command, "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip.arg("--no-cache-dir").env("TMPDIR", temporary);
    // `user = true` in the user's configuration would fail in an environment.
    pip.args((command == "install").then_some("--no-user"));
    pip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_s_temporary_files_are_in_the_folder_it_is_given() {
        let pip = pip(Path::new("python"), "install", Path::new("/home/pip.part-1"));
        let temporary = Some(std::ffi::OsStr::new("/home/pip.part-1"));
        assert!(pip.get_envs().any(|(name, value)| name == "TMPDIR" && value == temporary));
        assert!(pip.get_args().any(|argument| argument == "--no-cache-dir"));
        assert!(pip.get_args().any(|argument| argument == "--no-user"));
    }
}
