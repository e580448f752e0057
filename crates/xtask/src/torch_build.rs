//! Which libtorch a machine gets: the one for the processor, or the one with CUDA.

use crate::nvidia;
use crate::step::whole_file;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Which libtorch goes into the environment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flavor {
    Cpu,
    Cuda,
}

impl Flavor {
    pub const ALL: [Flavor; 2] = [Flavor::Cpu, Flavor::Cuda];

    pub fn name(self) -> &'static str {
        match self {
            Flavor::Cpu => "cpu",
            Flavor::Cuda => "cuda",
        }
    }

    /// The lock file that names its packages, and how pip has to read it.
    pub fn lock_file(self) -> &'static str {
        match self {
            Flavor::Cpu => "libtorch-cpu.txt",
            Flavor::Cuda => "libtorch-cuda.txt",
        }
    }

    /// What pip has to be told: the lean one leaves out what only Python needs, so its dependencies
    /// are not followed.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Flavor::Cpu => &["--no-deps"],
            Flavor::Cuda => &[],
        }
    }
}

/// What was chosen for this machine.
#[derive(Debug, PartialEq)]
pub struct Choice {
    pub flavor: Flavor,
    /// Why it is not CUDA, though there is an NVIDIA driver and nobody has asked for the processor.
    pub passed_over: Option<String>,
}

/// What `TCHALK_LIBTORCH` says; or else what the NVIDIA driver and an earlier bundle have decided.
pub fn of_machine(home: &Path) -> Result<Choice> {
    let driver = || if cfg!(target_os = "linux") { nvidia::driver() } else { None };
    choose(&wanted(), driver, is_remembered(home))
}

fn wanted() -> String {
    std::env::var("TCHALK_LIBTORCH").unwrap_or_default()
}

fn choose(
    wanted: &str,
    driver: impl FnOnce() -> Option<String>,
    bundle_has_none: bool,
) -> Result<Choice> {
    let choice = |flavor, passed_over| Ok(Choice { flavor, passed_over });
    match wanted {
        "cpu" => choice(Flavor::Cpu, None),
        "cuda" => choice(Flavor::Cuda, None),
        "" => match driver() {
            None => choice(Flavor::Cpu, None),
            Some(version) if nvidia::is_too_old(&version) => {
                let why = format!(
                    "the driver {version} is older than {}, which CUDA 13 needs, so libtorch is the \
                     one for the processor (\"An older driver\" in docs/gpu.md has a way)",
                    nvidia::OLDEST
                );
                choice(Flavor::Cpu, Some(why))
            }
            Some(_) if bundle_has_none => choice(Flavor::Cpu, Some(WITHOUT.into())),
            Some(_) => choice(Flavor::Cuda, None),
        },
        other => bail!("TCHALK_LIBTORCH: expected cpu, cuda or environment, got {other:?}"),
    }
}

const WITHOUT: &str = "the bundle has brought the libtorch for the processor alone (where there is a \
                       network, TCHALK_LIBTORCH=cuda cargo xtask setup fetches the other)";

/// Remembers, in the cache, that a bundle had nothing for the machine's GPU.
const REMEMBERED: &str = "libtorch-of-bundle";

fn is_remembered(home: &Path) -> bool {
    std::fs::read_to_string(home.join(REMEMBERED)).is_ok_and(|it| it == Flavor::Cpu.name())
}

/// From now on the driver alone decides again.
pub fn forget(home: &Path) -> Result<()> {
    match std::fs::remove_file(home.join(REMEMBERED)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {REMEMBERED} in {}", home.display()))
        }
        _ => Ok(()),
    }
}

/// Makes do with what a bundle holds, now and later, when it is no longer there.
///
/// # Errors
///
/// If `TCHALK_LIBTORCH` asks for what it does not hold.
pub fn choose_from(home: &Path, held: &[Flavor]) -> Result<()> {
    settle(home, &wanted(), of_machine(home)?.flavor, held)
}

fn settle(home: &Path, wanted: &str, flavor: Flavor, held: &[Flavor]) -> Result<()> {
    if held.contains(&flavor) {
        return Ok(());
    }
    if !wanted.is_empty() {
        bail!(
            "TCHALK_LIBTORCH={wanted}, and the bundle holds no such libtorch: unset it, or make the \
             bundle with --cuda"
        );
    }
    whole_file(&home.join(REMEMBERED), Flavor::Cpu.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flavor(wanted: &str, driver: Option<&str>, bundle_has_none: bool) -> Choice {
        choose(wanted, || driver.map(str::to_owned), bundle_has_none).unwrap()
    }

    #[test]
    fn the_driver_decides_where_nobody_has_asked_for_anything() {
        assert_eq!(flavor("", Some("580.95.05"), false).flavor, Flavor::Cuda);
        assert_eq!(flavor("", Some(""), false).flavor, Flavor::Cuda, "its version is not told");
        assert_eq!(flavor("", None, false), Choice { flavor: Flavor::Cpu, passed_over: None });
        assert_eq!(flavor("cpu", Some("580.95.05"), false).flavor, Flavor::Cpu);
        assert_eq!(flavor("cuda", None, true).flavor, Flavor::Cuda);
        let error = choose("gpu", || None, false).unwrap_err().to_string();
        assert!(error.contains("got \"gpu\""), "{error}");
    }

    #[test]
    fn an_older_driver_and_a_bundle_without_cuda_leave_the_processor_and_it_is_said_why() {
        let old = flavor("", Some("550.54.15"), false);
        assert_eq!(old.flavor, Flavor::Cpu);
        assert!(old.passed_over.unwrap().contains("550.54.15 is older than 580"));
        let bundle = flavor("", Some("580.95.05"), true);
        assert_eq!(bundle.flavor, Flavor::Cpu);
        assert!(bundle.passed_over.unwrap().contains("the bundle"));
        assert_eq!(flavor("", None, true).passed_over, None, "nothing was passed over");
    }

    #[test]
    fn what_a_bundle_lacked_is_remembered_until_it_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let settle = |wanted, held: &[Flavor]| settle(home.path(), wanted, Flavor::Cuda, held);
        settle("", &Flavor::ALL).unwrap();
        assert!(!is_remembered(home.path()), "it has what the machine can use");
        let error = settle("cuda", &[Flavor::Cpu]).unwrap_err().to_string();
        assert!(error.contains("with --cuda") && !is_remembered(home.path()), "{error}");
        settle("", &[Flavor::Cpu]).unwrap();
        assert!(is_remembered(home.path()));
        forget(home.path()).unwrap();
        forget(home.path()).unwrap();
        assert!(!is_remembered(home.path()));
    }
}
