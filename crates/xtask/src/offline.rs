//! `cargo xtask setup --from BUNDLE`: set-up on a machine that has no network at all.
//!
//! What a [bundle](crate::bundle) holds takes the place of each thing that set-up would fetch. What is
//! needed later is copied, so that the stick can go to the next machine.

use crate::bundle::{ARCHIVE_OF_CRATES, DATA, WHEELS};
use crate::command::run_quietly;
use crate::contents::Contents;
use crate::paths::{DATA_FOLDER, Paths};
use crate::python::{self, State};
use crate::setup::{self, Register};
use crate::step::{self, copy_tree, step, whole_file, whole_folder};
use crate::supplies::{self, Supplies};
use crate::torch_build::{self, Flavor};
use crate::{glue, interpreter, sums};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the data of a bundle are kept in the cache.
const KEPT: &str = "classroom";

/// Sets everything up from the bundle in `folder`.
pub fn set_up(paths: &Paths, folder: &str) -> Result<()> {
    let bundle = std::path::absolute(folder)?;
    let list = std::fs::read_to_string(bundle.join(sums::LIST)).with_context(|| {
        format!("{} is no bundle: cargo xtask bundle makes one", bundle.display())
    })?;
    fit(paths, &Contents::read(&bundle)?)?;
    step("the files of the bundle are verified", || sums::check(&bundle))?;
    {
        let _lock = step::lock(&paths.home)?;
        step::forget_parts(&paths.home)?;
        crates(paths, &bundle, &list)?;
        data(paths, &bundle)?;
    }
    let mut supplies = Supplies::of(paths)?;
    supplies.wheels = Some(bundle.join(WHEELS)).filter(|wheels| wheels.is_dir());
    setup::run_with(paths, Register::WithUser, &supplies)?;
    match supplies::remembered_data(&paths.home) {
        Some(data) => {
            println!("Data come from {} wherever {DATA_FOLDER} is not set.", data.display());
        }
        None => println!("The bundle held no data: notebooks draw their own samples."),
    }
    println!("The bundle is no longer needed on this machine.");
    Ok(())
}

/// Sees to it that the bundle has the packages that this machine will ask for, unless it needs none.
fn fit(paths: &Paths, contents: &Contents) -> Result<()> {
    if contents.flavors.contains(&Flavor::Cuda) {
        torch_build::forget(&paths.home)?;
    }
    if python::environment(paths)?.state() == State::Ready {
        return Ok(());
    }
    if let Some(why) = contents.misfit(&glue::host()?, interpreter::find()?.1) {
        bail!("{why}");
    }
    step::create_folder(&paths.home)?;
    torch_build::choose_from(&paths.home, &contents.flavors)
}

/// The file of the checkout that tells cargo where crates are; absent where they are on the network.
pub fn crates_config(paths: &Paths) -> PathBuf {
    paths.root.join(".cargo/crates.toml")
}

/// The folder of crates that cargo in this checkout uses in place of the network.
pub fn crates_in_use(paths: &Paths) -> Option<PathBuf> {
    let text = std::fs::read_to_string(crates_config(paths)).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("directory = "))?;
    Some(PathBuf::from(serde_json::from_str::<String>(line).ok()?))
}

/// Unpacks the crates into the cache, and lets cargo in the checkout use them.
fn crates(paths: &Paths, bundle: &Path, list: &str) -> Result<()> {
    let Some(sum) = sum_of(list, ARCHIVE_OF_CRATES) else {
        bail!("{} lists no {ARCHIVE_OF_CRATES}: make the bundle again", sums::LIST)
    };
    let folder = paths.home.join(format!("crates-{}", &sum[..8]));
    if !folder.is_dir() {
        step("unpacking crates", || {
            whole_folder(&folder, |part| {
                let mut tar = Command::new("tar");
                tar.arg("-xzf").arg(bundle.join(ARCHIVE_OF_CRATES)).arg("-C").arg(part);
                run_quietly(tar.args(["--strip-components", "1"]))
            })
        })?;
    }
    whole_file(&crates_config(paths), &configuration(&folder))
}

/// The first eight digits at least of a file's sum in a list.
fn sum_of<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let (sum, file) = sums::entry(line)?;
        (file == name && sum.len() >= 8).then_some(sum)
    })
}

/// What `start.sh` writes, too.
fn configuration(crates: &Path) -> String {
    format!(
        "# Written by `cargo xtask setup --from`: crates come from a bundle. Delete this file, and run\n\
         # `cargo xtask setup`, to have them from the network again.\n\
         [source.crates-io]\nreplace-with = \"tchalk-bundle\"\n\n\
         [source.tchalk-bundle]\ndirectory = {}\n",
        glue::toml(&crates.to_string_lossy())
    )
}

/// Copies the data into the cache, and lets them play the part of `TCHALK_DATA_DIR`.
fn data(paths: &Paths, bundle: &Path) -> Result<()> {
    let (from, to) = (bundle.join(DATA), paths.home.join(KEPT));
    if !from.is_dir() {
        return Ok(());
    }
    let list = |folder: &Path| std::fs::read_to_string(folder.join(sums::LIST)).ok();
    if list(&from).is_none() || list(&from) != list(&to) {
        step("copying data", || {
            let _ = std::fs::remove_dir_all(&to);
            whole_folder(&to, |part| copy_tree(&from, part, &|_| true))
        })?;
    }
    supplies::remember_data(&paths.home, &to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_found_by_its_file() {
        let list = "0123456789ab  data/crates.tar.gz\nfedcba987654 *./crates.tar.gz\n";
        assert_eq!(sum_of(list, "crates.tar.gz"), Some("fedcba987654"));
        assert_eq!(sum_of(list, "a"), None);
    }

    #[test]
    fn the_configuration_is_the_one_that_the_script_writes() {
        let script = include_str!("start.sh");
        let (_, rest) = script.split_once("<<END\n").unwrap();
        let written = rest.split_once("END\n").unwrap().0.replace("\\`", "`");
        assert_eq!(written.replace("$crates", "/c"), configuration(Path::new("/c")));
        let root = tempfile::tempdir().unwrap();
        let paths = Paths { root: root.path().into(), home: "/h".into(), state: "/s".into() };
        assert_eq!(crates_in_use(&paths), None);
        whole_file(&crates_config(&paths), &configuration(Path::new("/c"))).unwrap();
        assert_eq!(crates_in_use(&paths).unwrap(), Path::new("/c"));
    }

    #[test]
    fn data_are_copied_once_and_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let (bundle, home) = (folder.path().join("bundle"), folder.path().join("home"));
        std::fs::create_dir_all(bundle.join(DATA).join("mnist")).unwrap();
        std::fs::create_dir(&home).unwrap();
        std::fs::write(bundle.join(DATA).join("mnist/a.gz"), "1").unwrap();
        sums::write(&bundle.join(DATA)).unwrap();
        let paths = Paths { root: "/r".into(), home: home.clone(), state: "/s".into() };
        data(&paths, &bundle).unwrap();
        let kept = supplies::remembered_data(&home).unwrap();
        assert_eq!(std::fs::read(kept.join("mnist/a.gz")).unwrap(), b"1");
        std::fs::write(kept.join("note"), "").unwrap();
        data(&paths, &bundle).unwrap();
        assert!(kept.join("note").exists(), "what is there is not copied again");
        std::fs::write(bundle.join(DATA).join("mnist/b.gz"), "2").unwrap();
        sums::write(&bundle.join(DATA)).unwrap();
        data(&paths, &bundle).unwrap();
        assert!(kept.join("mnist/b.gz").exists() && !kept.join("note").exists());
    }
}
