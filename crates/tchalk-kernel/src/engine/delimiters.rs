//! Brackets that do not match: said before the compiler sees them, which would point outside the cell.

use ra_ap_syntax::{AstNode, Edition, SourceFile};

/// A bracket that does not match.
#[derive(Debug, PartialEq)]
pub struct Unmatched {
    /// Line and column, from 1.
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// The first bracket of a cell that closes nothing, or the last one that is not closed.
pub fn unmatched(code: &str) -> Option<Unmatched> {
    let file = SourceFile::parse(code, Edition::Edition2024).tree();
    let tokens = file.syntax().descendants_with_tokens().filter_map(|part| part.into_token());
    let mut open: Vec<(String, usize)> = Vec::new();
    let at = |offset: usize, message: String| {
        let before = &code[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Some(Unmatched { line, column, message })
    };
    for token in tokens {
        let (text, offset) = (token.text(), usize::from(token.text_range().start()));
        let closes = match text {
            "(" | "[" | "{" => {
                open.push((text.to_owned(), offset));
                continue;
            }
            ")" => "(",
            "]" => "[",
            "}" => "{",
            _ => continue,
        };
        match open.pop() {
            Some((bracket, _)) if bracket == closes => {}
            Some((bracket, from)) => {
                return at(from, format!("`{bracket}` is closed by `{text}`, or not at all"));
            }
            None => return at(offset, format!("`{text}` closes nothing")),
        }
    }
    let (bracket, from) = open.pop()?;
    at(from, format!("`{bracket}` is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bracket_is_found_where_it_was_typed() {
        for (code, line, column, word) in [
            ("model.fit(", 1, 10, "not closed"),
            ("let a = 1;\nlet v = vec![1, 2;\nv", 2, 13, "not closed"),
            ("f(1]", 1, 2, "closed by `]`"),
            ("let a = 1; }", 1, 12, "closes nothing"),
            ("for i in 0..3 {\n  f(i);\n", 1, 15, "not closed"),
        ] {
            let found = unmatched(code).unwrap();
            assert_eq!((found.line, found.column), (line, column), "{code}: {found:?}");
            assert!(found.message.contains(word), "{found:?}");
        }
        for code in
            ["f(\"(\")", "'('", "// (", "r#\"}\"#", "fn f() { [1] }", "", "let s = \"unclosed"]
        {
            assert_eq!(unmatched(code), None, "{code}");
        }
    }
}
