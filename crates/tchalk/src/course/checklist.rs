//! A list of findings, and the tables of rules that make one.

use super::finding::Finding;
use crate::display::{Content, Show};
use crate::table::Table;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// ✔ as it should be
    Good,
    /// ! it works, and could be better
    Advice,
    /// – good to know, and nobody's mistake
    Info,
    /// ✘ has to be fixed
    Problem,
}

impl Severity {
    fn sign(self) -> &'static str {
        match self {
            Severity::Good => "✔",
            Severity::Advice => "!",
            Severity::Info => "–",
            Severity::Problem => "✘",
        }
    }
}

/// A line of the list: what was found, and how that is said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) finding: Finding,
    pub(crate) severity: Severity,
    pub(crate) topic: &'static str,
    pub(crate) text: String,
}

/// The line as it looks in a terminal.
impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.severity.sign(), self.topic, self.text)
    }
}

/// A topic of a check. The first rule that applies gives the line of the list; without one there is
/// none.
pub(crate) struct Topic<Facts: 'static> {
    pub(crate) name: &'static str,
    pub(crate) rules: &'static [Rule<Facts>],
}

/// When a finding applies, and how it is said.
pub(crate) struct Rule<Facts> {
    pub(crate) finding: Finding,
    pub(crate) severity: Severity,
    pub(crate) applies: fn(&Facts) -> bool,
    pub(crate) text: fn(&Facts) -> String,
}

impl<Facts> Topic<Facts> {
    pub(crate) fn line(&self, facts: &Facts) -> Option<Line> {
        let rule = self.rules.iter().find(|rule| (rule.applies)(facts))?;
        let (finding, severity) = (rule.finding, rule.severity);
        Some(Line { finding, severity, topic: self.name, text: (rule.text)(facts) })
    }
}

/// A table of topics with their rules, each `SEVERITY FINDING if CONDITION => TEXT;`. A rule without a
/// condition always applies.
macro_rules! topics {
    (|$it:ident: $Facts:ty| $($name:literal {
        $($severity:ident $finding:ident $(if $condition:expr)? => $text:expr;)*
    })*) => {
        &[$($crate::course::checklist::Topic::<$Facts> {
            name: $name,
            rules: &[$($crate::course::checklist::Rule {
                finding: $crate::course::finding::Finding::$finding,
                severity: $crate::course::checklist::Severity::$severity,
                applies: |$it| {
                    let _ = $it;
                    topics!(@condition $($condition)?)
                },
                text: |$it| {
                    let _ = $it;
                    String::from($text)
                },
            }),*],
        }),*]
    };
    (@condition) => { true };
    (@condition $condition:expr) => { $condition };
}
pub(crate) use topics;

/// The lines as they look on the page, with the sentence below.
pub(crate) fn table(headings: [&str; 3], lines: &[Line], verdict: String) -> Table {
    let rows = lines.iter();
    let rows = rows.map(|line| [line.severity.sign().into(), line.topic.into(), line.text.clone()]);
    Table::new(headings).rows(rows).footer(verdict)
}

/// A list of what is right (✔), what works and could be better (!), what is good to know (–), and what
/// has to be fixed (✘), each with the reason and what to try.
#[derive(Clone, PartialEq)]
pub struct Checklist {
    subject: &'static str,
    lines: Vec<Line>,
}

impl Checklist {
    pub(crate) fn new(subject: &'static str) -> Checklist {
        Checklist { subject, lines: Vec::new() }
    }

    /// Answers the questions of `topics`, in order.
    pub(crate) fn examine<Facts>(&mut self, facts: &Facts, topics: &[Topic<Facts>]) {
        self.lines.extend(topics.iter().filter_map(|topic| topic.line(facts)));
    }

    pub(crate) fn push(
        &mut self,
        finding: Finding,
        severity: Severity,
        topic: &'static str,
        text: impl Into<String>,
    ) {
        self.lines.push(Line { finding, severity, topic, text: text.into() });
    }

    /// Whether nothing has to be fixed.
    pub fn passes(&self) -> bool {
        self.problems().is_empty()
    }

    /// Whether this was found.
    pub fn has(&self, finding: Finding) -> bool {
        self.lines.iter().any(|line| line.finding == finding)
    }

    /// What was found, with how grave it is, line by line.
    pub fn findings(&self) -> Vec<(Severity, Finding)> {
        self.lines.iter().map(|line| (line.severity, line.finding)).collect()
    }

    /// What has to be fixed.
    pub fn problems(&self) -> Vec<Finding> {
        self.with(Severity::Problem)
    }

    /// What works and could be better.
    pub fn advice(&self) -> Vec<Finding> {
        self.with(Severity::Advice)
    }

    fn with(&self, severity: Severity) -> Vec<Finding> {
        let lines = self.lines.iter().filter(|line| line.severity == severity);
        lines.map(|line| line.finding).collect()
    }

    /// The sentence below the list.
    fn verdict(&self) -> String {
        let subject = self.subject;
        match (self.problems().len(), self.advice().len()) {
            (0, 0) => format!("{subject}: nothing to fix."),
            (0, 1) => format!("{subject}: nothing to fix, and one thing to think about."),
            (0, n) => format!("{subject}: nothing to fix, and {n} things to think about."),
            (1, _) => format!("{subject}: one thing to fix. Change it, and run the cells again."),
            (n, _) => format!("{subject}: {n} things to fix. Begin with the first ✘."),
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
    fn the_first_rule_that_applies_gives_the_line() {
        const SIZE: &[Topic<i32>] = topics![|it: i32|
            "size" {
                Problem NoWeights if *it == 0 => "none";
                Advice LargeNetwork if *it > 9 => format!("{it} are many");
            }
            "rest" { Info Yardsticks => ""; }
        ];
        let examined = |n| {
            let mut list = Checklist::new("your network");
            list.examine(&n, SIZE);
            list
        };
        assert_eq!(examined(0).problems(), [Finding::NoWeights]);
        assert_eq!(examined(5).findings(), [(Severity::Info, Finding::Yardsticks)]);
        assert!(format!("{:?}", examined(12)).starts_with("! size: 12 are many\n"));
    }

    #[test]
    fn the_sentence_below_counts_what_has_to_be_fixed() {
        let mut list = Checklist::new("your network");
        list.push(Finding::InputFits, Severity::Good, "input", "it fits.");
        assert!(format!("{list:?}").ends_with("✔ input: it fits.\nyour network: nothing to fix."));
        list.push(Finding::LargeNetwork, Severity::Advice, "size", "it is large.");
        assert!(list.passes() && format!("{list:?}").ends_with("one thing to think about."));
        list.push(Finding::NotCompiled, Severity::Problem, "compile", "a < b");
        assert!(format!("{list:?}").contains("your network: one thing to fix."));
        let html = list.content().as_html().unwrap();
        assert!(html.contains("<table") && html.contains("✘") && html.contains("a &lt; b"));
        list.push(Finding::NotCompiled, Severity::Problem, "compile", "again");
        assert_eq!((list.passes(), list.problems().len(), list.advice().len()), (false, 2, 1));
        assert!(format!("{list:?}").ends_with("Begin with the first ✘."));
    }
}
