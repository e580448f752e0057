//! The machine's Python, with which environments are made.

use super::torch_build::TORCH;
use crate::common::process::first_line;
use anyhow::{Result, bail};

/// The oldest and the newest Python for which all locked packages exist; libtorch has the narrowest range.
const SUPPORTED: [(u32, u32); 2] = [(3, 10), (3, 14)];

/// The names that Python may have, the usual ones first.
const NAMES: [&str; 7] =
    ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];

/// Its name and version.
pub fn find() -> Result<(String, (u32, u32))> {
    choose(NAMES.into_iter().map(|name| (name, first_line(name, &["--version"]))))
}

/// The first Python that is neither too old nor too new, from names and the output of `--version`.
fn choose(
    answers: impl Iterator<Item = (&'static str, Option<String>)>,
) -> Result<(String, (u32, u32))> {
    let [oldest, newest] = SUPPORTED;
    let mut unfit = None;
    for (name, text) in answers {
        match text.as_deref().and_then(version) {
            Some(version) if (oldest..=newest).contains(&version) => {
                return Ok((name.into(), version));
            }
            Some(version) => unfit = unfit.or(Some(version)),
            None => {}
        }
    }
    let span = format!("3.{} to 3.{}", oldest.1, newest.1);
    let packages = "(Debian, Ubuntu: `sudo apt install python3 python3-venv`)";
    match unfit {
        None => bail!("there is no Python: install Python {span} {packages}"),
        Some((major, minor)) if (major, minor) < oldest => {
            bail!("Python {major}.{minor} is too old: install {span} {packages}")
        }
        Some((major, minor)) => bail!(
            "Python {major}.{minor} is too new, as libtorch {TORCH} exists for {span}: install one of \
             these beside it, with its venv module; it is found under its name, such as `python3.{}`",
            newest.1
        ),
    }
}

/// `(3, 11)` of `Python 3.11.7`.
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("Python ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(version("Python 3.11.7"), Some((3, 11)));
        assert!(version("Python 3.9.2").unwrap() < SUPPORTED[0]);
        assert!(version("Python 3.10.0rc1").unwrap() >= SUPPORTED[0]);
        assert_eq!(version("nonsense"), None);
    }

    fn chosen(answers: &[(&'static str, &str)]) -> Result<(String, (u32, u32))> {
        choose(answers.iter().map(|&(name, text)| (name, Some(text.to_owned()))))
    }

    #[test]
    fn the_first_suitable_python_is_chosen() {
        for unfit in ["Python 3.9.2", "Python 3.15.0", "Python 4.0.0"] {
            let found = chosen(&[("python3", unfit), ("python3.12", "Python 3.12.1")]);
            assert_eq!(found.unwrap(), ("python3.12".into(), (3, 12)));
        }
        assert!(chosen(&[("python3", "Python 3.10.0")]).is_ok());
        assert!(chosen(&[("python3", "Python 3.14.2")]).is_ok());
    }

    #[test]
    fn without_a_suitable_python_the_error_names_one() {
        let error = |answers| chosen(answers).unwrap_err().to_string();
        let old = error(&[("python3", "Python 3.9.2")]);
        assert!(old.starts_with("Python 3.9 is too old: install 3.10 to 3.14 (Debian"), "{old}");
        let new = error(&[("python3", "Python 3.15.0")]);
        assert!(
            new.starts_with("Python 3.15 is too new, as libtorch 2.11.0 exists for 3.10 to 3.14")
        );
        assert!(new.contains("`python3.14`"), "{new}");
        assert!(error(&[("python", "")]).starts_with("there is no Python: install Python 3.10 to"));
    }
}
