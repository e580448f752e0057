//! A cell as Evcxr wrote it, without what is the same in every cell.

use super::keep::keep_old;
use super::recipe::{ROOT, Recipe};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The crate in which that is compiled once.
pub const CRATE: &str = "tchalk_cell";
const HELPER: &str = include_str!("helper.rs");
const INSTANCES: &str = include_str!("instances.rs");
/// Tells what the helper beside it was made from.
const STAMP: &str = "helper.stamp";

/// Where a cell's own part begins, in what Evcxr writes.
const OWN_PART: &str = "#[unsafe(no_mangle)]\npub extern \"C\" fn run_user_code_";
/// The module for variables, and the type of errors: how each begins, and the SHA-256 of what they are
/// in the version of Evcxr that the helper was written for. Anything else is left as it is.
const VARIABLES: &str = "mod evcxr_internal_runtime {\n";
const VARIABLES_ARE: &str = "6aec0f4358cddd3961f5bd78c9f4f5fbd93761cd0efd856fd903ca5f896d7d64";
const ERRORS: &str = "            struct EvcxrUserCodeError {}\n";
const ERRORS_ARE: &str = "8c602b791fd0e9dadbe086678575b86383f10f72d4d310b41423bb66f167a46b";

/// A waiting compiler that is left alone must not compile an empty cell, nor half of one.
const END: &str = "const TCHALK_END_OF_CELL: () = ();";
const EXPECTS_END: &str = "const _: () = TCHALK_END_OF_CELL;";

/// A cell to be taken in by a crate that is already there.
#[derive(Debug, PartialEq)]
pub struct Cell {
    /// The attributes of the whole crate: they belong into [`ROOT`].
    pub attributes: String,
    /// All else, each line where it was.
    pub text: String,
}

impl Cell {
    pub fn new(source: &str) -> Cell {
        let attributes = attributes(source);
        let count = attributes.lines().count();
        let rest: String = source.split_inclusive('\n').skip(count).collect();
        Cell { text: format!("{}{}{END}\n", "\n".repeat(count), lean(&rest)), attributes }
    }
}

/// The attributes of the whole crate, with which a cell begins.
pub fn attributes(source: &str) -> String {
    let is_attribute = |line: &&str| line.starts_with("#![") && line.trim_end().ends_with(']');
    source.lines().take_while(is_attribute).collect::<Vec<_>>().join("\n")
}

fn is(text: &str, hash: &str) -> bool {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == hash
}

/// The source with names from the helper in place of what the helper has.
fn lean(source: &str) -> String {
    try_lean(source).unwrap_or_else(|| source.to_owned())
}

fn try_lean(source: &str) -> Option<String> {
    let variables = source.find(VARIABLES)?;
    let own_part = variables + source[variables..].find(OWN_PART)?;
    if !is(&source[variables..own_part], VARIABLES_ARE) {
        return None;
    }
    let errors = source[..variables].rfind(ERRORS);
    let errors = errors.filter(|at| is(&source[*at..variables], ERRORS_ARE));
    let begin = errors.unwrap_or(variables);
    let failure = if errors.is_some() { "Failure as EvcxrUserCodeError, " } else { "" };
    let lines = "\n".repeat(source[begin..own_part].matches('\n').count());
    Some(format!(
        "{}use {CRATE}::{{{failure}cell as evcxr_internal_runtime}};{lines}{}",
        &source[..begin],
        keep_old(&source[own_part..])
    ))
}

/// Writes the crate that takes a cell in, after it has loaded all that the cell may use.
pub fn write_root(folder: &Path, recipe: &Recipe, attributes: &str) -> std::io::Result<()> {
    let names: BTreeSet<&str> = recipe.crates().map(|(name, _)| name).chain([CRATE]).collect();
    let crates: String = names.iter().map(|name| format!("extern crate {name} as _;\n")).collect();
    let root = format!("{attributes}\n{crates}{EXPECTS_END}\ninclude!(\"src/lib.rs\");\n");
    let file = folder.join(ROOT);
    // Another compiler may just be reading it.
    match fs::read_to_string(&file) {
        Ok(there) if there == root => Ok(()),
        _ => fs::write(file, root),
    }
}

/// The helper, compiled for this recipe's compiler and crates if it is not there yet.
pub fn helper(folder: &Path, recipe: &Recipe) -> Result<PathBuf> {
    let file = folder.join(format!("lib{CRATE}.rlib"));
    let stamp = stamp(recipe);
    let stamped = fs::read_to_string(folder.join(STAMP)).unwrap_or_default();
    if file.is_file() && stamped.lines().skip(1).eq(stamp.lines()) {
        return Ok(file);
    }
    // A library that has other types than the instances are for does with less.
    let kind = match compile(folder, recipe, &format!("{HELPER}\n{INSTANCES}")) {
        Ok(()) => "with instances",
        Err(_) => {
            compile(folder, recipe, HELPER)?;
            "without instances"
        }
    };
    fs::write(folder.join(STAMP), format!("{kind}\n{stamp}"))?;
    Ok(file)
}

/// The compiler and the crates, wherever the session's folder is: a clone keeps the times of its files.
fn stamp(recipe: &Recipe) -> String {
    let crates = recipe.crates().map(|(name, file)| {
        let found = fs::metadata(file).ok();
        let found = found.map(|it| (it.modified().ok(), it.len()));
        format!("{name} {:?} {found:?}\n", file.file_name())
    });
    std::iter::once(format!("{}\n", recipe.rustc.display())).chain(crates).collect()
}

/// Compiles the helper as cells are, so that they use the instances of what is generic in it.
fn compile(folder: &Path, recipe: &Recipe, source: &str) -> Result<()> {
    let mut rustc = Command::new(&recipe.rustc)
        .args(["--edition=2024", "--crate-type=rlib", "--crate-name", CRATE, "-Copt-level=0"])
        .args(["-Cprefer-dynamic", "--emit=link", "-", "--out-dir"])
        .arg(folder)
        .args(recipe.target().into_iter().flat_map(|target| ["--target", target]))
        .args(recipe.libraries())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    rustc.stdin.take().context("it has no input")?.write_all(source.as_bytes())?;
    if !rustc.wait()?.success() {
        bail!("the helper of quick cells does not compile");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: &str = "#![allow(dead_code)]\n#![deny(unused_must_use)]\nuse a::*;\nfn f() {}\n";

    #[test]
    fn attributes_go_to_the_root_and_lines_stay_where_they_were() {
        let cell = Cell::new(CELL);
        assert_eq!(cell.attributes, "#![allow(dead_code)]\n#![deny(unused_must_use)]");
        assert_eq!(cell.text, format!("\n\nuse a::*;\nfn f() {{}}\n{END}\n"));
    }

    #[test]
    fn a_module_that_is_not_the_known_one_is_left_alone() {
        let source = format!("{VARIABLES}pub fn other() {{}}\n}}\n{OWN_PART}1() {{}}\n");
        assert_eq!(lean(&source), source);
    }

    #[test]
    fn the_root_loads_each_crate_once_and_wants_a_whole_cell() {
        let folder = tempfile::tempdir().unwrap();
        let words = "/t/bin/rustc --crate-name ctx src/lib.rs --crate-type cdylib --extern a=/a.rlib \
                     --extern a=/a.so";
        let words: Vec<_> = words.split_whitespace().map(Into::into).collect();
        let recipe = Recipe::of_cell(&words).unwrap();
        write_root(folder.path(), &recipe, "#![allow(dead_code)]").unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join(ROOT)).unwrap(),
            format!(
                "#![allow(dead_code)]\nextern crate a as _;\nextern crate tchalk_cell as _;\n\
                 {EXPECTS_END}\ninclude!(\"src/lib.rs\");\n"
            )
        );
    }
}
