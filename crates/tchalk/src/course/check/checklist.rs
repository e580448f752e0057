//! The list that a check gives.

use crate::display::{Content, Show};
use crate::table::Table;

/// What a line of the list says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// ✔ as it should be
    Right,
    /// ! it works, and could be better
    Odd,
    /// – good to know, and nobody's mistake
    Note,
    /// ✘ to be mended
    Wrong,
}

impl Mark {
    fn sign(self) -> &'static str {
        match self {
            Mark::Right => "✔",
            Mark::Odd => "!",
            Mark::Note => "–",
            Mark::Wrong => "✘",
        }
    }
}

/// A line of the list: what it is about, and a sentence or two.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) mark: Mark,
    pub(crate) what: &'static str,
    pub(crate) text: String,
}

impl Line {
    pub(crate) fn new(mark: Mark, what: &'static str, text: impl Into<String>) -> Line {
        Line { mark, what, text: text.into() }
    }
}

/// The line as it looks in a terminal.
impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.mark.sign(), self.what, self.text)
    }
}

/// The lines as they look on the page, with the sentence below.
pub(crate) fn table(headings: [&str; 3], lines: &[Line], verdict: String) -> Table {
    let rows = lines.iter();
    let rows = rows.map(|line| [line.mark.sign().into(), line.what.into(), line.text.clone()]);
    Table::new(headings).rows(rows).footer(verdict)
}

/// A list of what is right (✔), what works and could be better (!), what is good to know (–), and what
/// has to be mended (✘), each with the reason and what to try.
#[derive(Clone, PartialEq)]
pub struct Checklist {
    subject: &'static str,
    lines: Vec<Line>,
}

impl Checklist {
    pub(super) fn new(subject: &'static str) -> Checklist {
        Checklist { subject, lines: Vec::new() }
    }

    pub(super) fn put(&mut self, mark: Mark, about: &'static str, text: impl Into<String>) {
        self.lines.push(Line::new(mark, about, text));
    }

    pub(super) fn right(&mut self, about: &'static str, text: impl Into<String>) {
        self.put(Mark::Right, about, text);
    }

    pub(super) fn odd(&mut self, about: &'static str, text: impl Into<String>) {
        self.put(Mark::Odd, about, text);
    }

    pub(super) fn note(&mut self, about: &'static str, text: impl Into<String>) {
        self.put(Mark::Note, about, text);
    }

    pub(super) fn wrong(&mut self, about: &'static str, text: impl Into<String>) {
        self.put(Mark::Wrong, about, text);
    }

    /// Whether nothing has to be mended.
    pub fn passes(&self) -> bool {
        self.problems().is_empty()
    }

    /// What has to be mended, a text for each.
    pub fn problems(&self) -> Vec<String> {
        self.texts(Mark::Wrong)
    }

    /// What works and could be better, a text for each.
    pub fn advice(&self) -> Vec<String> {
        self.texts(Mark::Odd)
    }

    fn texts(&self, mark: Mark) -> Vec<String> {
        let lines = self.lines.iter().filter(|line| line.mark == mark);
        lines.map(|line| line.text.clone()).collect()
    }

    /// The sentence below the list.
    fn verdict(&self) -> String {
        let subject = self.subject;
        match (self.problems().len(), self.advice().len()) {
            (0, 0) => format!("{subject}: nothing to mend."),
            (0, 1) => format!("{subject}: nothing to mend, and one thing to think about."),
            (0, n) => format!("{subject}: nothing to mend, and {n} things to think about."),
            (1, _) => format!("{subject}: one thing to mend. Change it, and run the cells again."),
            (n, _) => format!("{subject}: {n} things to mend. Begin with the first ✘."),
        }
    }
}

/// The list as it looks in a terminal.
impl std::fmt::Debug for Checklist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        f.write_str(&self.verdict())
    }
}

impl Show for Checklist {
    fn content(&self) -> Content {
        let headings = ["", "what", "what there is to say"];
        table(headings, &self.lines, self.verdict()).content_or(format!("{self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_below_counts_what_has_to_be_mended() {
        let mut list = Checklist::new("your network");
        list.right("input", "it fits.");
        assert!(format!("{list:?}").ends_with("✔ input: it fits.\nyour network: nothing to mend."));
        list.odd("size", "it is small.");
        assert!(list.passes() && format!("{list:?}").ends_with("one thing to think about."));
        list.wrong("end", "it has none.");
        assert!(format!("{list:?}").contains("your network: one thing to mend."));
        list.wrong("end", "again.");
        assert_eq!((list.passes(), list.problems().len(), list.advice().len()), (false, 2, 1));
        assert!(format!("{list:?}").ends_with("Begin with the first ✘."));
    }

    #[test]
    fn the_page_shows_a_table() {
        let mut list = Checklist::new("your network");
        list.wrong("end", "a < b");
        let html = list.content().as_html().unwrap();
        assert!(html.contains("<table") && html.contains("✘") && html.contains("a &lt; b"));
    }
}
