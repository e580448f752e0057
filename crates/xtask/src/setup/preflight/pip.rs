//! The settings of Python and pip that would harm set-up.

use super::finding::Finding::{self, Bad, Good, Note};
use crate::common::variables::{PIP_VARIABLES, PYTHON_VARIABLES, Variables};
use std::path::{Path, PathBuf};

/// Options that install packages elsewhere, keep pip off the network, or leave packages out.
const HARMFUL: [&str; 11] = [
    "target",
    "prefix",
    "root",
    "python",
    "platform",
    "constraint",
    "no-index",
    "no-deps",
    "no-binary",
    "only-binary",
    "dry-run",
];

/// The settings in variables and pip's files that have an effect here. If there is nothing to `install`, a file
/// does no harm.
pub fn findings(variables: &Variables, install: bool) -> Vec<Finding> {
    let set = |names: &[&'static str]| -> Vec<&'static str> {
        names.iter().copied().filter(|name| variables.get(name).is_some()).collect()
    };
    let mut ignored = set(&PIP_VARIABLES);
    if !variables.keeps_python() {
        ignored.extend(set(&PYTHON_VARIABLES));
    }
    let ignored = (!ignored.is_empty()).then(|| {
        Note(format!("{}: set, and removed for set-up and JupyterLab", ignored.join(", ")))
    });
    let faults = no_index(variables).into_iter().chain(of_files(variables));
    let mut findings: Vec<Finding> = ignored.into_iter().collect();
    findings.extend(faults.map(|finding| match finding {
        Bad(what, _) if !install => Note(format!("{what}; nothing has to be installed")),
        finding => finding,
    }));
    if findings.is_empty() {
        findings.push(Good("nothing in the way".into()));
    }
    findings
}

fn no_index(variables: &Variables) -> Option<Finding> {
    variables.get("PIP_NO_INDEX").filter(|value| is_on(value))?;
    Some(match variables.get("PIP_FIND_LINKS") {
        Some(folder) => Note(format!("PIP_NO_INDEX: packages come from {folder}")),
        None => Bad("PIP_NO_INDEX keeps pip off the network".into(), "unset PIP_NO_INDEX".into()),
    })
}

/// Harmful options in the files. `user = true` is not one, because set-up's pip has `--no-user`.
fn of_files(variables: &Variables) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files(variables) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for option in harmful(&text) {
            let remedy = format!("take {option} out of {}", file.display());
            found.push(Bad(format!("{} sets {option}", file.display()), remedy));
        }
    }
    found
}

/// pip's configuration files.
fn files(variables: &Variables) -> Vec<PathBuf> {
    let named = variables.get("PIP_CONFIG_FILE").map(PathBuf::from);
    if named.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let home = variables.get("HOME").map(PathBuf::from);
    let in_home = |name: &str| home.as_ref().map(|home| home.join(name));
    let config = variables.get("XDG_CONFIG_HOME").map(PathBuf::from).or(in_home(".config"));
    let everybody = ["/etc/pip.conf", "/etc/xdg/pip/pip.conf"].map(PathBuf::from);
    let of_user = [
        in_home(".pip/pip.conf"),
        in_home("Library/Application Support/pip/pip.conf"),
        config.map(|folder| folder.join("pip/pip.conf")),
        named,
    ];
    everybody.into_iter().chain(of_user.into_iter().flatten()).collect()
}

/// The harmful options that a file sets for installing.
fn harmful(text: &str) -> Vec<&'static str> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.trim().strip_prefix('[') {
            section = name.split(']').next().unwrap_or_default().to_owned();
        }
        let Some((name, value)) = line.split_once(['=', ':']) else { continue };
        let name = name.trim().replace('_', "-");
        let option = HARMFUL.into_iter().find(|option| *option == name);
        let applies = section == "global" || section == "install";
        found.extend(option.filter(|_| applies && is_on(value.trim())));
    }
    found
}

fn is_on(value: &str) -> bool {
    !["", "0", "no", "false", "off", "n", "f"].contains(&value.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)], install: bool) -> Vec<Finding> {
        findings(&variables.iter().copied().collect(), install)
    }

    #[test]
    fn a_variable_that_is_removed_is_a_note() {
        for name in PIP_VARIABLES.iter().chain(&PYTHON_VARIABLES) {
            assert!(matches!(found(&[(name, "1")], true)[..], [Note(_)]), "{name}");
        }
        assert!(matches!(found(&[("PIP_INDEX_URL", "https://m")], true)[..], [Good(_)]));
    }

    #[test]
    fn pip_without_an_index_is_a_fault_if_something_is_missing() {
        assert!(matches!(found(&[("PIP_NO_INDEX", "1")], true)[..], [Bad(..)]));
        assert!(matches!(found(&[("PIP_NO_INDEX", "1")], false)[..], [Note(_)]));
        assert!(matches!(found(&[("PIP_NO_INDEX", "0")], true)[..], [Good(_)]));
        let with_wheels = [("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", "/wheels")];
        assert!(matches!(found(&with_wheels, true)[..], [Note(_)]));
    }

    #[test]
    fn options_for_installing_count() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".config/pip");
        std::fs::create_dir_all(&folder).unwrap();
        let of = |text: &str| {
            std::fs::write(folder.join("pip.conf"), text).unwrap();
            found(&[("HOME", home.path().to_str().unwrap())], true)
        };
        assert!(matches!(of("[global]\ntarget = /t\n")[..], [Bad(..)]));
        assert!(matches!(of("[install]\nno_index = true\n")[..], [Bad(..)]));
        assert!(matches!(of("[install]\nno-index = false\n")[..], [Good(_)]));
        assert!(matches!(of("[list]\ntarget = /t\n")[..], [Good(_)]));
        assert!(matches!(of("[global]\nuser = true\nindex-url = https://m\n")[..], [Good(_)]));
    }
}
