//! The crates of a bundle, which cargo uses in place of the network: a configuration file in the checkout names
//! their folder.

use crate::common::paths::Paths;
use crate::common::text::toml_string;
use std::path::{Path, PathBuf};

/// The configuration file; it does not exist if crates come from the network.
pub fn crates_config(paths: &Paths) -> PathBuf {
    paths.root.join(".cargo/crates.toml")
}

/// The folder that this checkout uses in place of the network.
pub fn crates_in_use(paths: &Paths) -> Option<PathBuf> {
    let text = std::fs::read_to_string(crates_config(paths)).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("directory = "))?;
    Some(PathBuf::from(serde_json::from_str::<String>(line).ok()?))
}

/// The text of the configuration file; a bundle's `start.sh` writes the same.
pub fn configuration(crates: &Path) -> String {
    format!(
        "# Written by `cargo xtask setup --from`: crates come from a bundle. Delete this file, and run\n\
         # `cargo xtask setup`, to have them from the network again.\n\
         [source.crates-io]\nreplace-with = \"tchalk-bundle\"\n\n\
         [source.tchalk-bundle]\ndirectory = {}\n",
        toml_string(&crates.to_string_lossy())
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::files::write_file;

    #[test]
    fn start_sh_writes_the_same_configuration() {
        let script = include_str!("../release/start.sh");
        let (_, rest) = script.split_once("<<END\n").unwrap();
        let written = rest.split_once("END\n").unwrap().0.replace("\\`", "`");
        assert_eq!(written.replace("$crates", "/c"), configuration(Path::new("/c")));
        let root = tempfile::tempdir().unwrap();
        let paths = Paths { root: root.path().into(), home: "/h".into(), state: "/s".into() };
        assert_eq!(crates_in_use(&paths), None);
        write_file(&crates_config(&paths), &configuration(Path::new("/c"))).unwrap();
        assert_eq!(crates_in_use(&paths).unwrap(), Path::new("/c"));
    }
}
