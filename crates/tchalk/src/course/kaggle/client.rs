//! Kaggle's official client: how it is found and run.

use super::credentials::{Credentials, secrets};
use super::environment::Environment;
use super::subprocess::{self, Exit, Output};
use crate::error::Result;
use crate::fetch::cache;
use crate::files::expand_home;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The variable that names the program.
pub(super) const PROGRAM: &str = "TCHALK_KAGGLE";
/// A client that neither prints nor fetches anything for this long is killed.
const TIMEOUT: Duration = Duration::from_secs(180);

/// The client, with the environment it is run in.
pub(super) struct Client {
    program: PathBuf,
    environment: Environment,
    pub(super) timeout: Duration,
}

/// Why the client cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    Offline,
    /// The budget `ci` does not use Kaggle.
    BudgetCi,
    NoCredentials,
    NotInstalled,
}

/// A phrase without a period.
impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unusable::Offline => write!(f, "{} forbids the network", cache::OFFLINE_VARIABLE),
            Unusable::BudgetCi => f.write_str("the budget ci does not use Kaggle"),
            Unusable::NoCredentials => f.write_str("there are no credentials for Kaggle"),
            Unusable::NotInstalled => {
                f.write_str("Kaggle's client is not installed (pip install kaggle)")
            }
        }
    }
}

impl Client {
    /// The client: the program that `TCHALK_KAGGLE` names, `kaggle` on the `PATH`, or the one that
    /// `pip install --user` leaves.
    pub(super) fn find(environment: &Environment) -> Option<Client> {
        let client = |program: PathBuf| {
            let environment = environment.clone();
            Client { program, environment, timeout: TIMEOUT }
        };
        if let Some(program) = environment.get(PROGRAM) {
            return Some(client(expand_home(program)));
        }
        let name = format!("kaggle{}", std::env::consts::EXE_SUFFIX);
        let path = environment.get("PATH").unwrap_or_default();
        let folders = std::env::split_paths(path);
        let own = environment.home().map(|home| home.join(".local/bin"));
        folders
            .chain(own)
            .map(|folder| folder.join(&name))
            .find(|path| is_program(path))
            .map(client)
    }

    /// The client if it may and can be used, or why not.
    pub(super) fn usable(environment: &Environment) -> Result<Client, Unusable> {
        if environment.get(cache::OFFLINE_VARIABLE).is_some_and(|value| value != "0") {
            return Err(Unusable::Offline);
        }
        if environment.get("TCHALK_BUDGET").is_some_and(|value| value == "ci") {
            return Err(Unusable::BudgetCi);
        }
        if !Credentials::find(environment).found() {
            return Err(Unusable::NoCredentials);
        }
        Client::find(environment).ok_or(Unusable::NotInstalled)
    }

    /// Runs it with these arguments. `work_done` says how much has been done, to tell work from a hang.
    pub(super) fn run(
        &self,
        op: &str,
        arguments: &[&OsStr],
        work_done: impl FnMut() -> u64,
    ) -> Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().envs(self.environment.all());
        // UTF-8 whatever the language, at once, and no colors.
        command.env("PYTHONIOENCODING", "utf-8").env("PYTHONUNBUFFERED", "1").env("NO_COLOR", "1");
        // A verbose client prints headers.
        command.env_remove("VERBOSE").env_remove("VERBOSE_OUTPUT");
        subprocess::run(op, command, &secrets(&self.environment), self.timeout, work_done)
    }
}

impl Output {
    /// Whether the program ended with status 0.
    pub(super) fn is_success(&self) -> bool {
        matches!(self.exit, Exit::Status(status) if status.success())
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
