//! The virtual environment that holds JupyterLab and libtorch.

use super::active_environment::{self, ActiveEnvironment};
use super::interpreter;
use super::pip;
use super::provided::Provided;
use super::torch_build::TORCH;
use super::torch_build::{self, TorchBuild};
use crate::common::files::write_file;
use crate::common::fingerprint::fingerprint;
use crate::common::paths::Paths;
use crate::common::step::step;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Written last, with the environment's own place: one without it was interrupted, and one that it does
/// not name was moved; both are made anew.
const COMPLETE: &str = "tchalk-complete";

/// An environment that is ready.
pub struct PythonEnvironment {
    pub folder: PathBuf,
    pub build: TorchBuild,
    /// The environment that somebody else made, where it is used as it is.
    pub active: Option<ActiveEnvironment>,
}

impl PythonEnvironment {
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
            None => self.build == TorchBuild::Cuda,
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

impl PythonEnvironment {
    /// The version of its libtorch, `2.11.0`, without what names the build.
    pub fn torch_version(&self) -> Result<String> {
        if self.active.is_some() {
            return Ok(TORCH.into());
        }
        let file = self.torch()?.join("version.py");
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let version = active_environment::value_of(&text, "__version__")
            .with_context(|| format!("{} names no version", file.display()))?;
        Ok(version.split('+').next().unwrap_or_default().to_owned())
    }

    /// How far it has come.
    pub fn state(&self) -> EnvironmentState {
        if self.active.is_some() {
            EnvironmentState::Ready
        } else if !self.folder.exists() {
            EnvironmentState::Missing
        } else if !self.folder.join(COMPLETE).is_file() {
            EnvironmentState::Interrupted
        } else if let Some(before) = self.moved_from() {
            EnvironmentState::MovedFrom(before)
        } else if !self.python().exists() {
            EnvironmentState::WithoutPython
        } else {
            match self.torch_version() {
                Ok(version) if version == TORCH => EnvironmentState::Ready,
                Ok(version) => EnvironmentState::OtherTorch(version),
                Err(_) => EnvironmentState::OtherTorch("none".into()),
            }
        }
    }
}

impl PythonEnvironment {
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
pub enum EnvironmentState {
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
pub fn environment(paths: &Paths) -> Result<PythonEnvironment> {
    if let Some(active) = wanted_active()? {
        let folder = active.prefix.clone();
        let build = if active.names_cuda() { TorchBuild::Cuda } else { TorchBuild::Cpu };
        return Ok(PythonEnvironment { folder, build, active: Some(active) });
    }
    let build = torch_build::choose(&paths.home)?.build;
    let (_, (major, minor)) = interpreter::find()?;
    let lock = |name: &str| {
        let file = paths.root.join("python").join(name);
        std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let key = fingerprint(&[&lock("jupyter.txt")?, &lock(build.lock_file())?]);
    let name = format!("python{major}.{minor}-{}-{}", build.name(), &key[..8]);
    Ok(PythonEnvironment { folder: paths.home.join(name), build, active: None })
}

/// The active environment, if it is asked for or is one of conda's that fits.
fn wanted_active() -> Result<Option<ActiveEnvironment>> {
    if std::env::var("TCHALK_LIBTORCH").as_deref() == Ok("environment") {
        return ActiveEnvironment::find().map(Some).context(
            "TCHALK_LIBTORCH=environment asks for the libtorch of the active Python environment; \
             without it set-up makes its own",
        );
    }
    Ok(passable_conda().and_then(|(_, found)| found.ok()))
}

/// conda's active environment, where `TCHALK_LIBTORCH` leaves the choice.
fn passable_conda() -> Option<(PathBuf, Result<ActiveEnvironment>)> {
    match std::env::var_os("TCHALK_LIBTORCH") {
        Some(value) if !value.is_empty() => None,
        _ => active_environment::conda(),
    }
}

/// Why the active conda environment is not used, if there is one and it is not.
pub fn why_conda_is_unused() -> Option<String> {
    let (folder, found) = passable_conda()?;
    let reason = found.err()?;
    Some(format!("the conda environment {} is not used: {reason:#}", folder.display()))
}

/// Makes the environment, if it is not ready.
pub fn ensure(paths: &Paths, provided: &Provided) -> Result<PythonEnvironment> {
    let environment = environment(paths)?;
    if let Some(active) = &environment.active {
        let folder = active.prefix.display();
        eprintln!("libtorch {} is the one of the active environment {folder}", active.version());
    }
    match environment.state() {
        EnvironmentState::Ready => return Ok(environment),
        EnvironmentState::Missing | EnvironmentState::Interrupted => {}
        EnvironmentState::MovedFrom(before) => {
            eprintln!("  it was moved here from {}; it is made anew", before.display());
        }
        EnvironmentState::WithoutPython => {
            eprintln!("  the Python it was made with is gone; it is made anew")
        }
        EnvironmentState::OtherTorch(found) => {
            eprintln!("  it holds libtorch {found} and not {TORCH}; it is made anew");
        }
    }
    paths.require_writable()?;
    if let Some(why) = why_conda_is_unused() {
        eprintln!("{why}; set-up makes its own");
    }
    if let Some(why) = torch_build::choose(&paths.home)?.why_not_cuda {
        eprintln!("there is an NVIDIA driver, but {why}");
    }
    let wheels = provided.wheels.as_deref();
    let PythonEnvironment { folder, build, .. } = &environment;
    let lock_folder = paths.root.join("python");
    step("Python environment with JupyterLab (about 120 packages)", || {
        pip::create_environment(folder)?;
        pip::install(
            &paths.home,
            &environment.python(),
            &lock_folder.join("jupyter.txt"),
            wheels,
            &[],
        )
    })?;
    let what = match build {
        _ if wheels.is_some() => "libtorch 2.11.0, from the bundle",
        TorchBuild::Cpu => "libtorch 2.11.0 for the CPU (about 550 MB to download)",
        TorchBuild::Cuda => "libtorch 2.11.0 with CUDA (about 3 GB to download)",
    };
    step(what, || {
        let lock_file = lock_folder.join(build.lock_file());
        pip::install(&paths.home, &environment.python(), &lock_file, wheels, build.pip_options())?;
        write_file(&folder.join(COMPLETE), &folder.to_string_lossy())
    })?;
    if *build == TorchBuild::Cuda {
        torch_build::forget_bundle(&paths.home)?;
    }
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn an_environment_says_what_became_of_it() {
        let home = tempfile::tempdir().unwrap();
        let environment = PythonEnvironment {
            folder: home.path().join("e"),
            build: TorchBuild::Cpu,
            active: None,
        };
        assert_eq!(environment.state(), EnvironmentState::Missing);
        let torch = environment.folder.join("lib/python3.11/site-packages/torch");
        std::fs::create_dir_all(torch.join("lib")).unwrap();
        let version = |text: &str| std::fs::write(torch.join("version.py"), text).unwrap();
        version("__version__ = '2.11.0+cu130'\ndebug = False\n");
        assert_eq!(environment.state(), EnvironmentState::Interrupted);
        std::fs::write(environment.folder.join(COMPLETE), "").unwrap();
        assert_eq!(environment.state(), EnvironmentState::WithoutPython);
        std::fs::create_dir(environment.folder.join("bin")).unwrap();
        std::fs::write(environment.python(), "").unwrap();
        assert_eq!(environment.state(), EnvironmentState::Ready);
        version("__version__ = '2.12.0'\n");
        assert_eq!(environment.state(), EnvironmentState::OtherTorch("2.12.0".into()));
        std::fs::remove_dir_all(&torch).unwrap();
        assert_eq!(environment.state(), EnvironmentState::OtherTorch("none".into()));
    }

    #[test]
    fn an_environment_that_was_moved_knows_from_where() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| PythonEnvironment {
            folder: home.path().join(name),
            build: TorchBuild::Cpu,
            active: None,
        };
        let (here, before) = (at("here"), home.path().join("before"));
        std::fs::create_dir(&here.folder).unwrap();
        let says = |place: &Path| {
            std::fs::write(here.folder.join(COMPLETE), place.to_string_lossy().as_bytes()).unwrap();
        };
        says(&before);
        assert_eq!(here.state(), EnvironmentState::MovedFrom(before.clone()));
        std::fs::create_dir(&before).unwrap();
        assert_eq!(here.state(), EnvironmentState::MovedFrom(before), "it is a copy");
        says(&here.folder);
        assert_eq!(here.state(), EnvironmentState::WithoutPython);
        says(Path::new(""));
        assert_eq!(here.state(), EnvironmentState::WithoutPython, "it does not say");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&here.folder, home.path().join("link")).unwrap();
            says(&here.folder);
            assert_eq!(
                at("link").state(),
                EnvironmentState::WithoutPython,
                "it is the same folder"
            );
        }
    }
}
