//! Statics that keep their values from cell to cell.
//!
//! Evcxr compiles all items of a notebook into each cell, so each cell would have statics of its own. Those that
//! can change get a type of the library, which finds the value by name (`tchalk::runtime::notebook_static`).
//! The name contains the number of the cell: a cell that defines the static again begins again.

use crate::engine::cell_syntax::{self, range_in_cell};
use crate::engine::insertion::Insertion;
use ra_ap_syntax::ast::{self, AstNode, HasModuleItem, HasName};
use ra_ap_syntax::{Edition, SourceFile};

const STATIC: &str = "tchalk::runtime::notebook_static::NotebookStatic";
const THREAD_LOCAL: &str = "tchalk::runtime::notebook_static::NotebookThreadLocal";
/// Parts of the names of types whose values change behind a shared reference.
const CHANGING: [&str; 6] = ["Atomic", "Mutex", "RwLock", "OnceLock", "LazyLock", "OnceCell"];

/// The text that makes the statics of cell `number` last.
pub fn insertions(code: &str, number: u64) -> Vec<Insertion> {
    let cell = cell_syntax::parse(code).filter(|cell| !cell.has_errors);
    let nodes = cell.into_iter().flat_map(|cell| cell.statements.syntax().children());
    let found = nodes.filter_map(|node| {
        if let Some(declaration) = ast::Static::cast(node.clone()) {
            return of_static(&declaration, number);
        }
        let call = node.descendants().find_map(ast::MacroCall::cast)?;
        (call.syntax().text_range() == node.text_range() || node.first_child()? == *call.syntax())
            .then(|| of_thread_local(&call, number))?
    });
    found.flatten().collect()
}

fn of_static(declaration: &ast::Static, number: u64) -> Option<Vec<Insertion>> {
    let (kind, body) = (declaration.ty()?, declaration.body()?);
    let changes = CHANGING.iter().any(|name| kind.syntax().text().to_string().contains(name));
    if !changes || declaration.mut_token().is_some() {
        return None;
    }
    let name = declaration.name()?;
    let (kind, body) = (range_in_cell(&kind)?, range_in_cell(&body)?);
    Some(vec![
        Insertion::new(kind.start, format!("{STATIC}<")),
        Insertion::new(kind.end, ">"),
        Insertion::new(body.start, format!("{STATIC}::new(\"{name}#{number}\", || ")),
        Insertion::new(body.end, ")"),
    ])
}

/// Declares the variables of `thread_local!`, and makes the call a comment.
fn of_thread_local(call: &ast::MacroCall, number: u64) -> Option<Vec<Insertion>> {
    if call.path()?.syntax().text() != "thread_local" {
        return None;
    }
    let tree = call.token_tree()?.syntax().text().to_string();
    let inside = tree.get(1..tree.len() - 1)?;
    let file = SourceFile::parse(&format!("{inside};"), Edition::Edition2024).tree();
    let mut declarations = String::new();
    for item in file.items() {
        let ast::Item::Static(declaration) = item else { continue };
        let (name, kind, body) = (declaration.name()?, declaration.ty()?, declaration.body()?);
        let text = |node: &ra_ap_syntax::SyntaxNode| node.text().to_string().replace('\n', " ");
        let (kind, body) = (text(kind.syntax()), text(body.syntax()));
        if kind.contains("//") || body.contains("//") {
            return None;
        }
        declarations.push_str(&format!(
            "static {name}: {THREAD_LOCAL}<{kind}> = {THREAD_LOCAL}::new(\"{name}#{number}\", || {body}); "
        ));
    }
    let range = range_in_cell(call)?;
    Some(vec![
        Insertion::new(range.start, format!("{declarations}/*")),
        Insertion::new(range.end, "*/"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::prepared_cell::PreparedCell;

    #[test]
    fn only_statics_that_can_change_are_kept() {
        let code = "static A: AtomicUsize = AtomicUsize::new(1);\nstatic B: i32 = 2;\nstatic mut C: Mutex<i32> = f();";
        let prepared = PreparedCell::new(code, "", 3).code;
        let first = format!(
            "static A: {STATIC}<AtomicUsize> = {STATIC}::new(\"A#3\", || AtomicUsize::new(1));"
        );
        assert_eq!(prepared.lines().next(), Some(first.as_str()));
        assert_eq!(prepared.split_once('\n').unwrap().1, code.split_once('\n').unwrap().1);
    }

    #[test]
    fn thread_locals_are_declared_and_the_macro_is_a_comment() {
        let code = "thread_local! {\n    static A: Cell<i32> = Cell::new(1);\n    static B: Cell<i32> = const { Cell::new(2) }\n}\nlet a = 1;";
        let prepared = PreparedCell::new(code, "", 3).code;
        assert_eq!(prepared.lines().count(), code.lines().count());
        assert!(prepared.contains("new(\"A#3\", || Cell::new(1));"), "{prepared}");
        assert!(prepared.contains("new(\"B#3\", || const { Cell::new(2) });"), "{prepared}");
        let parsed = SourceFile::parse(&format!("fn f() {{ {prepared} }}"), Edition::Edition2024);
        assert!(parsed.errors().is_empty(), "{prepared}");
        let alone = PreparedCell::new("thread_local! { static A: Cell<i32> = f() }", "", 3).code;
        assert!(alone.starts_with("static A") && alone.ends_with("f() }*/"), "{alone}");
        assert_eq!(insertions("println!(\"static\")", 1), []);
    }
}
