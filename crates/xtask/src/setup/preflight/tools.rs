//! The programs that set-up needs: rustc, a C++ compiler, Python.

use super::finding::Finding::{self, Bad, Good};
use crate::common::process::{first_line, run_quietly};
use crate::common::rustc;
use crate::common::text::version_numbers;
use crate::setup::glue;
use crate::setup::interpreter;
use anyhow::{Context, Result};
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn rust() -> Finding {
    // This crate inherits the required version from the workspace.
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    match rustc::version() {
        Ok(found) if version_numbers(&found) < version_numbers(wanted) => {
            Bad(format!("rustc {found} is older than {wanted}"), "rustup update stable".into())
        }
        Ok(found) => Good(format!("rustc {found}")),
        Err(_) => Bad("there is no rustc".into(), "install Rust with rustup".into()),
    }
}

/// A small program in each language, with which compiler, headers and linker are tested.
const C: &str = "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n";
const CXX: &str = "#include <optional>\n#include <vector>\n\
    int main() { std::optional<std::vector<int>> it{{1}}; return it->at(0) - 1; }\n";

/// The compiler for the glue, or the linker if the glue is compiled already.
pub fn compiler(compiles: bool) -> Finding {
    match if compiles { glue::compiler() } else { glue::linker() } {
        Err(error) => Bad("none".into(), error.to_string()),
        Ok(name) => match try_compiler(&name, compiles) {
            Ok(()) => Good(first_line(&name, &["--version"]).unwrap_or(name)),
            Err(error) => Bad(
                format!("{name} does not compile a small program: {error:#}"),
                "install it whole (Debian, Ubuntu: `sudo apt install g++`; macOS: `xcode-select \
                 --install`), or name another in CXX"
                    .into(),
            ),
        },
    }
}

/// Compiles and links a small program.
fn try_compiler(compiler: &str, cxx: bool) -> Result<()> {
    let folder = new_folder(&std::env::temp_dir())?;
    let done = compile(compiler, cxx, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    done
}

/// Creates a folder that only this user can access. Names that exist already, perhaps as another user's links,
/// are skipped.
fn new_folder(within: &Path) -> Result<PathBuf> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let mut number = 0;
    loop {
        let folder = within.join(format!("tchalk-try-{}-{number}", std::process::id()));
        match builder.create(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            made => {
                return made
                    .map(|()| folder)
                    .with_context(|| format!("cannot make a folder in {}", within.display()));
            }
        }
    }
}

fn compile(compiler: &str, cxx: bool, folder: &Path) -> Result<()> {
    let (name, text) = if cxx { ("try.cpp", CXX) } else { ("try.c", C) };
    std::fs::write(folder.join(name), text)?;
    let mut command = Command::new(compiler);
    command.args(cxx.then_some("-std=c++17")).args([name, "-o", "try"]);
    run_quietly(command.current_dir(folder))
}

/// The Python with which set-up makes an environment, if `makes_one`.
pub fn python(makes_one: bool) -> Finding {
    match interpreter::find() {
        Ok((name, (major, minor))) if !makes_one => Good(format!("{name} {major}.{minor}")),
        Ok((name, (major, minor))) => match first_line(&name, &["-c", "import venv, ensurepip"]) {
            Some(_) => Good(format!("{name} {major}.{minor}, with venv")),
            None => Bad(
                format!("{name} {major}.{minor} without its venv module"),
                "Debian, Ubuntu: sudo apt install python3-venv".into(),
            ),
        },
        Err(error) => Bad("none that will do".into(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn an_existing_folder_is_not_used() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let within = tempfile::tempdir().unwrap();
        let first = new_folder(within.path()).unwrap();
        assert_eq!(std::fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o700);
        let next = new_folder(within.path()).unwrap();
        assert_ne!(first, next);
        std::fs::remove_dir(&next).unwrap();
        symlink(&first, &next).unwrap();
        assert!(![&first, &next].contains(&&new_folder(within.path()).unwrap()));
        assert!(new_folder(&within.path().join("none")).is_err());
        assert!(!within.path().join("none").exists());
    }

    #[test]
    #[cfg(unix)]
    fn a_compiler_is_tested() {
        use std::os::unix::fs::PermissionsExt;
        try_compiler(&glue::compiler().unwrap(), true).unwrap();
        try_compiler(&glue::linker().unwrap(), false).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("g++");
        std::fs::write(&program, "#!/bin/sh\necho cannot find crt1.o >&2; exit 1\n").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let error = try_compiler(program.to_str().unwrap(), true).unwrap_err();
        assert!(error.to_string().contains("crt1.o"), "{error}");
    }
}
