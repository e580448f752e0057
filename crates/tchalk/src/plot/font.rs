//! The font: measuring, shortening and wrapping text before it is drawn.

use std::sync::LazyLock;
use ttf_parser::Face;

/// The font that comes with the library, then one of the same widths, then whatever there is.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

static REGULAR: LazyLock<Face<'static>> = LazyLock::new(|| face(dejavu::sans::regular()));
static BOLD: LazyLock<Face<'static>> = LazyLock::new(|| face(dejavu::sans::bold()));

fn face(font: &'static [u8]) -> Face<'static> {
    Face::parse(font, 0).expect("the font comes with the library")
}

/// How wide `text` is at this size, in pixels.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let face = if bold { &*BOLD } else { &*REGULAR };
    let units: f64 = text
        .chars()
        .map(|c| {
            let glyph = face.glyph_index(c).unwrap_or_default();
            f64::from(face.glyph_hor_advance(glyph).unwrap_or(face.units_per_em()))
        })
        .sum();
    units / f64::from(face.units_per_em()) * size
}

/// `text`, or as much of its beginning as fits into `room`, with an ellipsis.
pub(super) fn shortened(text: &str, size: f64, bold: bool, room: f64) -> String {
    if width(text, size, bold) <= room {
        return text.to_owned();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let candidate = format!("{}…", kept.iter().collect::<String>().trim_end());
        if width(&candidate, size, bold) <= room {
            return candidate;
        }
    }
    String::new()
}

/// `text` in at most `lines` lines, broken where it says so and at spaces (not at those that keep
/// words together); what does not fit is cut off with an ellipsis.
pub(super) fn wrapped(text: &str, size: f64, room: f64, lines: usize) -> Vec<String> {
    let mut set: Vec<String> = Vec::new();
    let breaks = |c: char| c.is_whitespace() && c != '\u{a0}';
    for part in text.lines() {
        let mut first = true;
        for word in part.split(breaks).filter(|word| !word.is_empty()) {
            match set.last_mut() {
                Some(line) if !first && width(&format!("{line} {word}"), size, false) <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => set.push(word.to_owned()),
            }
            first = false;
        }
    }
    if set.len() > lines {
        let rest = set.split_off(lines - 1).join(" ");
        set.push(rest);
    }
    set.iter().map(|line| shortened(line, size, false, room)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_to_fit() {
        let cut = shortened("automobile", 11.0, false, 50.0);
        assert!(cut.ends_with('…') && width(&cut, 11.0, false) <= 50.0, "{cut}");
        assert_eq!(shortened("cat", 11.0, false, 50.0), "cat");
    }

    #[test]
    fn lines_break_at_spaces_and_no_word_is_lost_silently() {
        assert_eq!(wrapped("automobile (airplane)", 11.0, 80.0, 2), ["automobile", "(airplane)"]);
        let cut = wrapped("one two three four five six", 11.0, 40.0, 2);
        assert!(cut.len() == 2 && cut[1].ends_with('…'), "{cut:?}");
        assert_eq!(wrapped("cat (dog)\nloss 2.5", 11.0, 300.0, 3), ["cat (dog)", "loss 2.5"]);
    }

    #[test]
    fn a_no_break_blank_is_as_wide_as_a_blank_and_keeps_words_together() {
        assert_eq!(width("a\u{a0}b", 11.0, false), width("a b", 11.0, false));
        let room = width("a\u{a0}b", 11.0, false) - 1.0;
        assert_eq!(wrapped("a b", 11.0, room, 2), ["a", "b"]);
        let bound = wrapped("one two\u{a0}three", 11.0, width("one two", 11.0, false), 2);
        assert!(bound.len() == 2 && bound[1].starts_with("two"), "{bound:?}");
    }

    #[test]
    fn the_marks_are_in_the_font() {
        for mark in ['✔', '✘', '×', '…', '±'] {
            assert!(
                REGULAR.glyph_index(mark).is_some() && BOLD.glyph_index(mark).is_some(),
                "{mark}"
            );
        }
    }
}
