//! Progress by carriage returns: of the states of a line, the page needs the last one.

use std::borrow::Cow;

/// The text with each line in its last state. What comes before the first return of a line stays, since the
/// line may have begun earlier.
pub fn folded(text: &str) -> Cow<'_, str> {
    if !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    let lines: Vec<String> = text.split('\n').map(folded_line).collect();
    Cow::Owned(lines.join("\n"))
}

fn folded_line(line: &str) -> String {
    // A return before the newline is the end of a line in other systems.
    let (line, end) = line.strip_suffix('\r').map_or((line, ""), |line| (line, "\r"));
    let mut states = line.split('\r');
    let first = states.next().unwrap_or_default();
    let last = states.fold(None, |before: Option<String>, state| {
        let hidden = state.chars().count();
        let rest: String = before.unwrap_or_default().chars().skip(hidden).collect();
        Some(format!("{state}{rest}"))
    });
    match last {
        Some(last) => format!("{first}\r{last}{end}"),
        None => format!("{first}{end}"),
    }
}

/// Whether a text only puts another state in the place of a line that is shown.
pub fn replaces(text: &str) -> bool {
    const LONGEST: usize = 1 << 10;
    text.starts_with('\r') && !text.contains('\n') && text.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_state_of_each_line_stays() {
        for (text, expected) in [
            ("no returns", "no returns"),
            ("\r 1 %\r 2 %\r 3 %", "\r 3 %"),
            ("begun\r 1 %\r 2 %\ndone\n", "begun\r 2 %\ndone\n"),
            ("\rlonger\rab", "\rabnger"),
            ("dos\r\nlines\r\n", "dos\r\nlines\r\n"),
            ("\r\u{e9}t\u{e9}\r12", "\r12\u{e9}"),
        ] {
            assert_eq!(folded(text), expected);
        }
    }

    #[test]
    fn only_a_state_of_one_line_replaces() {
        assert!(replaces("\r 50 %"));
        for text in ["50 %", "\r 50 %\n", "a\rb"] {
            assert!(!replaces(text), "{text:?}");
        }
        assert!(!replaces(&format!("\r{}", "x".repeat(5_000))));
    }
}
