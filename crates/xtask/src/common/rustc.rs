//! The Rust compiler of this machine.

use super::process::first_line;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// The version, `1.95.0`.
pub fn version() -> Result<String> {
    let text = first_line("rustc", &["--version"]).context("cannot start rustc")?;
    text.split_whitespace().nth(1).map(str::to_owned).context("rustc prints no version")
}

/// The folder of rustc and its components.
pub fn sysroot() -> Result<PathBuf> {
    first_line("rustc", &["--print", "sysroot"]).map(PathBuf::from).context("cannot start rustc")
}

/// The target triple of this machine.
pub fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc -vV does not name its host")?.to_owned())
}
