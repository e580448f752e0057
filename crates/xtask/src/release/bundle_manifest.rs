//! What a [bundle](crate::release::bundle) says of itself: whether it fits a machine is known before anything is
//! verified or copied.

use crate::common::files::write_file;
use crate::setup::torch_build::TorchBuild;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;

/// What lies in a bundle, by name.
pub const ARCHIVE_OF_CRATES: &str = "crates.tar.gz";
pub const WHEELS: &str = "wheels";
pub const DATA: &str = "data";

/// Its name in the bundle.
pub const FILE: &str = "bundle.json";

#[derive(Debug, PartialEq)]
pub struct BundleManifest {
    /// The system that its programs and packages are for.
    pub target: String,
    /// The Pythons that its packages are for.
    pub pythons: Vec<(u32, u32)>,
    pub builds: Vec<TorchBuild>,
}

impl BundleManifest {
    pub fn write(&self, bundle: &Path) -> Result<()> {
        let pythons: Vec<String> = self.pythons.iter().map(named).collect();
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

    /// Why a machine of this kind cannot use its packages; `None` if it can.
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
        let held: Vec<String> = self.pythons.iter().map(named).collect();
        let here = named(&python);
        Some(format!(
            "the bundle has packages for Python {}, and this machine has Python {here}: make the \
             bundle with --python python{here}, too, or install Python {}",
            held.join(" and "),
            held.join(" or ")
        ))
    }
}

fn named((major, minor): &(u32, u32)) -> String {
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> BundleManifest {
        let pythons = vec![(3, 11), (3, 13)];
        BundleManifest { target: "x86_64-linux".into(), pythons, builds: vec![TorchBuild::Cpu] }
    }

    #[test]
    fn what_is_written_is_read() {
        let bundle = tempfile::tempdir().unwrap();
        let missing = BundleManifest::read(bundle.path()).unwrap_err().to_string();
        assert!(missing.contains("make the bundle again"), "{missing}");
        contents().write(bundle.path()).unwrap();
        assert_eq!(BundleManifest::read(bundle.path()).unwrap(), contents());
        std::fs::write(bundle.path().join(FILE), "{\"target\": 1}").unwrap();
        let damaged = BundleManifest::read(bundle.path()).unwrap_err().to_string();
        assert!(damaged.contains("copy the bundle again"), "{damaged}");
    }

    #[test]
    fn a_machine_that_it_does_not_fit_is_told_why() {
        assert_eq!(contents().misfit("x86_64-linux", (3, 13)), None);
        let python = contents().misfit("x86_64-linux", (3, 12)).unwrap();
        assert!(python.contains("for Python 3.11 and 3.13, and this machine has Python 3.12"));
        assert!(python.contains("--python python3.12"), "{python}");
        let system = contents().misfit("aarch64-linux", (3, 11)).unwrap();
        assert!(system.contains("for x86_64-linux, and this machine is aarch64-linux"));
    }
}
