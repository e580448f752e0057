//! Everything a notebook needs, in order; what is there already costs nothing.

use crate::command::first_line;
use crate::paths::Paths;
use crate::python::{self, Environment, State};
use crate::supplies::Supplies;
use crate::{glue, interpreter, kernel, rust_src, space, step, template};
use anyhow::{Result, bail};
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
    let _lock = step::lock(paths.locked())?;
    step::forget_parts(paths.locked())?;
    check_tools(paths, supplies)?;
    check_space(paths, supplies)?;
    let environment = python::ensure(paths, supplies)?;
    let glue = glue::ensure(paths, &environment, supplies)?;
    glue::configure_checkout(paths, &glue)?;
    let rust_src = rust_src::ensure(paths, supplies)?;
    let kernel = kernel::ensure(paths, supplies)?;
    kernel::configure_sessions(paths, &glue)?;
    template::ensure(paths, &kernel, &glue, &rust_src, supplies)?;
    template::forget_gone_checkouts(paths)?;
    kernel::register(paths, &kernel, &rust_src, register == Register::WithUser)?;
    eprintln!("tchalk is set up in {}", paths.home.display());
    Ok(Ready { environment, rust_src, kernel })
}

/// What has to be there before anything is downloaded or built.
fn check_tools(paths: &Paths, supplies: &Supplies) -> Result<()> {
    let (python, _) = interpreter::find()?;
    let makes_one = python::environment(paths)?.active.is_none();
    if makes_one && first_line(python, &["-c", "import venv, ensurepip"]).is_none() {
        bail!(
            "Python's venv module is missing: on Debian and Ubuntu, `sudo apt install python3-venv`"
        );
    }
    // Compiled glue has only to be linked.
    let compiles = glue::needs_compiler(paths, supplies)?;
    let tool = if compiles { glue::compiler() } else { glue::linker() };
    tool.map(drop)
}

/// Half-made parts on a full disk help nobody.
fn check_space(paths: &Paths, supplies: &Supplies) -> Result<()> {
    let environment = python::environment(paths)?;
    if environment.state() == State::Interrupted {
        eprintln!("what an interrupted set-up has left is removed");
        std::fs::remove_dir_all(&environment.folder)?;
    }
    match space::shortage(paths, supplies, 0.0)? {
        Some(shortage) => bail!("{shortage}: {}", space::REMEDY),
        None => Ok(()),
    }
}
