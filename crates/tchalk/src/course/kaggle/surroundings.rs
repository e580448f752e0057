//! The variables that say who the reader is and what may be run.

use crate::fetch::cache;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The variables of this process, or those of a test.
#[derive(Clone)]
pub(super) struct Surroundings(HashMap<OsString, OsString>);

impl Surroundings {
    pub(super) fn from_env() -> Surroundings {
        Surroundings(std::env::vars_os().collect())
    }

    /// Only these.
    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &OsStr)]) -> Surroundings {
        let pair = |&(name, value): &(&str, &OsStr)| (name.into(), value.to_owned());
        Surroundings(variables.iter().map(pair).collect())
    }

    /// A variable's value, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The same as text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// The reader's own folder.
    pub(super) fn home(&self) -> Option<PathBuf> {
        self.get(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from)
    }

    /// Everything, for a program that is started.
    pub(super) fn all(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    /// Why no program may ask the network, if so.
    pub(super) fn forbidden(&self) -> Option<String> {
        if self.get(cache::OFFLINE).is_some_and(|value| value != "0") {
            return Some(format!("{} forbids the network", cache::OFFLINE));
        }
        let budget = self.get("TCHALK_BUDGET").is_some_and(|value| value == "ci");
        budget.then(|| "the budget ci sends nobody to Kaggle".into())
    }
}
