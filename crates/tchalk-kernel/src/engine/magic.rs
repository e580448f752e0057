//! Lines for the kernel, not for the compiler: `%%time`, `%%bash`, `%who`, `:clear`, `?name`.

/// What a cell asks the kernel to do beside, or instead of, running its Rust code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Magic<'a> {
    /// Rust code only.
    None(&'a str),
    /// Run the shell's commands.
    Script(&'a str),
    /// Run the code, and print how long it took.
    Time(&'a str),
    /// List the variables.
    Who,
    /// Remove all variables and definitions, then run the code.
    Clear(&'a str),
    /// Start a new cell process, without variables, then run the code.
    Restart(&'a str),
    /// End the kernel.
    Quit,
    /// Show the documentation of a name.
    Help(&'a str),
    /// A line that is only allowed as a cell's first line.
    Misplaced(&'a str),
    /// A magic that this kernel does not have.
    Unknown(&'a str),
}

/// Evcxr's commands after which the library must be loaded again, or that a cell cannot run.
const FIRST_LINES: [&str; 3] = [":clear", ":restart", ":quit"];

/// Parses a cell. Code after a magic keeps its newline, so that line numbers stay those of the cell.
pub fn parse(code: &str) -> Magic<'_> {
    let text = code.trim();
    let (first, rest) = text.split_at(text.find('\n').unwrap_or(text.len()));
    if let Some(line) = rest.lines().find(|line| FIRST_LINES.contains(&line.trim_end())) {
        return Magic::Misplaced(line.trim_end());
    }
    match first.trim() {
        "%%bash" | "%%sh" => Magic::Script(rest),
        "%%time" => Magic::Time(rest),
        "%who" | "%whos" if rest.trim().is_empty() => Magic::Who,
        ":clear" => Magic::Clear(rest),
        ":restart" => Magic::Restart(rest),
        ":quit" => Magic::Quit,
        line if line.starts_with('?') && rest.trim().is_empty() => {
            Magic::Help(line.trim_start_matches('?').trim())
        }
        line if line.starts_with('%') => Magic::Unknown(line),
        _ => Magic::None(code),
    }
}

/// A cell with spaces in place of the magic, for completion and help: every other character keeps its
/// position.
pub fn blanked(code: &str) -> String {
    let start = code.len() - code.trim_start().len();
    let first = code[start..].lines().next().unwrap_or_default();
    let magic = match first.chars().next() {
        Some('%') => first,
        Some('?') => &first[..first.len() - first.trim_start_matches('?').len()],
        _ => "",
    };
    let spaces = " ".repeat(magic.chars().count());
    format!("{}{spaces}{}", &code[..start], &code[start + magic.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics_are_distinguished_from_code() {
        assert_eq!(parse("%%time\nlet a = 1;"), Magic::Time("\nlet a = 1;"));
        assert_eq!(parse("%%bash\nls"), Magic::Script("\nls"));
        assert_eq!(parse(" %who "), Magic::Who);
        assert_eq!(parse(":clear"), Magic::Clear(""));
        assert_eq!(parse(":clear\nlet a = 1;"), Magic::Clear("\nlet a = 1;"));
        assert_eq!(parse(":restart\n"), Magic::Restart(""));
        assert_eq!(parse(":quit"), Magic::Quit);
        assert_eq!(parse("let a = 1;\n:clear"), Magic::Misplaced(":clear"));
        assert_eq!(parse("?Conv2d"), Magic::Help("Conv2d"));
        assert_eq!(parse("%matplotlib inline"), Magic::Unknown("%matplotlib inline"));
        for code in ["let a = 7 % 3;", "f()?", ":dep rand", "1 + 1"] {
            assert_eq!(parse(code), Magic::None(code));
        }
    }

    #[test]
    fn a_magic_is_replaced_by_spaces() {
        assert_eq!(blanked("%%time\nlet é = f("), "      \nlet é = f(");
        assert_eq!(blanked("??Conv2d"), "  Conv2d");
        for code in ["let a = 7 % 3;", "f()?", ""] {
            assert_eq!(blanked(code), code);
        }
    }
}
