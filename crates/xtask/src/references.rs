//! `cargo xtask references`: the values that tests compare with, computed by PyTorch, Keras and scikit-learn.

use crate::command::run as run_command;
use crate::paths::{Paths, key};
use crate::python::{create, install};
use crate::step::{step, whole_file};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

const COMPLETE: &str = "tchalk-complete";

/// The Python of the separate environment, which is made if need be.
pub fn python(paths: &Paths) -> Result<PathBuf> {
    let lock = paths.root.join("python/reference.txt");
    let text = std::fs::read_to_string(&lock).context("cannot read python/reference.txt")?;
    let folder = paths.home.join(format!("reference-{}", &key(&[&text])[..8]));
    let python = folder.join("bin/python");
    if !folder.join(COMPLETE).is_file() {
        step(
            "PyTorch, Keras and scikit-learn in an environment of their own (about 3 GB to download)",
            || {
                create(&folder)?;
                install(&paths.home, &python, &lock, None, &[])?;
                whole_file(&folder.join(COMPLETE), "")
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
