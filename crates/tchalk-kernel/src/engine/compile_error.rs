//! A compile error of a cell, as text for the page.

use crate::engine::delimiters::Unmatched;
use crate::engine::prepared_cell::PreparedCell;
use evcxr::CompilationError;
use std::fmt::Write;

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const BLUE: &str = "\u{1b}[34m";
const PLAIN: &str = "\u{1b}[0m";

/// The headline: code and message.
pub fn headline(error: &CompilationError) -> String {
    match error.code() {
        Some(code) => format!("{} ({code})", without_machinery(&error.message())),
        None => without_machinery(&error.message()),
    }
}

/// The whole error in color, with lines of the cell as it was written; `cell` was prepared from `code`.
pub fn report(error: &CompilationError, code: &str, cell: &PreparedCell) -> String {
    let mut report = format!("{RED}{BOLD}error{PLAIN}{BOLD}: {}{PLAIN}", headline(error));
    for message in error.spanned_messages() {
        match &message.span {
            Some(span) => point_at(
                &mut report,
                code,
                (span.start_line, cell.column(span.start_line, span.start_column)),
                (span.end_line, cell.column(span.end_line, span.end_column)),
                &without_machinery(&message.label),
            ),
            None if !message.label.is_empty() => {
                note(&mut report, "note", &without_machinery(&message.label))
            }
            None => {}
        }
    }
    for help in helps(error, code, cell) {
        note(&mut report, "help", &help);
    }
    report
}

/// A bracket that does not match, with its line.
pub fn unmatched_report(unmatched: &Unmatched, code: &str) -> String {
    let Unmatched { line, column, message } = unmatched;
    let mut report = format!("{RED}{BOLD}error{PLAIN}{BOLD}: {message}{PLAIN}");
    point_at(&mut report, code, (*line, *column), (*line, column + 1), "");
    report
}

/// What the compiler suggests, with the line of the cell as it would be then.
fn helps(error: &CompilationError, code: &str, cell: &PreparedCell) -> Vec<String> {
    let children = error.json["children"].as_array().map(Vec::as_slice).unwrap_or_default();
    // Evcxr finds a position in the cell for each child that has exactly one.
    let mut positions = error.help_spanned().iter();
    let mut helps = Vec::new();
    for child in children {
        let spans = child["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
        let position = if let [span] = spans {
            positions.next().map(|position| (span, position))
        } else {
            None
        };
        if child["level"] != "help" {
            continue;
        }
        let message = child["message"].as_str().unwrap_or_default();
        let corrected = position.and_then(|(span, position)| {
            let (replacement, at) = (span["suggested_replacement"].as_str()?, position.span?);
            let columns = [at.start_column, at.end_column].map(|it| cell.column(at.start_line, it));
            let line =
                code.lines().nth(at.start_line - 1).filter(|_| at.start_line == at.end_line)?;
            Some(format!("{} | {}", at.start_line, replaced(line, columns, replacement)?))
        });
        helps.push(match corrected {
            Some(line) => format!("{}:\n{line}", without_machinery(message)),
            None => without_machinery(message),
        });
    }
    helps
}

/// A line with other text between two columns, which count characters from 1; its first line.
fn replaced(line: &str, [from, to]: [usize; 2], replacement: &str) -> Option<String> {
    let letters: Vec<char> = line.chars().collect();
    let (before, after) =
        (letters.get(..from.checked_sub(1)?)?, letters.get(to.checked_sub(1)?..)?);
    let text = before.iter().collect::<String>() + replacement + &after.iter().collect::<String>();
    (!text.contains('\n')).then_some(text)
}

/// A message without names of the code that Evcxr generates around a cell.
fn without_machinery(message: &str) -> String {
    message
        .replace("Result<(), EvcxrUserCodeError>", "Result")
        .replace("EvcxrUserCodeError", "Error")
}

fn note(report: &mut String, kind: &str, text: &str) {
    let _ = write!(report, "\n{BLUE}{kind}{PLAIN}: {text}");
}

/// Shows the line where a span begins, with carets under the span. Lines and columns count from 1,
/// columns in characters.
fn point_at(
    report: &mut String,
    code: &str,
    (line, column): (usize, usize),
    (end_line, end_column): (usize, usize),
    label: &str,
) {
    let Some(text) = code.lines().nth(line.wrapping_sub(1)) else { return };
    let width = text.chars().count();
    let end = if end_line == line { end_column } else { width + 1 };
    let carets = end.saturating_sub(column).max(1);
    let margin = format!("{line} ");
    let _ = write!(
        report,
        "\n{BLUE}{margin}|{PLAIN} {text}\n{BLUE}{:indent$}|{PLAIN} {:column$}{RED}{:^<carets$} {label}{PLAIN}",
        "",
        "",
        "",
        indent = margin.len(),
        column = column.saturating_sub(1),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_becomes_a_line() {
        assert_eq!(replaced("f(é, x)", [6, 6], "&"), Some("f(é, &x)".into()));
        assert_eq!(replaced("let a = b", [9, 10], "c"), Some("let a = c".into()));
        assert_eq!(replaced("a", [5, 6], "b"), None);
        assert_eq!(replaced("a", [1, 1], "use x;\n"), None);
    }

    #[test]
    fn carets_are_under_the_span_also_after_wide_letters() {
        let mut report = String::new();
        point_at(&mut report, "let é = 1;\nlet x = é + y;", (2, 13), (2, 14), "not found");
        let plain =
            [BOLD, RED, BLUE, PLAIN].iter().fold(report, |text, code| text.replace(code, ""));
        assert_eq!(plain, "\n2 | let x = é + y;\n  |             ^ not found");
    }
}
