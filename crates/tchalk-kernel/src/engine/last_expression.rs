//! The last expression of a cell, whose value is shown.
//!
//! Evcxr compiles a cell whose last value has no display of its own twice: first with
//! `(value).evcxr_display()`, then with `{:?}`; it also gives up the first way where the value moves a
//! variable. So the last expression becomes a statement that borrows the value and gives it to the library,
//! which shows every value (`tchalk::display::last_value`), or reports an `Err` as `?` does. A loop without
//! a value gets a semicolon.

use crate::engine::cell_syntax::{self, range_in_cell};
use crate::engine::insertion::Insertion;
use ra_ap_syntax::ast::{self, AstNode};
use std::ops::Range;

/// The text around the borrowed value.
const BEFORE: &str = "match &(";
const AFTER: &str = ") { it => { use tchalk::display::last_value::*; let it = LastValue(it); \
                     if !(&&&it).fails_cell() { (&&&&&it).show_last_value() } } };";

/// Borrows the last expression of a cell, or ends it by a semicolon if it has no value.
pub fn insertions(code: &str) -> Vec<Insertion> {
    match last_expression(code) {
        Some((range, true)) => {
            vec![Insertion::new(range.start, BEFORE), Insertion::new(range.end, AFTER)]
        }
        Some((range, false)) => vec![Insertion::new(range.end, ";")],
        None => Vec::new(),
    }
}

/// Where the last expression is, and whether it has a value to show.
fn last_expression(code: &str) -> Option<(Range<usize>, bool)> {
    let cell = cell_syntax::parse(code).filter(|cell| !cell.has_errors)?;
    let expression = cell.statements.tail_expr()?;
    let declares = matches!(&expression, ast::Expr::MacroExpr(_))
        && expression.syntax().text().to_string().starts_with("thread_local!");
    if declares || matches!(expression, ast::Expr::LoopExpr(_)) {
        return None;
    }
    let has_value = !matches!(expression, ast::Expr::ForExpr(_) | ast::Expr::WhileExpr(_));
    Some((range_in_cell(&expression)?, has_value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::prepared_cell::PreparedCell;

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
            let prepared = PreparedCell::new(code, "", 1).code;
            let prepared = prepared.replace(BEFORE, "@(").replace(AFTER, ")");
            assert_eq!(prepared, expected);
        }
    }
}
