//! Which build of libtorch a machine gets: for the CPU, or with CUDA.

use super::nvidia;
use crate::common::files::write_file;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// The version of libtorch that the `tch` in use needs.
pub const TORCH: &str = "2.11.0";

/// A build of libtorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TorchBuild {
    Cpu,
    Cuda,
}

impl TorchBuild {
    pub const ALL: [TorchBuild; 2] = [TorchBuild::Cpu, TorchBuild::Cuda];

    pub fn name(self) -> &'static str {
        match self {
            TorchBuild::Cpu => "cpu",
            TorchBuild::Cuda => "cuda",
        }
    }

    /// The lock file with its packages.
    pub fn lock_file(self) -> &'static str {
        match self {
            TorchBuild::Cpu => "libtorch-cpu.txt",
            TorchBuild::Cuda => "libtorch-cuda.txt",
        }
    }

    /// pip's options for it. The lock file for the CPU leaves out what only Python needs, so pip must not follow
    /// dependencies.
    pub fn pip_options(self) -> &'static [&'static str] {
        match self {
            TorchBuild::Cpu => &["--no-deps"],
            TorchBuild::Cuda => &[],
        }
    }
}

/// The build for this machine.
#[derive(Debug, PartialEq)]
pub struct Choice {
    pub build: TorchBuild,
    /// Why it is not the build with CUDA, if there is an NVIDIA driver and the user has not asked for the CPU.
    pub why_not_cuda: Option<String>,
}

/// The build that `TCHALK_LIBTORCH` names, or else the one that fits the NVIDIA driver and an earlier bundle.
pub fn choose(home: &Path) -> Result<Choice> {
    let driver = || if cfg!(target_os = "linux") { nvidia::driver() } else { None };
    decide(&requested(), driver, bundle_had_only_cpu(home))
}

fn requested() -> String {
    std::env::var("TCHALK_LIBTORCH").unwrap_or_default()
}

fn decide(
    requested: &str,
    driver: impl FnOnce() -> Option<String>,
    bundle_had_only_cpu: bool,
) -> Result<Choice> {
    let choice = |build, why_not_cuda| Ok(Choice { build, why_not_cuda });
    match requested {
        "cpu" => choice(TorchBuild::Cpu, None),
        "cuda" => choice(TorchBuild::Cuda, None),
        "" => match driver() {
            None => choice(TorchBuild::Cpu, None),
            Some(version) if nvidia::is_too_old(&version) => {
                let why = format!(
                    "the driver {version} is older than {}, which CUDA 13 needs, so libtorch is the \
                     build for the CPU (\"An older driver\" in docs/gpu.md has a way)",
                    nvidia::OLDEST
                );
                choice(TorchBuild::Cpu, Some(why))
            }
            Some(_) if bundle_had_only_cpu => {
                choice(TorchBuild::Cpu, Some(BUNDLE_WITHOUT_CUDA.into()))
            }
            Some(_) => choice(TorchBuild::Cuda, None),
        },
        other => bail!("TCHALK_LIBTORCH: expected cpu, cuda or environment, got {other:?}"),
    }
}

const BUNDLE_WITHOUT_CUDA: &str = "the bundle has brought only the libtorch for the CPU (where there is a \
                       network, TCHALK_LIBTORCH=cuda cargo xtask setup fetches the other)";

/// The file in the cache that says that a bundle had no build with CUDA.
const BUNDLE_FILE: &str = "libtorch-of-bundle";

fn bundle_had_only_cpu(home: &Path) -> bool {
    std::fs::read_to_string(home.join(BUNDLE_FILE)).is_ok_and(|it| it == TorchBuild::Cpu.name())
}

/// Removes that file: from now on the driver decides.
pub fn forget_bundle(home: &Path) -> Result<()> {
    match std::fs::remove_file(home.join(BUNDLE_FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {BUNDLE_FILE} in {}", home.display()))
        }
        _ => Ok(()),
    }
}

/// Chooses among the builds of a bundle. The choice is kept in the cache for the time without the bundle.
///
/// # Errors
///
/// If `TCHALK_LIBTORCH` names a build that the bundle does not have.
pub fn choose_from(home: &Path, held: &[TorchBuild]) -> Result<()> {
    save_choice(home, &requested(), choose(home)?.build, held)
}

fn save_choice(home: &Path, requested: &str, build: TorchBuild, held: &[TorchBuild]) -> Result<()> {
    if held.contains(&build) {
        return Ok(());
    }
    if !requested.is_empty() {
        bail!(
            "TCHALK_LIBTORCH={requested}, and the bundle has no such libtorch: unset it, or make the \
             bundle with --cuda"
        );
    }
    write_file(&home.join(BUNDLE_FILE), TorchBuild::Cpu.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(requested: &str, driver: Option<&str>, bundle_had_only_cpu: bool) -> Choice {
        decide(requested, || driver.map(str::to_owned), bundle_had_only_cpu).unwrap()
    }

    #[test]
    fn the_driver_decides_if_the_user_has_not() {
        assert_eq!(choice("", Some("580.95.05"), false).build, TorchBuild::Cuda);
        assert_eq!(choice("", Some(""), false).build, TorchBuild::Cuda, "the version is unknown");
        assert_eq!(choice("", None, false), Choice { build: TorchBuild::Cpu, why_not_cuda: None });
        assert_eq!(choice("cpu", Some("580.95.05"), false).build, TorchBuild::Cpu);
        assert_eq!(choice("cuda", None, true).build, TorchBuild::Cuda);
        let error = decide("gpu", || None, false).unwrap_err().to_string();
        assert!(error.contains("got \"gpu\""), "{error}");
    }

    #[test]
    fn an_older_driver_and_a_bundle_without_cuda_give_the_cpu_and_a_reason() {
        let old = choice("", Some("550.54.15"), false);
        assert_eq!(old.build, TorchBuild::Cpu);
        assert!(old.why_not_cuda.unwrap().contains("550.54.15 is older than 580"));
        let bundle = choice("", Some("580.95.05"), true);
        assert_eq!(bundle.build, TorchBuild::Cpu);
        assert!(bundle.why_not_cuda.unwrap().contains("the bundle"));
        assert_eq!(choice("", None, true).why_not_cuda, None, "there is no GPU");
    }

    #[test]
    fn a_bundle_without_cuda_decides_until_its_file_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let save = |requested, held: &[TorchBuild]| {
            save_choice(home.path(), requested, TorchBuild::Cuda, held)
        };
        save("", &TorchBuild::ALL).unwrap();
        assert!(!bundle_had_only_cpu(home.path()), "it has the build that fits");
        let error = save("cuda", &[TorchBuild::Cpu]).unwrap_err().to_string();
        assert!(error.contains("with --cuda") && !bundle_had_only_cpu(home.path()), "{error}");
        save("", &[TorchBuild::Cpu]).unwrap();
        assert!(bundle_had_only_cpu(home.path()));
        forget_bundle(home.path()).unwrap();
        forget_bundle(home.path()).unwrap();
        assert!(!bundle_had_only_cpu(home.path()));
    }
}
