//! The manifest of a bundle, which decides whether it fits a machine before anything is verified or copied; and
//! the names of a bundle's parts.

use crate::common::files::write_file;
use crate::setup::torch_build::TorchBuild;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;

/// The parts of a bundle.
pub const ARCHIVE_OF_CRATES: &str = "crates.tar.gz";
pub const WHEELS: &str = "wheels";
pub const DATA: &str = "data";

/// The name of the manifest.
pub const FILE: &str = "bundle.json";

#[derive(Debug, PartialEq)]
pub struct BundleManifest {
    /// The target of its programs and packages.
    pub target: String,
    /// The Python versions of its packages.
    pub pythons: Vec<(u32, u32)>,
    pub builds: Vec<TorchBuild>,
}

impl BundleManifest {
    pub fn write(&self, bundle: &Path) -> Result<()> {
        let pythons: Vec<String> = self.pythons.iter().map(version_text).collect();
        let builds: Vec<&str> = self.builds.iter().map(|build| build.name()).collect();
        let json = json!({"target": self.target, "pythons": pythons, "libtorch": builds});
        write_file(&bundle.join(FILE), &(serde_json::to_string_pretty(&json)? + "\n"))
    }

    pub fn read(bundle: &Path) -> Result<BundleManifest> {
        let file = bundle.join(FILE);
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("{} is missing: make the bundle again", file.display()))?;
        BundleManifest::of(&text)
            .with_context(|| format!("{} is damaged: copy the bundle again", file.display()))
    }

    fn of(text: &str) -> Option<BundleManifest> {
        let json: Value = serde_json::from_str(text).ok()?;
        let words = |name: &str| -> Option<Vec<String>> {
            json[name].as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
        };
        let python = |name: &String| -> Option<(u32, u32)> {
            let (major, minor) = name.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        };
        let build = |name: &String| TorchBuild::ALL.into_iter().find(|build| build.name() == name);
        Some(BundleManifest {
            target: json["target"].as_str()?.to_owned(),
            pythons: words("pythons")?.iter().map(python).collect::<Option<_>>()?,
            builds: words("libtorch")?.iter().map(build).collect::<Option<_>>()?,
        })
    }

    /// Why a machine cannot use its packages; `None` if it can.
    pub fn misfit(&self, target: &str, python: (u32, u32)) -> Option<String> {
        if self.target != target {
            return Some(format!(
                "the bundle is for {}, and this machine is {target}",
                self.target
            ));
        }
        if self.pythons.contains(&python) {
            return None;
        }
        let held: Vec<String> = self.pythons.iter().map(version_text).collect();
        let here = version_text(&python);
        Some(format!(
            "the bundle has packages for Python {}, and this machine has Python {here}: make the \
             bundle also with --python python{here}, or install Python {}",
            held.join(" and "),
            held.join(" or ")
        ))
    }
}

fn version_text((major, minor): &(u32, u32)) -> String {
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> BundleManifest {
        let pythons = vec![(3, 11), (3, 13)];
        BundleManifest { target: "x86_64-linux".into(), pythons, builds: vec![TorchBuild::Cpu] }
    }

    #[test]
    fn a_written_manifest_is_read() {
        let bundle = tempfile::tempdir().unwrap();
        let missing = BundleManifest::read(bundle.path()).unwrap_err().to_string();
        assert!(missing.contains("make the bundle again"), "{missing}");
        manifest().write(bundle.path()).unwrap();
        assert_eq!(BundleManifest::read(bundle.path()).unwrap(), manifest());
        std::fs::write(bundle.path().join(FILE), "{\"target\": 1}").unwrap();
        let damaged = BundleManifest::read(bundle.path()).unwrap_err().to_string();
        assert!(damaged.contains("copy the bundle again"), "{damaged}");
    }

    #[test]
    fn a_machine_that_it_does_not_fit_gets_a_reason() {
        assert_eq!(manifest().misfit("x86_64-linux", (3, 13)), None);
        let python = manifest().misfit("x86_64-linux", (3, 12)).unwrap();
        assert!(python.contains("for Python 3.11 and 3.13, and this machine has Python 3.12"));
        assert!(python.contains("--python python3.12"), "{python}");
        let system = manifest().misfit("aarch64-linux", (3, 11)).unwrap();
        assert!(system.contains("for x86_64-linux, and this machine is aarch64-linux"));
    }
}
