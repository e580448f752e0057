//! Crates that the same compiler has built elsewhere.
//!
//! A release brings the library's dependencies along, compiled. cargo would compile them again, since
//! its notes hold the paths of all sources. But the name it gives to what it makes, `libNAME-HASH`,
//! stands for package, version, features, profile, flags and compiler, and for no path, if the package
//! is from a registry. So the compiler's wrapper takes the file of that name, where there is one.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Names the folder that holds such crates, while the template is built.
pub const PREBUILT: &str = "TCHALK_PREBUILT";

/// Puts what this command of rustc would make in its place; `None` if something of it is not there, and
/// rustc has to make it.
pub fn take(command: &[OsString]) -> Option<()> {
    let folder = PathBuf::from(std::env::var_os(PREBUILT)?);
    take_from(&folder, &super::texts(command)?)
}

fn take_from(folder: &Path, command: &[String]) -> Option<()> {
    let made = Made::by(command)?;
    let found: Vec<_> = made.files.iter().map(|name| folder.join(name)).collect();
    if found.is_empty() || !found.iter().all(|file| file.is_file()) {
        return None;
    }
    for (file, name) in found.iter().zip(&made.files) {
        fs::copy(file, made.to.join(name)).ok()?;
    }
    if let Some(notes) = &made.notes {
        fs::write(made.to.join(notes), format!("{}:\n", made.to.join(notes).display())).ok()?;
    }
    Some(())
}

/// What a command of rustc makes.
struct Made<'a> {
    to: &'a Path,
    files: Vec<String>,
    /// The file that names the sources. cargo does not follow those of a registry.
    notes: Option<String>,
}

impl<'a> Made<'a> {
    fn by(command: &'a [String]) -> Option<Made<'a>> {
        let after = |option: &str| {
            let at = command.iter().position(|argument| argument == option)?;
            command.get(at + 1).map(String::as_str)
        };
        let extra = command.iter().find_map(|argument| argument.strip_prefix("extra-filename="))?;
        let name = format!("{}{extra}", after("--crate-name")?);
        let emit = command.iter().find_map(|argument| argument.strip_prefix("--emit="))?;
        let mut made = Made { to: Path::new(after("--out-dir")?), files: vec![], notes: None };
        for kind in emit.split(',') {
            match (kind, after("--crate-type")?) {
                ("dep-info", _) => made.notes = Some(format!("{name}.d")),
                ("metadata", _) => made.files.push(format!("lib{name}.rmeta")),
                ("link", "lib" | "rlib") => made.files.push(format!("lib{name}.rlib")),
                ("link", "proc-macro") => {
                    let (before, after) =
                        (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
                    made.files.push(format!("{before}{name}{after}"));
                }
                ("link", "bin") => made.files.push(name.clone()),
                _ => return None,
            }
        }
        Some(made)
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
    fn what_is_there_under_the_same_name_is_taken() {
        let (folder, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let library = command("lib", "dep-info,metadata,link", to.path());
        fs::write(folder.path().join("libserde-12ab.rmeta"), "types").unwrap();
        assert_eq!(take_from(folder.path(), &library), None, "half of it is not enough");
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
        fs::write(folder.path().join("libserde-12ab.rlib"), "code").unwrap();
        assert_eq!(take_from(folder.path(), &library), Some(()));
        assert_eq!(fs::read(to.path().join("libserde-12ab.rlib")).unwrap(), b"code");
        assert!(to.path().join("serde-12ab.d").is_file());
    }

    #[test]
    fn programs_and_macros_have_names_of_their_own() {
        let files =
            |kind| Made::by(&command(kind, "dep-info,link", Path::new("/t"))).unwrap().files;
        assert_eq!(files("bin"), ["serde-12ab"]);
        assert!(files("proc-macro")[0].contains("serde-12ab."));
        assert!(Made::by(&command("cdylib", "link", Path::new("/t"))).is_none());
        assert!(Made::by(&["rustc".into(), "-vV".into()]).is_none());
    }
}
