//! The list of everything outside the project that would make set-up or a notebook fail later. Set-up checks it
//! before it begins anything long, and doctor prints it.

mod cargo;
mod finding;
mod folders;
mod memory;
mod missing;
mod others;
mod pip;
mod tools;

pub use finding::{Finding, Line, count_faults, format_line, to_fix};
pub use missing::MissingParts;

use crate::common::files::free_gb;
use crate::common::paths::{Paths, data_folder};
use crate::common::variables::Variables;
use crate::setup::disk_requirements;
use crate::setup::provided::Provided;
use crate::setup::python_environment;
use Finding::{Bad, Good, Note};
use anyhow::{Result, bail};

/// Checks everything that the missing parts need, and changes nothing.
pub fn check(
    paths: &Paths,
    provided: &Provided,
    missing: &MissingParts,
    variables: &Variables,
) -> Vec<Line> {
    let environment = python_environment::environment(paths).ok();
    let makes_one = environment.as_ref().is_none_or(|it| it.active.is_none());
    let torch = environment.and_then(|environment| environment.torch().ok());
    // With a bundle's folder of packages pip needs no other settings.
    let installs = missing.environment && provided.wheels.is_none();
    let checks: [(&'static str, Vec<Finding>); 13] = [
        ("Rust", vec![tools::rust()]),
        ("compiler", vec![tools::compiler(missing.glue)]),
        ("Python", vec![tools::python(makes_one)]),
        ("pip", pip::findings(variables, installs)),
        ("folders", folders::findings(paths, variables, missing.is_nothing())),
        ("disk", vec![disk(paths, provided)]),
        ("memory", vec![memory::finding(missing)]),
        ("cargo's settings", cargo::findings(paths, variables)),
        ("other libtorch", others::libtorch(variables, torch.as_deref())),
        ("Evcxr's settings", vec![others::evcxr(paths, variables)]),
        ("linker", vec![others::linkers(variables)]),
        ("budget", vec![others::budget(variables)]),
        ("data", vec![folders::data(paths, data_folder().as_deref())]),
    ];
    let lines =
        checks.into_iter().map(|(name, findings)| findings.into_iter().map(move |it| (name, it)));
    lines.flatten().collect()
}

/// An error with all faults, if there are any.
pub fn require(lines: &[Line]) -> Result<()> {
    let bad: Vec<String> =
        lines.iter().filter(|(_, finding)| matches!(finding, Bad(..))).map(format_line).collect();
    match bad.is_empty() {
        true => Ok(()),
        false => bail!(
            "set-up has not begun\n{}\n{}; `cargo xtask doctor` checks again",
            bad.join("\n"),
            to_fix(bad.len())
        ),
    }
}

fn disk(paths: &Paths, provided: &Provided) -> Finding {
    // Notebooks need space, too: their sessions are in the cache.
    match (disk_requirements::shortage(paths, provided, 1.0), free_gb(&paths.home)) {
        (Ok(Some(shortage)), _) => Bad(shortage, disk_requirements::REMEDY.into()),
        (_, Some(free)) => Good(format!("{free:.0} GB free at {}", paths.home.display())),
        (_, None) => Note("free space unknown".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_allowed_and_a_fault_is_an_error() {
        let mut lines = vec![("a", Good("x".into())), ("b", Note("y".into()))];
        assert!(require(&lines).is_ok());
        lines.push(("c", Bad("what is wrong".into(), "the remedy".into())));
        let error = require(&lines).unwrap_err().to_string();
        assert!(error.contains("what is wrong") && error.contains("the remedy"), "{error}");
    }

    #[test]
    fn an_unknown_budget_is_in_the_list() {
        let paths = Paths::find().unwrap();
        let variables: Variables = [("TCHALK_BUDGET", "laptop")].into_iter().collect();
        let missing = MissingParts { environment: false, glue: false, kernel: false };
        let lines = check(&paths, &Provided::none(), &missing, &variables);
        let found = lines.iter().find(|(name, _)| *name == "budget").unwrap();
        assert!(matches!(found, (_, Bad(..))));
    }
}
