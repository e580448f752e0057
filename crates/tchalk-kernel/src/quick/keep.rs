//! A variable that a cell makes anew keeps its old value if the cell fails.
//!
//! Evcxr takes the old value out of the store before the cell runs, and drops it with the cell. Here the
//! cell hands it back at its end, unless there is a new one. It cannot where the cell uses up the old
//! value, so only names are kept that do not occur before their new value is there.

use ra_ap_syntax::ast::{self, AstNode, HasModuleItem};
use ra_ap_syntax::{Edition, SourceFile};

/// Where the reader's own statements begin and end in what Evcxr writes, and how all of it ends.
const BEGINS: &str = "match std::panic::catch_unwind(\n";
const ENDS: &str = "EVCXR_PANIC_NOTIFICATION";
const END: &str = "evcxr_variable_store\n}";

/// The function that Evcxr made of a cell, with the old values handed back at its end.
pub fn keep_old(function: &str) -> String {
    try_keep_old(function).unwrap_or_else(|| function.to_owned())
}

fn try_keep_old(function: &str) -> Option<String> {
    let (loads, rest) = function.split_once(BEGINS)?;
    let (statements, stores) = rest.rsplit_once(ENDS)?;
    let end = function.rfind(END)?;
    let kept: String = loads
        .lines()
        .filter_map(loaded)
        .filter(|(name, _)| {
            let store = format!(">(stringify!({name}), {name});");
            statements.contains(&store) && !stores.contains(&store) && is_new(statements, name)
        })
        .map(|(name, kind)| {
            format!("evcxr_variable_store.keep_variable::<{kind}>(stringify!({name}), {name}); ")
        })
        .collect();
    Some(format!("{}{kept}{}", &function[..end], &function[end..]))
}

/// The name and the type of the variable that a line takes out of the store.
fn loaded(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once(" = evcxr_variable_store.take_variable::<")?;
    let (kind, _) = rest.rsplit_once(">(stringify!(")?;
    let name = name.strip_prefix("let ")?;
    Some((name.strip_prefix("mut ").unwrap_or(name), kind))
}

/// Whether the first that is said of `name` is a `let` that does not need the old value.
fn is_new(statements: &str, name: &str) -> bool {
    let Some(&first) = places(statements, name).first() else { return false };
    let Some(at) = statements[..first].rfind("let ") else { return false };
    let function = "fn f() {";
    let parsed =
        SourceFile::parse(&format!("{function}{}", &statements[at..]), Edition::Edition2024);
    let found = parsed.tree().items().find_map(|item| match item {
        ast::Item::Fn(function) => function.body()?.stmt_list()?.statements().next(),
        _ => None,
    });
    let Some(ast::Stmt::LetStmt(made)) = found else { return false };
    let text = made.syntax().text().to_string();
    let in_pattern = made.pat().is_some_and(|pattern| {
        let range = pattern.syntax().text_range();
        let place = first - at + function.len();
        usize::from(range.start()) <= place && place < usize::from(range.end())
    });
    in_pattern && places(&text, name).len() == 1
}

/// Where `name` stands in `text` as a word, be it in a string: that may be `"{name}"`.
fn places(text: &str, name: &str) -> Vec<usize> {
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

    /// What Evcxr makes of statements in a notebook with `x` and `y`, of which the cell makes `x` anew.
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
    fn what_is_made_anew_is_handed_back_unless_it_is_used_up() {
        let keeps = "evcxr_variable_store.keep_variable::<Vec<u8>>(stringify!(x), x); ";
        for made_anew in [
            "let x = f()?;",
            "let mut x: Vec<u8> = f()?;\nx.push(1);",
            "let (a, x) = f(y)?;",
            "let xs = 1;\nlet x = {\n let n = f()?;\n n\n};",
        ] {
            let cell = function(made_anew);
            let expected = format!("{keeps}{END}\n");
            assert_eq!(
                keep_old(&cell),
                cell.replace(&format!("{END}\n"), &expected),
                "{made_anew}"
            );
        }
        for used in [
            "let x = f(x)?;",
            "drop(x);\nlet x = f()?;",
            "println!(\"{x}\");\nlet x = f()?;",
            "let a = 1; x.push(a);\nlet x = f()?;",
            "let f = |x| 1;",
        ] {
            assert_eq!(keep_old(&function(used)), function(used));
        }
    }

    #[test]
    fn what_is_not_written_as_expected_stays_as_it_is() {
        for text in ["", "fn run() {\nlet x = 1;\n}\n", BEGINS] {
            assert_eq!(keep_old(text), text);
        }
    }
}
