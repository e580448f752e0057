//! How large the code is: lines by what they hold, functions, public names.

use super::modules::File;
use super::source::{Line, Token};
use std::ops::AddAssign;

/// A function whose body has more lines is long.
pub const LONG: usize = 50;

/// Lines by what they hold, outside tests first.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lines {
    pub code: usize,
    pub tests: usize,
    pub documentation: usize,
    pub comments: usize,
    pub blank: usize,
}

impl Lines {
    pub fn of(file: &File) -> Lines {
        let mut lines = Lines::default();
        for (number, line) in file.source.lines.iter().enumerate() {
            *match line {
                Line::Blank => &mut lines.blank,
                _ if file.is_test(number) => &mut lines.tests,
                Line::Code => &mut lines.code,
                Line::Documentation => &mut lines.documentation,
                Line::Comment => &mut lines.comments,
            } += 1;
        }
        lines
    }

    pub fn all(&self) -> usize {
        self.code + self.tests + self.documentation + self.comments + self.blank
    }
}

impl AddAssign for Lines {
    fn add_assign(&mut self, other: Lines) {
        self.code += other.code;
        self.tests += other.tests;
        self.documentation += other.documentation;
        self.comments += other.comments;
        self.blank += other.blank;
    }
}

/// A function outside tests, and the lines of its body.
pub struct Function {
    pub name: String,
    pub line: usize,
    pub length: usize,
}

/// The functions of a file that are no tests.
pub fn functions(file: &File) -> Vec<Function> {
    let tokens = &file.source.tokens;
    let mut functions = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [(Token::Identifier(keyword), line), (Token::Identifier(name), _)] = pair else {
            continue;
        };
        if keyword != "fn" || file.is_test(*line) {
            continue;
        }
        if let Some(open) = body(file, at + 2) {
            let (first, last) = (tokens[open].1, tokens[file.source.closing(open)].1);
            let length = last.saturating_sub(first + 1);
            functions.push(Function { name: name.clone(), line: line + 1, length });
        }
    }
    functions
}

/// The bracket that opens a function's body, if it has one.
fn body(file: &File, mut at: usize) -> Option<usize> {
    while let Some((token, _)) = file.source.tokens.get(at) {
        match token {
            Token::Punctuation('{') => return Some(at),
            Token::Punctuation(';') => return None,
            Token::Punctuation('(' | '[') => at = file.source.closing(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// How many functions, types, traits and constants a file makes `pub`, outside tests.
pub fn public_names(file: &File) -> usize {
    let is_public = |pair: &[(Token, usize)]| {
        let [(Token::Identifier(visibility), line), (Token::Identifier(keyword), _)] = pair else {
            return false;
        };
        let kinds = ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "unsafe"];
        visibility == "pub" && kinds.contains(&keyword.as_str()) && !file.is_test(*line)
    };
    file.source.tokens.windows(2).filter(|pair| is_public(pair)).count()
}
