//! Lines that are for the kernel, not for the compiler: `%%time`, `%who`, `:clear`, `?name`.

/// What a cell asks for beside, or instead of, its Rust code.
#[derive(Debug, PartialEq)]
pub enum Magic<'a> {
    /// Plain code.
    None(&'a str),
    /// Run the code, and say how long it took.
    Time(&'a str),
    /// List the variables.
    Who,
    /// Forget all variables.
    Clear,
    /// Show the documentation of a name.
    Help(&'a str),
    /// Something that looks like a magic, but is none that is known.
    Unknown(&'a str),
}

/// Reads a cell.
pub fn read(code: &str) -> Magic<'_> {
    let text = code.trim();
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match first.trim() {
        "%%time" => Magic::Time(rest),
        "%who" | "%whos" if rest.trim().is_empty() => Magic::Who,
        ":clear" if rest.trim().is_empty() => Magic::Clear,
        line if line.starts_with('?') && rest.trim().is_empty() => {
            Magic::Help(line.trim_start_matches('?').trim())
        }
        line if line.starts_with('%') => Magic::Unknown(line),
        _ => Magic::None(code),
    }
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
        assert_eq!(read("%%time\nlet a = 1;"), Magic::Time("let a = 1;"));
        assert_eq!(read(" %who "), Magic::Who);
        assert_eq!(read(":clear"), Magic::Clear);
        assert_eq!(read("?Conv2d"), Magic::Help("Conv2d"));
        assert_eq!(read("%matplotlib inline"), Magic::Unknown("%matplotlib inline"));
        for code in ["let a = 7 % 3;", "f()?", ":dep rand", "1 + 1"] {
            assert_eq!(read(code), Magic::None(code));
        }
    }

    #[test]
    fn times_read_like_times() {
        assert_eq!(duration_text(0.35), "350 ms");
        assert_eq!(duration_text(12.34), "12.3 s");
        assert_eq!(duration_text(185.2), "3 min 5 s");
    }
}
