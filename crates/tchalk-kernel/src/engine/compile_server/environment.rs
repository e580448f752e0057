//! The variables by which the shims find each other, and the environment without them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The path of the real cargo, for the shim.
pub const CARGO: &str = "TCHALK_CARGO";
/// The socket at which the kernel answers the shim.
pub const SOCKET: &str = "TCHALK_QUICK";
/// The file into which the wrapper writes the compiler's command.
pub const RECORD: &str = "TCHALK_RECORD";
/// The original value of `CARGO_HOME`.
pub const ORIGINAL_CARGO_HOME: &str = "TCHALK_CARGO_HOME";
/// `0` leaves all cells to cargo.
pub const SWITCH: &str = "TCHALK_QUICK_CELLS";
/// The folder of compiled crates, while the template is built.
pub const PREBUILT: &str = "TCHALK_PREBUILT";
/// Where Evcxr wants cargo to write the path of the cell's library; a check has none.
pub const LIBRARY_PATH_FILE: &str = "EVCXR_EXECUTION_SO_PATH";
/// The folder of a session in which the shims and the compile server work.
pub const FOLDER: &str = "quick";

/// Where programs are looked for: by name, and, by rust-analyzer, in cargo's home.
pub const PATH: &str = "PATH";
pub const CARGO_HOME: &str = "CARGO_HOME";
/// The target that cargo builds for, whatever a configuration says: rust-analyzer asks for it.
pub const BUILD_TARGET: &str = "CARGO_BUILD_TARGET";

/// The three variables before the shims were installed.
static ORIGINAL: OnceLock<[(&str, Option<OsString>); 3]> = OnceLock::new();

/// Remembers the values of the three variables before the shims are installed.
pub fn set_original(variables: [(&'static str, Option<OsString>); 3]) {
    let _ = ORIGINAL.set(variables);
}

/// This process's environment; `None` if part of it is not text.
pub fn current() -> Option<BTreeMap<String, String>> {
    std::env::vars_os()
        .map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The arguments as text; `None` if one of them is not text.
pub fn texts(arguments: &[OsString]) -> Option<Vec<String>> {
    arguments.iter().map(|argument| argument.to_str().map(str::to_owned)).collect()
}

/// The original value of a variable of this process; `None` if it is only for the shims.
pub fn original(name: &OsStr, value: OsString) -> Option<OsString> {
    if [CARGO, SOCKET, ORIGINAL_CARGO_HOME].iter().any(|own| name == *own) {
        return None;
    }
    match ORIGINAL.get().and_then(|all| all.iter().find(|(changed, _)| name == *changed)) {
        Some((_, before)) => before.clone(),
        None => Some(value),
    }
}

/// Gives a command the original environment, without the shims.
pub fn restored(command: &mut Command) -> &mut Command {
    for (name, before) in ORIGINAL.get().into_iter().flatten() {
        match before {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env_remove(CARGO).env_remove(SOCKET).env_remove(ORIGINAL_CARGO_HOME)
}

/// The original home of cargo.
pub fn original_cargo_home() -> Option<PathBuf> {
    let original = ORIGINAL.get().and_then(|all| all.iter().find(|(name, _)| *name == CARGO_HOME));
    let home = original.map(|(_, value)| value.clone());
    home.unwrap_or_else(|| std::env::var_os(CARGO_HOME)).map(PathBuf::from)
}
