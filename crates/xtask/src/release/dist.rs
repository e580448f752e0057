//! `cargo xtask dist`: a release, an archive that can be unpacked anywhere.
//!
//! It contains the files of the checkout and, in `prebuilt`, what set-up would compile in ten minutes: the
//! kernel's program, the glue, the library's dependencies, and the sources of the standard library; with all
//! licenses. No part depends on its path: the glue is not linked yet, and the dependencies have cargo's names
//! (the kernel's `prebuilt.rs` uses them).

use super::build_script::{self, BuildScriptRun};
use super::checksums;
use super::licenses;
use crate::common::files::{atomically, copy_file, copy_tree, create_folder, write_file};
use crate::common::paths::Paths;
use crate::common::process::run_quietly;
use crate::common::rustc;
use crate::common::step::step;
use crate::setup::glue;
use crate::setup::kernel;
use crate::setup::provided::{self, CRATES, GLUE, KERNEL, MANIFEST, PREBUILT, Provided, RUST_SRC};
use crate::setup::python_environment;
use crate::setup::rust_src;
use crate::setup::template;
use crate::setup::{self, Ready, Register};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes the archive and the file with its checksum; returns the archive's path.
pub fn make(paths: &Paths) -> Result<PathBuf> {
    let files = tracked_files(&paths.root)?;
    let active = python_environment::environment(paths)?.active.map(|active| active.prefix);
    require_no_environment(
        active.or_else(|| std::env::var_os("CONDA_PREFIX").map(PathBuf::from)).as_deref(),
    )?;
    let ready = setup::run(paths, Register::CheckoutOnly)?;
    let name = format!("tchalk-{}-{}", env!("CARGO_PKG_VERSION"), rustc::host()?);
    let dist = paths.target().join("dist");
    let folder = dist.join(&name);
    step("collecting the parts of a release", || {
        let _ = std::fs::remove_dir_all(&folder);
        for file in &files {
            let to = folder.join(file);
            create_folder(to.parent().context("a file is in a folder")?)?;
            copy_file(&paths.root.join(file), &to)?;
        }
        collect_parts(paths, &ready, &folder.join(PREBUILT))
    })?;
    let archive = dist.join(format!("{name}.tar.gz"));
    step("packing it", || pack(&folder, &archive))?;
    checksums::write_for(&dist, &[archive.file_name().context("the archive has a name")?])?;
    let megabytes = std::fs::metadata(&archive)?.len() as f64 / 1e6;
    println!("{} ({megabytes:.0} MB), with {} beside it", archive.display(), checksums::LIST);
    Ok(archive)
}

/// An error inside a Python or conda environment, whose compiler may be newer than those of other machines.
fn require_no_environment(environment: Option<&Path>) -> Result<()> {
    match environment.filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => bail!(
            "a release must be made outside conda and other environments, whose compilers may be newer \
             than the libraries of other machines; {} is active: deactivate it, or unset \
             TCHALK_LIBTORCH, and run the command again",
            folder.display()
        ),
        None => Ok(()),
    }
}

/// Packs a folder into an archive.
pub fn pack(folder: &Path, archive: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    if cfg!(target_os = "linux") {
        tar.args(["--owner=0", "--group=0", "--numeric-owner", "--sort=name"]);
    }
    tar.arg("-czf");
    atomically(archive, |partial| {
        tar.arg(partial).arg("-C").arg(folder.parent().context("a folder is in one")?);
        run_quietly(tar.arg(folder.file_name().context("a folder has a name")?))
    })
}

/// The files that git tracks.
fn tracked_files(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    let output = output.ok().filter(|output| output.status.success() && root.join(".git").exists());
    let Some(output) = output else {
        bail!("a release must be made in a git checkout; {} is none", root.display())
    };
    let names = String::from_utf8(output.stdout)?;
    let files = names.split_terminator('\0').map(str::to_owned);
    Ok(files.filter(|file| root.join(file).is_file()).collect())
}

/// Copies all parts to `to`, and writes the manifest.
fn collect_parts(paths: &Paths, ready: &Ready, to: &Path) -> Result<()> {
    let crates = to.join(CRATES);
    create_folder(&crates)?;
    copy_file(&ready.kernel, &to.join(KERNEL))?;
    let source = glue::source(paths)?;
    // Compiled here, and not copied from a release, in which this checkout may be.
    let none = Provided::none();
    let objects = glue::objects(paths, &ready.environment, &source, &none)?;
    copy_tree(&objects, &to.join(GLUE), &|_| true)?;
    let is_needed = |file: &Path| !rust_src::is_left_out(file);
    for name in rust_src::CRATES {
        let (from, to) = (ready.rust_src.join(name), to.join(RUST_SRC).join(name));
        copy_tree(&from.join("src"), &to.join("src"), &is_needed)?;
    }
    let built = template::dependencies(paths)?;
    let runs = BuildScriptRun::all(&template::target(paths))?;
    for file in &built {
        let copy = crates.join(file.file_name().context("a file has a name")?);
        let of = build_script::package(file.parent().unwrap_or(file));
        copy_file(file, &copy)?;
        if is_build_script(file) && runs.iter().any(|run| run.package() == of) {
            std::fs::write(&copy, build_script::replacement(&std::fs::read(file)?))?;
        }
    }
    for run in &runs {
        run.save(&crates)?;
    }
    licenses::collect(paths, &to.join("licenses"))?;
    let mut programs: Vec<_> = built.into_iter().filter(|file| is_program(file)).collect();
    programs.push(ready.kernel.clone());
    let manifest = json!({
        "tchalk": env!("CARGO_PKG_VERSION"),
        "commit": crate::common::process::first_line("git", &["describe", "--always", "--dirty"]),
        "target": rustc::host()?,
        "glibc": provided::glibc_needed(&programs)?,
        "rustc": rustc::version()?,
        "torch": ready.environment.torch_version()?,
        "torch-sys": source.version,
        "kernel": kernel::sources_fingerprint(paths)?,
    });
    write_file(&to.join(MANIFEST), &(serde_json::to_string_pretty(&manifest)? + "\n"))
}

/// Whether this runs while crates are built: a build script, or a procedural macro.
fn is_program(file: &Path) -> bool {
    !file.extension().is_some_and(|extension| extension == "rlib" || extension == "rmeta")
}

fn is_build_script(file: &Path) -> bool {
    file.extension().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_unpacks_into_one_folder() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("tchalk-1");
        std::fs::create_dir_all(folder.join("crates")).unwrap();
        std::fs::write(folder.join("crates/a"), "1").unwrap();
        let archive = home.path().join("a.tar.gz");
        pack(&folder, &archive).unwrap();
        let to = home.path().join("elsewhere");
        std::fs::create_dir(&to).unwrap();
        run_quietly(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&to)).unwrap();
        assert_eq!(std::fs::read_to_string(to.join("tchalk-1/crates/a")).unwrap(), "1");
    }

    #[test]
    fn a_release_is_made_outside_environments() {
        require_no_environment(None).unwrap();
        require_no_environment(Some(Path::new(""))).unwrap();
        let error = require_no_environment(Some(Path::new("/opt/conda"))).unwrap_err().to_string();
        assert!(error.contains("/opt/conda is active: deactivate it"), "{error}");
    }

    #[test]
    fn a_release_contains_the_tracked_files() {
        let home = tempfile::tempdir().unwrap();
        assert!(tracked_files(home.path()).unwrap_err().to_string().contains("git"));
        std::fs::write(home.path().join("a file"), "").unwrap();
        std::fs::write(home.path().join("unknown"), "").unwrap();
        for words in [&["init", "-q"][..], &["add", "a file"]] {
            run_quietly(Command::new("git").args(words).current_dir(home.path())).unwrap();
        }
        assert_eq!(tracked_files(home.path()).unwrap(), ["a file"]);
    }
}
