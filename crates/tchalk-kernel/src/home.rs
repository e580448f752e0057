//! The two folders that set-up names in the kernel's environment.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// Where the kernel's state and the library are.
#[derive(Debug, Clone)]
pub struct Home {
    /// Holds `template/`, and `sessions/` if this user may write to it; one folder for each checkout.
    pub state: PathBuf,
    /// The `tchalk` crate that cells use.
    pub library: PathBuf,
}

impl Home {
    pub fn from_env() -> Result<Home> {
        let folder = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).with_context(|| {
                format!(
                    "{name} is not set: start the kernel from Jupyter after `cargo xtask setup`"
                )
            })
        };
        Ok(Home { state: folder("TCHALK_STATE")?, library: folder("TCHALK_LIBRARY")? })
    }

    /// The folder of the session template.
    pub fn template(&self) -> PathBuf {
        self.state.join("template")
    }

    /// The lock file of the workspace: sessions use the versions the library was tested with.
    pub fn lock_file(&self) -> PathBuf {
        self.library.join("../../Cargo.lock")
    }
}
