//! `cargo xtask bundle OUT`: all that a room without network needs, in one folder for a stick.
//!
//! ```text
//! start.sh               the one command: unpacks, and calls `cargo xtask setup --from`
//! README.txt             what a machine needs, and what to do
//! tchalk-….tar.gz        a release (`dist.rs`)
//! crates.tar.gz          the sources of all crates in Cargo.lock
//! wheels/                the Python packages of the lock files
//! data/                  data sets and weights, laid out as for TCHALK_DATA_DIR
//! SHA256SUMS             vouches for all of it
//! ```

use crate::command::{first_line, run_quietly};
use crate::dist;
use crate::glue;
use crate::paths::{Paths, data_folder, files_below};
use crate::python::{self, Flavour};
use crate::step::{copy_file, create_folder, step, whole_file};
use crate::{rust_src, sums};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

pub const ARCHIVE_OF_CRATES: &str = "crates.tar.gz";
pub const WHEELS: &str = "wheels";
pub const DATA: &str = "data";

/// What notebooks look for, and what becomes of them without it.
const WANTED: [(&str, &str); 9] = [
    ("cifar10/cifar-10-binary.tar.gz", "the tutorial trains on drawn shapes"),
    ("mnist/train-images-idx3-ubyte.gz", "digits are drawn"),
    ("mnist/train-labels-idx1-ubyte.gz", "digits are drawn"),
    ("mnist/t10k-images-idx3-ubyte.gz", "digits are drawn"),
    ("mnist/t10k-labels-idx1-ubyte.gz", "digits are drawn"),
    ("digit-recognizer/train.csv", "the exercise makes its digits from MNIST"),
    ("digit-recognizer/test.csv", "the exercise makes its digits from MNIST"),
    ("weights/vgg16-397923af.pth", "the built-in base takes the place of VGG16"),
    ("weights/imagenet_class_index.json", "classes of ImageNet go by their numbers"),
];

/// How a bundle was asked for.
#[derive(Debug, Default, PartialEq)]
pub struct Options {
    out: PathBuf,
    /// With the libtorch for NVIDIA GPUs, too.
    cuda: bool,
    /// The Pythons of the machines, where they differ from this one's.
    pythons: Vec<String>,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--cuda" => options.cuda = true,
                "--python" => {
                    let program = rest.next().context("--python needs a program: python3.12")?;
                    options.pythons.push(program.clone());
                }
                other if !other.starts_with('-') && options.out.as_os_str().is_empty() => {
                    options.out = std::path::absolute(other)?;
                }
                other => bail!("cargo xtask bundle OUT knows --cuda and --python, got {other:?}"),
            }
        }
        if options.out.as_os_str().is_empty() {
            bail!(
                "cargo xtask bundle needs the folder to make: cargo xtask bundle /media/stick/tchalk"
            );
        }
        Ok(options)
    }
}

/// Makes the bundle. What is there from an earlier time is kept where it is still right.
pub fn make(paths: &Paths, options: &Options) -> Result<()> {
    let out = &options.out;
    create_folder(out)?;
    let archive = dist::make(paths)?;
    copy_file(&archive, &out.join(archive.file_name().context("the archive has a name")?))?;
    crates(paths, &out.join(ARCHIVE_OF_CRATES))?;
    let versions = wheels(paths, options)?;
    let missing = data(paths, data_folder().as_deref().map(Path::new), &out.join(DATA))?;
    let texts = Texts { target: glue::host()?, pythons: versions, cuda: options.cuda };
    whole_file(&out.join("start.sh"), &texts.start())?;
    whole_file(&out.join("README.txt"), &texts.read_me(&missing)?)?;
    step("sums of all files", || sums::write(out))?;
    let bytes: u64 =
        files_below(out)?.iter().filter_map(|file| file.metadata().ok()).map(|m| m.len()).sum();
    println!("\n{} ({:.1} GB)", out.display(), bytes as f64 / 1e9);
    for (file, instead) in &missing {
        println!("  not in it: {file} ({instead})");
    }
    if out.join(DATA).join("digit-recognizer").is_dir() {
        println!(
            "  Kaggle wants each participant to accept the competition's rules: ask before you"
        );
        println!("  hand its files on, or remove data/digit-recognizer and make the bundle again.");
    }
    println!("On each machine: sh start.sh");
    Ok(())
}

/// The sources of all crates of the workspace, as cargo reads them from a folder.
fn crates(paths: &Paths, archive: &Path) -> Result<()> {
    step("the sources of all crates", || {
        let folder = paths.target().join("dist/crates");
        let _ = std::fs::remove_dir_all(&folder);
        let mut vendor = Command::new("cargo");
        vendor.args(["vendor", "--locked", "--versioned-dirs", "--quiet"]).arg(&folder);
        run_quietly(vendor.current_dir(&paths.root))?;
        dist::pack(&folder, archive)?;
        std::fs::remove_dir_all(&folder).context("cannot remove what was packed")
    })
}

/// The packages of the lock files, for each Python that was named; returns their versions.
fn wheels(paths: &Paths, options: &Options) -> Result<Vec<String>> {
    let wheels = options.out.join(WHEELS);
    create_folder(&wheels)?;
    let mut pythons = options.pythons.clone();
    if pythons.is_empty() {
        pythons.push(python::find()?.0);
    }
    let mut versions = Vec::new();
    for program in pythons {
        let version = first_line(&program, &["--version"])
            .with_context(|| format!("--python: {program} does not start"))?;
        step(&format!("Python packages for {version}"), || {
            // Its own pip, wherever the system keeps it.
            let environment = paths.target().join("dist/python");
            python::create_with(&program, &environment)?;
            let python = environment.join("bin/python");
            let lock = |name: &str| paths.root.join("python").join(name);
            python::download(&python, &lock("jupyter.txt"), &wheels, &[])?;
            let flavours = [Some(Flavour::Cpu), options.cuda.then_some(Flavour::Cuda)];
            for flavour in flavours.into_iter().flatten() {
                python::download(&python, &lock(flavour.lock_file()), &wheels, flavour.options())?;
            }
            std::fs::remove_dir_all(&environment).context("cannot remove the environment")
        })?;
        versions.push(version);
    }
    Ok(versions)
}

/// Copies data sets and weights from the folder that the user has named and from the cache, and returns
/// what is missing.
fn data(
    paths: &Paths,
    named: Option<&Path>,
    to: &Path,
) -> Result<Vec<(&'static str, &'static str)>> {
    let mut places: Vec<(PathBuf, PathBuf)> = Vec::new();
    places.extend(named.map(|folder| (folder.to_owned(), to.to_owned())));
    places.push((paths.home.join("data"), to.to_owned()));
    places.push((paths.home.join("weights"), to.join("weights")));
    step("data sets and weights", || {
        create_folder(to)?;
        for (from, to) in &places {
            copy_new(from, to)?;
        }
        sums::write(to)
    })?;
    Ok(WANTED.into_iter().filter(|(file, _)| !to.join(file).is_file()).collect())
}

/// Copies what is not there yet, and not what the cache keeps for itself.
fn copy_new(from: &Path, to: &Path) -> Result<()> {
    let Ok(files) = files_below(from) else { return Ok(()) };
    for file in files {
        let inside = file.strip_prefix(from)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let own = name.starts_with('.') || name.ends_with(".part") || name == sums::LIST;
        let copy = to.join(inside);
        let same = || Some(copy.metadata().ok()?.len() == file.metadata().ok()?.len());
        if own || same() == Some(true) {
            continue;
        }
        create_folder(copy.parent().context("a file is in a folder")?)?;
        copy_file(&file, &copy)?;
    }
    Ok(())
}

/// What the texts of a bundle have to say.
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

    fn read_me(&self, missing: &[(&str, &str)]) -> Result<String> {
        let pythons = self.pythons.join(" or ");
        let libtorch =
            if self.cuda { "for the processor and for NVIDIA GPUs" } else { "for the processor" };
        let mut text = format!(
            "tchalk {version} for a room without network, for {target}\n\n\
             On each machine, from this folder:\n\n    sh start.sh\n\n\
             It verifies the files, unpacks the checkout into the home folder, and sets everything up:\n\
             a few minutes. Afterwards the machine needs neither this folder nor a network.\n\n\
             What has to be there beforehand:\n\
             \x20 Rust      rustc {rustc} and cargo. Another version works, too, but compiles the\n\
             \x20           library's dependencies itself, which takes some minutes.\n\
             \x20 Python    {pythons}, with its venv module\n\
             \x20 compiler  cc, a C compiler (Debian, Ubuntu: gcc and libc6-dev), for linking\n\
             \x20 disk      about 4 GB in the home folder\n\n\
             libtorch is in here {libtorch}.\n",
            version = env!("CARGO_PKG_VERSION"),
            target = self.target,
            rustc = rust_src::rustc_version()?,
        );
        if !missing.is_empty() {
            text += "\nNot in here:\n";
            for (file, instead) in missing {
                text += &format!("  {file}: {instead}\n");
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_refused() {
        let parse = |words: &[&str]| {
            Options::parse(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
        };
        let options = parse(&["/stick", "--cuda", "--python", "python3.12"]).unwrap();
        assert_eq!(options.out, Path::new("/stick"));
        assert!(options.cuda && options.pythons == ["python3.12"]);
        assert!(parse(&[]).unwrap_err().to_string().contains("the folder to make"));
        assert!(parse(&["/a", "/b"]).is_err());
        assert!(parse(&["/a", "--python"]).unwrap_err().to_string().contains("python3.12"));
    }

    #[test]
    fn data_come_from_all_places_and_what_is_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (home, to) = (folder.path().join("home"), folder.path().join("out/data"));
        let files = [
            "data/mnist/train-images-idx3-ubyte.gz",
            "data/mnist/.train-images-idx3-ubyte.gz.lock",
            "data/cifar10/cifar-10-binary.tar.gz.part",
            "weights/vgg16-397923af.pth",
        ];
        for file in files {
            std::fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
            std::fs::write(home.join(file), file).unwrap();
        }
        let named = folder.path().join("stick");
        std::fs::create_dir_all(named.join("weights")).unwrap();
        std::fs::write(named.join("weights/resnet.pth"), "").unwrap();
        let paths = Paths { root: "/r".into(), home, state: "/s".into() };
        let missing = data(&paths, Some(&named), &to).unwrap();
        assert!(to.join("weights/resnet.pth").is_file());
        assert!(to.join("mnist/train-images-idx3-ubyte.gz").is_file());
        assert!(to.join("weights/vgg16-397923af.pth").is_file());
        assert!(!to.join("mnist/.train-images-idx3-ubyte.gz.lock").exists());
        assert!(missing.iter().any(|(file, _)| file.starts_with("cifar10/")));
        assert!(!missing.iter().any(|(file, _)| file.contains("vgg16")));
        sums::check(&to).unwrap();
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
}
