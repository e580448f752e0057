//! What standard error says of a failure, apart from all else that a cell writes there.

/// So many lines of a report are kept.
const MOST_LINES: usize = 20_000;
/// By this Rust ends what it says of a panic.
const END: &str = "note: ";
const PANIC: &str = "panicked at ";

/// How a cell failed that compiled.
#[derive(Debug, PartialEq)]
pub struct Failed {
    pub failure: Failure,
    pub report: Report,
    /// Variables that the cell was to make anew, and that are in the store as they were.
    pub kept: Vec<String>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Failure {
    Panic,
    Error,
}

/// The lines by which a panic, or an error that reached a `?`, says why.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Report {
    pub lines: Vec<String>,
    /// Where the `?` stands, if that is known: file, line and column.
    place: Option<String>,
    complete: bool,
    /// The page has got it as the output of a cell that went on.
    pub told: bool,
}

impl Report {
    /// A report that is about to come.
    pub fn begin(place: Option<String>) -> Report {
        Report { place, ..Report::default() }
    }

    /// A report of this text.
    pub fn of(text: String) -> Report {
        let lines = text.lines().map(str::to_owned).collect();
        Report { lines, complete: true, ..Report::default() }
    }

    /// Takes a line of standard error if it belongs to the report.
    pub fn takes(&mut self, line: &str) -> bool {
        if self.complete {
            return false;
        }
        self.lines.push(line.to_owned());
        let is_end = self.lines[0].contains(PANIC) && line.starts_with(END);
        self.complete = is_end || self.lines.len() == MOST_LINES;
        true
    }

    /// The report as a cell's output.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// What happened, without the noise around it.
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
    pub fn place(&self) -> Option<(String, usize)> {
        let of_panic = || {
            let line = self.lines.iter().rev().find(|line| line.contains(PANIC))?;
            Some(line.split_once(PANIC)?.1.trim_end_matches(':'))
        };
        let mut parts = self.place.as_deref().or_else(of_panic)?.rsplitn(3, ':');
        let (_column, line) = (parts.next()?, parts.next()?.parse().ok()?);
        Some((parts.next()?.to_owned(), line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANICKED: &str = "thread 'main' (12) panicked at src/lib.rs:7:9:";

    fn report(text: &str) -> Report {
        Report::of(text.to_owned())
    }

    #[test]
    fn a_panic_is_told_without_its_backtrace() {
        let report = report(
            "thread 'main' (1) panicked at src/lib.rs:3:5:\nindex out of bounds: the len is 3\n\
             but the index is 9\nstack backtrace:\n   0: rust_begin_unwind",
        );
        assert_eq!(report.message(), "index out of bounds: the len is 3\nbut the index is 9");
    }

    #[test]
    fn the_place_is_read_from_the_report() {
        assert_eq!(report(&format!("{PANICKED}\nboom")).place(), Some(("src/lib.rs".into(), 7)));
        assert_eq!(report("boom").place(), None);
        let error = Report::begin(Some("src/lib.rs:3:5".into()));
        assert_eq!(error.place(), Some(("src/lib.rs".into(), 3)));
    }

    #[test]
    fn what_comes_after_a_panic_s_report_is_output() {
        let mut report = Report::begin(None);
        for line in [PANICKED, "boom", "stack backtrace:", "note: some details are omitted"] {
            assert!(report.takes(line), "{line}");
        }
        assert!(!report.takes("later"));
    }
}
