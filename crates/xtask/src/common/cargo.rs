//! cargo: how it is started, its configuration, and the packages of the workspace.

use super::process::remedy;
use super::variables::CARGO_VARIABLES;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// cargo, without the variables that [`remove_harmful`](super::variables::remove_harmful) removes. The wrapper
/// that conda installs sets the target again, and cargo would then build in a folder of that name.
pub fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    for name in CARGO_VARIABLES {
        cargo.env_remove(name);
    }
    cargo
}

/// cargo's configuration in a folder with the file of each setting, all of it or that of one `key`; `None` if
/// cargo does not print it.
pub fn config(folder: &Path, key: Option<&str>) -> Option<String> {
    let mut cargo = cargo();
    cargo.args(["-Z", "unstable-options", "config", "get", "--show-origin"]).args(key);
    // Only this question is unstable; nothing is built with it.
    cargo.env("RUSTC_BOOTSTRAP", "1").current_dir(folder).stdin(Stdio::null());
    let output = cargo.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether cargo has downloaded all packages already.
pub fn is_fetched(root: &Path) -> bool {
    let mut cargo = cargo();
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline"]).current_dir(root);
    let status = cargo.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// All packages of the workspace and its dependencies, as `cargo metadata` lists them; it downloads missing
/// ones.
pub fn packages(root: &Path, options: &[&str]) -> Result<Vec<Value>> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(options)
        .current_dir(root)
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("cargo metadata failed:\n{}\n{}", text.trim(), remedy(&text).unwrap_or_default());
    }
    let mut metadata: Value = serde_json::from_slice(&output.stdout)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        _ => bail!("cargo metadata lists no packages"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn cargo_does_not_inherit_a_target() {
        assert!(cargo().get_envs().any(|it| it == (OsStr::new("CARGO_BUILD_TARGET"), None)));
    }
}
