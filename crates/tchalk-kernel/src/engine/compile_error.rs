//! A compile error of a cell, as text for the page.

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
        Some(code) => format!("{} ({code})", error.message()),
        None => error.message(),
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
                &message.label,
            ),
            None if !message.label.is_empty() => note(&mut report, "note", &message.label),
            None => {}
        }
    }
    for help in error.help() {
        note(&mut report, "help", &help);
    }
    report
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
    fn carets_are_under_the_span_also_after_wide_letters() {
        let mut report = String::new();
        point_at(&mut report, "let é = 1;\nlet x = é + y;", (2, 13), (2, 14), "not found");
        let plain =
            [BOLD, RED, BLUE, PLAIN].iter().fold(report, |text, code| text.replace(code, ""));
        assert_eq!(plain, "\n2 | let x = é + y;\n  |             ^ not found");
    }
}
