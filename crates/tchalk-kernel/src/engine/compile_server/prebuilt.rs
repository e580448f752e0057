//! Crates that the same compiler has built elsewhere.
//!
//! A release contains the library's dependencies, compiled. cargo would compile them again, since its
//! records contain the paths of all sources. But the name of its output, `libNAME-HASH`, depends on
//! package, version, features, profile, flags and compiler, and on no path if the package is from a
//! registry. So the compiler wrapper copies the file of that name, where there is one.

use super::environment::{PREBUILT, texts};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Copies the output that this rustc command would produce; `None` if part of it is missing, and rustc
/// must run.
pub fn copy(command: &[OsString]) -> Option<()> {
    let folder = PathBuf::from(std::env::var_os(PREBUILT)?);
    copy_from(&folder, &texts(command)?)
}

fn copy_from(folder: &Path, command: &[String]) -> Option<()> {
    let output = RustcOutput::of(command)?;
    let found: Vec<_> = output.files.iter().map(|name| folder.join(name)).collect();
    if found.is_empty() || !found.iter().all(|file| file.is_file()) {
        return None;
    }
    for (file, name) in found.iter().zip(&output.files) {
        fs::copy(file, output.folder.join(name)).ok()?;
    }
    if let Some(sources) = &output.sources {
        let file = output.folder.join(sources);
        fs::write(&file, format!("{}:\n", file.display())).ok()?;
    }
    Some(())
}

/// The output of a rustc command.
struct RustcOutput<'a> {
    folder: &'a Path,
    files: Vec<String>,
    /// The file that names the sources. cargo does not check those of a registry.
    sources: Option<String>,
}

impl<'a> RustcOutput<'a> {
    fn of(command: &'a [String]) -> Option<RustcOutput<'a>> {
        let after = |option: &str| {
            let at = command.iter().position(|argument| argument == option)?;
            command.get(at + 1).map(String::as_str)
        };
        let extra = command.iter().find_map(|argument| argument.strip_prefix("extra-filename="))?;
        let name = format!("{}{extra}", after("--crate-name")?);
        let emit = command.iter().find_map(|argument| argument.strip_prefix("--emit="))?;
        let folder = Path::new(after("--out-dir")?);
        let mut output = RustcOutput { folder, files: vec![], sources: None };
        for kind in emit.split(',') {
            match (kind, after("--crate-type")?) {
                ("dep-info", _) => output.sources = Some(format!("{name}.d")),
                ("metadata", _) => output.files.push(format!("lib{name}.rmeta")),
                ("link", "lib" | "rlib") => output.files.push(format!("lib{name}.rlib")),
                ("link", "proc-macro") => {
                    let (before, after) =
                        (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
                    output.files.push(format!("{before}{name}{after}"));
                }
                ("link", "bin") => output.files.push(name.clone()),
                _ => return None,
            }
        }
        Some(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(kind: &str, emit: &str, to: &Path) -> Vec<String> {
        let line = format!(
            "rustc --crate-name serde --edition=2021 /r/serde/src/lib.rs --crate-type {kind} \
             --emit={emit} -C metadata=1 -C extra-filename=-12ab --out-dir {}",
            to.display()
        );
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn files_of_the_same_name_are_copied() {
        let (folder, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let library = command("lib", "dep-info,metadata,link", to.path());
        fs::write(folder.path().join("libserde-12ab.rmeta"), "types").unwrap();
        assert_eq!(copy_from(folder.path(), &library), None, "one file is missing");
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
        fs::write(folder.path().join("libserde-12ab.rlib"), "code").unwrap();
        assert_eq!(copy_from(folder.path(), &library), Some(()));
        assert_eq!(fs::read(to.path().join("libserde-12ab.rlib")).unwrap(), b"code");
        assert!(to.path().join("serde-12ab.d").is_file());
    }

    #[test]
    fn programs_and_macros_have_other_names() {
        let files =
            |kind| RustcOutput::of(&command(kind, "dep-info,link", Path::new("/t"))).unwrap().files;
        assert_eq!(files("bin"), ["serde-12ab"]);
        assert!(files("proc-macro")[0].contains("serde-12ab."));
        assert!(RustcOutput::of(&command("cdylib", "link", Path::new("/t"))).is_none());
        assert!(RustcOutput::of(&["rustc".into(), "-vV".into()]).is_none());
    }
}
