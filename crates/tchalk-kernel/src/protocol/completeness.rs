//! Whether a piece of code is complete, so that a console runs it on Enter.

use ra_ap_syntax::{Edition, SourceFile, T};
use serde_json::{Value, json};

/// What a console should do on Enter.
#[derive(Debug, PartialEq)]
pub enum Completeness {
    /// Run it.
    Complete,
    /// Continue on the next line, indented to this depth.
    Incomplete { depth: usize },
    /// Run it, so that the compiler reports what is wrong.
    Invalid,
}

impl Completeness {
    /// The content of an `is_complete_reply`.
    pub fn content(&self) -> Value {
        match self {
            Completeness::Complete => json!({"status": "complete"}),
            Completeness::Incomplete { depth } => {
                json!({"status": "incomplete", "indent": "    ".repeat(*depth)})
            }
            Completeness::Invalid => json!({"status": "invalid"}),
        }
    }
}

/// Examines brackets, strings and comments, and the last token.
pub fn of(code: &str) -> Completeness {
    let parsed = SourceFile::parse(code, Edition::Edition2024);
    let elements = parsed.syntax_node().descendants_with_tokens();
    let mut open = Vec::new();
    let mut last = None;
    for token in elements.filter_map(|element| element.into_token()) {
        match token.kind() {
            kind if kind.is_trivia() => continue,
            T!['('] => open.push(T![')']),
            T!['['] => open.push(T![']']),
            T!['{'] => open.push(T!['}']),
            kind @ (T![')'] | T![']'] | T!['}']) if open.pop() != Some(kind) => {
                return Completeness::Invalid;
            }
            _ => {}
        }
        last = token.text().chars().next_back();
    }
    let is_unterminated = parsed.errors().iter().any(|error| {
        let message = error.to_string();
        message == "Invalid raw string literal"
            || message.starts_with("Missing trailing")
                && ["string literal", "block comment"].iter().any(|kind| message.contains(kind))
    });
    let continues =
        last.is_some_and(|last| "=+-*/&|,.<:".contains(last)) && !code.trim_end().ends_with("..");
    match open.len() {
        depth if is_unterminated => Completeness::Incomplete { depth },
        0 if !continues => Completeness::Complete,
        depth => Completeness::Incomplete { depth: depth.max(1) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_cells_are_recognized() {
        for code in [
            "let a = 1;",
            "1 + 1",
            "fn f() {}\nf()",
            "let s = \"{ not open\";",
            "let r = r#\"a \" quote\"#;",
            "let c = '{'; let q = '\\''; let u = '\\u{7d}';",
            "fn f<'a>(x: &'a str) -> &'a str { x }",
            "// a comment (",
            "/* one /* inside */ the other ( */ 1",
            "",
            "0..",
        ] {
            assert_eq!(of(code), Completeness::Complete, "{code}");
        }
    }

    #[test]
    fn unfinished_code_is_incomplete() {
        for code in
            ["fn f() {", "let a =", "vec![1,", "\"abc", "/* open", "r#\"abc\"", "x.", "let a = 1 +"]
        {
            assert!(matches!(of(code), Completeness::Incomplete { .. }), "{code}");
        }
        assert_eq!(of("fn f() {\n    if x {"), Completeness::Incomplete { depth: 2 });
    }

    #[test]
    fn brackets_that_do_not_match_are_invalid() {
        for code in ["let x = )", "(]", "fn f() {)}"] {
            assert_eq!(of(code), Completeness::Invalid, "{code}");
        }
    }

    #[test]
    fn no_prefix_of_valid_code_panics() {
        let code = "let c = '\\u{7d}'; r##\"a\"#\"##; /* /* */ */ b'\\'' 'a \"\\\"\"";
        for end in (0..=code.len()).filter(|&end| code.is_char_boundary(end)) {
            of(&code[..end]);
        }
    }

    #[test]
    fn the_reply_indents_open_brackets() {
        assert_eq!(of("let x = 1;").content(), json!({"status": "complete"}));
        let open = json!({"status": "incomplete", "indent": "    "});
        assert_eq!(of("fn f() {").content(), open);
        assert_eq!(of("fn f() }").content(), json!({"status": "invalid"}));
    }
}
