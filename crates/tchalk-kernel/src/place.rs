//! Where in the reader's own cell something went wrong.

/// Which line of `code` is line `number` of `source`, which holds it: of several that are the same, the
/// one that stands among the same. Evcxr gives each statement a line, so it may be a part of the line
/// that the reader wrote.
pub fn same_line(source: &str, number: usize, code: &str) -> Option<usize> {
    let trimmed = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let (source, code) = (trimmed(source), trimmed(code));
    let at = number.checked_sub(1).filter(|&at| at < source.len())?;
    let neighbors = |line: usize| {
        let same = |(a, b): &(&String, &String)| a == b;
        let before = source[..at].iter().rev().zip(code[..line].iter().rev());
        let after = source[at..].iter().zip(&code[line..]);
        before.take_while(same).count() + after.take_while(same).count()
    };
    let whole = (0..code.len()).filter(|&line| code[line] == source[at]);
    let mut parts = (0..code.len()).filter(|&line| code[line].contains(&source[at]));
    let only_part = match (parts.next(), parts.next()) {
        (Some(line), None) if !source[at].is_empty() => Some(line),
        _ => None,
    };
    Some(whole.rev().max_by_key(|&line| neighbors(line)).or(only_part)? + 1)
}

/// Whether a file is neither the reader's nor the library's.
pub fn is_foreign(file: &str) -> bool {
    file.contains("/registry/src/") || file.starts_with("/rustc/") || file.contains("/rustlib/src/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_lines_that_are_the_same_the_one_among_the_same_is_meant() {
        let code = "f()?;\ng();\nf()?;\nh();";
        let source = format!("fn run() {{\n{code}\n}}");
        assert_eq!(same_line(&source, 2, code), Some(1));
        assert_eq!(same_line(&source, 4, code), Some(3));
        assert_eq!(same_line(&source, 1, code), None);
        assert_eq!(same_line(&source, 99, code), None);
        assert_eq!(same_line("f()?;", 1, code), Some(1));
        assert_eq!(same_line("let a = g();\n&(a[9])", 2, "h();\nlet a = g(); &(a[9])"), Some(2));
        assert_eq!(same_line("f();", 1, "f(); g();\nf(); h();"), None);
    }

    #[test]
    fn a_place_in_somebody_else_s_sources_says_nothing_to_a_reader() {
        assert!(is_foreign(
            "/home/a/.cargo/registry/src/index-1/tch-0.24.0/src/wrappers/tensor.rs"
        ));
        assert!(is_foreign("/rustc/abc/library/core/src/option.rs"));
        assert!(!is_foreign("/home/a/tchalk/crates/tchalk/src/plot/mod.rs"));
    }
}
