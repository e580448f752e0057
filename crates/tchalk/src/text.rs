//! Formats numbers, sizes, times and long texts.

use std::fmt::{Display, Write};

/// A number with its thousands set apart: `50,000`, `0.25`.
pub(crate) fn thousands(value: impl Display) -> String {
    let text = value.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

/// A fraction with this many decimals: `97.25 %`.
pub(crate) fn percent(fraction: f64, decimals: usize) -> String {
    format!("{:.decimals$} %", 100.0 * fraction)
}

/// A fraction with this many decimals, and one more below one percent: `97 %`, `0.4 %`.
pub(crate) fn fine_percent(fraction: f64, decimals: usize) -> String {
    let is_small = fraction > 0.0 && fraction < 0.0095;
    percent(fraction, decimals + usize::from(is_small))
}

/// A size: `512 kB`, `9.9 MB`, `162 MB`, `7.5 GB`.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", count as f64 / 1e3),
        1_000_000..10_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        10_000_000..1_000_000_000 => format!("{:.0} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// A time: `9 s`, `3 min 20 s`, `1 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let seconds = seconds.clamp(0.0, 1e7).round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A time, with tenths below ten seconds: `0.8 s`, `42 s`.
pub(crate) fn fine_duration(seconds: f64) -> String {
    if seconds < 9.95 { format!("{seconds:.1} s") } else { duration(seconds) }
}

/// The first `most` characters, with an ellipsis where there are more.
pub(crate) fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Replaces the characters that HTML reads as markup.
pub(crate) fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A writer that keeps only the beginning and the end of a text that is too long for a page. A data
/// set's numbers are many megabytes of text.
#[derive(Default)]
pub(crate) struct HeadAndTail {
    head: String,
    tail: String,
    left_out: usize,
}

impl HeadAndTail {
    const HEAD: usize = 1 << 14;
    const TAIL: usize = 1 << 11;

    /// The text, with a line that says how much is missing.
    pub(crate) fn finish(mut self) -> String {
        if self.head.len() + self.tail.len() > Self::HEAD + Self::TAIL || self.left_out > 0 {
            self.trim_tail();
        }
        if self.left_out > 0 {
            let size = self.left_out as f64 / 1e6;
            self.head.push_str(&format!("\n… {size:.2} MB are left out here …\n"));
        }
        self.head + &self.tail
    }

    fn trim_tail(&mut self) {
        let end = self.tail.ceil_char_boundary(self.tail.len().saturating_sub(Self::TAIL));
        self.tail.drain(..end);
        self.left_out += end;
    }
}

impl Write for HeadAndTail {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = match self.tail.is_empty() && self.left_out == 0 {
            true => Self::HEAD - self.head.len(),
            false => 0,
        };
        let (head, tail) = text.split_at(text.floor_char_boundary(room.min(text.len())));
        self.head.push_str(head);
        self.tail.push_str(tail);
        if self.tail.len() > 8 * Self::TAIL {
            self.trim_tail();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 50_000].map(thousands), ["0", "999", "50,000"]);
        assert_eq!([-1234567.5, 0.25, 1e6].map(thousands), ["-1,234,567.5", "0.25", "1,000,000"]);
    }

    #[test]
    fn a_small_percentage_has_one_more_decimal() {
        assert_eq!(percent(0.5, 2), "50.00 %");
        assert_eq!([0.004, 0.25, 0.0].map(|part| fine_percent(part, 0)), ["0.4 %", "25 %", "0 %"]);
    }

    #[test]
    fn sizes_have_a_unit() {
        let sizes = [10, 340_000, 9_900_000, 12_000_000, 7_500_000_000].map(bytes);
        assert_eq!(sizes, ["10 bytes", "340 kB", "9.9 MB", "12 MB", "7.5 GB"]);
    }

    #[test]
    fn times_have_units() {
        assert_eq!([8.6, 200.0, 3900.0].map(duration), ["9 s", "3 min 20 s", "1 h 5 min"]);
        assert_eq!([0.84, 42.3, 185.2].map(fine_duration), ["0.8 s", "42 s", "3 min 5 s"]);
    }

    #[test]
    fn a_beginning_ends_in_an_ellipsis_only_where_it_was_cut() {
        assert_eq!([beginning("éa", 1), beginning("éa", 2)], ["é…", "éa"]);
    }

    #[test]
    fn escaping_leaves_no_markup() {
        assert_eq!(escape_html("a<b & \"c\""), "a&lt;b &amp; &quot;c&quot;");
    }

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        let shortened = |text: &str| {
            let mut writer = HeadAndTail::default();
            text.split_inclusive(' ').for_each(|part| writer.write_str(part).unwrap());
            writer.finish()
        };
        assert_eq!(shortened("[1, 2]"), "[1, 2]");
        let whole = "é ".repeat(6_000);
        assert_eq!(shortened(&whole), whole);
        let long = shortened(&format!("[{}]", "é ".repeat(1_000_000)));
        assert!(long.len() < 20_000, "{} bytes", long.len());
        assert!(long.starts_with("[é ") && long.ends_with("é ]"));
        assert!(long.contains("… 2.98 MB are left out here …"), "{long}");
    }
}
