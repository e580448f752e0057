//! `cargo xtask bundle OUT`: everything that a classroom without a network needs, in one folder.
//!
//! ```text
//! start.sh               the command to run: unpacks, and calls `cargo xtask setup --from`
//! README.txt             what a machine needs, and what to do
//! tchalk-….tar.gz        a release (`dist.rs`)
//! crates.tar.gz          the sources of all crates in Cargo.lock
//! wheels/                the Python packages of the lock files
//! data/                  data sets and weights, in the layout of TCHALK_DATA_DIR
//! bundle.json            for which machines it is (`bundle_manifest.rs`)
//! SHA256SUMS             the checksums of all files
//! ```

use super::bundle_data::{MissingFile, collect_data};
use super::bundle_manifest::BundleManifest;
use super::bundle_manifest::{ARCHIVE_OF_CRATES, DATA, WHEELS};
use super::checksums;
use super::dist;
use crate::common::cargo::cargo;
use crate::common::files::{copy_file, create_folder, files_below, write_file};
use crate::common::paths::{Paths, data_folder};
use crate::common::process::{first_line, run_quietly};
use crate::common::rustc;
use crate::common::step::step;
use crate::setup::interpreter;
use crate::setup::pip;
use crate::setup::torch_build::TorchBuild;
use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};
use std::path::{Path, PathBuf};

/// The options of `cargo xtask bundle`.
#[derive(Debug, Default, PartialEq)]
pub struct Options {
    out: PathBuf,
    /// Also with the libtorch for NVIDIA GPUs.
    cuda: bool,
    /// The Pythons of the machines, if they differ from this machine's.
    pythons: Vec<String>,
}

impl Options {
    pub fn parse(mut arguments: Parser) -> Result<Options> {
        let mut options = Options::default();
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("cuda") => options.cuda = true,
                Arg::Long("python") => options.pythons.push(arguments.value()?.string()?),
                Arg::Value(out) if options.out.as_os_str().is_empty() => {
                    options.out = std::path::absolute(out)?;
                }
                other => return Err(other.unexpected().into()),
            }
        }
        if options.out.as_os_str().is_empty() {
            bail!("the folder to make is missing: cargo xtask bundle /media/stick/tchalk");
        }
        Ok(options)
    }

    fn builds(&self) -> Vec<TorchBuild> {
        let cuda = self.cuda.then_some(TorchBuild::Cuda);
        [Some(TorchBuild::Cpu), cuda].into_iter().flatten().collect()
    }
}

/// Makes the bundle. Correct files of an earlier one in the folder are kept.
pub fn make(paths: &Paths, options: &Options) -> Result<()> {
    let out = &options.out;
    create_folder(out)?;
    let archive = dist::make(paths)?;
    copy_file(&archive, &out.join(archive.file_name().context("the archive has a name")?))?;
    crates(paths, &out.join(ARCHIVE_OF_CRATES))?;
    let versions = wheels(paths, options)?;
    let missing = collect_data(paths, data_folder().as_deref().map(Path::new), &out.join(DATA))?;
    let manifest = BundleManifest {
        target: rustc::host()?,
        pythons: versions.iter().filter_map(|text| interpreter::version(text)).collect(),
        builds: options.builds(),
    };
    manifest.write(out)?;
    let texts = Texts { target: manifest.target, pythons: versions, cuda: options.cuda };
    write_file(&out.join("start.sh"), &texts.start())?;
    write_file(&out.join("README.txt"), &texts.read_me(&missing)?)?;
    step("checksums of all files", || checksums::write(out))?;
    let bytes: u64 =
        files_below(out)?.iter().filter_map(|file| file.metadata().ok()).map(|m| m.len()).sum();
    println!("\n{} ({:.1} GB)", out.display(), bytes as f64 / 1e9);
    for (file, consequence) in &missing {
        println!("  missing: {file} ({consequence})");
    }
    if out.join(DATA).join("digit-recognizer").is_dir() {
        println!(
            "  Kaggle requires each participant to accept the competition's rules: ask before you"
        );
        println!("  pass its files on, or remove data/digit-recognizer and make the bundle again.");
    }
    println!("On each machine: sh start.sh");
    Ok(())
}

/// Packs the sources of all crates of the workspace for cargo's directory sources.
fn crates(paths: &Paths, archive: &Path) -> Result<()> {
    step("the sources of all crates", || {
        let folder = paths.target().join("dist/crates");
        let _ = std::fs::remove_dir_all(&folder);
        let mut vendor = cargo();
        vendor.args(["vendor", "--locked", "--versioned-dirs", "--quiet"]).arg(&folder);
        run_quietly(vendor.current_dir(&paths.root))?;
        dist::pack(&folder, archive)?;
        std::fs::remove_dir_all(&folder).context("cannot remove what was packed")
    })
}

/// Downloads the packages of the lock files for each Python; returns their versions.
fn wheels(paths: &Paths, options: &Options) -> Result<Vec<String>> {
    let wheels = options.out.join(WHEELS);
    create_folder(&wheels)?;
    let mut pythons = options.pythons.clone();
    if pythons.is_empty() {
        pythons.push(interpreter::find()?.0);
    }
    let mut versions = Vec::new();
    for program in pythons {
        let version = first_line(&program, &["--version"])
            .with_context(|| format!("--python: {program} does not start"))?;
        step(&format!("Python packages for {version}"), || {
            // An environment has pip, even where the system has none.
            let environment = paths.target().join("dist/python");
            pip::create_environment_with(&program, &environment)?;
            let python = environment.join("bin/python");
            let download = |lock_file: &str, more: &[&str]| {
                let lock_file = paths.root.join("python").join(lock_file);
                pip::download(&paths.target().join("dist"), &python, &lock_file, &wheels, more)
            };
            download("jupyter.txt", &[])?;
            for build in options.builds() {
                download(build.lock_file(), build.pip_options())?;
            }
            std::fs::remove_dir_all(&environment).context("cannot remove the environment")
        })?;
        versions.push(version);
    }
    Ok(versions)
}

/// What `start.sh` and `README.txt` name.
struct Texts {
    target: String,
    pythons: Vec<String>,
    cuda: bool,
}

impl Texts {
    fn start(&self) -> String {
        let script = include_str!("start.sh");
        script.replace("VERSION", env!("CARGO_PKG_VERSION")).replace("TARGET", &self.target)
    }

    fn read_me(&self, missing: &[MissingFile]) -> Result<String> {
        let pythons = self.pythons.join(" or ");
        let libtorch = if self.cuda { "for the CPU and for NVIDIA GPUs" } else { "for the CPU" };
        let mut text = format!(
            "tchalk {version} for a classroom without a network, for {target}\n\n\
             On each machine, from this folder:\n\n    sh start.sh\n\n\
             It verifies the files, unpacks the checkout into the home folder, and sets everything up:\n\
             a few minutes. Afterward the machine needs neither this folder nor a network.\n\n\
             What the machine must have before:\n\
             \x20 Rust      rustc {rustc} and cargo. Another version also works, but compiles the\n\
             \x20           library's dependencies itself, which takes some minutes.\n\
             \x20 Python    {pythons}, with its venv module\n\
             \x20 compiler  cc, a C compiler (Debian, Ubuntu: gcc and libc6-dev), for linking\n\
             \x20 disk      about 4 GB in the home folder\n\n\
             It contains the libtorch {libtorch}.\n",
            version = env!("CARGO_PKG_VERSION"),
            target = self.target,
            rustc = rustc::version()?,
        );
        if !missing.is_empty() {
            text += "\nMissing:\n";
            for (file, consequence) in missing {
                text += &format!("  {file}: {consequence}\n");
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn known_options_are_read_and_others_are_errors() {
        let parse = |words: &[&str]| Options::parse(Parser::from_args(words));
        let options = parse(&["/stick", "--cuda", "--python", "python3.12"]).unwrap();
        assert_eq!(options.out, Path::new("/stick"));
        assert!(options.cuda && options.pythons == ["python3.12"]);
        assert_eq!(options.builds(), [TorchBuild::Cpu, TorchBuild::Cuda]);
        assert_eq!(Options::default().builds(), [TorchBuild::Cpu]);
        assert!(parse(&[]).unwrap_err().to_string().contains("the folder to make"));
        assert!(parse(&["/a", "/b"]).is_err() && parse(&["/a", "--python"]).is_err());
    }

    #[test]
    fn the_script_names_the_release() {
        let texts =
            Texts { target: "x-y-z".into(), pythons: vec!["Python 3.12.1".into()], cuda: false };
        let name = format!("name=tchalk-{}-x-y-z\n", env!("CARGO_PKG_VERSION"));
        assert!(texts.start().contains(&name));
        let read_me = texts.read_me(&[("a/b", "c instead")]).unwrap();
        assert!(read_me.contains("Python 3.12.1") && read_me.contains("a/b: c instead"));
    }

    /// A bundle whose release consists of one notebook.
    fn write_small_bundle(folder: &Path, notebook: &str) {
        let texts = Texts { target: "x".into(), pythons: vec![], cuda: false };
        let name = format!("tchalk-{}-x", env!("CARGO_PKG_VERSION"));
        let checkout = folder.join("made").join(&name);
        let files = [("Cargo.toml", ""), (".cargo/config.toml", ""), ("notebooks/a", notebook)];
        for (file, text) in files {
            create_folder(checkout.join(file).parent().unwrap()).unwrap();
            std::fs::write(checkout.join(file), text).unwrap();
        }
        let bundle = folder.join("bundle");
        create_folder(&bundle).unwrap();
        dist::pack(&checkout, &bundle.join(format!("{name}.tar.gz"))).unwrap();
        dist::pack(&checkout.join("notebooks"), &bundle.join(ARCHIVE_OF_CRATES)).unwrap();
        write_file(&bundle.join("start.sh"), &texts.start()).unwrap();
        checksums::write(&bundle).unwrap();
    }

    /// Runs its script with programs that do nothing in place of cargo and compilers.
    fn start(folder: &Path) {
        let programs = folder.join("programs");
        create_folder(&programs).unwrap();
        for name in ["cargo", "rustc", "python3", "cc"] {
            use std::os::unix::fs::PermissionsExt;
            std::fs::write(programs.join(name), "#!/bin/sh\n").unwrap();
            let may_run = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(programs.join(name), may_run).unwrap();
        }
        let path = std::env::var("PATH").unwrap();
        let mut sh = Command::new("sh");
        sh.arg(folder.join("bundle/start.sh")).arg(folder.join("where"));
        sh.env("PATH", format!("{}:{path}", programs.display()));
        run_quietly(sh.env("TCHALK_HOME", folder.join("home"))).unwrap();
    }

    #[test]
    fn a_newer_bundle_is_unpacked_and_notebooks_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("tchalk-{}-x", env!("CARGO_PKG_VERSION"));
        let checkout = folder.path().join("where").join(&name);
        let notebook = || std::fs::read_to_string(checkout.join("notebooks/a")).unwrap();
        write_small_bundle(folder.path(), "old");
        // Process numbers are lower.
        let left = folder.path().join("home/crates-1.part-999999999");
        create_folder(&left).unwrap();
        start(folder.path());
        assert_eq!(notebook(), "old");
        assert!(!left.exists() && checkout.join(".cargo/crates.toml").is_file());
        std::fs::write(checkout.join("notebooks/a"), "mine").unwrap();
        start(folder.path());
        assert_eq!(notebook(), "mine", "the same bundle changes nothing");
        write_small_bundle(folder.path(), "new");
        start(folder.path());
        assert_eq!(notebook(), "new");
        let before = checkout.with_file_name(format!("{name}.before-1"));
        assert_eq!(std::fs::read_to_string(before.join("notebooks/a")).unwrap(), "mine");
        let folders = std::fs::read_dir(folder.path().join("where")).unwrap().count();
        assert_eq!(folders, 2, "and no partial folder");
    }
}
