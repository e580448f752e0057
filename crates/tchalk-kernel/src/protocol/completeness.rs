//! Whether a piece of code is complete, so that a console runs it on Enter.

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

/// Examines brackets, strings and comments, and the last character.
pub fn of(code: &str) -> Completeness {
    let chars: Vec<char> = code.chars().collect();
    let mut open = Vec::new();
    let mut last = ' ';
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        match c {
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' if open.pop() != Some(opening(c)) => return Completeness::Invalid,
            _ => {}
        }
        let Some((end, is_comment)) = token_end(&chars, at) else {
            return Completeness::Incomplete { depth: open.len() };
        };
        if !c.is_whitespace() && !is_comment {
            last = c;
        }
        at = end;
    }
    let continues = "=+-*/&|,.<:".contains(last) && !code.trim_end().ends_with("..");
    match open.len() {
        0 if !continues => Completeness::Complete,
        depth => Completeness::Incomplete { depth: depth.max(1) },
    }
}

fn opening(closing: char) -> char {
    match closing {
        ')' => '(',
        ']' => '[',
        _ => '{',
    }
}

/// Where the token that begins at `at` ends, and whether it is a comment; `None` if it does not end.
fn token_end(chars: &[char], at: usize) -> Option<(usize, bool)> {
    let before = at.checked_sub(1).and_then(|i| chars.get(i)).copied();
    let end = match (chars[at], chars.get(at + 1)) {
        ('/', Some('/')) => {
            return Some((at + chars[at..].iter().take_while(|&&c| c != '\n').count(), true));
        }
        ('/', Some('*')) => return Some((after_comment(chars, at)?, true)),
        ('"', _) => after_string(chars, at + 1)?,
        ('r', _) if !is_word(before) => match raw_hashes(chars, at + 1) {
            Some(hashes) => after_raw_string(chars, at + hashes + 2, hashes)?,
            None => at + 1,
        },
        ('\'', _) => after_quote(chars, at),
        _ => at + 1,
    };
    Some((end, false))
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// The index after a comment that may contain others.
fn after_comment(chars: &[char], mut at: usize) -> Option<usize> {
    let mut depth = 0;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') if depth == 1 => return Some(at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    None
}

/// The index after the quote that ends a string.
fn after_string(chars: &[char], mut at: usize) -> Option<usize> {
    loop {
        match chars.get(at)? {
            '\\' => at += 2,
            '"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The number of `#` between an `r` and its quote; `None` if this is not a raw string.
fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|&&c| c == '#').count();
    (chars.get(at + hashes) == Some(&'"')).then_some(hashes)
}

fn after_raw_string(chars: &[char], mut at: usize, hashes: usize) -> Option<usize> {
    loop {
        let closing = *chars.get(at)? == '"'
            && chars
                .get(at + 1..at + 1 + hashes)
                .is_some_and(|after| after.iter().all(|&c| c == '#'));
        if closing {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
}

/// The index after a character, or after the quote of a lifetime.
fn after_quote(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            let rest = chars[at + 3.min(chars.len() - at)..].iter();
            at + 4 + rest.take_while(|&&c| c != '\'').count()
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
    .min(chars.len())
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
