//! Kaggle's official client: where it is, and how it is run.

use super::credentials::{Credentials, secrets};
use super::output::{self, Ended, Output};
use super::surroundings::Surroundings;
use crate::error::Result;
use crate::files::path_of;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The variable that names the program.
pub(super) const PROGRAM: &str = "TCHALK_KAGGLE";
/// A client that neither prints nor fetches anything for so long is ended.
const PATIENCE: Duration = Duration::from_secs(180);

/// The client, with the variables it is run with.
pub(super) struct Client {
    program: PathBuf,
    surroundings: Surroundings,
    pub(super) patience: Duration,
}

impl Client {
    /// The client: the program that `TCHALK_KAGGLE` names, `kaggle` on the `PATH`, or the one that
    /// `pip install --user` leaves.
    pub(super) fn find(surroundings: &Surroundings) -> Option<Client> {
        let client = |program: PathBuf| {
            let surroundings = surroundings.clone();
            Client { program, surroundings, patience: PATIENCE }
        };
        if let Some(program) = surroundings.get(PROGRAM) {
            return Some(client(path_of(program)));
        }
        let name = format!("kaggle{}", std::env::consts::EXE_SUFFIX);
        let path = surroundings.get("PATH").unwrap_or_default();
        let folders = std::env::split_paths(path);
        let own = surroundings.home().map(|home| home.join(".local/bin"));
        folders
            .chain(own)
            .map(|folder| folder.join(&name))
            .find(|path| is_program(path))
            .map(client)
    }

    /// The client, if it may and can be asked; or else why not, without a full stop.
    pub(super) fn usable(surroundings: &Surroundings) -> Result<Client, String> {
        if let Some(why) = surroundings.forbidden() {
            return Err(why);
        }
        if !Credentials::look(surroundings).found() {
            return Err("there are no credentials for Kaggle".into());
        }
        let client = Client::find(surroundings);
        client.ok_or_else(|| "Kaggle's client is not installed (pip install kaggle)".into())
    }

    /// Runs it with these arguments. `glance` says how much has been done, to tell work from a hang.
    pub(super) fn run(
        &self,
        op: &str,
        arguments: &[&OsStr],
        glance: impl FnMut() -> u64,
    ) -> Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().envs(self.surroundings.all());
        // Readable output whatever the language, and no colors.
        command.env("PYTHONIOENCODING", "utf-8").env("PYTHONUNBUFFERED", "1").env("NO_COLOR", "1");
        // A verbose client prints headers.
        command.env_remove("VERBOSE").env_remove("VERBOSE_OUTPUT");
        output::run(op, command, &secrets(&self.surroundings), self.patience, glance)
    }
}

impl Output {
    /// Whether it says that all went well.
    pub(super) fn is_success(&self) -> bool {
        matches!(self.ended, Ended::With(status) if status.success())
    }
}

fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}
