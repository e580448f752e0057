//! `cargo xtask references`: the values that tests compare with, computed by PyTorch, Keras and scikit-learn.

use crate::common::files::write_file;
use crate::common::fingerprint::fingerprint;
use crate::common::paths::Paths;
use crate::common::process::run as run_command;
use crate::common::step::step;
use crate::setup::pip::{create_environment, install};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

const COMPLETE: &str = "tchalk-complete";

/// The Python of an environment for these packages, which is made if it does not exist.
pub fn python(paths: &Paths) -> Result<PathBuf> {
    let lock = paths.root.join("python/reference.txt");
    let text = std::fs::read_to_string(&lock).context("cannot read python/reference.txt")?;
    let folder = paths.home.join(format!("reference-{}", &fingerprint(&[&text])[..8]));
    let python = folder.join("bin/python");
    if !folder.join(COMPLETE).is_file() {
        step(
            "PyTorch, Keras and scikit-learn in their own environment (about 3 GB to download)",
            || {
                create_environment(&folder)?;
                install(&paths.home, &python, &lock, None, &[])?;
                write_file(&folder.join(COMPLETE), "")
            },
        )?;
    }
    Ok(python)
}

/// Runs every script.
pub fn run(paths: &Paths) -> Result<()> {
    let python = python(paths)?;
    let mut scripts: Vec<_> = std::fs::read_dir(paths.root.join("crates/tchalk/tests/reference"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect();
    scripts.sort();
    for script in scripts {
        let name = script.file_name().unwrap_or_default().to_string_lossy().into_owned();
        step(&name, || {
            run_command(Command::new(&python).arg(&script).env("KERAS_BACKEND", "torch"))
        })?;
    }
    Ok(())
}
