//! Set-up: everything that a notebook needs, in order. What is already there costs nothing.

pub mod active_environment;
pub mod bundled_data;
pub mod disk_space;
pub mod doctor;
pub mod glue;
pub mod interpreter;
pub mod kernel;
pub mod nvidia;
pub mod old_caches;
pub mod pip;
pub mod preflight;
pub mod provided;
pub mod python_environment;
pub mod rust_src;
pub mod template;
pub mod torch_build;
pub mod vendored_crates;

use crate::common::cargo;
use crate::common::files::{partial_name, remove_partial};
use crate::common::lock::lock;
use crate::common::paths::Paths;
use crate::common::step::{self, step};
use crate::common::variables;
use crate::setup::provided::Provided;
use anyhow::{Context, Result};
use preflight::MissingParts;
use python_environment::{EnvironmentState, PythonEnvironment};
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
    pub environment: PythonEnvironment,
    pub rust_src: PathBuf,
    /// The kernel's program.
    pub kernel: PathBuf,
}

/// Makes whatever is missing.
pub fn run(paths: &Paths, register: Register) -> Result<Ready> {
    run_with(paths, register, &Provided::of(paths)?)
}

/// Makes whatever is missing, from what is at hand.
pub fn run_with(paths: &Paths, register: Register, provided: &Provided) -> Result<Ready> {
    // What another set-up is still making is not looked for. Where there is no cache yet, nothing is made
    // before the checks.
    let early = if paths.lock_folder().is_dir() { Some(hold_cache(paths)?) } else { None };
    let missing = MissingParts::of(paths, provided);
    preflight::require(&preflight::check(paths, provided, &missing, variables::user_variables()))?;
    let _lock = match early {
        Some(lock) => lock,
        None => hold_cache(paths)?,
    };
    let environment = python_environment::ensure(paths, provided)?;
    if !missing.is_nothing() && !cargo::is_fetched(&paths.root) {
        step("the sources of all crates", || cargo::packages(&paths.root, &[]).map(drop))?;
    }
    let glue = glue::ensure(paths, &environment, provided)?;
    glue::configure_checkout(paths, &glue)?;
    let rust_src = rust_src::ensure(paths, provided)?;
    let kernel = kernel::ensure(paths, provided)?;
    kernel::configure_sessions(paths, &glue)?;
    template::ensure(paths, &kernel, &glue, &rust_src, provided)?;
    template::remove_state_of_deleted_checkouts(paths)?;
    kernel::register(paths, &kernel, &rust_src, register == Register::WithUser)?;
    if let Some(table) = step::take_table() {
        eprintln!("{table}");
    }
    eprintln!("tchalk is set up in {}", paths.home.display());
    Ok(Ready { environment, rust_src, kernel })
}

/// Holds the cache for this set-up, or, where only its owner may write to it, this checkout's own part; and
/// removes what others have left half-made there.
fn hold_cache(paths: &Paths) -> Result<File> {
    let folder = paths.lock_folder();
    let lock = lock(folder)?;
    remove_partial(folder)?;
    let environment = python_environment::environment(paths)?;
    if environment.state() == EnvironmentState::Interrupted && folder == paths.home {
        eprintln!("what an interrupted set-up has left is removed");
        // What is still written into it, by programs that an interrupted set-up has left, is out of the way.
        let part = partial_name(&environment.folder);
        std::fs::rename(&environment.folder, &part)
            .with_context(|| format!("cannot remove {}", environment.folder.display()))?;
        let _ = std::fs::remove_dir_all(part);
    }
    Ok(lock)
}
