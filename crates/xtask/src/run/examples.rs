//! Programs of `crates/tchalk/examples`: the gallery, the built-in base's training, runs of evidence, our
//! side of benchmarks.

use crate::common::cargo::cargo;
use crate::common::paths::{Paths, data_folder};
use crate::common::process::run as run_command;
use crate::setup::{self, Register};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// Builds these programs with optimization; returns their folder.
pub fn release(paths: &Paths, names: &[&str]) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "tchalk"]);
    build.args(names.iter().flat_map(|name| ["--example", name]));
    run_command(build.current_dir(&paths.root))?;
    Ok(paths.target().join("release/examples"))
}

/// Draws every figure from built-in data, and prints where the page is.
pub fn gallery(paths: &Paths) -> Result<()> {
    setup::run(paths, Register::CheckoutOnly)?;
    let page = draw_gallery(paths)?;
    println!("The gallery, a page for any browser: {}", page.display());
    Ok(())
}

/// Draws the gallery with an unoptimized program, as for tests; fails if a figure is empty, clipped, or has
/// texts that touch. Returns the page.
pub fn draw_gallery(paths: &Paths) -> Result<PathBuf> {
    let folder = paths.target().join("gallery");
    let mut draw = cargo();
    draw.args(["run", "--quiet", "--locked", "--package", "tchalk", "--example", "gallery", "--"]);
    run_command(draw.arg(&folder).current_dir(&paths.root))?;
    let page = folder.join("gallery.html");
    if !page.is_file() {
        bail!("the gallery wrote no {}", page.display());
    }
    Ok(page)
}

/// Trains the built-in base on the CIFAR-10 of `TCHALK_DATA_DIR`, into the crate. `note` says what is
/// known of these images, where they are not CIFAR-10's own.
pub fn train_base(paths: &Paths, note: &[String]) -> Result<()> {
    data_folder()
        .context("the built-in base is trained on CIFAR-10: name its folder in TCHALK_DATA_DIR")?;
    setup::run(paths, Register::CheckoutOnly)?;
    let program = release(paths, &["train_base"])?.join("train_base");
    let out = paths.library().join("src/applications/built_in_base.safetensors");
    run_command(Command::new(program).arg(&out).arg(note.join(" ")).current_dir(&paths.root))
}

/// Runs one of the longer programs, and prints where its results are.
pub fn evidence(paths: &Paths, arguments: &[String]) -> Result<()> {
    let [what] = arguments else {
        bail!("cargo xtask evidence takes one of cifar10, mnist, ants-bees, built-in-base")
    };
    setup::run(paths, Register::CheckoutOnly)?;
    let program = release(paths, &["evidence"])?.join("evidence");
    let out = paths.target().join("evidence");
    run_command(Command::new(program).arg(what).arg(&out).current_dir(&paths.root))?;
    println!("Results: {}", out.display());
    Ok(())
}
