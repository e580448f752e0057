//! The environment variables that the user has set, and those that are kept from whatever is started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

/// What would lead a Python of ours to other packages than its own, or keep it from starting.
pub const OF_PYTHON: [&str; 7] = [
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONPLATLIBDIR",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
];

/// What would make pip install something else, or elsewhere. Settings of the network stay.
pub const OF_PIP: [&str; 18] = [
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_NO_DEPS",
    "PIP_NO_BINARY",
    "PIP_ONLY_BINARY",
    "PIP_DRY_RUN",
    "PIP_REQUIREMENT",
    "PIP_PYTHON",
    "PIP_PYTHON_VERSION",
    "PIP_PLATFORM",
    "PIP_IMPLEMENTATION",
    "PIP_ABI",
    "PIP_CONSTRAINT",
    "PIP_EDITABLE",
    "PIP_REPORT",
];

/// What would make cargo build for another machine, or cells with another compiler or other flags than
/// the kernel gives them.
pub const OF_CARGO: [&str; 4] =
    ["CARGO_BUILD_TARGET", "RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER", "CARGO_ENCODED_RUSTFLAGS"];

/// Environment variables by name; an empty one counts as none.
#[derive(Debug, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    fn now() -> Variables {
        std::env::vars_os()
            .map(|(name, value)| {
                (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
            })
            .collect()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(_, value)| !value.is_empty())
    }

    /// The folders that a variable such as `PATH` lists.
    pub fn folders(&self, name: &str) -> Vec<PathBuf> {
        self.get(name).map(|list| std::env::split_paths(list).collect()).unwrap_or_default()
    }

    /// Whether the user wants the active Python environment as it is, with all that leads to it.
    pub fn keeps_python(&self) -> bool {
        self.get("TCHALK_LIBTORCH") == Some("environment")
    }

    /// The names of those that are set and kept from what is started.
    fn harmful(&self) -> Vec<&'static str> {
        let python = if self.keeps_python() { &[][..] } else { &OF_PYTHON[..] };
        let all = python.iter().chain(&OF_PIP).chain(&OF_CARGO);
        all.copied().filter(|name| self.0.contains_key(*name)).collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Variables {
        Variables(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

static OF_USER: OnceLock<Variables> = OnceLock::new();

/// The variables as they were when this program began.
pub fn of_user() -> &'static Variables {
    OF_USER.get_or_init(Variables::now)
}

/// Keeps from whatever is started what would do harm there. To be called once, before anything else.
pub fn remove_harmful() {
    for name in of_user().harmful() {
        // SAFETY: no other thread exists yet that could read the environment.
        unsafe { std::env::remove_var(name) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_harm_is_kept_out_and_the_network_stays() {
        let set: Variables = [
            ("PIP_USER", "1"),
            ("PIP_INDEX_URL", "https://mirror/simple"),
            ("PYTHONPATH", "/p"),
            ("RUSTC_WRAPPER", "sccache"),
        ]
        .into_iter()
        .collect();
        assert_eq!(set.harmful(), ["PYTHONPATH", "PIP_USER", "RUSTC_WRAPPER"]);
        let own: Variables =
            [("PYTHONPATH", "/p"), ("TCHALK_LIBTORCH", "environment")].into_iter().collect();
        assert!(own.harmful().is_empty(), "the active environment may need it");
    }
}
