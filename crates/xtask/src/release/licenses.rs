//! The licenses of the packages that are compiled into a release; each requires that its text is included.

use crate::common::cargo;
use crate::common::files::{copy_file, copy_tree, create_folder, write_file};
use crate::common::paths::Paths;
use crate::common::rustc;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;

/// The list of packages and their licenses.
const LIST: &str = "packages.txt";
const HEADER: &str = "\
What is compiled into this release, and under which licenses. A package without a folder beside this
list came without their text; that of Apache-2.0 is LICENSE-APACHE in the release's own folder.

";

/// Copies the licenses of all packages and of Rust's standard library to `to`.
pub fn collect(paths: &Paths, to: &Path) -> Result<()> {
    let host = rustc::host()?;
    let packages = cargo::packages(&paths.root, &["--filter-platform", &host])?;
    of_packages(&packages, to)?;
    let rust = rustc::sysroot()?.join("share/doc/rust");
    if rust.is_dir() {
        copy_licenses(&rust, &to.join("rust"))?;
    }
    Ok(())
}

fn of_packages(packages: &[Value], to: &Path) -> Result<()> {
    create_folder(to)?;
    let mut list = HEADER.to_owned();
    // Packages of the workspace have no source.
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let field = |name: &str| package[name].as_str().unwrap_or("?");
        let name = format!("{}-{}", field("name"), field("version"));
        let folder =
            Path::new(field("manifest_path")).parent().context("a package has a folder")?;
        list += &format!("{name}: {}\n", field("license"));
        copy_licenses(folder, &to.join(name))?;
    }
    write_file(&to.join(LIST), &list)
}

/// Copies the license files and folders in `from`.
fn copy_licenses(from: &Path, to: &Path) -> Result<()> {
    let entries =
        std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries.flatten().filter(|entry| is_license(&entry.file_name().to_string_lossy()))
    {
        create_folder(to)?;
        match entry.path().is_dir() {
            true => copy_tree(&entry.path(), &to.join(entry.file_name()), &|_| true)?,
            false => copy_file(&entry.path(), &to.join(entry.file_name()))?,
        }
    }
    Ok(())
}

fn is_license(name: &str) -> bool {
    let name = name.to_lowercase();
    ["license", "licence", "unlicense", "copying", "copyright", "notice"]
        .iter()
        .any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_licenses_of_dependencies_are_copied() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("serde");
        std::fs::create_dir_all(package.join("LICENSES")).unwrap();
        for file in ["Cargo.toml", "LICENSE-MIT", "LICENSES/MIT.txt", "lib.rs"] {
            std::fs::write(package.join(file), file).unwrap();
        }
        let others = json!({"name": "serde", "version": "1.0.2", "license": "MIT", "source": "registry",
                            "manifest_path": package.join("Cargo.toml")});
        let ours = json!({"name": "tchalk", "version": "0.1.0", "source": null,
                          "manifest_path": "/nowhere/Cargo.toml"});
        let to = folder.path().join("licenses");
        of_packages(&[others, ours], &to).unwrap();
        let list = std::fs::read_to_string(to.join(LIST)).unwrap();
        assert_eq!(list.strip_prefix(HEADER), Some("serde-1.0.2: MIT\n"));
        let kept = to.join("serde-1.0.2");
        assert!(kept.join("LICENSE-MIT").is_file() && kept.join("LICENSES/MIT.txt").is_file());
        assert!(!kept.join("lib.rs").exists() && !kept.join("Cargo.toml").exists());
    }
}
