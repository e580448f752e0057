//! The virtual environment that holds JupyterLab and libtorch.

use crate::active::{self, Active};
use crate::command::run_quietly;
use crate::interpreter;
use crate::paths::{Paths, key};
use crate::step::{meanwhile, step, whole_file};
use crate::supplies::Supplies;
use crate::torch_build::{self, Flavor};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The libtorch that belongs to the version of `tch` in use.
pub const TORCH: &str = "2.11.0";
/// Written last, with the environment's own place: one without it was interrupted, and one that it does
/// not name was moved; both are made anew.
const COMPLETE: &str = "tchalk-complete";

/// An environment that is ready.
pub struct Environment {
    pub folder: PathBuf,
    pub flavor: Flavor,
    /// The environment that somebody else made, where it is used as it is.
    pub active: Option<Active>,
}

impl Environment {
    pub fn python(&self) -> PathBuf {
        match &self.active {
            Some(active) => active.python.clone(),
            None => self.folder.join("bin/python"),
        }
    }

    /// Where its programs are.
    pub fn programs(&self) -> PathBuf {
        match &self.active {
            Some(active) => active.programs.clone(),
            None => self.folder.join("bin"),
        }
    }

    /// Whether its libtorch is to compute on an NVIDIA GPU.
    pub fn has_cuda(&self) -> bool {
        match &self.active {
            Some(active) => active.has_cuda(),
            None => self.flavor == Flavor::Cuda,
        }
    }

    /// The folder that has libtorch's `lib` and `include`.
    pub fn torch(&self) -> Result<PathBuf> {
        if let Some(active) = &self.active {
            return Ok(active.torch.clone());
        }
        let libraries = self.folder.join("lib");
        let pythons = std::fs::read_dir(&libraries)
            .with_context(|| format!("cannot read {}", libraries.display()))?;
        let torch = pythons.flatten().map(|entry| entry.path().join("site-packages/torch"));
        torch.into_iter().find(|torch| torch.join("lib").is_dir()).with_context(|| {
            format!(
                "{} holds no libtorch: remove it, and run cargo xtask setup",
                self.folder.display()
            )
        })
    }
}

impl Environment {
    /// The version of its libtorch, `2.11.0`, without what names the build.
    pub fn torch_version(&self) -> Result<String> {
        if self.active.is_some() {
            return Ok(TORCH.into());
        }
        let file = self.torch()?.join("version.py");
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let version = active::value_of(&text, "__version__")
            .with_context(|| format!("{} names no version", file.display()))?;
        Ok(version.split('+').next().unwrap_or_default().to_owned())
    }

    /// How far it has come.
    pub fn state(&self) -> State {
        if self.active.is_some() {
            State::Ready
        } else if !self.folder.exists() {
            State::Missing
        } else if !self.folder.join(COMPLETE).is_file() {
            State::Interrupted
        } else if let Some(before) = self.moved_from() {
            State::MovedFrom(before)
        } else if !self.python().exists() {
            State::WithoutPython
        } else {
            match self.torch_version() {
                Ok(version) if version == TORCH => State::Ready,
                Ok(version) => State::OtherTorch(version),
                Err(_) => State::OtherTorch("none".into()),
            }
        }
    }
}

impl Environment {
    /// Where it was made, if that is not here: its programs name that place in their first lines.
    fn moved_from(&self) -> Option<PathBuf> {
        let before = PathBuf::from(std::fs::read_to_string(self.folder.join(COMPLETE)).ok()?);
        // Two paths may lead to one folder, and some environments do not say where they were made.
        let is_here = before == self.folder
            || before.as_os_str().is_empty()
            || before.canonicalize().is_ok_and(|it| Some(it) == self.folder.canonicalize().ok());
        (!is_here).then_some(before)
    }
}

/// What may have become of an environment.
#[derive(Debug, PartialEq)]
pub enum State {
    Ready,
    Missing,
    /// Its making was broken off.
    Interrupted,
    /// It was made in another place, or the whole cache was.
    MovedFrom(PathBuf),
    /// The Python it was made with is gone from the system.
    WithoutPython,
    /// Somebody has installed another libtorch in it.
    OtherTorch(String),
}

/// Where the environment for this checkout is, ready or not.
pub fn environment(paths: &Paths) -> Result<Environment> {
    if let Some(active) = wanted_active()? {
        let folder = active.prefix.clone();
        let flavor = if active.names_cuda() { Flavor::Cuda } else { Flavor::Cpu };
        return Ok(Environment { folder, flavor, active: Some(active) });
    }
    let flavor = torch_build::of_machine(&paths.home)?.flavor;
    let (_, (major, minor)) = interpreter::find()?;
    let lock = |name: &str| {
        let file = paths.root.join("python").join(name);
        std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let key = key(&[&lock("jupyter.txt")?, &lock(flavor.lock_file())?]);
    let name = format!("python{major}.{minor}-{}-{}", flavor.name(), &key[..8]);
    Ok(Environment { folder: paths.home.join(name), flavor, active: None })
}

/// The active environment, if it is asked for or is one of conda's that fits.
fn wanted_active() -> Result<Option<Active>> {
    if std::env::var("TCHALK_LIBTORCH").as_deref() == Ok("environment") {
        return Active::find().map(Some).context(
            "TCHALK_LIBTORCH=environment asks for the libtorch of the active Python environment; \
             without it set-up makes its own",
        );
    }
    Ok(passable_conda().and_then(|(_, found)| found.ok()))
}

/// conda's active environment, where `TCHALK_LIBTORCH` leaves the choice.
fn passable_conda() -> Option<(PathBuf, Result<Active>)> {
    match std::env::var_os("TCHALK_LIBTORCH") {
        Some(value) if !value.is_empty() => None,
        _ => active::conda(),
    }
}

/// Why the active conda environment is not used, if there is one and it is not.
pub fn passed_over() -> Option<String> {
    let (folder, found) = passable_conda()?;
    let reason = found.err()?;
    Some(format!("the conda environment {} is not used: {reason:#}", folder.display()))
}

/// Makes the environment, if it is not ready.
pub fn ensure(paths: &Paths, supplies: &Supplies) -> Result<Environment> {
    let environment = environment(paths)?;
    if let Some(active) = &environment.active {
        let folder = active.prefix.display();
        eprintln!("libtorch {} is the one of the active environment {folder}", active.version());
    }
    match environment.state() {
        State::Ready => return Ok(environment),
        State::Missing | State::Interrupted => {}
        State::MovedFrom(before) => {
            eprintln!("  it was moved here from {}; it is made anew", before.display());
        }
        State::WithoutPython => eprintln!("  the Python it was made with is gone; it is made anew"),
        State::OtherTorch(found) => {
            eprintln!("  it holds libtorch {found} and not {TORCH}; it is made anew");
        }
    }
    paths.require_writable()?;
    if let Some(why) = passed_over() {
        eprintln!("{why}; set-up makes its own");
    }
    if let Some(why) = torch_build::of_machine(&paths.home)?.passed_over {
        eprintln!("there is an NVIDIA driver, but {why}");
    }
    let wheels = supplies.wheels.as_deref();
    let Environment { folder, flavor, .. } = &environment;
    let lock_folder = paths.root.join("python");
    step("Python environment with JupyterLab (about 120 packages)", || {
        create(folder)?;
        install(&paths.home, &environment.python(), &lock_folder.join("jupyter.txt"), wheels, &[])
    })?;
    let what = match flavor {
        _ if wheels.is_some() => "libtorch 2.11.0, from the bundle",
        Flavor::Cpu => "libtorch 2.11.0 for the CPU (about 550 MB to download)",
        Flavor::Cuda => "libtorch 2.11.0 with CUDA (about 3 GB to download)",
    };
    step(what, || {
        let lock_file = lock_folder.join(flavor.lock_file());
        install(&paths.home, &environment.python(), &lock_file, wheels, flavor.options())?;
        whole_file(&folder.join(COMPLETE), &folder.to_string_lossy())
    })?;
    if *flavor == Flavor::Cuda {
        torch_build::forget(&paths.home)?;
    }
    Ok(environment)
}

/// A fresh virtual environment in `folder`, in place of whatever was there.
pub fn create(folder: &Path) -> Result<()> {
    create_with(&interpreter::find()?.0, folder)
}

/// The same, made by another Python.
pub fn create_with(python: &str, folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    run_quietly(Command::new(python).args(["-m", "venv"]).arg(folder))
}

/// Installs what a lock file names, checking every hash; from a folder of wheels, if there is one, and
/// else from the network. What pip needs meanwhile lies in `home`.
pub fn install(
    home: &Path,
    python: &Path,
    lock_file: &Path,
    wheels: Option<&Path>,
    more: &[&str],
) -> Result<()> {
    meanwhile(home, PIP, |room| {
        let mut pip = pip(python, "install", room);
        pip.args(["--require-hashes", "--no-compile"]).args(more).arg("-r").arg(lock_file);
        if let Some(wheels) = wheels {
            pip.args(["--no-index", "--find-links"]).arg(wheels);
        }
        run_quietly(&mut pip)
    })
}

/// Fetches what a lock file names, for this Python, and keeps it in a folder. What pip needs meanwhile
/// lies in `home`.
pub fn download(
    home: &Path,
    python: &Path,
    lock_file: &Path,
    wheels: &Path,
    more: &[&str],
) -> Result<()> {
    meanwhile(home, PIP, |room| {
        let mut pip = pip(python, "download", room);
        pip.args(["--require-hashes"]).args(more).arg("-r").arg(lock_file);
        run_quietly(pip.arg("--dest").arg(wheels))
    })
}

/// What the folder for pip's own needs is called.
const PIP: &str = "pip";

/// pip, which keeps nothing outside `room`: neither the system's folder for what is temporary nor the
/// user's for caches need have gigabytes to spare.
fn pip(python: &Path, command: &str, room: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", command, "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip.arg("--no-cache-dir").env("TMPDIR", room);
    // A `user = true` of the user's own would fail in an environment.
    pip.args((command == "install").then_some("--no-user"));
    pip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_says_what_became_of_it() {
        let home = tempfile::tempdir().unwrap();
        let environment =
            Environment { folder: home.path().join("e"), flavor: Flavor::Cpu, active: None };
        assert_eq!(environment.state(), State::Missing);
        let torch = environment.folder.join("lib/python3.11/site-packages/torch");
        std::fs::create_dir_all(torch.join("lib")).unwrap();
        let version = |text: &str| std::fs::write(torch.join("version.py"), text).unwrap();
        version("__version__ = '2.11.0+cu130'\ndebug = False\n");
        assert_eq!(environment.state(), State::Interrupted);
        std::fs::write(environment.folder.join(COMPLETE), "").unwrap();
        assert_eq!(environment.state(), State::WithoutPython);
        std::fs::create_dir(environment.folder.join("bin")).unwrap();
        std::fs::write(environment.python(), "").unwrap();
        assert_eq!(environment.state(), State::Ready);
        version("__version__ = '2.12.0'\n");
        assert_eq!(environment.state(), State::OtherTorch("2.12.0".into()));
        std::fs::remove_dir_all(&torch).unwrap();
        assert_eq!(environment.state(), State::OtherTorch("none".into()));
    }

    #[test]
    fn an_environment_that_was_moved_knows_from_where() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| Environment {
            folder: home.path().join(name),
            flavor: Flavor::Cpu,
            active: None,
        };
        let (here, before) = (at("here"), home.path().join("before"));
        std::fs::create_dir(&here.folder).unwrap();
        let says = |place: &Path| {
            std::fs::write(here.folder.join(COMPLETE), place.to_string_lossy().as_bytes()).unwrap();
        };
        says(&before);
        assert_eq!(here.state(), State::MovedFrom(before.clone()));
        std::fs::create_dir(&before).unwrap();
        assert_eq!(here.state(), State::MovedFrom(before), "it is a copy");
        says(&here.folder);
        assert_eq!(here.state(), State::WithoutPython);
        says(Path::new(""));
        assert_eq!(here.state(), State::WithoutPython, "it does not say");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&here.folder, home.path().join("link")).unwrap();
            says(&here.folder);
            assert_eq!(at("link").state(), State::WithoutPython, "it is the same folder");
        }
    }

    #[test]
    fn pip_keeps_what_it_needs_meanwhile_in_its_room() {
        let pip = pip(Path::new("python"), "install", Path::new("/home/pip.part-1"));
        let room = Some(std::ffi::OsStr::new("/home/pip.part-1"));
        assert!(pip.get_envs().any(|(name, value)| name == "TMPDIR" && value == room));
        assert!(pip.get_args().any(|argument| argument == "--no-cache-dir"));
        assert!(pip.get_args().any(|argument| argument == "--no-user"));
    }
}
