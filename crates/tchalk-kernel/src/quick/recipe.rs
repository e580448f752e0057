//! How a cell is compiled: the command that cargo gave rustc, and what is made of it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate that Evcxr makes of a cell.
const CELL: &str = "ctx";
const SOURCE: &str = "src/lib.rs";
/// The file that stands in for the cell's crate, and takes the cell in.
pub const ROOT: &str = "cell.rs";

/// What is made of a cell.
pub fn library_name() -> &'static str {
    if cfg!(target_os = "macos") { "libctx.dylib" } else { "libctx.so" }
}

/// rustc's command for a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    pub rustc: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl Recipe {
    /// Where a recipe is written down.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("recipe.json")
    }

    /// The command line of a compiler's wrapper in this environment; `None` if it compiles anything
    /// else than a cell, or has what cannot be written down.
    pub fn of_cell(command: &[OsString]) -> Option<Recipe> {
        let (rustc, arguments) = command.split_first()?;
        let arguments = super::texts(arguments)?;
        let mut environment = super::environment()?;
        environment.remove(super::RECORD);
        // It names files that only cargo's own children have open.
        environment.remove("CARGO_MAKEFLAGS");
        environment.remove(super::prebuilt::PREBUILT);
        let recipe = Recipe { rustc: rustc.into(), arguments, environment };
        let is_cell = recipe.after("--crate-name") == Some(CELL)
            && recipe.after("--crate-type") == Some("cdylib")
            && recipe.arguments.iter().any(|argument| argument == SOURCE);
        is_cell.then_some(recipe)
    }

    pub fn write(&self, file: &Path) -> io::Result<()> {
        std::fs::write(file, serde_json::to_vec(self)?)
    }

    pub fn read(file: &Path) -> Option<Recipe> {
        serde_json::from_slice(&std::fs::read(file).ok()?).ok()
    }

    fn after(&self, option: &str) -> Option<&str> {
        let at = self.arguments.iter().position(|argument| argument == option)?;
        self.arguments.get(at + 1).map(String::as_str)
    }

    /// What the cell is compiled for.
    pub fn target(&self) -> Option<&str> {
        self.after("--target")
    }

    /// Crates that the cell may use: name and file.
    pub fn crates(&self) -> impl Iterator<Item = (&str, &Path)> {
        let pairs = self.arguments.iter().zip(self.arguments.iter().skip(1));
        pairs.filter(|(option, _)| *option == "--extern").filter_map(|(_, value)| {
            let (name, file) = value.split_once('=')?;
            Some((name.rsplit(':').next()?, Path::new(file)))
        })
    }

    /// The options that name those crates, and where what they need is.
    pub fn libraries(&self) -> impl Iterator<Item = &str> {
        let pairs = self.arguments.iter().zip(self.arguments.iter().skip(1));
        let pairs = pairs.filter(|(option, _)| *option == "--extern" || *option == "-L");
        pairs.flat_map(|(option, value)| [option.as_str(), value])
    }

    /// Where rustc leaves what it made.
    pub fn made(&self) -> Option<PathBuf> {
        Some(Path::new(self.after("--out-dir")?).join(library_name()))
    }

    /// The very command that cargo gave.
    pub fn plain(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.rustc);
        command.args(&self.arguments).env_clear().envs(&self.environment).current_dir(folder);
        command
    }

    /// The command that only says whether the cell would compile, and leaves what it makes in `scratch`.
    pub fn check(&self, folder: &Path, scratch: &Path) -> Command {
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
                    command.arg(argument).arg(scratch);
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

    /// The command that compiles the same cell from standard input with what is needed of it only:
    /// nothing is kept for the next time, and the linker is called without the C compiler.
    pub fn quick(&self, folder: &Path, helper: &Path, linker: &[String]) -> Command {
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
        command.arg("--extern").arg(format!("{}={}", super::lean::CRATE, helper.display()));
        command.args(linker);
        command
    }

    /// Options by which rustc calls its own linker directly, if it has one; none otherwise.
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
        // The C compiler knows where the system's libraries are.
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

    fn recipe(line: &str) -> Option<Recipe> {
        Recipe::of_cell(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    const LINE: &str = "/t/bin/rustc --crate-name ctx --edition=2024 src/lib.rs --crate-type cdylib \
        --emit=dep-info,link -C codegen-units=16 -C metadata=1 -C incremental=/s/i -C \
        strip=debuginfo --out-dir /s/deps --extern tchalk=/s/libtchalk.rlib --extern \
        priv:tchalk=/s/libtchalk.so -Cprefer-dynamic";

    #[test]
    fn only_cells_are_recorded() {
        assert!(recipe(LINE).is_some());
        assert!(recipe(&LINE.replace("ctx", "tchalk")).is_none());
        assert!(recipe(&LINE.replace("cdylib", "lib")).is_none());
        assert!(recipe("/t/bin/rustc -vV").is_none());
    }

    #[test]
    fn a_recipe_survives_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = Recipe::file(folder.path());
        let recipe = recipe(LINE).unwrap();
        recipe.write(&file).unwrap();
        assert_eq!(Recipe::read(&file), Some(recipe));
        std::fs::write(&file, "{").unwrap();
        assert_eq!(Recipe::read(&file), None);
    }

    #[test]
    fn the_plain_command_is_cargos_own_and_the_quick_one_keeps_nothing() {
        let recipe = recipe(LINE).unwrap();
        let words = |command: &Command| {
            let words = command.get_args().map(|word| word.to_str().unwrap().to_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(&recipe.plain(Path::new("/s"))), LINE.split_once(' ').unwrap().1);
        let quick = recipe.quick(Path::new("/s/quick"), Path::new("/h.rlib"), &["-Cx".into()]);
        assert_eq!(
            words(&quick),
            "--crate-name ctx --edition=2024 cell.rs --crate-type cdylib --emit=link -C \
             codegen-units=1 -C metadata=1 --out-dir /s/deps --extern tchalk=/s/libtchalk.rlib \
             --extern priv:tchalk=/s/libtchalk.so -Cprefer-dynamic --extern \
             tchalk_cell=/h.rlib -Cx"
        );
        assert_eq!(
            words(&recipe.check(Path::new("/s"), Path::new("/s/quick/check"))),
            "--crate-name ctx --edition=2024 src/lib.rs --crate-type cdylib --emit=metadata -C \
             codegen-units=16 -C metadata=1 -C strip=debuginfo --out-dir /s/quick/check --extern \
             tchalk=/s/libtchalk.rlib --extern priv:tchalk=/s/libtchalk.so -Cprefer-dynamic"
        );
    }

    #[test]
    fn the_crates_that_a_cell_may_use_are_read_from_the_command() {
        let recipe = recipe(LINE).unwrap();
        let crates: Vec<_> =
            recipe.crates().map(|(name, file)| (name, file.to_str().unwrap())).collect();
        assert_eq!(crates, [("tchalk", "/s/libtchalk.rlib"), ("tchalk", "/s/libtchalk.so")]);
        assert_eq!(
            recipe.libraries().collect::<Vec<_>>().join(" "),
            "--extern tchalk=/s/libtchalk.rlib --extern priv:tchalk=/s/libtchalk.so"
        );
        assert!(recipe.made().unwrap().starts_with("/s/deps"));
    }
}
