//! The line of a cell that an error's location refers to.

/// The line of the cell `code` that is line `number` of the generated `source`. Of several equal lines it
/// is the one with the most equal neighbors. Evcxr gives each statement a line of its own, so a generated
/// line may be part of a line of the cell.
pub fn line_in_cell(source: &str, number: usize, code: &str) -> Option<usize> {
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
pub fn is_third_party(file: &str) -> bool {
    file.contains("/registry/src/") || file.starts_with("/rustc/") || file.contains("/rustlib/src/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_lines_the_one_with_equal_neighbors_is_found() {
        let code = "f()?;\ng();\nf()?;\nh();";
        let source = format!("fn run() {{\n{code}\n}}");
        assert_eq!(line_in_cell(&source, 2, code), Some(1));
        assert_eq!(line_in_cell(&source, 4, code), Some(3));
        assert_eq!(line_in_cell(&source, 1, code), None);
        assert_eq!(line_in_cell(&source, 99, code), None);
        assert_eq!(line_in_cell("f()?;", 1, code), Some(1));
        assert_eq!(line_in_cell("let a = g();\n&(a[9])", 2, "h();\nlet a = g(); &(a[9])"), Some(2));
        assert_eq!(line_in_cell("f();", 1, "f(); g();\nf(); h();"), None);
    }

    #[test]
    fn files_of_dependencies_are_third_party() {
        assert!(is_third_party(
            "/home/a/.cargo/registry/src/index-1/tch-0.24.0/src/wrappers/tensor.rs"
        ));
        assert!(is_third_party("/rustc/abc/library/core/src/option.rs"));
        assert!(!is_third_party("/home/a/tchalk/crates/tchalk/src/plot/mod.rs"));
    }
}
