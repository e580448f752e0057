//! The report of a panic or an error, separated from other text on standard error.

/// A report keeps at most this many lines.
const MAX_LINES: usize = 20_000;
/// How the last line of a panic's report begins.
const END: &str = "note: ";
const PANIC: &str = "panicked at ";

/// Why a cell that compiled failed.
#[derive(Debug, PartialEq)]
pub struct CellFailure {
    pub kind: FailureKind,
    pub report: FailureReport,
    /// Variables that the cell redefines, and whose old values are still in the store.
    pub kept: Vec<String>,
}

/// Panic or error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FailureKind {
    Panic,
    /// An error that reached a `?`.
    Error,
}

/// The lines that a panic, or an error that reached a `?`, writes on standard error.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct FailureReport {
    pub lines: Vec<String>,
    /// Where the `?` is, if that is known: file, line and column.
    location: Option<String>,
    complete: bool,
    /// The page shows it as the output of a cell that went on.
    pub published: bool,
}

impl FailureReport {
    /// A report whose lines follow.
    pub fn begin(location: Option<String>) -> FailureReport {
        FailureReport { location, ..FailureReport::default() }
    }

    /// A complete report.
    pub fn from_text(text: String) -> FailureReport {
        let lines = text.lines().map(str::to_owned).collect();
        FailureReport { lines, complete: true, ..FailureReport::default() }
    }

    /// Adds a line of standard error; `false` if it is not part of the report.
    pub fn push_line(&mut self, line: &str) -> bool {
        if self.complete {
            return false;
        }
        self.lines.push(line.to_owned());
        let is_end = self.lines[0].contains(PANIC) && line.starts_with(END);
        self.complete = is_end || self.lines.len() == MAX_LINES;
        true
    }

    /// The report as output of the cell.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// The message, without location and backtrace.
    pub fn message(&self) -> String {
        let Some(begin) = self.lines.iter().rposition(|line| line.contains(PANIC)) else {
            return self.lines.join("\n").trim().to_owned();
        };
        let message: Vec<&str> = self.lines[begin + 1..]
            .iter()
            .map(String::as_str)
            .take_while(|line| !line.starts_with("stack backtrace:") && !line.starts_with(END))
            .collect();
        message.join("\n").trim().to_owned()
    }

    /// The file and line that the report names.
    pub fn location(&self) -> Option<(String, usize)> {
        let of_panic = || {
            let line = self.lines.iter().rev().find(|line| line.contains(PANIC))?;
            Some(line.split_once(PANIC)?.1.trim_end_matches(':'))
        };
        let mut parts = self.location.as_deref().or_else(of_panic)?.rsplitn(3, ':');
        let (_column, line) = (parts.next()?, parts.next()?.parse().ok()?);
        Some((parts.next()?.to_owned(), line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANICKED: &str = "thread 'main' (12) panicked at src/lib.rs:7:9:";

    fn report(text: &str) -> FailureReport {
        FailureReport::from_text(text.to_owned())
    }

    #[test]
    fn the_message_of_a_panic_has_no_backtrace() {
        let report = report(
            "thread 'main' (1) panicked at src/lib.rs:3:5:\nindex out of bounds: the len is 3\n\
             but the index is 9\nstack backtrace:\n   0: rust_begin_unwind",
        );
        assert_eq!(report.message(), "index out of bounds: the len is 3\nbut the index is 9");
    }

    #[test]
    fn the_location_is_read_from_the_report() {
        assert_eq!(report(&format!("{PANICKED}\nboom")).location(), Some(("src/lib.rs".into(), 7)));
        assert_eq!(report("boom").location(), None);
        let error = FailureReport::begin(Some("src/lib.rs:3:5".into()));
        assert_eq!(error.location(), Some(("src/lib.rs".into(), 3)));
    }

    #[test]
    fn lines_after_a_panic_s_report_are_output() {
        let mut report = FailureReport::begin(None);
        for line in [PANICKED, "boom", "stack backtrace:", "note: some details are omitted"] {
            assert!(report.push_line(line), "{line}");
        }
        assert!(!report.push_line("later"));
    }
}
