//! The Python environment with JupyterLab and libtorch.

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

/// This file is written last, and contains the environment's path. Without it the environment was interrupted,
/// with another path it was moved; both are made again.
const COMPLETE: &str = "tchalk-complete";

/// An environment, ready or not.
pub struct PythonEnvironment {
    pub folder: PathBuf,
    pub build: TorchBuild,
    /// The active environment, if it is used instead of one that set-up makes.
    pub active: Option<ActiveEnvironment>,
}

impl PythonEnvironment {
    pub fn python(&self) -> PathBuf {
        match &self.active {
            Some(active) => active.python.clone(),
            None => self.folder.join("bin/python"),
        }
    }

    /// The folder of its programs.
    pub fn programs(&self) -> PathBuf {
        match &self.active {
            Some(active) => active.programs.clone(),
            None => self.folder.join("bin"),
        }
    }

    /// Whether its libtorch computes on an NVIDIA GPU.
    pub fn has_cuda(&self) -> bool {
        match &self.active {
            Some(active) => active.has_cuda(),
            None => self.build == TorchBuild::Cuda,
        }
    }

    /// The folder with libtorch's `lib` and `include`.
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
                "{} contains no libtorch: remove it, and run cargo xtask setup",
                self.folder.display()
            )
        })
    }
}

impl PythonEnvironment {
    /// The version of its libtorch without the name of the build: `2.11.0`.
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

    /// Whether it is ready, or why it is not.
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
    /// The path where it was made, if it is another one. Its programs have that path in their first lines.
    fn moved_from(&self) -> Option<PathBuf> {
        let before = PathBuf::from(std::fs::read_to_string(self.folder.join(COMPLETE)).ok()?);
        // Two paths may lead to one folder, and the file of some environments is empty.
        let is_here = before == self.folder
            || before.as_os_str().is_empty()
            || before.canonicalize().is_ok_and(|it| Some(it) == self.folder.canonicalize().ok());
        (!is_here).then_some(before)
    }
}

/// The states of an environment.
#[derive(Debug, PartialEq)]
pub enum EnvironmentState {
    Ready,
    Missing,
    /// The set-up that made it was interrupted.
    Interrupted,
    /// It, or the whole cache, was made at another path.
    MovedFrom(PathBuf),
    /// The Python it was made with no longer exists.
    WithoutPython,
    /// Another libtorch was installed in it.
    OtherTorch(String),
}

/// The environment for this checkout, ready or not.
pub fn environment(paths: &Paths) -> Result<PythonEnvironment> {
    if let Some(active) = requested_environment()? {
        let folder = active.prefix.clone();
        let build = if active.is_built_for_cuda() { TorchBuild::Cuda } else { TorchBuild::Cpu };
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

/// The active environment, if the user asks for it or it is conda's and fits.
fn requested_environment() -> Result<Option<ActiveEnvironment>> {
    if std::env::var("TCHALK_LIBTORCH").as_deref() == Ok("environment") {
        return ActiveEnvironment::find().map(Some).context(
            "TCHALK_LIBTORCH=environment asks for the libtorch of the active Python environment; \
             without it set-up makes its own",
        );
    }
    Ok(conda_environment().and_then(|(_, found)| found.ok()))
}

/// conda's active environment, unless `TCHALK_LIBTORCH` is set.
fn conda_environment() -> Option<(PathBuf, Result<ActiveEnvironment>)> {
    match std::env::var_os("TCHALK_LIBTORCH") {
        Some(value) if !value.is_empty() => None,
        _ => active_environment::conda(),
    }
}

/// Why the active conda environment, if there is one, is not used.
pub fn why_conda_is_unused() -> Option<String> {
    let (folder, found) = conda_environment()?;
    let reason = found.err()?;
    Some(format!("the conda environment {} is not used: {reason:#}", folder.display()))
}

/// Makes the environment, if it is not ready.
pub fn ensure(paths: &Paths, provided: &Provided) -> Result<PythonEnvironment> {
    let environment = environment(paths)?;
    if !is_ready(&environment) {
        paths.require_writable()?;
        make(&environment, paths, provided)?;
    }
    Ok(environment)
}

/// Whether the environment can be used as it is; prints why not.
fn is_ready(environment: &PythonEnvironment) -> bool {
    if let Some(active) = &environment.active {
        let folder = active.prefix.display();
        eprintln!("libtorch {} is the one of the active environment {folder}", active.version());
    }
    match environment.state() {
        EnvironmentState::Ready => return true,
        EnvironmentState::Missing | EnvironmentState::Interrupted => {}
        EnvironmentState::MovedFrom(before) => {
            eprintln!("  it was moved here from {}; making it again", before.display());
        }
        EnvironmentState::WithoutPython => {
            eprintln!("  the Python it was made with no longer exists; making it again")
        }
        EnvironmentState::OtherTorch(found) => {
            eprintln!("  it contains libtorch {found} instead of {TORCH}; making it again");
        }
    }
    false
}

/// Makes the environment and installs its packages.
fn make(environment: &PythonEnvironment, paths: &Paths, provided: &Provided) -> Result<()> {
    if let Some(why) = why_conda_is_unused() {
        eprintln!("{why}; set-up makes its own environment");
    }
    if let Some(why) = torch_build::choose(&paths.home)?.why_not_cuda {
        eprintln!("there is an NVIDIA driver, but {why}");
    }
    let wheels = provided.wheels.as_deref();
    let PythonEnvironment { folder, build, .. } = environment;
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn an_environment_has_a_state() {
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
    fn a_moved_environment_names_its_old_path() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| PythonEnvironment {
            folder: home.path().join(name),
            build: TorchBuild::Cpu,
            active: None,
        };
        let (here, before) = (at("here"), home.path().join("before"));
        std::fs::create_dir(&here.folder).unwrap();
        let set_path = |path: &Path| {
            std::fs::write(here.folder.join(COMPLETE), path.to_string_lossy().as_bytes()).unwrap();
        };
        set_path(&before);
        assert_eq!(here.state(), EnvironmentState::MovedFrom(before.clone()));
        std::fs::create_dir(&before).unwrap();
        assert_eq!(here.state(), EnvironmentState::MovedFrom(before), "it is a copy");
        set_path(&here.folder);
        assert_eq!(here.state(), EnvironmentState::WithoutPython);
        set_path(Path::new(""));
        assert_eq!(here.state(), EnvironmentState::WithoutPython, "an empty file");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&here.folder, home.path().join("link")).unwrap();
            set_path(&here.folder);
            assert_eq!(
                at("link").state(),
                EnvironmentState::WithoutPython,
                "it is the same folder"
            );
        }
    }
}
