//! A Rust file as tokens, and what each of its lines holds.

/// A token: an identifier, a punctuation character, or a literal, of which only the place counts.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Identifier(String),
    Punctuation(char),
    Literal,
}

impl Token {
    pub fn is(&self, character: char) -> bool {
        *self == Token::Punctuation(character)
    }

    pub fn identifier(&self) -> Option<&str> {
        match self {
            Token::Identifier(name) => Some(name),
            _ => None,
        }
    }
}

/// What a line holds. Code counts before a comment in the same line.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub enum Line {
    Blank,
    Comment,
    Documentation,
    Code,
}

/// A file's tokens with the index of the line each begins in, and its lines.
pub struct Source {
    pub tokens: Vec<(Token, usize)>,
    pub lines: Vec<Line>,
}

impl Source {
    pub fn parse(text: &str) -> Source {
        let lines = vec![Line::Blank; text.lines().count()];
        let mut reader =
            Reader { rest: text, line: 0, source: Source { tokens: Vec::new(), lines } };
        while !reader.rest.is_empty() {
            reader.next();
        }
        reader.source
    }

    /// The index of the token that closes the bracket at `open`.
    pub fn closing(&self, open: usize) -> usize {
        let mut depth = 0;
        for (at, (token, _)) in self.tokens.iter().enumerate().skip(open) {
            match token {
                Token::Punctuation('(' | '[' | '{') => depth += 1,
                Token::Punctuation(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len().saturating_sub(1)
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    source: Source,
}

impl Reader<'_> {
    /// Reads one token, comment or stretch of white space.
    fn next(&mut self) {
        let rest = self.rest;
        let first = rest.chars().next().unwrap_or_default();
        if first.is_whitespace() {
            self.skip(first.len_utf8(), Line::Blank);
        } else if rest.starts_with("//") {
            self.skip(rest.find('\n').unwrap_or(rest.len()), comment(rest));
        } else if rest.starts_with("/*") {
            self.skip(block_comment(rest), comment(rest));
        } else if let Some(length) = literal(rest) {
            self.source.tokens.push((Token::Literal, self.line));
            self.skip(length, Line::Code);
        } else if first.is_alphabetic() || first == '_' {
            let rest = rest.strip_prefix("r#").unwrap_or(rest);
            let length = word(rest);
            self.source.tokens.push((Token::Identifier(rest[..length].to_owned()), self.line));
            self.skip(self.rest.len() - rest.len() + length, Line::Code);
        } else {
            self.source.tokens.push((Token::Punctuation(first), self.line));
            self.skip(first.len_utf8(), Line::Code);
        }
    }

    fn skip(&mut self, length: usize, holds: Line) {
        for character in self.rest[..length].chars() {
            match character {
                '\n' => self.line += 1,
                _ if self.source.lines[self.line] < holds => self.source.lines[self.line] = holds,
                _ => {}
            }
        }
        self.rest = &self.rest[length..];
    }
}

fn comment(text: &str) -> Line {
    let is_documentation = ["///", "//!", "/**", "/*!"].iter().any(|mark| text.starts_with(mark));
    if is_documentation { Line::Documentation } else { Line::Comment }
}

/// The length of a comment that may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            _ => (0, 1),
        };
        (depth, at) = (depth + step.0, at + step.1);
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// The length of the literal or lifetime that a text begins with, if it does.
fn literal(text: &str) -> Option<usize> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(word(text));
    }
    if let Some(rest) = text.strip_prefix('\'') {
        let mut characters = rest.chars();
        let is_character = characters.next() == Some('\\') || characters.next() == Some('\'');
        return Some(if is_character { quoted(text, '\'') } else { 1 + word(rest) });
    }
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let hashes = if prefix.ends_with('r') { '#' } else { '"' };
        text.strip_prefix(prefix).is_some_and(|rest| {
            rest.trim_start_matches(hashes).starts_with('"') || rest.starts_with('"')
        })
    });
    let prefix = match prefix {
        None if text.starts_with("b'") => return Some(1 + quoted(&text[1..], '\'')),
        prefix => prefix?,
    };
    let rest = &text[prefix.len()..];
    if !prefix.ends_with('r') {
        return Some(prefix.len() + quoted(rest, '"'));
    }
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    let body = &rest[hashes + 1..];
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(prefix.len() + hashes + 1 + length)
}

/// The length of a text in quotes, both included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifiers(text: &str) -> Vec<String> {
        let tokens = Source::parse(text).tokens.into_iter();
        tokens.filter_map(|(token, _)| token.identifier().map(str::to_owned)).collect()
    }

    #[test]
    fn comments_and_literals_hold_no_identifiers() {
        let text = "let a = \"b \\\" c\"; // d\n/* e /* f */ g */ let h = r#\"i \" j\"#; \
                    let k: &'l str = 'm'; let n = ('\\'', '\"', b'o', b\"p\", br\"q\\\", c\"r\", 1u8); s";
        assert_eq!(identifiers(text), ["let", "a", "let", "h", "let", "k", "str", "let", "n", "s"]);
        assert_eq!(identifiers("r#type r b c"), ["type", "r", "b", "c"]);
    }

    #[test]
    fn a_line_holds_code_before_documentation_before_a_comment() {
        let text =
            "//! Module.\n\n// Why.\nfn a() {} // here\n/// Item.\nconst B: &str = \"\n\nend\";\n";
        use Line::{Blank, Code, Comment, Documentation};
        let expected = [Documentation, Blank, Comment, Code, Documentation, Code, Blank, Code];
        assert_eq!(Source::parse(text).lines, expected);
    }

    #[test]
    fn a_bracket_is_closed_by_its_own() {
        let source = Source::parse("a { b(c[0], '}') } d");
        assert_eq!(source.tokens[source.closing(1)].0, Token::Punctuation('}'));
        assert_eq!(source.closing(1), source.tokens.len() - 2);
    }
}
