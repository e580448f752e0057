//! A cell parsed as the body of a function.

use ra_ap_syntax::ast::{self, HasModuleItem};
use ra_ap_syntax::{Edition, SourceFile};

const FUNCTION: &str = "fn f() {";

/// The statements of a cell.
pub struct CellSyntax {
    pub statements: ast::StmtList,
    pub has_errors: bool,
}

/// Parses a cell; `None` if not even a function body was recognized.
pub fn parse(code: &str) -> Option<CellSyntax> {
    let parsed = SourceFile::parse(&format!("{FUNCTION}{code}\n}}"), Edition::Edition2024);
    let statements = parsed.tree().items().find_map(|item| match item {
        ast::Item::Fn(function) => function.body()?.stmt_list(),
        _ => None,
    })?;
    Some(CellSyntax { statements, has_errors: !parsed.errors().is_empty() })
}

/// The byte range of a syntax node in the cell; `None` if it is not part of the cell.
pub fn range_in_cell(node: &impl ast::AstNode) -> Option<std::ops::Range<usize>> {
    let range = node.syntax().text_range();
    let offset = |at| usize::from(at).checked_sub(FUNCTION.len());
    Some(offset(range.start())?..offset(range.end())?)
}
