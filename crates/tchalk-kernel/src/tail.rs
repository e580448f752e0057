//! The value a cell ends in.
//!
//! Evcxr compiles a cell that ends in a value twice where the value has no display of its own: first
//! it tries `(value).evcxr_display()`, then `{:?}`. The library lends that method to every reference to
//! a value with a `Debug`, so it is enough to hand Evcxr `&(value)`: one build, and numbers whose type
//! nothing else decides can be shown, too. A loop that has no value is ended like any statement.

use ra_ap_syntax::ast::{self, AstNode, HasModuleItem};
use ra_ap_syntax::{Edition, SourceFile, TextSize};

/// What is put around the value.
const BEFORE: &str = "&(";
const AFTER: &str = ")";
/// The cell is parsed as the body of a function.
const FUNCTION: &str = "fn f() {";

/// A cell in which the last value is lent out, or ended where it is none.
pub struct Lent {
    /// What Evcxr compiles.
    pub code: String,
    /// The line and column, counted from 1, at which the value begins in the reader's own cell.
    begins: Option<(usize, usize)>,
}

impl Lent {
    /// The cell with its last value lent out; unchanged if it does not end in one or cannot be parsed.
    pub fn new(code: &str) -> Lent {
        let Some((start, end, shows)) = last_value(code) else {
            return Lent { code: code.to_owned(), begins: None };
        };
        if !shows {
            return Lent { code: format!("{};{}", &code[..end], &code[end..]), begins: None };
        }
        let (before, rest) = code.split_at(start);
        let (value, after) = rest.split_at(end - start);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Lent {
            code: format!("{before}{BEFORE}{value}{AFTER}{after}"),
            begins: Some((line, column)),
        }
    }

    /// The column in the reader's cell of a column in the compiled one.
    pub fn column(&self, line: usize, column: usize) -> usize {
        match self.begins {
            Some((at, from)) if line == at && column > from => {
                column.saturating_sub(BEFORE.len()).max(from)
            }
            _ => column,
        }
    }
}

/// The byte offsets between which the last value stands, and whether there is something to see in it.
fn last_value(code: &str) -> Option<(usize, usize, bool)> {
    let text = format!("{FUNCTION}{code}\n}}");
    let parsed = SourceFile::parse(&text, Edition::Edition2024);
    if !parsed.errors().is_empty() {
        return None;
    }
    let function = parsed.tree().items().find_map(|item| match item {
        ast::Item::Fn(function) => Some(function),
        _ => None,
    })?;
    let value = function.body()?.stmt_list()?.tail_expr()?;
    if matches!(value, ast::Expr::LoopExpr(_)) {
        return None;
    }
    let shows = !matches!(value, ast::Expr::ForExpr(_) | ast::Expr::WhileExpr(_));
    let range = value.syntax().text_range();
    let offset = |at: TextSize| usize::from(at).checked_sub(FUNCTION.len());
    Some((offset(range.start())?, offset(range.end())?, shows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_is_lent_out_and_nothing_else() {
        let cases = [
            ("1 + 1", "&(1 + 1)"),
            ("let a = 1; a // note", "let a = 1; &(a) // note"),
            ("let a = 1;", "let a = 1;"),
            ("fn f() {}\nf()", "fn f() {}\n&(f())"),
            ("model\n    .fit()?", "&(model\n    .fit()?)"),
            ("for i in 0..3 { f(i); }", "for i in 0..3 { f(i); };"),
            ("while f() {} // note", "while f() {}; // note"),
            ("loop { break 1 }", "loop { break 1 }"),
            ("f(1", "f(1"),
            ("", ""),
            ("struct Hidden; Hidden", "struct Hidden; &(Hidden)"),
        ];
        for (code, expected) in cases {
            assert_eq!(Lent::new(code).code, expected);
        }
    }

    #[test]
    fn columns_are_those_of_the_reader() {
        let lent = Lent::new("let a = 1;\nlet é = 2; nothing + a");
        assert_eq!(lent.code, "let a = 1;\nlet é = 2; &(nothing + a)");
        assert_eq!(lent.column(2, 14), 12, "`nothing` begins after the brackets");
        assert_eq!(lent.column(1, 5), 5);
        assert_eq!(lent.column(2, 5), 5);
    }
}
