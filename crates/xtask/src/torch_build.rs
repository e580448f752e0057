//! Which libtorch a machine gets: the one for the processor, or the one with CUDA.

use crate::nvidia;
use crate::step::whole_file;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Which libtorch goes into the environment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flavour {
    Cpu,
    Cuda,
}

impl Flavour {
    pub const ALL: [Flavour; 2] = [Flavour::Cpu, Flavour::Cuda];

    pub fn name(self) -> &'static str {
        match self {
            Flavour::Cpu => "cpu",
            Flavour::Cuda => "cuda",
        }
    }

    /// The lock file that names its packages, and how pip has to read it.
    pub fn lock_file(self) -> &'static str {
        match self {
            Flavour::Cpu => "libtorch-cpu.txt",
            Flavour::Cuda => "libtorch-cuda.txt",
        }
    }

    /// What pip has to be told: the lean one leaves out what only Python needs, so its dependencies
    /// are not followed.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Flavour::Cpu => &["--no-deps"],
            Flavour::Cuda => &[],
        }
    }
}

/// What was chosen for this machine.
#[derive(Debug, PartialEq)]
pub struct Choice {
    pub flavour: Flavour,
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
    let choice = |flavour, passed_over| Ok(Choice { flavour, passed_over });
    match wanted {
        "cpu" => choice(Flavour::Cpu, None),
        "cuda" => choice(Flavour::Cuda, None),
        "" => match driver() {
            None => choice(Flavour::Cpu, None),
            Some(version) if nvidia::is_too_old(&version) => {
                let why = format!(
                    "the driver {version} is older than {}, which CUDA 13 needs, so libtorch is the \
                     one for the processor (\"An older driver\" in docs/gpu.md has a way)",
                    nvidia::OLDEST
                );
                choice(Flavour::Cpu, Some(why))
            }
            Some(_) if bundle_has_none => choice(Flavour::Cpu, Some(WITHOUT.into())),
            Some(_) => choice(Flavour::Cuda, None),
        },
        other => bail!("TCHALK_LIBTORCH: expected cpu, cuda or environment, got {other:?}"),
    }
}

const WITHOUT: &str = "the bundle has brought the libtorch for the processor alone (where there is a \
                       network, TCHALK_LIBTORCH=cuda cargo xtask setup fetches the other)";

/// Remembers, in the cache, that a bundle had nothing for the machine's GPU.
const REMEMBERED: &str = "libtorch-of-bundle";

fn is_remembered(home: &Path) -> bool {
    std::fs::read_to_string(home.join(REMEMBERED)).is_ok_and(|it| it == Flavour::Cpu.name())
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
pub fn choose_from(home: &Path, held: &[Flavour]) -> Result<()> {
    settle(home, &wanted(), of_machine(home)?.flavour, held)
}

fn settle(home: &Path, wanted: &str, flavour: Flavour, held: &[Flavour]) -> Result<()> {
    if held.contains(&flavour) {
        return Ok(());
    }
    if !wanted.is_empty() {
        bail!(
            "TCHALK_LIBTORCH={wanted}, and the bundle holds no such libtorch: unset it, or make the \
             bundle with --cuda"
        );
    }
    whole_file(&home.join(REMEMBERED), Flavour::Cpu.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flavour(wanted: &str, driver: Option<&str>, bundle_has_none: bool) -> Choice {
        choose(wanted, || driver.map(str::to_owned), bundle_has_none).unwrap()
    }

    #[test]
    fn the_driver_decides_where_nobody_has_asked_for_anything() {
        assert_eq!(flavour("", Some("580.95.05"), false).flavour, Flavour::Cuda);
        assert_eq!(flavour("", Some(""), false).flavour, Flavour::Cuda, "its version is not told");
        assert_eq!(flavour("", None, false), Choice { flavour: Flavour::Cpu, passed_over: None });
        assert_eq!(flavour("cpu", Some("580.95.05"), false).flavour, Flavour::Cpu);
        assert_eq!(flavour("cuda", None, true).flavour, Flavour::Cuda);
        let error = choose("gpu", || None, false).unwrap_err().to_string();
        assert!(error.contains("got \"gpu\""), "{error}");
    }

    #[test]
    fn an_older_driver_and_a_bundle_without_cuda_leave_the_processor_and_it_is_said_why() {
        let old = flavour("", Some("550.54.15"), false);
        assert_eq!(old.flavour, Flavour::Cpu);
        assert!(old.passed_over.unwrap().contains("550.54.15 is older than 580"));
        let bundle = flavour("", Some("580.95.05"), true);
        assert_eq!(bundle.flavour, Flavour::Cpu);
        assert!(bundle.passed_over.unwrap().contains("the bundle"));
        assert_eq!(flavour("", None, true).passed_over, None, "nothing was passed over");
    }

    #[test]
    fn what_a_bundle_lacked_is_remembered_until_it_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let settle = |wanted, held: &[Flavour]| settle(home.path(), wanted, Flavour::Cuda, held);
        settle("", &Flavour::ALL).unwrap();
        assert!(!is_remembered(home.path()), "it has what the machine can use");
        let error = settle("cuda", &[Flavour::Cpu]).unwrap_err().to_string();
        assert!(error.contains("with --cuda") && !is_remembered(home.path()), "{error}");
        settle("", &[Flavour::Cpu]).unwrap();
        assert!(is_remembered(home.path()));
        forget(home.path()).unwrap();
        forget(home.path()).unwrap();
        assert!(!is_remembered(home.path()));
    }
}
