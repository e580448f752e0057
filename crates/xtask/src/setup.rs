//! Everything a notebook needs, in order; what is there already costs nothing.

use crate::paths::Paths;
use crate::preflight::{self, Missing};
use crate::python::{self, Environment, State};
use crate::step::{self, step};
use crate::supplies::Supplies;
use crate::{glue, kernel, metadata, rust_src, template, variables};
use anyhow::{Context, Result};
use std::fs::File;
use std::path::PathBuf;

/// Whether the user's own Jupyter is told of the kernel, too.
#[derive(Clone, Copy, PartialEq)]
pub enum Register {
    WithUser,
    CheckoutOnly,
}

/// What set-up has made.
pub struct Ready {
    pub environment: Environment,
    pub rust_src: PathBuf,
    /// The kernel's program.
    pub kernel: PathBuf,
}

/// Makes whatever is missing.
pub fn run(paths: &Paths, register: Register) -> Result<Ready> {
    run_with(paths, register, &Supplies::of(paths)?)
}

/// Makes whatever is missing, from what is at hand.
pub fn run_with(paths: &Paths, register: Register, supplies: &Supplies) -> Result<Ready> {
    // What another set-up is still making is not looked for. Where there is no cache yet, nothing is made
    // before the checks.
    let early = if paths.lock_folder().is_dir() { Some(hold_cache(paths)?) } else { None };
    let missing = Missing::of(paths, supplies);
    preflight::require(&preflight::check(paths, supplies, &missing, variables::of_user()))?;
    let _lock = match early {
        Some(lock) => lock,
        None => hold_cache(paths)?,
    };
    let environment = python::ensure(paths, supplies)?;
    if !missing.is_nothing() && !metadata::is_fetched(&paths.root) {
        step("the sources of all crates", || metadata::packages(&paths.root, &[]).map(drop))?;
    }
    let glue = glue::ensure(paths, &environment, supplies)?;
    glue::configure_checkout(paths, &glue)?;
    let rust_src = rust_src::ensure(paths, supplies)?;
    let kernel = kernel::ensure(paths, supplies)?;
    kernel::configure_sessions(paths, &glue)?;
    template::ensure(paths, &kernel, &glue, &rust_src, supplies)?;
    template::forget_gone_checkouts(paths)?;
    kernel::register(paths, &kernel, &rust_src, register == Register::WithUser)?;
    if let Some(table) = step::table() {
        eprintln!("{table}");
    }
    eprintln!("tchalk is set up in {}", paths.home.display());
    Ok(Ready { environment, rust_src, kernel })
}

/// Holds the cache for this set-up, or, where only its owner may write to it, this checkout's own part; and
/// removes what others have left half-made there.
fn hold_cache(paths: &Paths) -> Result<File> {
    let folder = paths.lock_folder();
    let lock = step::lock(folder)?;
    step::forget_parts(folder)?;
    let environment = python::environment(paths)?;
    if environment.state() == State::Interrupted && folder == paths.home {
        eprintln!("what an interrupted set-up has left is removed");
        // What is still written into it, by programs that an interrupted set-up has left, is out of the way.
        let part = step::part_name(&environment.folder);
        std::fs::rename(&environment.folder, &part)
            .with_context(|| format!("cannot remove {}", environment.folder.display()))?;
        let _ = std::fs::remove_dir_all(part);
    }
    Ok(lock)
}
