//! What is written otherwise in Python: Rust's way, in a line.

use regex::Regex;
use std::sync::LazyLock;

/// Patterns of a line, without the texts in quotes, and what Rust writes.
const HABITS: [(&str, &str); 27] = [
    (
        r"^\s*(import\s+\w|from\s+\w+\s+import\b)",
        "Rust imports with `use`: `use std::collections::HashMap;`.",
    ),
    (
        r"\b(np|plt|torch|pd|tf|keras)\.\w",
        "Python's libraries are not here. Tensors are `Tensor`; the names of the library come with `use tchalk::prelude::*;`.",
    ),
    (
        r"^\s*def\s+\w+",
        "A function is `fn area(r: f64) -> f64 { 3.14 * r * r }`: with types, and the body in braces.",
    ),
    (
        r"^\s*class\s+\w+",
        "A class is a `struct` with an `impl`: `struct Point { x: f64 }` and `impl Point { fn double(&self) -> f64 { 2.0 * self.x } }`.",
    ),
    (
        r"^\s*(try|except\b.*|finally)\s*:",
        "An error is a value: `match f() { Ok(x) => …, Err(error) => … }`, or `f()?`, which ends the cell.",
    ),
    (r"^\s*with\s+open\b", "`std::fs::read_to_string(\"file.txt\")?` reads a whole file."),
    (r"\belif\b", "`else if`: `if a { … } else if b { … } else { … }`."),
    (r"\blambda\b", "A function without a name is `|x| x + 1`."),
    (
        r"\[.*\bfor\b.+\bin\b.*\]",
        "A list from a list: `v.iter().map(|x| x * 2).collect::<Vec<_>>()`.",
    ),
    (
        r"^\s*(if|for|while|else)\b.*:\s*$",
        "A block is in braces, and has no colon: `if x > 0 { … }`, `for x in 0..10 { … }`.",
    ),
    (r"(^|[^.\w])range\s*\(", "A range is `0..10`: from 0 to 9."),
    (r"^\s*print\s*[( ]", "Printing is `println!(\"{x}\")`, with the variable in braces."),
    (r#"\bf["']"#, "A text with values is `format!(\"{x}\")`."),
    (r"^\s*#(\s|\w)", "A comment begins with `//`."),
    (r"(^|[^.\w])len\s*\(", "The length is a method: `v.len()`."),
    (r"\.append\s*\(", "`v.push(x)` adds to a list that was made with `let mut`."),
    (r"\bis\s+(not\s+)?None\b", "`x.is_none()` and `x.is_some()` tell whether there is a value."),
    (r"\b(True|False)\b", "`true` and `false` are written in lower case."),
    (r"\b(and|or|not)\b", "And is `&&`, or is `||`, not is `!`."),
    (r"\bif\s+(not\s+)?\w+\s+in\s+\w+", "`v.contains(&x)` tells whether a list has a value."),
    (r"\*\*", "A power is `x.powi(2)`, or `x.powf(0.5)`."),
    (r"\[\s*-\s*\d+\s*\]", "The last element is `v[v.len() - 1]`."),
    (r"(^|[^.\w])str\s*\(", "`x.to_string()` makes a text of a value."),
    (r"(^|[^.\w])(int|float)\s*\(", "`x as f64` converts a number, `text.parse::<f64>()?` a text."),
    (r"\+\+", "`x += 1` adds one."),
    (r"^\s*del\s+\w", "`drop(x)` frees a value."),
    (
        r"^\s*[a-z_]\w*\s*=\s*[^=]",
        "A new variable needs `let`: `let x = 3;`. To change it later, `let mut x = 3;`.",
    ),
];

static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let regex = |(pattern, _): &(&str, &str)| Regex::new(pattern).expect("a pattern is valid");
    HABITS.iter().map(regex).collect()
});
static SINGLE_QUOTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(^|[\s(=,])'[^'\\<>&]{2,}'([\s);,.]|$)").expect("a pattern is valid")
});
static DOUBLE_QUOTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#""([^"\\]|\\.)*""#).expect("a pattern is valid"));

/// Rust's way, if a line is written in Python's.
pub fn advice(line: &str) -> Option<&'static str> {
    let bare = DOUBLE_QUOTED.replace_all(line, "\"\"");
    if SINGLE_QUOTED.is_match(&bare) {
        return Some("Text is in double quotes: `\"text\"`. Single quotes are for one character.");
    }
    // What follows `//` is a comment; a `#` that begins a line is looked at.
    let code = bare.split("//").next().unwrap_or_default();
    let found = PATTERNS.iter().position(|pattern| pattern.is_match(code))?;
    Some(HABITS[found].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_have_rusts_way() {
        for (line, word) in [
            ("print(x)", "println!"),
            ("x = 3", "let x"),
            ("import numpy as np", "use "),
            ("from torch import nn", "use "),
            ("let a = 'text';", "double quotes"),
            ("# a comment", "//"),
            ("len(v)", ".len()"),
            ("v.append(3)", ".push("),
            ("y = x is None", "is_none"),
            ("let a = True;", "true"),
            ("if a and b { }", "&&"),
            ("for i in range(10):", "braces"),
            ("let n = range(10);", "0..10"),
            ("let s = f\"{x}\";", "format!"),
            ("def f(x):", "fn "),
            ("elif x > 3:", "else if"),
            ("let f = lambda x: x + 1", "|x|"),
            ("let y = x ** 2;", "powi"),
            ("[x * 2 for x in v]", "collect"),
            ("v[-1]", "v.len() - 1"),
            ("str(5)", "to_string"),
            ("int(\"5\")", "parse"),
            ("x++", "+= 1"),
            ("class Point:", "struct"),
            ("try:", "match"),
            ("with open(\"f\") as f:", "read_to_string"),
            ("np.zeros(3)", "Tensor"),
            ("del x", "drop("),
        ] {
            let told = advice(line);
            assert!(told.is_some_and(|told| told.contains(word)), "{line}: {told:?}");
        }
    }

    #[test]
    fn rust_has_none() {
        for line in [
            "let x = 3;",
            "println!(\"this and that, not len(v)\");",
            "for i in 0..10 {",
            "#[derive(Debug)]",
            "let c = 'a';",
            "x.len() // and more",
            "if a == b { 1 } else { 2 }",
            "let f = |x: f64| x + 1.0;",
            "x += 1;",
            "impl<'a> Foo<'a> {}",
        ] {
            assert_eq!(advice(line), None, "{line}");
        }
    }
}
