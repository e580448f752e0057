//! The settings of cargo, from files above the checkout or from variables, that change what is built.

use super::finding::Finding::{self, Bad, Good, Note};
use crate::common::cargo;
use crate::common::cargo::config;
use crate::common::paths::Paths;
use crate::common::process::first_line;
use crate::common::rustc;
use crate::common::variables::Variables;
use std::path::{Path, PathBuf};

/// The source of a setting.
#[derive(Debug, Clone, PartialEq)]
enum Origin {
    File(String),
    Variable(String),
}
use Origin::{File, Variable};

/// One of cargo's settings: `build.target` and its value.
#[derive(Debug, Clone, PartialEq)]
struct Setting {
    key: String,
    value: String,
    origin: Origin,
}

/// The settings that have an effect here.
pub fn findings(paths: &Paths, variables: &Variables) -> Vec<Finding> {
    let Some(mut settings) = in_folder(&paths.root) else {
        return vec![Note("unknown: cargo does not print its settings".into())];
    };
    // Cells are compiled below the cache, and other files may apply there.
    let existing = paths.state.ancestors().find(|folder| folder.is_dir());
    settings.extend(existing.and_then(in_folder).unwrap_or_default());
    settings.extend(of_variables(variables));
    let host = rustc::host().unwrap_or_default();
    let own = paths.root.join(".cargo").to_string_lossy().into_owned();
    let is_own =
        |setting: &Setting| matches!(&setting.origin, File(file) if file.starts_with(&own));
    let mut findings: Vec<Finding> = Vec::new();
    for setting in settings.iter().filter(|setting| !is_own(setting)) {
        let finding = judge(setting, &host, &|| cargo::is_fetched(&paths.root));
        findings.extend(finding.filter(|finding| !findings.contains(finding)));
    }
    if findings.is_empty() {
        findings.push(Good("nothing in the way".into()));
    }
    findings
}

/// The effect of a setting on this machine, whose target is `host`, if it has any.
fn judge(setting: &Setting, host: &str, is_fetched: &dyn Fn() -> bool) -> Option<Finding> {
    let Setting { key, value, origin } = setting;
    let (what, delete) = match origin {
        File(file) => (format!("{key} = {value} in {file}"), format!("take it out of {file}")),
        Variable(name) => (format!("{name} = {value}"), format!("unset {name}")),
    };
    let (table, last) = key.rsplit_once('.')?;
    match (table, last) {
        ("build", "target") => {
            Some(Note(format!("{what}: not used, everything is built for this machine")))
        }
        ("build", "target-dir" | "build-dir" | "rustc-wrapper") | (_, "rustflags") => {
            Some(Note(format!("{what}: not used for cells")))
        }
        (_, "linker") if !is_for_host(table, origin, host) => None,
        (_, "linker") => Some(match first_line(program(value, origin), &["--version"]) {
            Some(_) => Note(what),
            None => Bad(format!("{what} does not start"), format!("install it, or {delete}")),
        }),
        ("net", "offline") if value == "true" => Some(match is_fetched() {
            true => Note(format!("{what}: all crates are downloaded")),
            false => Bad(format!("{what}, and crates have to be fetched"), delete),
        }),
        (table, "replace-with") if table.starts_with("source.") => Some(Note(what)),
        (table, "directory" | "local-registry") if table.starts_with("source.") => {
            (!path_in_setting(value, origin).is_dir())
                .then(|| Bad(format!("{what} is not there"), format!("correct it, or {delete}")))
        }
        _ => None,
    }
}

/// Whether a linker is for this machine.
fn is_for_host(table: &str, origin: &Origin, host: &str) -> bool {
    match origin {
        File(_) => table == format!("target.{host}") || table.contains("cfg("),
        Variable(name) => name.contains(&host.to_uppercase().replace(['-', '.'], "_")),
    }
}

/// A path in a setting, which is relative to the folder that contains `.cargo`.
fn path_in_setting(value: &str, origin: &Origin) -> PathBuf {
    match origin {
        File(file) => Path::new(file).ancestors().nth(2).unwrap_or(Path::new("")).join(value),
        Variable(_) => PathBuf::from(value),
    }
}

/// A program in a setting: a path, or a name to be found on the PATH.
fn program(value: &str, origin: &Origin) -> PathBuf {
    if value.contains('/') { path_in_setting(value, origin) } else { PathBuf::from(value) }
}

/// The settings that apply in a folder, as cargo prints them; `None` if it does not.
fn in_folder(folder: &Path) -> Option<Vec<Setting>> {
    config(folder, None).map(|text| read(&text))
}

/// Parses lines such as `build.target = "x" # /a/config.toml`; a list is followed by its elements.
fn read(text: &str) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    let mut in_list = false;
    for line in text.lines() {
        let (said, file) = line.rsplit_once(" # ").unwrap_or((line, ""));
        let plain = |value: &str| value.trim().trim_end_matches(',').trim_matches('"').to_owned();
        if said.trim() == "]" {
            in_list = false;
        } else if in_list && let Some(list) = settings.last_mut() {
            list.value = format!("{} {}", list.value, plain(said)).trim().to_owned();
            list.origin = File(file.to_owned());
        } else if let Some((key, value)) = said.split_once(" = ") {
            in_list = value.trim() == "[";
            let value = if in_list { String::new() } else { plain(value) };
            settings.push(Setting { key: key.into(), value, origin: File(file.into()) });
        }
    }
    settings
}

/// The settings in variables.
fn of_variables(variables: &Variables) -> Vec<Setting> {
    let all = variables.iter();
    let setting = |(name, value): (&str, &str)| {
        // Encoded flags are separated by a control character.
        let value = value.replace('\x1f', " ");
        Some(Setting { key: key_of(name)?.into(), value, origin: Variable(name.into()) })
    };
    all.filter_map(setting).collect()
}

/// The setting for a variable, with one name for all targets.
fn key_of(variable: &str) -> Option<&'static str> {
    let of_target = |end| variable.starts_with("CARGO_TARGET_") && variable.ends_with(end);
    match variable {
        "CARGO_BUILD_TARGET" => Some("build.target"),
        "CARGO_BUILD_TARGET_DIR" => Some("build.target-dir"),
        "RUSTC_WRAPPER" | "CARGO_BUILD_RUSTC_WRAPPER" => Some("build.rustc-wrapper"),
        "RUSTFLAGS" | "CARGO_ENCODED_RUSTFLAGS" | "CARGO_BUILD_RUSTFLAGS" => {
            Some("build.rustflags")
        }
        "CARGO_NET_OFFLINE" => Some("net.offline"),
        _ if of_target("_LINKER") => Some("target.linker"),
        _ if of_target("_RUSTFLAGS") => Some("target.rustflags"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(key: &str, value: &str, origin: Origin, is_fetched: bool) -> Option<Finding> {
        judge(&Setting { key: key.into(), value: value.into(), origin }, "x", &|| is_fetched)
    }

    #[test]
    fn cargo_s_output_is_parsed() {
        let text = "build.rustflags = [\n    \"-C\", # /c\n    \"x = y\", # /c\n]\n\
                    build.target = \"t\" # /c\nnet.offline = true # /d e/f\n\
                    target.t.linker = \"a # b\" # /c\n# CARGO_HOME=/h\n";
        let is = |key: &str, value: &str, file: &str| Setting {
            key: key.into(),
            value: value.into(),
            origin: File(file.into()),
        };
        let expected = [
            is("build.rustflags", "-C x = y", "/c"),
            is("build.target", "t", "/c"),
            is("net.offline", "true", "/d e/f"),
            is("target.t.linker", "a # b", "/c"),
        ];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn a_setting_that_breaks_the_build_is_a_fault_and_others_are_notes() {
        let file = || File("/c".into());
        let is_bad = |found| matches!(found, Some(Bad(..)));
        let is_note = |found| matches!(found, Some(Note(_)));
        for key in ["build.target", "build.target-dir", "build.rustc-wrapper", "target.x.rustflags"]
        {
            assert!(is_note(judged(key, "x", file(), true)), "{key}");
        }
        assert!(is_note(judged("source.crates-io.replace-with", "m", file(), true)));
        assert!(is_bad(judged("source.m.directory", "/no/folder", file(), true)));
        assert!(is_bad(judged("target.x.linker", "surely-no-such-linker", file(), true)));
        assert!(is_note(judged("target.x.linker", "rustc", file(), true)));
        assert_eq!(judged("target.other.linker", "surely-no-such-linker", file(), true), None);
        let variable = |name: &str| Variable(format!("CARGO_TARGET_{name}_LINKER"));
        assert!(is_bad(judged("target.linker", "surely-no-such-linker", variable("X"), true)));
        assert_eq!(judged("target.linker", "surely-no-such-linker", variable("Y"), true), None);
        assert!(is_bad(judged("net.offline", "true", file(), false)));
        assert!(is_note(judged("net.offline", "true", file(), true)));
        assert_eq!(judged("net.offline", "false", file(), false), None);
        assert_eq!(judged("alias.b", "build", file(), true), None);
    }

    #[test]
    fn a_file_above_the_folder_is_found() {
        let above = tempfile::tempdir().unwrap();
        let (config, checkout) = (above.path().join(".cargo"), above.path().join("checkout"));
        std::fs::create_dir(&config).unwrap();
        std::fs::create_dir(&checkout).unwrap();
        let file = config.join("config.toml");
        std::fs::write(&file, "[build]\ntarget = \"x\"\n").unwrap();
        let settings = in_folder(&checkout).unwrap();
        let found = settings.iter().find(|setting| setting.key == "build.target").unwrap();
        assert_eq!(found.origin, File(file.to_string_lossy().into_owned()));
        std::fs::write(&file, "[build").unwrap();
        assert_eq!(in_folder(&checkout), None);
    }

    #[test]
    fn paths_are_relative_to_the_folder_that_contains_dot_cargo() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("vendor")).unwrap();
        let file = || File(root.path().join(".cargo/config.toml").to_string_lossy().into_owned());
        assert_eq!(judged("source.m.directory", "vendor", file(), true), None);
        assert!(matches!(judged("source.m.directory", "none", file(), true), Some(Bad(..))));
        assert_eq!(program("bin/cc", &file()), root.path().join("bin/cc"));
        assert_eq!(program("cc", &file()), Path::new("cc"));
    }

    #[test]
    fn variables_are_settings_too() {
        let variables: Variables = [
            ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "cc"),
            ("CARGO_ENCODED_RUSTFLAGS", "-C\x1fx"),
            ("CARGO_TARGET_DIR", "/t"),
        ]
        .into_iter()
        .collect();
        let found: Vec<_> =
            of_variables(&variables).into_iter().map(|it| (it.key, it.value)).collect();
        let is = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(found, [is("build.rustflags", "-C x"), is("target.linker", "cc")]);
    }
}
