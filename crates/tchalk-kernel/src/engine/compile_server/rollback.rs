//! A variable that a cell redefines keeps its old value if the cell fails.
//!
//! Evcxr takes the old value out of the store before the cell runs, and drops it with the cell. This code
//! makes the cell return it at its end, unless there is a new one. That is impossible where the cell moves
//! the old value, so it is done for names only that do not occur before their new definition.

use crate::engine::cell_syntax::{self, range_in_cell};
use ra_ap_syntax::ast::{self, AstNode};

/// The texts that begin and end the reader's statements in the code that Evcxr generates, and its end.
const BEGINS: &str = "match std::panic::catch_unwind(\n";
const ENDS: &str = "EVCXR_PANIC_NOTIFICATION";
const END: &str = "evcxr_variable_store\n}";

/// The function that Evcxr generates for a cell, returning old values to the store at its end.
pub fn with_rollback(function: &str) -> String {
    try_with_rollback(function).unwrap_or_else(|| function.to_owned())
}

fn try_with_rollback(function: &str) -> Option<String> {
    let (loads, rest) = function.split_once(BEGINS)?;
    let (statements, stores) = rest.rsplit_once(ENDS)?;
    let end = function.rfind(END)?;
    let kept: String = loads
        .lines()
        .filter_map(loaded_variable)
        .filter(|(name, _)| {
            let store = format!(">(stringify!({name}), {name});");
            statements.contains(&store)
                && !stores.contains(&store)
                && is_redefined(statements, name)
        })
        .map(|(name, kind)| {
            format!("evcxr_variable_store.keep_variable::<{kind}>(stringify!({name}), {name}); ")
        })
        .collect();
    Some(format!("{}{kept}{}", &function[..end], &function[end..]))
}

/// The name and the type of the variable that a line takes out of the store.
fn loaded_variable(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once(" = evcxr_variable_store.take_variable::<")?;
    let (kind, _) = rest.rsplit_once(">(stringify!(")?;
    let name = name.strip_prefix("let ")?;
    Some((name.strip_prefix("mut ").unwrap_or(name), kind))
}

/// Whether `name` first occurs in a `let` that binds it and does not use the old value.
fn is_redefined(statements: &str, name: &str) -> bool {
    let Some(&first) = occurrences(statements, name).first() else { return false };
    let Some(at) = statements[..first].rfind("let ") else { return false };
    let parsed = cell_syntax::parse(&statements[at..]);
    let statement = parsed.and_then(|cell| cell.statements.statements().next());
    let Some(ast::Stmt::LetStmt(declaration)) = statement else { return false };
    let in_pattern = declaration
        .pat()
        .and_then(|pattern| range_in_cell(&pattern))
        .is_some_and(|range| range.contains(&(first - at)));
    in_pattern && occurrences(&declaration.syntax().text().to_string(), name).len() == 1
}

/// The offsets at which `name` occurs in `text` as a word, also in strings: it may be in `"{name}"`.
fn occurrences(text: &str, name: &str) -> Vec<usize> {
    let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let is_word = |at: &usize| {
        !in_word(text[..*at].chars().next_back())
            && !in_word(text[*at + name.len()..].chars().next())
    };
    text.match_indices(name).map(|(at, _)| at).filter(is_word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code that Evcxr generates for a cell that redefines `x`, in a notebook with `x` and `y`.
    fn function(statements: &str) -> String {
        format!(
            "let mut x = evcxr_variable_store.take_variable::<Vec<u8>>(stringify!(x));\n\
             let y = evcxr_variable_store.take_variable::<i32>(stringify!(y));\n\
             {BEGINS}  std::panic::AssertUnwindSafe(||{{\n\
             let _ = (|| -> std::result::Result<(), EvcxrUserCodeError> {{\n{statements}\n\
             evcxr_variable_store.put_variable::<Vec<u8>>(stringify!(x), x);\nOk(())}})();\n\
             }})) {{ \n  Ok(_) => {{}}\n  Err(_) => {{\n    println!(\"{ENDS}\");\n}}}}\n\
             evcxr_variable_store.put_variable::<i32>(stringify!(y), y);\n{END}\n"
        )
    }

    #[test]
    fn a_redefined_variable_is_returned_unless_the_cell_uses_it() {
        let keeps = "evcxr_variable_store.keep_variable::<Vec<u8>>(stringify!(x), x); ";
        for redefinition in [
            "let x = f()?;",
            "let mut x: Vec<u8> = f()?;\nx.push(1);",
            "let (a, x) = f(y)?;",
            "let xs = 1;\nlet x = {\n let n = f()?;\n n\n};",
        ] {
            let cell = function(redefinition);
            let expected = format!("{keeps}{END}\n");
            assert_eq!(
                with_rollback(&cell),
                cell.replace(&format!("{END}\n"), &expected),
                "{redefinition}"
            );
        }
        for used in [
            "let x = f(x)?;",
            "drop(x);\nlet x = f()?;",
            "println!(\"{x}\");\nlet x = f()?;",
            "let a = 1; x.push(a);\nlet x = f()?;",
            "let f = |x| 1;",
        ] {
            assert_eq!(with_rollback(&function(used)), function(used));
        }
    }

    #[test]
    fn unexpected_code_is_unchanged() {
        for text in ["", "fn run() {\nlet x = 1;\n}\n", BEGINS] {
            assert_eq!(with_rollback(text), text);
        }
    }
}
