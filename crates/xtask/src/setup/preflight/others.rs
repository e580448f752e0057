//! Settings of other programs that could affect libtorch, Evcxr and the library.

use super::finding::Finding::{self, Bad, Good, Note};
use crate::common::paths::Paths;
use crate::common::variables::Variables;
use std::path::{Path, PathBuf};

/// The variable with the first folders in which the system finds shared libraries.
const LIBRARY_PATH: &str =
    if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// Another libtorch that programs could load or be built with; `own` is set-up's.
pub fn libtorch(variables: &Variables, own: Option<&Path>) -> Vec<Finding> {
    let own = own.and_then(|torch| torch.join("lib").canonicalize().ok());
    let folders = variables.folders(LIBRARY_PATH);
    let other = folders.iter().filter(|folder| folder.canonicalize().ok() != own);
    let mut findings: Vec<Finding> = other
        .filter_map(|folder| libtorch_in(folder))
        .map(|file| {
            let file = file.display();
            Note(format!("{LIBRARY_PATH} leads to {file}: not used, set-up's is found first"))
        })
        .collect();
    let named = variables.iter().map(|(name, _)| name).filter(|name| name.starts_with("LIBTORCH"));
    let named: Vec<&str> = named.collect();
    if !named.is_empty() {
        findings.push(Note(format!("{}: not used, set-up brings its own", named.join(", "))));
    }
    if findings.is_empty() {
        findings.push(Good("none but set-up's own".into()));
    }
    findings
}

/// A file of libtorch in a folder.
fn libtorch_in(folder: &Path) -> Option<PathBuf> {
    let is_torch = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        (name.starts_with("libtorch") || name.starts_with("libc10."))
            && (name.contains(".so") || name.ends_with(".dylib"))
    };
    let files = std::fs::read_dir(folder).ok()?;
    files.flatten().map(|entry| entry.path()).find(is_torch)
}

/// Evcxr's own settings, which the kernel does not read.
pub fn evcxr(paths: &Paths, variables: &Variables) -> Finding {
    let config = variables.get("EVCXR_CONFIG_DIR").map(PathBuf::from).or_else(|| {
        let home = variables.get("HOME").map(Path::new)?;
        let of_system = match cfg!(target_os = "macos") {
            true => home.join("Library/Application Support"),
            false => variables.get("XDG_CONFIG_HOME").map_or(home.join(".config"), PathBuf::from),
        };
        Some(of_system.join("evcxr"))
    });
    let folders = config.into_iter().chain([paths.root.join("notebooks"), paths.root.clone()]);
    let names = ["evcxr.toml", "init.evcxr", "prelude.rs"];
    let files = folders.flat_map(|folder| names.map(|name| folder.join(name)));
    let found: Vec<String> =
        files.filter(|file| file.is_file()).map(|file| file.display().to_string()).collect();
    match found.is_empty() {
        true => Good("none".into()),
        false => Note(format!("{}: not read by this kernel", found.join(", "))),
    }
}

/// Linkers that Evcxr would use without being asked.
pub fn linkers(variables: &Variables) -> Finding {
    let is_there =
        |name: &&str| variables.folders("PATH").iter().any(|folder| folder.join(name).is_file());
    let found: Vec<&str> = ["mold", "lld"].into_iter().filter(is_there).collect();
    match found.is_empty() {
        true => Good("the system's".into()),
        false => Note(format!("{}: on the PATH, and not used for cells", found.join(", "))),
    }
}

/// The budgets of the library.
const BUDGETS: [&str; 3] = ["full", "class", "ci"];

pub fn budget(variables: &Variables) -> Finding {
    match variables.get("TCHALK_BUDGET") {
        None => Good("TCHALK_BUDGET is not set".into()),
        Some(name) if BUDGETS.contains(&name) => Good(name.into()),
        Some(name) => Bad(
            format!("there is no budget {name:?}"),
            format!("set TCHALK_BUDGET to one of {}, or unset it", BUDGETS.join(", ")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(variables: &[(&str, &str)]) -> Variables {
        variables.iter().copied().collect()
    }

    #[test]
    fn another_libtorch_is_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("lib");
        std::fs::create_dir(&library).unwrap();
        std::fs::write(library.join("libc10.so"), "").unwrap();
        let leads = set(&[(LIBRARY_PATH, library.to_str().unwrap())]);
        assert!(matches!(libtorch(&leads, None)[..], [Note(_)]));
        assert!(matches!(libtorch(&leads, Some(folder.path()))[..], [Good(_)]));
        for name in ["LIBTORCH", "LIBTORCH_USE_PYTORCH", "LIBTORCH_BYPASS_VERSION_CHECK"] {
            assert!(matches!(libtorch(&set(&[(name, "1")]), None)[..], [Note(_)]), "{name}");
        }
    }

    #[test]
    fn libtorch_is_recognized_by_its_file_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("libtch.so"), "").unwrap();
        assert_eq!(libtorch_in(folder.path()), None);
        let library = folder.path().join("libtorch_cpu.so.2");
        std::fs::write(&library, "").unwrap();
        assert_eq!(libtorch_in(folder.path()), Some(library));
    }

    #[test]
    fn a_setting_of_evcxr_is_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths { root: "/c".into(), home: "/h".into(), state: "/s".into() };
        for name in ["evcxr.toml", "init.evcxr"] {
            let config = folder.path().join(name);
            std::fs::create_dir_all(config.join("evcxr")).unwrap();
            let variables = set(&[("XDG_CONFIG_HOME", config.to_str().unwrap()), ("HOME", "/h")]);
            assert!(matches!(evcxr(&paths, &variables), Good(_)));
            std::fs::write(config.join("evcxr").join(name), "").unwrap();
            assert!(matches!(evcxr(&paths, &variables), Note(_)));
        }
    }

    #[test]
    fn a_linker_on_the_path_is_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let variables = set(&[("PATH", folder.path().to_str().unwrap())]);
        assert!(matches!(linkers(&variables), Good(_)));
        std::fs::write(folder.path().join("lld"), "").unwrap();
        assert!(matches!(linkers(&variables), Note(_)));
    }

    #[test]
    fn an_unknown_budget_is_a_fault() {
        assert!(matches!(budget(&set(&[])), Good(_)));
        assert!(matches!(budget(&set(&[("TCHALK_BUDGET", "laptop")])), Bad(..)));
        let library = include_str!("../../../../tchalk/src/runtime/budget.rs");
        for name in BUDGETS {
            assert!(matches!(budget(&set(&[("TCHALK_BUDGET", name)])), Good(_)));
            assert!(library.contains(&format!("{name:?}")), "the library has no budget {name}");
        }
    }
}
