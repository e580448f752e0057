//! How many tests of cargo's or Python's passed, failed and were skipped.

use anyhow::{Context, Result};
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

/// The variable with the file to which a test writes its name and, after a tab, why it was skipped: Rust's test
/// harness counts a test that returns early as passed.
const SKIPPED_TESTS: &str = "TCHALK_SKIPPED_TESTS";

#[derive(Debug, Default, PartialEq)]
pub struct TestCounts {
    pub passed: usize,
    pub failed: usize,
    /// Names of tests that failed.
    pub failures: Vec<String>,
    /// Names of tests that were skipped, each with the reason.
    pub skipped: Vec<String>,
}

impl TestCounts {
    pub fn add(&mut self, other: TestCounts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.skipped.extend(other.skipped);
    }

    /// Counts the tests in a line of a test harness's output.
    fn read(&mut self, line: &str) {
        let line = line.trim_end();
        if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += number_before(result, " passed");
            self.failed += number_before(result, " failed");
        } else if let Some(name) = line.strip_suffix(" ... FAILED") {
            self.failures.push(name.trim_start_matches("test ").into());
        } else if let Some(name) = line.strip_prefix("FAIL: ").or(line.strip_prefix("ERROR: ")) {
            self.failures.push(name.into());
        } else if let Some(name) = line.strip_suffix(" ... ignored") {
            self.skipped.push(name.trim_start_matches("test ").into());
        } else if let Some(rest) = line.strip_prefix("Ran ") {
            // Python's next lines say which of these failed or were skipped.
            self.passed += number_before(rest, " test");
        } else if line.starts_with("FAILED (") || line.starts_with("OK (") {
            let of = |name| number_after(line, name);
            let failed = of("failures=") + of("errors=") + of("unexpected successes=");
            self.failed += failed;
            self.passed = self.passed.saturating_sub(failed + of("skipped="));
        } else if let Some((name, reason)) = line.split_once(" ... skipped ") {
            self.skipped.push(format!("{name}: {}", reason.trim_matches(['\'', '"'])));
        }
    }

    /// Moves tests that returned early, one in each line of `list`, from passed to skipped.
    fn skip(&mut self, list: &str) {
        for line in list.lines() {
            self.passed = self.passed.saturating_sub(1);
            self.skipped.push(line.replace('\t', ": "));
        }
    }
}

impl fmt::Display for TestCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TestCounts { passed, failed, skipped, .. } = self;
        write!(f, "{passed} passed, {failed} failed, {} skipped", skipped.len())
    }
}

/// `12` of `ok. 12 passed; 0 failed` before ` passed`.
fn number_before(text: &str, word: &str) -> usize {
    let before = text.split_once(word).map_or("", |(before, _)| before);
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// `2` of `FAILED (failures=2, skipped=1)` after `failures=`.
fn number_after(text: &str, word: &str) -> usize {
    let after = text.split_once(word).map_or("", |(_, after)| after);
    let digits = after.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

/// Runs a test harness, shows what it prints, and counts its tests. A harness that fails without a
/// failed test counts as one.
pub fn run(command: &mut Command, folder: &Path) -> Result<TestCounts> {
    let program = command.get_program().to_string_lossy().into_owned();
    let list = folder.join("skipped-tests");
    let _ = std::fs::remove_file(&list);
    let (reader, writer) = std::io::pipe()?;
    command.env(SKIPPED_TESTS, &list).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    // The command keeps the pipe's other end open, and reading would never end.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut counts = TestCounts::default();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        counts.read(&line);
    }
    counts.skip(&std::fs::read_to_string(&list).unwrap_or_default());
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        println!("{program} failed ({status})");
        counts.failed = 1;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(output: &str) -> TestCounts {
        let mut counts = TestCounts::default();
        output.lines().for_each(|line| counts.read(line));
        counts
    }

    #[test]
    fn cargos_tests_are_counted_over_all_its_programs() {
        let counts = counted(
            "running 3 tests\ntest a ... ok\ntest b ... ignored\n\
             test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
             test c ... FAILED\n\
             test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured",
        );
        let (failures, skipped) = (vec!["c".into()], vec!["b".into()]);
        assert_eq!(counts, TestCounts { passed: 12, failed: 2, failures, skipped });
    }

    #[test]
    fn pythons_tests_are_counted_with_what_was_skipped() {
        let counts = counted(
            "test_a (x.A.test_a) ... ok\ntest_b (x.A.test_b) ... skipped 'no browser'\n\
             FAIL: test_c (x.A.test_c)\nERROR: test_d (x.A.test_d)\nRan 12 tests in 3.210s\n\nFAILED (failures=1, errors=2, skipped=1)",
        );
        let skipped = vec!["test_b (x.A.test_b): no browser".into()];
        let failures = vec!["test_c (x.A.test_c)".into(), "test_d (x.A.test_d)".into()];
        assert_eq!(counts, TestCounts { passed: 8, failed: 3, failures, skipped });
        assert_eq!(counted("Ran 1 test in 0.1s\n\nOK").passed, 1);
    }

    #[test]
    fn a_test_that_returned_early_has_not_passed() {
        let mut counts = TestCounts { passed: 3, ..TestCounts::default() };
        counts.skip("real_mnist\tno data\n");
        assert_eq!((counts.passed, counts.skipped), (2, vec!["real_mnist: no data".into()]));
    }

    #[test]
    #[cfg(unix)]
    fn a_harness_that_fails_before_its_tests_has_failed() {
        let folder = tempfile::tempdir().unwrap();
        let counts = |script: &str| run(Command::new("sh").args(["-c", script]), folder.path());
        assert_eq!(counts("echo broken >&2; exit 1").unwrap().failed, 1);
        let script = "echo 'test result: ok. 2 passed; 0 failed'; \
                      printf 'late\\tno data\\n' >> $TCHALK_SKIPPED_TESTS";
        assert_eq!(counts(script).unwrap().passed, 1);
        assert_eq!(counts("true").unwrap(), TestCounts::default(), "the list is empty again");
    }
}
