//! Which libtorch a machine gets: the one for the processor, or the one with CUDA.

use super::nvidia;
use crate::common::files::write_file;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// The libtorch that belongs to the version of `tch` in use.
pub const TORCH: &str = "2.11.0";

/// Which libtorch goes into the environment.
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

    /// The lock file that names its packages, and how pip has to read it.
    pub fn lock_file(self) -> &'static str {
        match self {
            TorchBuild::Cpu => "libtorch-cpu.txt",
            TorchBuild::Cuda => "libtorch-cuda.txt",
        }
    }

    /// What pip has to be told: the lean one leaves out what only Python needs, so its dependencies
    /// are not followed.
    pub fn pip_options(self) -> &'static [&'static str] {
        match self {
            TorchBuild::Cpu => &["--no-deps"],
            TorchBuild::Cuda => &[],
        }
    }
}

/// What was chosen for this machine.
#[derive(Debug, PartialEq)]
pub struct Choice {
    pub build: TorchBuild,
    /// Why it is not CUDA, though there is an NVIDIA driver and nobody has asked for the processor.
    pub why_not_cuda: Option<String>,
}

/// What `TCHALK_LIBTORCH` says; or else what the NVIDIA driver and an earlier bundle have decided.
pub fn choose(home: &Path) -> Result<Choice> {
    let driver = || if cfg!(target_os = "linux") { nvidia::driver() } else { None };
    decide(&wanted(), driver, is_remembered(home))
}

fn wanted() -> String {
    std::env::var("TCHALK_LIBTORCH").unwrap_or_default()
}

fn decide(
    wanted: &str,
    driver: impl FnOnce() -> Option<String>,
    bundle_has_none: bool,
) -> Result<Choice> {
    let choice = |build, why_not_cuda| Ok(Choice { build, why_not_cuda });
    match wanted {
        "cpu" => choice(TorchBuild::Cpu, None),
        "cuda" => choice(TorchBuild::Cuda, None),
        "" => match driver() {
            None => choice(TorchBuild::Cpu, None),
            Some(version) if nvidia::is_too_old(&version) => {
                let why = format!(
                    "the driver {version} is older than {}, which CUDA 13 needs, so libtorch is the \
                     one for the processor (\"An older driver\" in docs/gpu.md has a way)",
                    nvidia::OLDEST
                );
                choice(TorchBuild::Cpu, Some(why))
            }
            Some(_) if bundle_has_none => choice(TorchBuild::Cpu, Some(BUNDLE_WITHOUT_CUDA.into())),
            Some(_) => choice(TorchBuild::Cuda, None),
        },
        other => bail!("TCHALK_LIBTORCH: expected cpu, cuda or environment, got {other:?}"),
    }
}

const BUNDLE_WITHOUT_CUDA: &str = "the bundle has brought the libtorch for the processor alone (where there is a \
                       network, TCHALK_LIBTORCH=cuda cargo xtask setup fetches the other)";

/// Remembers, in the cache, that a bundle had nothing for the machine's GPU.
const BUNDLE_FILE: &str = "libtorch-of-bundle";

fn is_remembered(home: &Path) -> bool {
    std::fs::read_to_string(home.join(BUNDLE_FILE)).is_ok_and(|it| it == TorchBuild::Cpu.name())
}

/// From now on the driver alone decides again.
pub fn forget_bundle(home: &Path) -> Result<()> {
    match std::fs::remove_file(home.join(BUNDLE_FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {BUNDLE_FILE} in {}", home.display()))
        }
        _ => Ok(()),
    }
}

/// Makes do with what a bundle holds, now and later, when it is no longer there.
///
/// # Errors
///
/// If `TCHALK_LIBTORCH` asks for what it does not hold.
pub fn choose_from(home: &Path, held: &[TorchBuild]) -> Result<()> {
    settle(home, &wanted(), choose(home)?.build, held)
}

fn settle(home: &Path, wanted: &str, build: TorchBuild, held: &[TorchBuild]) -> Result<()> {
    if held.contains(&build) {
        return Ok(());
    }
    if !wanted.is_empty() {
        bail!(
            "TCHALK_LIBTORCH={wanted}, and the bundle holds no such libtorch: unset it, or make the \
             bundle with --cuda"
        );
    }
    write_file(&home.join(BUNDLE_FILE), TorchBuild::Cpu.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(wanted: &str, driver: Option<&str>, bundle_has_none: bool) -> Choice {
        decide(wanted, || driver.map(str::to_owned), bundle_has_none).unwrap()
    }

    #[test]
    fn the_driver_decides_where_nobody_has_asked_for_anything() {
        assert_eq!(build("", Some("580.95.05"), false).build, TorchBuild::Cuda);
        assert_eq!(build("", Some(""), false).build, TorchBuild::Cuda, "its version is not told");
        assert_eq!(build("", None, false), Choice { build: TorchBuild::Cpu, why_not_cuda: None });
        assert_eq!(build("cpu", Some("580.95.05"), false).build, TorchBuild::Cpu);
        assert_eq!(build("cuda", None, true).build, TorchBuild::Cuda);
        let error = decide("gpu", || None, false).unwrap_err().to_string();
        assert!(error.contains("got \"gpu\""), "{error}");
    }

    #[test]
    fn an_older_driver_and_a_bundle_without_cuda_leave_the_processor_and_it_is_said_why() {
        let old = build("", Some("550.54.15"), false);
        assert_eq!(old.build, TorchBuild::Cpu);
        assert!(old.why_not_cuda.unwrap().contains("550.54.15 is older than 580"));
        let bundle = build("", Some("580.95.05"), true);
        assert_eq!(bundle.build, TorchBuild::Cpu);
        assert!(bundle.why_not_cuda.unwrap().contains("the bundle"));
        assert_eq!(build("", None, true).why_not_cuda, None, "nothing was passed over");
    }

    #[test]
    fn what_a_bundle_lacked_is_remembered_until_it_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let settle =
            |wanted, held: &[TorchBuild]| settle(home.path(), wanted, TorchBuild::Cuda, held);
        settle("", &TorchBuild::ALL).unwrap();
        assert!(!is_remembered(home.path()), "it has what the machine can use");
        let error = settle("cuda", &[TorchBuild::Cpu]).unwrap_err().to_string();
        assert!(error.contains("with --cuda") && !is_remembered(home.path()), "{error}");
        settle("", &[TorchBuild::Cpu]).unwrap();
        assert!(is_remembered(home.path()));
        forget_bundle(home.path()).unwrap();
        forget_bundle(home.path()).unwrap();
        assert!(!is_remembered(home.path()));
    }
}
