//! The folder that every notebook's session is cloned from, with the library built in it.

use crate::kernel;
use crate::paths::{Paths, key, key_of_tree};
use crate::rust_src::rustc_version;
use crate::step::{step, whole_file};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// What the template depends on: the library, its dependencies, the kernel, the glue, the compiler.
fn stamp(paths: &Paths, kernel: &Path, glue: &Path) -> Result<String> {
    let library = paths.library();
    Ok(key(&[
        &std::fs::read_to_string(paths.root.join("Cargo.lock"))?,
        &std::fs::read_to_string(library.join("Cargo.toml"))?,
        &key_of_tree(&library.join("src"))?,
        &kernel.to_string_lossy(),
        &glue.to_string_lossy(),
        &rustc_version()?,
    ]))
}

fn stamp_file(paths: &Paths) -> std::path::PathBuf {
    paths.state.join("template.stamp")
}

/// Whether the template is what the checkout would give now.
pub fn is_warm(paths: &Paths, kernel: &Path, glue: &Path) -> Result<bool> {
    let stamped = std::fs::read_to_string(stamp_file(paths)).unwrap_or_default();
    Ok(paths.state.join("template").is_dir() && stamped == stamp(paths, kernel, glue)?)
}

/// Builds the template, if it is not warm.
pub fn ensure(paths: &Paths, kernel: &Path, glue: &Path, rust_src: &Path) -> Result<()> {
    if is_warm(paths, kernel, glue)? {
        return Ok(());
    }
    step("the library for notebooks, built once in advance (about 2 minutes)", || {
        let stamp = stamp(paths, kernel, glue)?;
        let mut warm = Command::new(kernel);
        warm.arg("--warm").envs(kernel::environment(paths, rust_src));
        // Backtraces are for those who build the kernel.
        let output = warm.env_remove("RUST_BACKTRACE").output().context("cannot start the kernel")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        whole_file(&stamp_file(paths), &stamp)
    })
}
