//! The rustc command with which cargo compiled a cell, and the commands derived from it.

use super::environment::{self, PREBUILT, RECORD};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate that Evcxr generates for a cell.
pub const CELL_CRATE: &str = "ctx";
const SOURCE: &str = "src/lib.rs";
/// The root file of the quick crate, which includes the cell.
pub const ROOT: &str = "cell.rs";
/// The crate with the code that all cells share.
pub const RUNTIME_CRATE: &str = "tchalk_cell";

/// The file name of a compiled cell.
pub fn library_name() -> &'static str {
    if cfg!(target_os = "macos") { "libctx.dylib" } else { "libctx.so" }
}

/// A rustc command for a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RustcCommand {
    pub rustc: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl RustcCommand {
    /// The file in which a command is recorded.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("rustc_command.json")
    }

    /// The command line of a compiler wrapper in this environment; `None` if it does not compile a cell,
    /// or is not text.
    pub fn of_cell(command: &[OsString]) -> Option<RustcCommand> {
        let (rustc, arguments) = command.split_first()?;
        let arguments = environment::texts(arguments)?;
        let mut environment = environment::current()?;
        environment.remove(RECORD);
        // It names file descriptors that only cargo's own children have open.
        environment.remove("CARGO_MAKEFLAGS");
        environment.remove(PREBUILT);
        let command = RustcCommand { rustc: rustc.into(), arguments, environment };
        let is_cell = command.after("--crate-name") == Some(CELL_CRATE)
            && command.after("--crate-type") == Some("cdylib")
            && command.arguments.iter().any(|argument| argument == SOURCE);
        is_cell.then_some(command)
    }

    pub fn write(&self, file: &Path) -> io::Result<()> {
        std::fs::write(file, serde_json::to_vec(self)?)
    }

    pub fn read(file: &Path) -> Option<RustcCommand> {
        serde_json::from_slice(&std::fs::read(file).ok()?).ok()
    }

    fn after(&self, option: &str) -> Option<&str> {
        let at = self.arguments.iter().position(|argument| argument == option)?;
        self.arguments.get(at + 1).map(String::as_str)
    }

    /// The target triple.
    pub fn target(&self) -> Option<&str> {
        self.after("--target")
    }

    /// The crates that the cell can use: name and file.
    pub fn crates(&self) -> impl Iterator<Item = (&str, &Path)> {
        let pairs = self.arguments.iter().zip(self.arguments.iter().skip(1));
        pairs.filter(|(option, _)| *option == "--extern").filter_map(|(_, value)| {
            let (name, file) = value.split_once('=')?;
            Some((name.rsplit(':').next()?, Path::new(file)))
        })
    }

    /// The options that name those crates, and the folders of their dependencies.
    pub fn libraries(&self) -> impl Iterator<Item = &str> {
        let pairs = self.arguments.iter().zip(self.arguments.iter().skip(1));
        let pairs = pairs.filter(|(option, _)| *option == "--extern" || *option == "-L");
        pairs.flat_map(|(option, value)| [option.as_str(), value])
    }

    /// The library that rustc writes.
    pub fn output(&self) -> Option<PathBuf> {
        Some(Path::new(self.after("--out-dir")?).join(library_name()))
    }

    /// cargo's own command.
    pub fn plain(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.rustc);
        command.args(&self.arguments).env_clear().envs(&self.environment).current_dir(folder);
        command
    }

    /// The command that only checks the cell, and writes its output into `out_dir`.
    pub fn check(&self, folder: &Path, out_dir: &Path) -> Command {
        let mut command = Command::new(&self.rustc);
        command.env_clear().envs(&self.environment).current_dir(folder);
        let mut arguments = self.arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument {
                "-C" => match arguments.next().unwrap_or_default() {
                    value if value.starts_with("incremental=") => {}
                    value => {
                        command.args(["-C", value]);
                    }
                },
                "--out-dir" => {
                    arguments.next();
                    command.arg(argument).arg(out_dir);
                }
                _ if argument.starts_with("--emit=") => {
                    command.arg("--emit=metadata");
                }
                _ => {
                    command.arg(argument);
                }
            }
        }
        command
    }

    /// The command that compiles the same cell from standard input, without incremental files, and with
    /// the linker called directly.
    pub fn quick(&self, folder: &Path, runtime: &Path, linker: &[String]) -> Command {
        let mut command = Command::new(&self.rustc);
        command.env_clear().envs(&self.environment).current_dir(folder);
        let mut arguments = self.arguments.iter().map(String::as_str).peekable();
        while let Some(argument) = arguments.next() {
            if argument == SOURCE {
                command.arg(ROOT);
            } else if argument.starts_with("--emit=") {
                command.arg("--emit=link");
            } else if argument == "-C" {
                match arguments.next().unwrap_or_default() {
                    value if value.starts_with("incremental=") => {}
                    value if value.starts_with("strip=") => {}
                    value if value.starts_with("codegen-units=") => {
                        command.args(["-C", "codegen-units=1"]);
                    }
                    value => {
                        command.args(["-C", value]);
                    }
                }
            } else {
                command.arg(argument);
            }
        }
        command.arg("--extern").arg(format!("{}={}", RUNTIME_CRATE, runtime.display()));
        command.args(linker);
        command
    }

    /// Options with which rustc calls its own linker directly, if it has one; none otherwise.
    pub fn linker(&self) -> Vec<String> {
        self.try_linker().unwrap_or_default()
    }

    fn try_linker(&self) -> Option<Vec<String>> {
        let target = self.target()?;
        if !cfg!(target_os = "linux") || !target.ends_with("-linux-gnu") {
            return None;
        }
        let toolchain = self.rustc.parent()?.parent()?;
        let linker = toolchain.join("lib/rustlib").join(target).join("bin/rust-lld");
        if !linker.is_file() {
            return None;
        }
        // The C compiler knows the folders of the system's libraries.
        let output = Command::new("cc").arg("-print-search-dirs").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let folders = text.lines().find_map(|line| line.strip_prefix("libraries: ="))?;
        let mut folders: Vec<PathBuf> = std::env::split_paths(folders)
            .filter_map(|folder| folder.canonicalize().ok())
            .collect();
        let mut seen = std::collections::HashSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        let options = folders.iter().map(|folder| format!("-Clink-arg=-L{}", folder.display()));
        let which = [format!("-Clinker={}", linker.display()), "-Clinker-flavor=ld.lld".into()];
        (!folders.is_empty()).then(|| which.into_iter().chain(options).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<RustcCommand> {
        RustcCommand::of_cell(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    const LINE: &str = "/t/bin/rustc --crate-name ctx --edition=2024 src/lib.rs --crate-type cdylib \
        --emit=dep-info,link -C codegen-units=16 -C metadata=1 -C incremental=/s/i -C \
        strip=debuginfo --out-dir /s/deps --extern tchalk=/s/libtchalk.rlib --extern \
        priv:tchalk=/s/libtchalk.so -Cprefer-dynamic";

    #[test]
    fn only_cells_are_recorded() {
        assert!(parse(LINE).is_some());
        assert!(parse(&LINE.replace("ctx", "tchalk")).is_none());
        assert!(parse(&LINE.replace("cdylib", "lib")).is_none());
        assert!(parse("/t/bin/rustc -vV").is_none());
    }

    #[test]
    fn a_command_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = RustcCommand::file(folder.path());
        let command = parse(LINE).unwrap();
        command.write(&file).unwrap();
        assert_eq!(RustcCommand::read(&file), Some(command));
        std::fs::write(&file, "{").unwrap();
        assert_eq!(RustcCommand::read(&file), None);
    }

    #[test]
    fn the_plain_command_is_cargos_own_and_the_quick_one_is_not_incremental() {
        let command = parse(LINE).unwrap();
        let arguments = |command: &Command| {
            let arguments = command.get_args().map(|it| it.to_str().unwrap().to_owned());
            arguments.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(arguments(&command.plain(Path::new("/s"))), LINE.split_once(' ').unwrap().1);
        let quick = command.quick(Path::new("/s/quick"), Path::new("/h.rlib"), &["-Cx".into()]);
        assert_eq!(
            arguments(&quick),
            "--crate-name ctx --edition=2024 cell.rs --crate-type cdylib --emit=link -C \
             codegen-units=1 -C metadata=1 --out-dir /s/deps --extern tchalk=/s/libtchalk.rlib \
             --extern priv:tchalk=/s/libtchalk.so -Cprefer-dynamic --extern \
             tchalk_cell=/h.rlib -Cx"
        );
        assert_eq!(
            arguments(&command.check(Path::new("/s"), Path::new("/s/quick/check"))),
            "--crate-name ctx --edition=2024 src/lib.rs --crate-type cdylib --emit=metadata -C \
             codegen-units=16 -C metadata=1 -C strip=debuginfo --out-dir /s/quick/check --extern \
             tchalk=/s/libtchalk.rlib --extern priv:tchalk=/s/libtchalk.so -Cprefer-dynamic"
        );
    }

    #[test]
    fn the_crates_of_a_cell_are_read_from_the_command() {
        let command = parse(LINE).unwrap();
        let crates: Vec<_> =
            command.crates().map(|(name, file)| (name, file.to_str().unwrap())).collect();
        assert_eq!(crates, [("tchalk", "/s/libtchalk.rlib"), ("tchalk", "/s/libtchalk.so")]);
        assert_eq!(
            command.libraries().collect::<Vec<_>>().join(" "),
            "--extern tchalk=/s/libtchalk.rlib --extern priv:tchalk=/s/libtchalk.so"
        );
        assert!(command.output().unwrap().starts_with("/s/deps"));
    }
}
