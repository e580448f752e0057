//! The environment variables that the user has set, and those that are removed because programs that set-up
//! starts would misbehave with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Variables with which Python finds other packages than its own, or does not start.
pub const PYTHON_VARIABLES: [&str; 7] = [
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONPLATLIBDIR",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
];

/// Variables with which pip installs something else, or elsewhere. Network settings stay.
pub const PIP_VARIABLES: [&str; 18] = [
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

/// Variables with which cargo builds for another machine, or cells with another compiler or other flags than
/// the kernel sets.
pub const CARGO_VARIABLES: [&str; 4] =
    ["CARGO_BUILD_TARGET", "RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER", "CARGO_ENCODED_RUSTFLAGS"];

/// Environment variables by name; an empty one counts as not set.
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

    /// Whether the user wants the active Python environment with all variables that belong to it.
    pub fn keeps_python(&self) -> bool {
        self.get("TCHALK_LIBTORCH") == Some("environment")
    }

    /// The names of the variables that are set and have to be removed.
    fn harmful(&self) -> Vec<&'static str> {
        let python = if self.keeps_python() { &[][..] } else { &PYTHON_VARIABLES[..] };
        let all = python.iter().chain(&PIP_VARIABLES).chain(&CARGO_VARIABLES);
        all.copied().filter(|name| self.0.contains_key(*name)).collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Variables {
        Variables(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

static USER_VARIABLES: OnceLock<Variables> = OnceLock::new();

/// The variables as the user has set them, before this program removes any.
pub fn user_variables() -> &'static Variables {
    USER_VARIABLES.get_or_init(Variables::now)
}

/// Removes the variables that would do harm. To be called once, before anything else.
pub fn remove_harmful() {
    for name in user_variables().harmful() {
        // SAFETY: there is only one thread yet.
        unsafe { std::env::remove_var(name) };
    }
}

/// Removes cargo's build folders from the search path of shared libraries. `cargo run` adds them, and a
/// notebook's cells would find this workspace's `libtchalk` there instead of their own.
pub fn remove_build_folders() {
    const VARIABLE: &str = "LD_LIBRARY_PATH";
    let (Some(list), Ok(program)) = (std::env::var_os(VARIABLE), std::env::current_exe()) else {
        return;
    };
    let program = program.canonicalize().unwrap_or(program);
    let target = program.parent().and_then(Path::parent).unwrap_or(&program);
    let is_build_folder = |folder: &PathBuf| {
        folder.canonicalize().unwrap_or_else(|_| folder.clone()).starts_with(target)
    };
    let kept = std::env::split_paths(&list).filter(|folder| !is_build_folder(folder));
    let kept = std::env::join_paths(kept).expect("each folder comes from such a list");
    // SAFETY: there is only one thread yet.
    unsafe {
        match kept.is_empty() {
            true => std::env::remove_var(VARIABLE),
            false => std::env::set_var(VARIABLE, kept),
        }
    }
}

/// Removes the variables by which `cargo run` describes the package. A build script that reads them would run
/// again in every cargo that is started in another way: by a kernel, for example.
pub fn remove_package_variables() {
    let describes_package = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_package) {
            // SAFETY: there is only one thread yet.
            unsafe { std::env::remove_var(name) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmful_variables_are_removed_and_network_settings_stay() {
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
