//! Set-up: everything that a notebook needs, in order. What is already there costs nothing.
//!
//! Each step checks whether its work is done, and writes its result under another name before it renames
//! it, so an interrupted step leaves nothing half-made. Heavy parts are in the cache, in folders named by
//! a key of what they were made from:
//!
//! | part | key |
//! |---|---|
//! | Python environment with JupyterLab and libtorch | lock files, Python version, CPU or CUDA |
//! | glue, compiled | versions of torch-sys and libtorch |
//! | glue, linked | the same, and the environment |
//! | kernel | `Cargo.lock`, the kernel's sources, rustc |
//! | template, one for each checkout | library, dependencies, kernel, glue, rustc |
//!
//! A read-only cache is used as it is; what belongs to a checkout is then in the user's own cache
//! (`common/paths.rs`). The glue has libtorch's folder as `RPATH`, which has priority over
//! `LD_LIBRARY_PATH`. `preflight` finds what would make a later step or a notebook fail, and `doctor`
//! prints it. Variables of the user's that would do harm are removed from the environment of every
//! program (`common/variables.rs`). `provided.rs` says what need not be built or downloaded, because a
//! release or a bundle brings it. `old_caches.rs` reports earlier set-ups that were interrupted, moved or
//! of another version.
//!
//! `torch_build.rs` chooses libtorch with or without CUDA: by `TCHALK_LIBTORCH`, the NVIDIA driver
//! (`nvidia.rs`), and what the last bundle lacked. libtorch is the one in PyTorch's wheel, or that of the
//! active Python environment (`active_environment.rs`). rust-analyzer needs the sources of the standard
//! library; where the `rust-src` component is missing, `rust_src.rs` restores them from the toolchain's
//! documentation.

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
