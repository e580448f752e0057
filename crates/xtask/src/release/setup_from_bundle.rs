//! `cargo xtask setup --from BUNDLE`: set-up on a machine without a network.
//!
//! What a [bundle](crate::release::bundle) contains replaces everything that set-up would download. What is
//! needed later is copied, so that the bundle can be used on the next machine.

use super::bundle_manifest::BundleManifest;
use super::bundle_manifest::{ARCHIVE_OF_CRATES, DATA, WHEELS};
use super::checksums;
use crate::common::files::{copy_tree, create_filled, create_folder, remove_partial, write_file};
use crate::common::lock::lock;
use crate::common::paths::{DATA_FOLDER, Paths};
use crate::common::process::run_quietly;
use crate::common::rustc;
use crate::common::step::step;
use crate::setup::bundled_data;
use crate::setup::interpreter;
use crate::setup::provided::Provided;
use crate::setup::python_environment::{self, EnvironmentState};
use crate::setup::torch_build::{self, TorchBuild};
use crate::setup::vendored_crates::{configuration, crates_config};
use crate::setup::{self, Register};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// The folder of a bundle's data in the cache.
const DATA_COPY: &str = "classroom";

/// Sets everything up from the bundle in `folder`.
pub fn run(paths: &Paths, folder: &Path) -> Result<()> {
    let bundle = std::path::absolute(folder)?;
    let list = std::fs::read_to_string(bundle.join(checksums::LIST)).with_context(|| {
        format!("{} is not a bundle: cargo xtask bundle makes one", bundle.display())
    })?;
    require_fit(paths, &BundleManifest::read(&bundle)?)?;
    step("verifying the files of the bundle", || checksums::check(&bundle))?;
    {
        let _lock = lock(&paths.home)?;
        remove_partial(&paths.home)?;
        crates(paths, &bundle, &list)?;
        data(paths, &bundle)?;
    }
    let mut provided = Provided::of(paths)?;
    provided.wheels = Some(bundle.join(WHEELS)).filter(|wheels| wheels.is_dir());
    setup::run_with(paths, Register::WithUser, &provided)?;
    match bundled_data::find(&paths.home) {
        Some(data) => {
            println!("Data come from {} if {DATA_FOLDER} is not set.", data.display());
        }
        None => println!("The bundle contains no data: notebooks use generated samples."),
    }
    println!("The bundle is no longer needed on this machine.");
    Ok(())
}

/// An error if the bundle does not have the packages that this machine needs, if it needs any.
fn require_fit(paths: &Paths, manifest: &BundleManifest) -> Result<()> {
    if manifest.builds.contains(&TorchBuild::Cuda) {
        torch_build::forget_bundle(&paths.home)?;
    }
    if python_environment::environment(paths)?.state() == EnvironmentState::Ready {
        return Ok(());
    }
    if let Some(why) = manifest.misfit(&rustc::host()?, interpreter::find()?.1) {
        bail!("{why}");
    }
    create_folder(&paths.home)?;
    torch_build::choose_from(&paths.home, &manifest.builds)
}

/// Unpacks the crates into the cache, and writes the checkout's configuration for them.
fn crates(paths: &Paths, bundle: &Path, list: &str) -> Result<()> {
    let Some(sum) = sum_of(list, ARCHIVE_OF_CRATES) else {
        bail!("{} lists no {ARCHIVE_OF_CRATES}: make the bundle again", checksums::LIST)
    };
    let folder = paths.home.join(format!("crates-{}", &sum[..8]));
    if !folder.is_dir() {
        step("unpacking crates", || {
            create_filled(&folder, |part| {
                let mut tar = Command::new("tar");
                tar.arg("-xzf").arg(bundle.join(ARCHIVE_OF_CRATES)).arg("-C").arg(part);
                run_quietly(tar.args(["--strip-components", "1"]))
            })
        })?;
    }
    write_file(&crates_config(paths), &configuration(&folder))
}

/// A file's checksum in a list, of at least eight digits.
fn sum_of<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let (sum, file) = checksums::entry(line)?;
        (file == name && sum.len() >= 8).then_some(sum)
    })
}

/// Copies the data into the cache, where they are found if `TCHALK_DATA_DIR` is not set.
fn data(paths: &Paths, bundle: &Path) -> Result<()> {
    let (from, to) = (bundle.join(DATA), paths.home.join(DATA_COPY));
    if !from.is_dir() {
        return Ok(());
    }
    let list = |folder: &Path| std::fs::read_to_string(folder.join(checksums::LIST)).ok();
    if list(&from).is_none() || list(&from) != list(&to) {
        step("copying data", || {
            let _ = std::fs::remove_dir_all(&to);
            create_filled(&to, |part| copy_tree(&from, part, &|_| true))
        })?;
    }
    bundled_data::set(&paths.home, &to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_found_by_its_file() {
        let list = "0123456789ab  data/crates.tar.gz\nfedcba987654 *./crates.tar.gz\n";
        assert_eq!(sum_of(list, "crates.tar.gz"), Some("fedcba987654"));
        assert_eq!(sum_of(list, "a"), None);
    }

    #[test]
    fn data_are_copied_once() {
        let folder = tempfile::tempdir().unwrap();
        let (bundle, home) = (folder.path().join("bundle"), folder.path().join("home"));
        std::fs::create_dir_all(bundle.join(DATA).join("mnist")).unwrap();
        std::fs::create_dir(&home).unwrap();
        std::fs::write(bundle.join(DATA).join("mnist/a.gz"), "1").unwrap();
        checksums::write(&bundle.join(DATA)).unwrap();
        let paths = Paths { root: "/r".into(), home: home.clone(), state: "/s".into() };
        data(&paths, &bundle).unwrap();
        let copy = bundled_data::find(&home).unwrap();
        assert_eq!(std::fs::read(copy.join("mnist/a.gz")).unwrap(), b"1");
        std::fs::write(copy.join("note"), "").unwrap();
        data(&paths, &bundle).unwrap();
        assert!(copy.join("note").exists(), "the same data are not copied again");
        std::fs::write(bundle.join(DATA).join("mnist/b.gz"), "2").unwrap();
        checksums::write(&bundle.join(DATA)).unwrap();
        data(&paths, &bundle).unwrap();
        assert!(copy.join("mnist/b.gz").exists() && !copy.join("note").exists());
    }
}
