//! The folder in which downloads are stored.

use crate::files::expand_home;
use std::ffi::OsString;
use std::path::PathBuf;

/// The variable that names the folder of everything that the library stores.
pub(crate) const HOME_VARIABLE: &str = "TCHALK_HOME";

/// The variable that forbids the network.
pub(crate) const OFFLINE_VARIABLE: &str = "TCHALK_OFFLINE";

/// The folder for files of one kind, such as `data` or `weights`: in `TCHALK_HOME`, or by default in
/// `tchalk` in the user's cache folder. `None` if there is no such folder.
pub(crate) fn folder(kind: &str) -> Option<PathBuf> {
    home(|name| std::env::var_os(name)).map(|home| home.join(kind))
}

/// Whether `TCHALK_OFFLINE` forbids the network.
pub(crate) fn is_offline() -> bool {
    std::env::var_os(OFFLINE_VARIABLE).is_some_and(|value| !value.is_empty() && value != "0")
}

fn home(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let from = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(home) = from(HOME_VARIABLE) {
        return std::path::absolute(expand_home(home)).ok();
    }
    let caches = if cfg!(target_os = "macos") {
        from("HOME")?.join("Library/Caches")
    } else if cfg!(windows) {
        from("LOCALAPPDATA")?
    } else {
        // The XDG specification has relative paths ignored.
        let own = from("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        own.or_else(|| Some(from("HOME")?.join(".cache")))?
    };
    Some(caches.join("tchalk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_overrides_the_users_cache_folder() {
        let home_of = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, OsString)> =
                pairs.iter().map(|(name, value)| (name.to_string(), value.into())).collect();
            home(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.clone()))
        };
        let given = [("TCHALK_HOME", "/disk/chalk"), ("HOME", "/home/a")];
        assert_eq!(home_of(&given), Some("/disk/chalk".into()));
        if cfg!(target_os = "linux") {
            assert_eq!(home_of(&[("HOME", "/home/a")]), Some("/home/a/.cache/tchalk".into()));
            let own = [("XDG_CACHE_HOME", "/caches"), ("TCHALK_HOME", "")];
            assert_eq!(home_of(&own), Some("/caches/tchalk".into()));
        }
        assert_eq!(home_of(&[]), None);
    }
}
