//! Rewrites a cell that Evcxr generated: code that is the same in every cell comes from a crate.

use super::rollback::with_rollback;
use super::rustc_command::{ROOT, RUNTIME_CRATE, RustcCommand};
use crate::output::marker;
use crate::text::hex;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The source of that crate.
const RUNTIME: &str = include_str!("cell_runtime.rs");
const INSTANCES: &str = include_str!("instances.rs");
/// The file that says what the crate was compiled with.
const FINGERPRINT: &str = "cell_runtime.fingerprint";

/// The text that begins a cell's own code.
const OWN_PART: &str = "#[unsafe(no_mangle)]\npub extern \"C\" fn run_user_code_";
/// The module for variables, and the type of errors: how each begins, and its SHA-256 in the version of
/// Evcxr that the crate was written for. Any other code is not replaced.
const VARIABLES: &str = "mod evcxr_internal_runtime {\n";
const VARIABLES_SHA256: &str = "6aec0f4358cddd3961f5bd78c9f4f5fbd93761cd0efd856fd903ca5f896d7d64";
const ERRORS: &str = "            struct EvcxrUserCodeError {}\n";
const ERRORS_SHA256: &str = "8c602b791fd0e9dadbe086678575b86383f10f72d4d310b41423bb66f167a46b";

/// Makes an empty or incomplete cell a compile error, for a waiting compiler whose input is closed.
const END: &str = "const TCHALK_END_OF_CELL: () = ();";
const EXPECTS_END: &str = "const _: () = TCHALK_END_OF_CELL;";

/// A cell for a root file that exists already.
#[derive(Debug, PartialEq)]
pub struct Cell {
    /// The attributes of the crate, which belong into [`ROOT`].
    pub attributes: String,
    /// The rest, each line with its old number.
    pub text: String,
}

impl Cell {
    pub fn new(source: &str) -> Cell {
        let attributes = attributes(source);
        let count = attributes.lines().count();
        let rest: String = source.split_inclusive('\n').skip(count).collect();
        Cell { text: format!("{}{}{END}\n", "\n".repeat(count), rewritten(&rest)), attributes }
    }
}

/// The attributes of the crate, with which a cell begins.
pub fn attributes(source: &str) -> String {
    let is_attribute = |line: &&str| line.starts_with("#![") && line.trim_end().ends_with(']');
    source.lines().take_while(is_attribute).collect::<Vec<_>>().join("\n")
}

fn has_sha256(text: &str, sha256: &str) -> bool {
    hex(&Sha256::digest(text.as_bytes())) == sha256
}

/// The source with names from the runtime crate in place of the code that it contains.
fn rewritten(source: &str) -> String {
    try_rewritten(source).unwrap_or_else(|| source.to_owned())
}

fn try_rewritten(source: &str) -> Option<String> {
    let variables = source.find(VARIABLES)?;
    let own_part = variables + source[variables..].find(OWN_PART)?;
    if !has_sha256(&source[variables..own_part], VARIABLES_SHA256) {
        return None;
    }
    let errors = source[..variables].rfind(ERRORS);
    let errors = errors.filter(|at| has_sha256(&source[*at..variables], ERRORS_SHA256));
    let begin = errors.unwrap_or(variables);
    let failure = if errors.is_some() { "Failure as EvcxrUserCodeError, " } else { "" };
    let lines = "\n".repeat(source[begin..own_part].matches('\n').count());
    Some(format!(
        "{}use {RUNTIME_CRATE}::{{{failure}cell as evcxr_internal_runtime}};{lines}{}",
        &source[..begin],
        with_rollback(&source[own_part..])
    ))
}

/// Writes the root file, which includes a cell after it has loaded all crates that the cell may use.
pub fn write_root(folder: &Path, command: &RustcCommand, attributes: &str) -> std::io::Result<()> {
    let names: BTreeSet<&str> =
        command.crates().map(|(name, _)| name).chain([RUNTIME_CRATE]).collect();
    let crates: String = names.iter().map(|name| format!("extern crate {name} as _;\n")).collect();
    let root = format!("{attributes}\n{crates}{EXPECTS_END}\ninclude!(\"src/lib.rs\");\n");
    let file = folder.join(ROOT);
    // Another compiler may be reading the file.
    match fs::read_to_string(&file) {
        Ok(existing) if existing == root => Ok(()),
        _ => fs::write(file, root),
    }
}

/// The runtime crate, compiled for this command's compiler and crates unless that is done.
pub fn runtime_crate(folder: &Path, command: &RustcCommand) -> Result<PathBuf> {
    let file = folder.join(format!("lib{RUNTIME_CRATE}.rlib"));
    let fingerprint = fingerprint(command);
    let existing = fs::read_to_string(folder.join(FINGERPRINT)).unwrap_or_default();
    if file.is_file() && existing.lines().skip(1).eq(fingerprint.lines()) {
        return Ok(file);
    }
    // Another version of the library may not have all types of the instances.
    let runtime = runtime_source();
    let kind = match compile(folder, command, &format!("{runtime}{INSTANCES}")) {
        Ok(()) => "with instances",
        Err(_) => {
            compile(folder, command, &runtime)?;
            "without instances"
        }
    };
    fs::write(folder.join(FINGERPRINT), format!("{kind}\n{fingerprint}"))?;
    Ok(file)
}

/// The source of the runtime crate, without instances.
fn runtime_source() -> String {
    format!("{RUNTIME}\nconst MARKER_PREFIX: &str = {:?};\n", marker::PREFIX)
}

/// The compiler and the crates, independent of the session's folder: a clone keeps the times of its files.
fn fingerprint(command: &RustcCommand) -> String {
    let crates = command.crates().map(|(name, file)| {
        let metadata = fs::metadata(file).ok();
        let metadata = metadata.map(|it| (it.modified().ok(), it.len()));
        format!("{name} {:?} {metadata:?}\n", file.file_name())
    });
    std::iter::once(format!("{}\n", command.rustc.display())).chain(crates).collect()
}

/// Compiles the crate with the options of cells, so that they use its instances of generic code.
fn compile(folder: &Path, command: &RustcCommand, source: &str) -> Result<()> {
    let mut rustc = Command::new(&command.rustc)
        .args([
            "--edition=2024",
            "--crate-type=rlib",
            "--crate-name",
            RUNTIME_CRATE,
            "-Copt-level=0",
        ])
        .args(["-Cprefer-dynamic", "--emit=link", "-", "--out-dir"])
        .arg(folder)
        .args(command.target().into_iter().flat_map(|target| ["--target", target]))
        .args(command.libraries())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    rustc.stdin.take().context("rustc has no input")?.write_all(source.as_bytes())?;
    if !rustc.wait()?.success() {
        bail!("the runtime crate of quick cells does not compile");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: &str = "#![allow(dead_code)]\n#![deny(unused_must_use)]\nuse a::*;\nfn f() {}\n";

    #[test]
    fn attributes_move_to_the_root_and_lines_keep_their_numbers() {
        let cell = Cell::new(CELL);
        assert_eq!(cell.attributes, "#![allow(dead_code)]\n#![deny(unused_must_use)]");
        assert_eq!(cell.text, format!("\n\nuse a::*;\nfn f() {{}}\n{END}\n"));
    }

    #[test]
    fn the_runtime_crate_compiles() {
        let folder = tempfile::tempdir().unwrap();
        let line = "rustc --crate-name ctx src/lib.rs --crate-type cdylib";
        let arguments: Vec<_> = line.split_whitespace().map(Into::into).collect();
        let command = RustcCommand::of_cell(&arguments).unwrap();
        compile(folder.path(), &command, &runtime_source()).unwrap();
        assert!(folder.path().join(format!("lib{RUNTIME_CRATE}.rlib")).is_file());
    }

    #[test]
    fn an_unknown_module_is_not_replaced() {
        let source = format!("{VARIABLES}pub fn other() {{}}\n}}\n{OWN_PART}1() {{}}\n");
        assert_eq!(rewritten(&source), source);
    }

    #[test]
    fn the_root_loads_each_crate_once_and_requires_a_complete_cell() {
        let folder = tempfile::tempdir().unwrap();
        let line = "/t/bin/rustc --crate-name ctx src/lib.rs --crate-type cdylib --extern a=/a.rlib \
                     --extern a=/a.so";
        let arguments: Vec<_> = line.split_whitespace().map(Into::into).collect();
        let command = RustcCommand::of_cell(&arguments).unwrap();
        write_root(folder.path(), &command, "#![allow(dead_code)]").unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join(ROOT)).unwrap(),
            format!(
                "#![allow(dead_code)]\nextern crate a as _;\nextern crate tchalk_cell as _;\n\
                 {EXPECTS_END}\ninclude!(\"src/lib.rs\");\n"
            )
        );
    }
}
