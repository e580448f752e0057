//! `cargo xtask test`: everything that must hold before a change is good.
//!
//! Unit tests are beside the code. Numbers are compared with PyTorch, Keras and scikit-learn:
//! `tests/reference/` of the library holds small files of values and the scripts that computed them
//! (`references`). `for_keras_users` is a page of the documentation: its right column is doctests, its
//! left one is run with Keras. Official data and weights are used where `TCHALK_DATA_DIR` has them; tests
//! without them are listed as skipped. The kernel's protocol tests act as Jupyter does, one of them in a
//! browser. The gallery is drawn and every notebook is executed. `architecture` holds ARCHITECTURE.md and
//! CONTRIBUTING.md against the code; `cloud` and `exercise` find editions of the notebooks that differ
//! from their source.

pub mod architecture;
pub mod cloud;
pub mod exercise;
mod test_counts;

use crate::common::cargo::cargo;
use crate::common::paths::{Paths, data_folder};
use crate::common::process::{first_line, run as run_command};
use crate::common::text::duration;
use crate::run::environment::environment;
use crate::run::examples;
use crate::run::notebooks::{execute, notebooks};
use crate::setup::kernel;
use crate::setup::{self, Ready, Register};
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::process::Command;
use std::time::Instant;
use test_counts::TestCounts;

/// A finished check: its name, its time, and its tests.
struct FinishedCheck {
    name: String,
    seconds: f64,
    counts: TestCounts,
}

#[derive(Default)]
struct Checks {
    finished: Vec<FinishedCheck>,
    /// Checks that cannot run here, and why.
    skipped: Vec<String>,
}

impl Checks {
    /// Runs a check that counts as one test; returns whether it passed.
    fn check(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> bool {
        self.count(name, || work().map(|()| TestCounts { passed: 1, ..TestCounts::default() }))
    }

    /// Runs a check that counts its own tests; returns whether all of them passed.
    fn count(&mut self, name: &str, work: impl FnOnce() -> Result<TestCounts>) -> bool {
        println!("\n── {name}");
        let begun = Instant::now();
        let counts = work().unwrap_or_else(|error| {
            println!("{error:#}");
            TestCounts { failed: 1, ..TestCounts::default() }
        });
        let passed = counts.failed == 0;
        let seconds = begun.elapsed().as_secs_f64();
        self.finished.push(FinishedCheck { name: name.into(), seconds, counts });
        passed
    }

    /// Prints a table; an error if anything failed.
    fn finish(self) -> Result<()> {
        println!("\n── what was checked");
        let mut sum = TestCounts { skipped: self.skipped, ..TestCounts::default() };
        for FinishedCheck { name, seconds, counts } in self.finished {
            let mark = if counts.failed == 0 { "ok    " } else { "FAILED" };
            println!("{mark}  {name:<48} {:>5}  {}", counts.passed, duration(seconds));
            sum.add(counts);
        }
        for skipped in &sum.skipped {
            println!("skipped {skipped}");
        }
        for failure in &sum.failures {
            println!("failed  {failure}");
        }
        println!("\n{sum}");
        if sum.failed > 0 {
            bail!("{} of {} tests failed", sum.failed, sum.failed + sum.passed);
        }
        Ok(())
    }
}

pub fn run(paths: &Paths) -> Result<()> {
    let mut checks = Checks::default();
    let mut ready = None;
    let set_up = checks.check("set-up", || {
        ready = Some(setup::run(paths, Register::CheckoutOnly)?);
        Ok(())
    });
    if let (true, Some(ready)) = (set_up, &ready) {
        let sound = check_code(paths, &mut checks);
        if sound {
            check_kernel(paths, ready, &mut checks);
            check_cloud(paths, ready, &mut checks);
            check_notebooks(paths, ready, &mut checks)?;
        }
    }
    checks.finish()
}

/// Formatting, lints, tests and documentation; stops at the first that fails, because the others would fail for
/// the same reason.
fn check_code(paths: &Paths, checks: &mut Checks) -> bool {
    let cargo = |arguments: &[&str]| {
        let mut cargo = cargo();
        cargo.args(arguments).current_dir(&paths.root);
        // Backtraces make the report long.
        cargo.env_remove("RUST_BACKTRACE");
        // Tests train for as long as they say, whatever the user's budget is.
        cargo.env("TCHALK_BUDGET", "full");
        cargo
    };
    // The kernel's dependencies take ten minutes to build, and are built in one target folder.
    let others = ["--workspace", "--exclude", kernel::PACKAGE, "--locked"];
    let strict = ["--all-targets", "--", "-D", "warnings"];
    checks.check("formatting", || run_command(&mut cargo(&["fmt", "--all", "--check"])))
        && checks.check("lints", || run_command(cargo(&["clippy"]).args(others).args(strict)))
        && checks.check("lints of the kernel", || {
            run_command(kernel::cargo(paths, "clippy").args(strict))
        })
        && checks.count("unit tests, integration tests, doctests", || {
            test_counts::run(cargo(&["test", "--no-fail-fast"]).args(others), &paths.target())
        })
        && checks.count("unit tests of the kernel", || {
            test_counts::run(&mut kernel::cargo(paths, "test"), &paths.target())
        })
        && checks.check("the exercise is up to date", || exercise::check(paths))
        && checks.check("the cloud's notebooks are up to date", || cloud::check(paths))
        && checks.check("the gallery of figures", || examples::draw_gallery(paths).map(drop))
        && checks.check("documentation", || {
            let document = ["doc", "--no-deps", "--locked", "--package", "tchalk"];
            run_command(cargo(&document).env("RUSTDOCFLAGS", "-D warnings"))
        })
}

/// The kernel's protocol tests.
fn check_kernel(paths: &Paths, ready: &Ready, checks: &mut Checks) {
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    if !browsers.iter().any(|browser| first_line(browser, &["--version"]).is_some()) {
        checks.skipped.push("a reader in a browser: there is no Chromium".into());
    }
    // No prewarmed kernel may run beside a test.
    let beside =
        [("TCHALK_PREWARM", OsString::from("0")), ("TCHALK_SCREENSHOTS", paths.pages().into())];
    checks.count("the kernel's protocol", || {
        run_python_tests(paths, ready, "crates/tchalk-kernel/tests/protocol", &beside)
    });
}

/// The set-up cell of the cloud's notebooks, and `%%rust` with the kernel.
fn check_cloud(paths: &Paths, ready: &Ready, checks: &mut Checks) {
    checks.count("the cloud's set-up cell", || run_python_tests(paths, ready, "cloud", &[]));
}

/// The Python tests in a folder of the checkout, with these variables.
fn run_python_tests(
    paths: &Paths,
    ready: &Ready,
    folder: &str,
    variables: &[(&str, OsString)],
) -> Result<TestCounts> {
    test_counts::run(
        Command::new(ready.environment.python())
            .args(["-m", "unittest", "discover", "-v", "-s"])
            .arg(paths.root.join(folder))
            .envs(environment(paths, ready))
            .env("TCHALK_OFFLINE", "1")
            // Set by cargo; a kernel that an editor starts does not have it.
            .env_remove("LD_LIBRARY_PATH")
            // Cells train until they are interrupted.
            .env_remove("TCHALK_BUDGET")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&paths.root),
        &paths.target(),
    )
}

/// Every notebook with budget `ci`: on the built-in samples, and on real data if available.
fn check_notebooks(paths: &Paths, ready: &Ready, checks: &mut Checks) -> Result<()> {
    let data = data_folder();
    if data.is_none() {
        checks.skipped.push("real data: TCHALK_DATA_DIR is not set".into());
    }
    let root = paths.root.join("notebooks");
    for notebook in notebooks(&root)? {
        // The exercise and its solution have the same file name.
        let inside = notebook.strip_prefix(&root).unwrap_or(&notebook);
        let (name, subfolder) = (inside.display().to_string(), inside.parent().unwrap_or(inside));
        for (what, folder, data) in
            [("built-in samples", "samples", None), ("TCHALK_DATA_DIR", "data", data.as_deref())]
        {
            if folder == "data" && data.is_none() {
                continue;
            }
            let mut variables = vec![("TCHALK_BUDGET", Some("ci")), ("TCHALK_DATA_DIR", data)];
            // Neither the network nor earlier downloads: an empty folder as the cache.
            let nothing = paths.pages().join("nothing").to_string_lossy().into_owned();
            if data.is_none() {
                variables.push(("TCHALK_OFFLINE", Some("1")));
                variables.push(("TCHALK_HOME", Some(&nothing)));
            }
            checks.check(&format!("{name} on {what}"), || {
                let pages = paths.pages().join(folder).join(subfolder);
                execute(paths, ready, &notebook, &pages, &variables).map(drop)
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_check_is_an_error() {
        let mut checks = Checks::default();
        assert!(checks.check("good", || Ok(())));
        assert!(!checks.check("bad", || bail!("broken")));
        assert!(checks.finish().unwrap_err().to_string().contains("1 of 2"));
    }

    #[test]
    fn a_check_with_a_failed_test_has_failed() {
        let mut checks = Checks::default();
        let counts = |passed, failed| TestCounts { passed, failed, ..TestCounts::default() };
        assert!(checks.count("good", || Ok(counts(5, 0))));
        assert!(!checks.count("bad", || Ok(counts(5, 1))));
        assert!(checks.finish().unwrap_err().to_string().contains("1 of 11"));
    }
}
