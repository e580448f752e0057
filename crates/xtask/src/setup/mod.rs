//! Set-up: everything that a notebook needs, in order. What is already there costs nothing.

pub mod active_environment;
pub mod bundled_data;
pub mod disk_requirements;
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

/// Whether the kernel is registered with the user's own Jupyter, too.
#[derive(Clone, Copy, PartialEq)]
pub enum Register {
    WithUser,
    CheckoutOnly,
}

/// The result of set-up.
pub struct Ready {
    pub environment: PythonEnvironment,
    pub rust_src: PathBuf,
    /// The kernel's program.
    pub kernel: PathBuf,
}

/// Makes the missing parts.
pub fn run(paths: &Paths, register: Register) -> Result<Ready> {
    run_with(paths, register, &Provided::of(paths)?)
}

/// Makes the missing parts, with those that are `provided`.
pub fn run_with(paths: &Paths, register: Register, provided: &Provided) -> Result<Ready> {
    // The lock comes before the search for missing parts, which another set-up may be making. Without a cache
    // there is nothing to lock, and the checks come before anything is created.
    let early = if paths.lock_folder().is_dir() { Some(lock_cache(paths)?) } else { None };
    let missing = MissingParts::of(paths, provided);
    preflight::require(&preflight::check(paths, provided, &missing, variables::user_variables()))?;
    let _lock = match early {
        Some(lock) => lock,
        None => lock_cache(paths)?,
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

/// Locks the cache, or, if it is read-only, this checkout's own part; and removes what interrupted set-ups have
/// left there.
fn lock_cache(paths: &Paths) -> Result<File> {
    let folder = paths.lock_folder();
    let lock = lock(folder)?;
    remove_partial(folder)?;
    let environment = python_environment::environment(paths)?;
    if environment.state() == EnvironmentState::Interrupted && folder == paths.home {
        eprintln!("removing the environment of an interrupted set-up");
        // Programs that the interrupted set-up has left may still be writing into it: it is renamed first.
        let partial = partial_name(&environment.folder);
        std::fs::rename(&environment.folder, &partial)
            .with_context(|| format!("cannot remove {}", environment.folder.display()))?;
        let _ = std::fs::remove_dir_all(partial);
    }
    Ok(lock)
}
