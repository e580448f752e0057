//! The variables that a cell declares.

use crate::engine::cell_syntax;
use ra_ap_syntax::ast::{self, AstNode, HasName};

/// The names that the `let` statements of `code` bind, in order.
pub fn declared_in(code: &str) -> Vec<String> {
    let statements = cell_syntax::parse(code).map(|cell| cell.statements);
    let patterns =
        statements.into_iter().flat_map(|list| list.statements()).filter_map(|it| match it {
            ast::Stmt::LetStmt(declaration) => declaration.pat(),
            _ => None,
        });
    let names = patterns.flat_map(|pattern| {
        pattern.syntax().descendants().filter_map(ast::IdentPat::cast).collect::<Vec<_>>()
    });
    names.filter_map(|name| Some(name.name()?.text().to_string())).collect()
}

/// A note on the variables that a failed cell was to redefine, and whose old values are lost.
pub fn lost_note(lost: &[String]) -> Option<String> {
    let names = lost.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match lost {
        [] => None,
        [_] => Some(format!(
            "{names} was to be redefined, and its old value is lost. Run the cell that defined it again."
        )),
        _ => Some(format!(
            "{names} were to be redefined, and their old values are lost. Run the cells that defined them \
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
        assert_eq!(declared_in(code), ["a", "b", "c"]);
        assert_eq!(declared_in("let"), [""; 0]);
    }

    #[test]
    fn the_note_names_what_is_lost() {
        assert_eq!(lost_note(&[]), None);
        assert!(lost_note(&["x".into()]).unwrap().starts_with("`x` was to be redefined"));
        assert!(lost_note(&["x".into(), "y".into()]).unwrap().starts_with("`x`, `y` were"));
    }
}
