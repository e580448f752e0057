//! The error of a cell, as Jupyter represents it.

use crate::engine::advice;
use crate::engine::compile_error;
use crate::engine::delimiters::Unmatched;
use crate::engine::prepared_cell::PreparedCell;
use crate::text::shortened;
use evcxr::CompilationError;
use serde_json::{Value, json};

/// The name of the error that a cell gets whose process has ended.
pub const PROCESS_ENDED: &str = "ProcessEnded";

/// Jupyter's three parts of an error message.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecuteError {
    pub name: String,
    pub value: String,
    pub traceback: Vec<String>,
}

impl ExecuteError {
    pub fn new(name: &str, value: &str) -> ExecuteError {
        ExecuteError::with_notes(name, value, Vec::new())
    }

    /// An error with notes below its message: lines of the cell, lost variables.
    pub fn with_notes(name: &str, value: &str, notes: Vec<String>) -> ExecuteError {
        let value = shortened(value);
        let mut traceback = vec![format!("\u{1b}[31m\u{1b}[1m{name}\u{1b}[0m: {value}")];
        traceback.extend(notes);
        ExecuteError { name: name.into(), value, traceback }
    }

    /// The compiler's errors, with advice.
    pub fn from_compiler(
        errors: &[CompilationError],
        code: &str,
        cell: &PreparedCell,
    ) -> ExecuteError {
        // Warnings, such as one on an unused macro of an older cell, are not why the cell fails.
        let is_error = |error: &&CompilationError| error.level() != "warning";
        let errors: Vec<&CompilationError> = errors.iter().filter(is_error).collect();
        let Some(&first) = errors.first() else {
            return ExecuteError::new("CompileError", "the cell does not compile");
        };
        let headline = compile_error::headline(first);
        let advice = advice::on_compile_error(first, code);
        let reports = errors.iter().map(|error| compile_error::report(error, code, cell));
        let lines: Vec<String> = advice.map(str::to_owned).into_iter().chain(reports).collect();
        ExecuteError {
            name: "CompileError".into(),
            value: match advice {
                Some(advice) => format!("{headline}\n{advice}"),
                None => headline,
            },
            traceback: lines.iter().flat_map(|text| text.lines().map(str::to_owned)).collect(),
        }
    }

    /// A bracket that does not match.
    pub fn unmatched(unmatched: &Unmatched, code: &str) -> ExecuteError {
        let report = compile_error::unmatched_report(unmatched, code);
        ExecuteError {
            name: "CompileError".into(),
            value: unmatched.message.clone(),
            traceback: report.lines().map(str::to_owned).collect(),
        }
    }

    /// Puts a sentence before the compiler's message, in place of other advice.
    pub fn set_advice(&mut self, advice: &str) {
        let headline = self.value.lines().next().unwrap_or_default().to_owned();
        let other = self.value.lines().skip(1).collect::<Vec<_>>();
        self.traceback.retain(|line| !other.contains(&line.as_str()));
        self.traceback.insert(0, advice.to_owned());
        self.value = format!("{headline}\n{advice}");
    }

    /// An error message of Evcxr's own, with advice.
    pub fn from_evcxr(message: &str) -> ExecuteError {
        match advice::on_evcxr_error(message) {
            Some(advice) => {
                let headline = message.lines().next().unwrap_or_default();
                ExecuteError::new("CompileError", &format!("{headline}\n{advice}"))
            }
            None => ExecuteError::new("Error", message.trim()),
        }
    }

    /// The cell process has ended; the last line of `how` is the reason.
    pub fn process_ended(how: &str) -> ExecuteError {
        let how = how.lines().last().unwrap_or_default();
        let cause = likely_cause(how);
        let value = format!(
            "the cell's process ended ({how}).{cause} A new one is ready; variables are lost, so run \
             the cells above again."
        );
        ExecuteError::new(PROCESS_ENDED, &value)
    }

    pub fn content(&self) -> Value {
        json!({"ename": self.name, "evalue": self.value, "traceback": self.traceback})
    }
}

/// The usual cause of the end of a cell process.
fn likely_cause(how: &str) -> &'static str {
    if how.contains("SIGKILL") {
        " If it was not interrupted, the computer's memory was probably full: use fewer images or a \
         smaller batch_size."
    } else if how.contains("SIGSEGV") {
        " That is often a function that calls itself without end, or an array that is too large: \
         `vec![0.0; n]` has room for more."
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_depends_on_the_signal() {
        assert!(ExecuteError::process_ended("signal: 9 (SIGKILL)").value.contains("batch_size"));
        assert!(!ExecuteError::process_ended("exit status: 1").value.contains("batch_size"));
    }
}
