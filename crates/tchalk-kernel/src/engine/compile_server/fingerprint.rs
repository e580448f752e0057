//! A fingerprint of all files that cargo checks before it says that nothing has changed.

use super::environment::original_cargo_home;
use super::rustc_command::RustcCommand;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The times of change and the sizes of files; `None` for files that do not exist.
#[derive(Debug, PartialEq)]
pub struct Fingerprint {
    manifest: String,
    files: BTreeMap<PathBuf, Option<(SystemTime, u64)>>,
}

fn time_and_size(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl Fingerprint {
    /// The fingerprint of all that the cell in this folder depends on, without the cell itself. `None`
    /// where only cargo can decide.
    pub fn take(folder: &Path, command: &RustcCommand) -> Option<Fingerprint> {
        let mut files = sources(folder)?;
        files.insert(folder.join("Cargo.lock"));
        files.insert(command.rustc.clone());
        files.extend(command.crates().map(|(_, file)| file.to_owned()));
        files.extend(configurations(folder));
        let files = files.into_iter().map(|file| (time_and_size(&file), file));
        let files = files.map(|(found, file)| (file, found)).collect();
        Some(Fingerprint { manifest: manifest(folder)?, files })
    }

    /// Whether nothing has changed.
    pub fn is_current(&self, folder: &Path) -> bool {
        manifest(folder).as_ref() == Some(&self.manifest)
            && self.files.iter().all(|(file, before)| time_and_size(file) == *before)
    }
}

fn manifest(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join("Cargo.toml")).ok()
}

/// The configuration files that cargo reads.
fn configurations(folder: &Path) -> Vec<PathBuf> {
    let home = original_cargo_home();
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let folders = folder.ancestors().map(|folder| folder.join(".cargo")).chain(home);
    folders.flat_map(|folder| ["config", "config.toml"].map(|name| folder.join(name))).collect()
}

/// The sources of all packages that are not from a registry or a repository, whose files never change.
/// They are read from the dep-info files that rustc writes beside each crate. `None` if one of the packages
/// has a build script, which may depend on anything.
fn sources(folder: &Path) -> Option<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let cell = folder.join("src/lib.rs");
    for dep_info in dep_info_files(&folder.join("target")) {
        for source in dependencies_in(&fs::read_to_string(dep_info).ok()?) {
            let source = folder.join(source);
            if source != cell && !is_fetched(&source) {
                found.insert(source);
            }
        }
    }
    let packages: BTreeSet<PathBuf> = found
        .iter()
        .filter_map(|source| source.ancestors().find(|folder| folder.join("Cargo.toml").is_file()))
        .map(Path::to_owned)
        .collect();
    for package in packages {
        if package.join("build.rs").exists() {
            return None;
        }
        found.insert(package.join("Cargo.toml"));
    }
    Some(found)
}

/// Whether cargo fetched this file, so that it never changes, or a build created it.
fn is_fetched(file: &Path) -> bool {
    let names: Vec<_> = file.components().map(|part| part.as_os_str()).collect();
    let follows = |first: &str, second: &str| {
        names.windows(2).any(|pair| pair[0] == first && pair[1] == second)
    };
    follows("registry", "src")
        || follows("git", "checkouts")
        || follows("target", "debug")
        || names.windows(3).any(|part| part[0] == "target" && part[2] == "debug")
}

/// The dep-info files in a target folder, for the host and for a named target.
fn dep_info_files(target: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let folders = entries(target).into_iter().chain([target.to_owned()]);
    let files = folders.flat_map(|folder| entries(&folder.join("debug/deps")));
    files.filter(|file| file.extension().is_some_and(|end| end == "d")).collect()
}

/// The files that a dep-info file names as dependencies.
fn dependencies_in(dep_info: &str) -> Vec<PathBuf> {
    let rule = |line: &str| Some(line.split_once(": ")?.1.to_owned());
    let lines = dep_info.lines().filter(|line| !line.starts_with('#'));
    let mut files = Vec::new();
    for line in lines.filter_map(rule) {
        let mut name = String::new();
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => name.extend(characters.next()),
                ' ' => files.push(std::mem::take(&mut name)),
                other => name.push(other),
            }
        }
        files.push(name);
    }
    files.into_iter().filter(|name| !name.is_empty()).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::time::Duration;

    #[test]
    fn dependencies_may_contain_spaces() {
        let dep_info =
            "/t/libx.so: /a/lib.rs /a/my\\ file.rs\n\n/a/lib.rs:\n/a/my\\ file.rs:\n# env-dep:X\n";
        assert_eq!(dependencies_in(dep_info), [Path::new("/a/lib.rs"), Path::new("/a/my file.rs")]);
    }

    #[test]
    fn files_that_cargo_fetched_or_built_are_not_checked() {
        assert!(is_fetched(Path::new("/h/.cargo/registry/src/index/tch-0.24.0/src/lib.rs")));
        assert!(is_fetched(Path::new("/s/target/x86_64/debug/build/ring/out/a.rs")));
        assert!(!is_fetched(Path::new("/checkout/crates/tchalk/src/lib.rs")));
    }

    /// A session with one path dependency.
    fn session() -> (tempfile::TempDir, RustcCommand) {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("Cargo.toml", "[package]");
        write("Cargo.lock", "");
        write("src/lib.rs", "");
        write("rustc", "");
        write("mine/Cargo.toml", "");
        write("mine/src/lib.rs", "");
        write("target/host/debug/deps/mine.d", "libmine.so: mine/src/lib.rs src/lib.rs\n");
        write("libmine.so", "");
        let rustc = folder.path().join("rustc").into_os_string();
        let library = format!("mine={}", folder.path().join("libmine.so").display());
        let words = "--crate-name ctx src/lib.rs --crate-type cdylib --extern";
        let words = words.split(' ').map(OsString::from).chain([library.into()]);
        let command: Vec<OsString> = std::iter::once(rustc).chain(words).collect();
        let command = RustcCommand::of_cell(&command).unwrap();
        (folder, command)
    }

    fn touch(file: &Path) {
        let later = SystemTime::now() + Duration::from_secs(60);
        fs::File::options().write(true).open(file).unwrap().set_modified(later).unwrap();
    }

    #[test]
    fn a_fingerprint_is_current_while_only_the_cell_changes() {
        let (folder, command) = session();
        let fingerprint = Fingerprint::take(folder.path(), &command).unwrap();
        touch(&folder.path().join("src/lib.rs"));
        assert!(fingerprint.is_current(folder.path()));
        for name in ["mine/src/lib.rs", "mine/Cargo.toml", "Cargo.lock", "rustc", "libmine.so"] {
            let (folder, command) = session();
            let fingerprint = Fingerprint::take(folder.path(), &command).unwrap();
            touch(&folder.path().join(name));
            assert!(!fingerprint.is_current(folder.path()), "{name}");
        }
    }

    #[test]
    fn a_new_dependency_or_configuration_changes_the_fingerprint() {
        for (name, text) in [("Cargo.toml", "[package] "), (".cargo/config.toml", "[net]")] {
            let (folder, command) = session();
            let fingerprint = Fingerprint::take(folder.path(), &command).unwrap();
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
            assert!(!fingerprint.is_current(folder.path()), "{name}");
        }
    }

    #[test]
    fn a_build_script_is_left_to_cargo() {
        let (folder, command) = session();
        fs::write(folder.path().join("mine/build.rs"), "").unwrap();
        assert_eq!(Fingerprint::take(folder.path(), &command), None);
    }
}
