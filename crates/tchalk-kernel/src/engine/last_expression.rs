//! The last expression of a cell, whose value is shown.
//!
//! Evcxr compiles a cell whose last value has no display of its own twice: first with
//! `(value).evcxr_display()`, then with `{:?}`; it also gives up the first way where the value moves a
//! variable. So the last expression becomes a statement that borrows the value and gives it to the library,
//! which shows every value (`tchalk::display::last_value`), or reports an `Err` as `?` does. A loop without
//! a value gets a semicolon.

use crate::engine::cell_syntax::{self, range_in_cell};
use ra_ap_syntax::ast;
use std::ops::Range;

/// The text around the borrowed value.
const BEFORE: &str = "match &(";
const AFTER: &str = ") { it => { use tchalk::display::last_value::*; let it = LastValue(it); \
                     if !(&&&it).fails_cell() { (&&&&&it).show_last_value() } } };";

/// A cell whose last expression is borrowed, or ended by a semicolon if it has no value.
pub struct PreparedCell {
    /// The code for Evcxr.
    pub code: String,
    /// The line and column, from 1, at which the value begins in the cell as it was written.
    value_start: Option<(usize, usize)>,
}

impl PreparedCell {
    /// The cell with its last expression borrowed; unchanged if it has none or cannot be parsed.
    pub fn new(code: &str) -> PreparedCell {
        let Some((range, has_value)) = last_expression(code) else {
            return PreparedCell { code: code.to_owned(), value_start: None };
        };
        if !has_value {
            return PreparedCell {
                code: format!("{};{}", &code[..range.end], &code[range.end..]),
                value_start: None,
            };
        }
        let (before, value, after) =
            (&code[..range.start], &code[range.clone()], &code[range.end..]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        PreparedCell {
            code: format!("{before}{BEFORE}{value}{AFTER}{after}"),
            value_start: Some((line, column)),
        }
    }

    /// The column in the cell as it was written, of a column in the code for Evcxr.
    pub fn column(&self, line: usize, column: usize) -> usize {
        match self.value_start {
            Some((at, from)) if line == at && column > from => {
                column.saturating_sub(BEFORE.len()).max(from)
            }
            _ => column,
        }
    }
}

/// Where the last expression is, and whether it has a value to show.
fn last_expression(code: &str) -> Option<(Range<usize>, bool)> {
    let cell = cell_syntax::parse(code).filter(|cell| !cell.has_errors)?;
    let expression = cell.statements.tail_expr()?;
    if matches!(expression, ast::Expr::LoopExpr(_)) {
        return None;
    }
    let has_value = !matches!(expression, ast::Expr::ForExpr(_) | ast::Expr::WhileExpr(_));
    Some((range_in_cell(&expression)?, has_value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_expression_is_borrowed() {
        let cases = [
            ("1 + 1", "@(1 + 1)"),
            ("let a = 1; a // note", "let a = 1; @(a) // note"),
            ("let a = 1;", "let a = 1;"),
            ("fn f() {}\nf()", "fn f() {}\n@(f())"),
            ("model\n    .fit()?", "@(model\n    .fit()?)"),
            ("for i in 0..3 { f(i); }", "for i in 0..3 { f(i); };"),
            ("while f() {} // note", "while f() {}; // note"),
            ("loop { break 1 }", "loop { break 1 }"),
            ("f(1", "f(1"),
            ("", ""),
            ("struct Hidden; Hidden", "struct Hidden; @(Hidden)"),
        ];
        for (code, expected) in cases {
            let prepared = PreparedCell::new(code).code.replace(BEFORE, "@(").replace(AFTER, ")");
            assert_eq!(prepared, expected);
        }
    }

    #[test]
    fn columns_are_those_of_the_cell_as_written() {
        let cell = PreparedCell::new("let a = 1;\nlet é = 2; nothing + a");
        assert_eq!(cell.column(2, 20), 12, "`nothing` begins after the bracket");
        assert_eq!(cell.column(1, 5), 5);
        assert_eq!(cell.column(2, 5), 5);
    }
}
