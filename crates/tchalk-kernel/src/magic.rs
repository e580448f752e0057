//! Lines that are for the kernel, not for the compiler: `%%time`, `%who`, `:clear`, `?name`.

/// What a cell asks for beside, or instead of, its Rust code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Magic<'a> {
    /// Plain code.
    None(&'a str),
    /// Run the code, and say how long it took.
    Time(&'a str),
    /// List the variables.
    Who,
    /// Forget all variables and definitions, then run the code.
    Clear(&'a str),
    /// Begin a new cell process, which forgets all variables, then run the code.
    Restart(&'a str),
    /// End the kernel.
    Quit,
    /// Show the documentation of a name.
    Help(&'a str),
    /// What must be a cell's first line, and is not.
    Misplaced(&'a str),
    /// Something that looks like a magic, but is none that is known.
    Unknown(&'a str),
}

/// Evcxr's commands after which the library must be made known again, or nothing can be done.
const FIRST_LINES: [&str; 3] = [":clear", ":restart", ":quit"];

/// Reads a cell. Code behind a first line keeps its newline, so that lines are counted as the reader
/// counts them.
pub fn read(code: &str) -> Magic<'_> {
    let text = code.trim();
    let (first, rest) = text.split_at(text.find('\n').unwrap_or(text.len()));
    if let Some(line) = rest.lines().find(|line| FIRST_LINES.contains(&line.trim_end())) {
        return Magic::Misplaced(line.trim_end());
    }
    match first.trim() {
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

/// A cell with spaces in place of what is not Rust, for those who look at names in it: every other
/// character stays where it was.
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

/// How long a cell took: `350 ms`, `12.3 s`, `3 min 5 s`.
pub fn duration_text(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", 1000.0 * s),
        s if s < 59.95 => format!("{s:.1} s"),
        s => format!("{} min {} s", s.round() as u64 / 60, s.round() as u64 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics_are_told_from_code() {
        assert_eq!(read("%%time\nlet a = 1;"), Magic::Time("\nlet a = 1;"));
        assert_eq!(read(" %who "), Magic::Who);
        assert_eq!(read(":clear"), Magic::Clear(""));
        assert_eq!(read(":clear\nlet a = 1;"), Magic::Clear("\nlet a = 1;"));
        assert_eq!(read(":restart\n"), Magic::Restart(""));
        assert_eq!(read(":quit"), Magic::Quit);
        assert_eq!(read("let a = 1;\n:clear"), Magic::Misplaced(":clear"));
        assert_eq!(read("?Conv2d"), Magic::Help("Conv2d"));
        assert_eq!(read("%matplotlib inline"), Magic::Unknown("%matplotlib inline"));
        for code in ["let a = 7 % 3;", "f()?", ":dep rand", "1 + 1"] {
            assert_eq!(read(code), Magic::None(code));
        }
    }

    #[test]
    fn a_magic_is_blank_to_those_who_look_for_names() {
        assert_eq!(blanked("%%time\nlet é = f("), "      \nlet é = f(");
        assert_eq!(blanked("??Conv2d"), "  Conv2d");
        for code in ["let a = 7 % 3;", "f()?", ""] {
            assert_eq!(blanked(code), code);
        }
    }

    #[test]
    fn times_read_like_times() {
        assert_eq!(duration_text(0.35), "350 ms");
        assert_eq!(duration_text(12.34), "12.3 s");
        assert_eq!(duration_text(185.2), "3 min 5 s");
    }
}
