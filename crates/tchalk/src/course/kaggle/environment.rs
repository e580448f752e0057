//! The environment variables that say who the reader is and what may be run.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The environment variables of this process, or those of a test.
#[derive(Clone)]
pub(super) struct Environment(HashMap<OsString, OsString>);

impl Environment {
    pub(super) fn from_env() -> Environment {
        Environment(std::env::vars_os().collect())
    }

    /// These variables alone.
    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &OsStr)]) -> Environment {
        let pair = |&(name, value): &(&str, &OsStr)| (name.into(), value.to_owned());
        Environment(variables.iter().map(pair).collect())
    }

    /// A variable's value, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable's value as text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// The home folder.
    pub(super) fn home(&self) -> Option<PathBuf> {
        self.get(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from)
    }

    /// All variables, for a program that is started.
    pub(super) fn all(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}
