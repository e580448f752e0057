//! The variables that a cell makes.

use ra_ap_syntax::ast::{self, AstNode, HasModuleItem, HasName};
use ra_ap_syntax::{Edition, SourceFile};

/// The names that the statements of `code` give to values, in order.
pub fn made_in(code: &str) -> Vec<String> {
    let parsed = SourceFile::parse(&format!("fn f() {{{code}\n}}"), Edition::Edition2024);
    let function = parsed.tree().items().find_map(|item| match item {
        ast::Item::Fn(function) => Some(function),
        _ => None,
    });
    let statements = function.and_then(|function| function.body()?.stmt_list());
    let patterns =
        statements.into_iter().flat_map(|list| list.statements()).filter_map(|it| match it {
            ast::Stmt::LetStmt(made) => made.pat(),
            _ => None,
        });
    let names = patterns.flat_map(|pattern| {
        pattern.syntax().descendants().filter_map(ast::IdentPat::cast).collect::<Vec<_>>()
    });
    names.filter_map(|name| Some(name.name()?.text().to_string())).collect()
}

/// A word on the variables that a cell was to make anew, and that are lost since it failed.
pub fn about_lost(lost: &[String]) -> Option<String> {
    let names = lost.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match lost {
        [] => None,
        [_] => Some(format!(
            "{names} was to be made anew, and its old value is gone. Run the cell that made it again."
        )),
        _ => Some(format!(
            "{names} were to be made anew, and their old values are gone. Run the cells that made them \
             again."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_all_patterns_of_the_cell_itself() {
        let code =
            "let a = 1;\nlet (mut b, [c, _]) = f(a)?;\n{ let inner = 1; }\nfor d in 0..1 {}\nb";
        assert_eq!(made_in(code), ["a", "b", "c"]);
        assert_eq!(made_in("let"), [""; 0]);
    }

    #[test]
    fn what_is_lost_is_told() {
        assert_eq!(about_lost(&[]), None);
        assert!(about_lost(&["x".into()]).unwrap().starts_with("`x` was to be made anew"));
        assert!(about_lost(&["x".into(), "y".into()]).unwrap().starts_with("`x`, `y` were"));
    }
}
