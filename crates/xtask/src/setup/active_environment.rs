//! The active Python environment: conda's, or that of a cloud machine.
//!
//! If it has the libtorch that tch needs, libtorch is not downloaded a second time.

use super::interpreter;
use super::torch_build::TORCH;
use crate::common::process::first_line;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An active environment with the right libtorch.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveEnvironment {
    pub python: PathBuf,
    /// The folder of its programs, such as `jupyter`.
    pub programs: PathBuf,
    /// Its folder, Python's `sys.prefix`.
    pub prefix: PathBuf,
    /// The folder with libtorch's `lib` and `include`.
    pub torch: PathBuf,
    /// The text of torch's `version.py`: version, CUDA, commit.
    pub version_file: String,
    pub has_lab: bool,
}

/// Prints a Python's folders without importing anything large.
const SCRIPT: &str = "\
import importlib.util as util, sys, sysconfig
torch = util.find_spec('torch')
print(sys.executable)
print(sysconfig.get_path('scripts'))
print(sys.prefix)
print(next(iter(torch.submodule_search_locations)) if torch else '')
print(bool(util.find_spec('jupyterlab')))";

impl ActiveEnvironment {
    /// The environment of the Python that is found first; the error says why it is not used.
    pub fn find() -> Result<ActiveEnvironment> {
        let (python, _) = interpreter::find()?;
        let output = Command::new(&python)
            .args(["-c", SCRIPT])
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {python}"))?;
        ActiveEnvironment::read(&String::from_utf8_lossy(&output.stdout))
    }

    fn read(answer: &str) -> Result<ActiveEnvironment> {
        let lines: Vec<&str> = answer.lines().collect();
        let [python, programs, prefix, package, has_lab] = lines[..] else {
            bail!("its Python does not print where its packages are");
        };
        let (prefix, package) = (Path::new(prefix), Path::new(package));
        let version_file = std::fs::read_to_string(package.join("version.py")).unwrap_or_default();
        let Some(version) = value_of(&version_file, "__version__") else {
            bail!("{} has no torch", prefix.display());
        };
        if version.split('+').next() != Some(TORCH) {
            bail!("{} has torch {version}, and tch 0.24 needs {TORCH}", prefix.display());
        }
        // conda keeps libtorch in its own `lib`; the package has only links to it.
        let torch = [prefix, package].into_iter().find(|folder| {
            folder.join("lib/libtorch_cpu.so").exists()
                && folder.join("include/torch/csrc/api/include").is_dir()
        });
        let torch = torch.with_context(|| {
            format!("{} has torch {version} without libtorch's headers", prefix.display())
        })?;
        Ok(ActiveEnvironment {
            python: python.into(),
            programs: programs.into(),
            prefix: prefix.into(),
            torch: torch.into(),
            version_file: version_file.clone(),
            has_lab: has_lab == "True",
        })
    }

    /// torch's version, `2.11.0+cu130`.
    pub fn version(&self) -> &str {
        value_of(&self.version_file, "__version__").unwrap_or(TORCH)
    }

    /// Whether its libtorch was built for NVIDIA GPUs.
    pub fn is_built_for_cuda(&self) -> bool {
        value_of(&self.version_file, "cuda").is_some_and(|cuda| cuda != "None")
            && self.torch.join("lib/libtorch_cuda.so").exists()
    }

    /// Whether its libtorch computes on an NVIDIA GPU. Without the packages that CUDA needs it does not load
    /// completely, and still works on the CPU.
    pub fn has_cuda(&self) -> bool {
        self.is_built_for_cuda() && first_line(&self.python, &["-c", "import torch"]).is_some()
    }
}

/// The value in a line such as `cuda: Optional[str] = '13.0'`.
pub fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (kind, value) = rest.split_once('=')?;
        let is_this_name = kind.trim().is_empty() || kind.starts_with(':');
        is_this_name.then(|| value.trim().trim_matches('\''))
    })
}

/// The folder of the active conda environment, if there is one, and whether it can be used.
pub fn conda() -> Option<(PathBuf, Result<ActiveEnvironment>)> {
    let folder = std::env::var_os("CONDA_PREFIX").filter(|folder| !folder.is_empty())?;
    let folder = PathBuf::from(folder);
    let found = ActiveEnvironment::find().and_then(|active| fits_conda(active, &folder));
    Some((folder, found))
}

fn fits_conda(active: ActiveEnvironment, folder: &Path) -> Result<ActiveEnvironment> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if real(&active.prefix) != real(folder) {
        bail!("the Python that is found first, {}, is not its own", active.python.display());
    }
    if !active.has_lab {
        bail!("it has no JupyterLab: conda install jupyterlab");
    }
    Ok(active)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: &str = "from typing import Optional\n\n__version__ = '2.11.0+cu130'\ndebug = False\n\
                         cuda: Optional[str] = '13.0'\ngit_version = 'abc'\nhip: Optional[str] = None\n";

    /// An environment with a torch, without its contents.
    fn environment(about: &str, headers: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("lib/python3.12/site-packages/torch");
        std::fs::create_dir_all(package.join("lib")).unwrap();
        std::fs::create_dir_all(folder.path().join(headers)).unwrap();
        std::fs::write(package.join("version.py"), about).unwrap();
        std::fs::write(package.join("lib/libtorch_cpu.so"), "").unwrap();
        std::fs::write(folder.path().join("lib/libtorch_cpu.so"), "").unwrap();
        folder
    }

    fn answer(folder: &Path) -> String {
        let folder = folder.display();
        format!(
            "{folder}/bin/python\n{folder}/bin\n{folder}\n\
             {folder}/lib/python3.12/site-packages/torch\nTrue\n"
        )
    }

    const OF_PACKAGE: &str = "lib/python3.12/site-packages/torch/include/torch/csrc/api/include";

    #[test]
    fn the_torch_of_a_wheel_and_of_conda_is_found() {
        let wheel = environment(ABOUT, OF_PACKAGE);
        let active = ActiveEnvironment::read(&answer(wheel.path())).unwrap();
        assert_eq!((active.version(), active.has_lab), ("2.11.0+cu130", true));
        assert!(active.torch.ends_with("site-packages/torch"));
        let conda = environment(ABOUT, "include/torch/csrc/api/include");
        assert_eq!(ActiveEnvironment::read(&answer(conda.path())).unwrap().torch, conda.path());
    }

    #[test]
    fn a_wrong_torch_is_an_error_that_says_why() {
        let error = |about: &str, headers: &str| {
            let folder = environment(about, headers);
            ActiveEnvironment::read(&answer(folder.path())).unwrap_err().to_string()
        };
        let other = ABOUT.replace("2.11.0+cu130", "2.9.1+cu126");
        assert!(error(&other, OF_PACKAGE).contains("torch 2.9.1+cu126, and tch 0.24 needs 2.11.0"));
        assert!(error("", OF_PACKAGE).contains("has no torch"));
        assert!(error(ABOUT, "include").contains("without libtorch's headers"));
        assert!(ActiveEnvironment::read("").is_err());
    }

    #[test]
    fn a_python_outside_conda_is_an_error() {
        let folder = environment(ABOUT, OF_PACKAGE);
        let active = ActiveEnvironment::read(&answer(folder.path())).unwrap();
        assert!(fits_conda(active.clone(), folder.path()).is_ok());
        let error = fits_conda(active.clone(), Path::new("/elsewhere")).unwrap_err();
        assert!(error.to_string().contains("not its own"));
        let bare = ActiveEnvironment { has_lab: false, ..active };
        assert!(fits_conda(bare, folder.path()).unwrap_err().to_string().contains("JupyterLab"));
    }

    #[test]
    fn a_name_is_matched_as_a_whole() {
        assert_eq!(value_of(ABOUT, "cuda"), Some("13.0"));
        assert_eq!(value_of("cudax = '1'\ncuda: Optional[str] = None\n", "cuda"), Some("None"));
    }
}
