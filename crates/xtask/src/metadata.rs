//! What cargo knows of the packages that the workspace is made of.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// Whether cargo has all packages already, and needs no network for them.
pub fn is_fetched(root: &Path) -> bool {
    let mut cargo = crate::command::cargo();
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline"]).current_dir(root);
    let status = cargo.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// All packages, ours and others', as `cargo metadata` lists them; it fetches them if need be.
pub fn packages(root: &Path, options: &[&str]) -> Result<Vec<Value>> {
    let output = crate::command::cargo()
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(options)
        .current_dir(root)
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let remedy = crate::command::remedy(&text).unwrap_or_default();
        bail!("cargo metadata failed:\n{}\n{remedy}", text.trim());
    }
    let mut metadata: Value = serde_json::from_slice(&output.stdout)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        _ => bail!("cargo metadata has no packages"),
    }
}
