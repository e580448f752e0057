//! How much text a cell may put on the page: of too much, its beginning and its end.

use crate::publish::Stream;
use std::collections::VecDeque;

/// A cell's text is shown whole up to this size; of more, the end is kept as well.
pub const HEAD: usize = 1 << 18;
pub const TAIL: usize = 1 << 14;
/// The same for one value, and for the message of an error.
const VALUE_HEAD: usize = 1 << 14;
const VALUE_TAIL: usize = 1 << 11;

/// What has been shown of a cell's text, and what was too much.
#[derive(Default)]
pub struct Limit {
    shown: usize,
    tail: VecDeque<(Stream, String)>,
    tail_size: usize,
    /// Lines and bytes that were left out before the tail.
    left_out: (usize, usize),
}

impl Limit {
    /// The part of `text` that may be shown; the end of the rest is kept. And whether this is where it
    /// began to be too much.
    pub fn admit<'a>(&mut self, stream: Stream, text: &'a str) -> (&'a str, bool) {
        let room = text.floor_char_boundary(text.len().min(HEAD.saturating_sub(self.shown)));
        let (text, rest) = text.split_at(room);
        self.shown += text.len();
        if rest.is_empty() {
            return (text, false);
        }
        let begins = self.tail.is_empty();
        self.shown = HEAD;
        self.keep_end(stream, rest);
        (text, begins)
    }

    /// Keeps the end of a text that is too long to be shown, and counts what goes.
    fn keep_end(&mut self, stream: Stream, text: &str) {
        let (gone, kept) = text.split_at(text.ceil_char_boundary(text.len().saturating_sub(TAIL)));
        let mut forget = |text: &str| {
            self.left_out.0 += text.matches('\n').count();
            self.left_out.1 += text.len();
        };
        forget(gone);
        self.tail.push_back((stream, kept.to_owned()));
        self.tail_size += kept.len();
        while self.tail_size > TAIL
            && self.tail.len() > 1
            && let Some((_, oldest)) = self.tail.pop_front()
        {
            self.tail_size -= oldest.len();
            forget(&oldest);
        }
    }

    /// The end of a text that was too long, and before it a word on what is missing.
    pub fn take_end(&mut self) -> (Option<String>, VecDeque<(Stream, String)>) {
        let (lines, bytes) = std::mem::take(&mut self.left_out);
        self.tail_size = 0;
        let word = (bytes > 0).then(|| {
            format!("\n… {lines} lines ({:.1} MB) are left out here …\n", bytes as f64 / 1e6)
        });
        (word, std::mem::take(&mut self.tail))
    }
}

/// A value's text, or its beginning and end if it is too long for a page.
pub fn shortened(text: &str) -> String {
    if text.len() <= VALUE_HEAD + VALUE_TAIL {
        return text.to_owned();
    }
    let (head, rest) = text.split_at(text.floor_char_boundary(VALUE_HEAD));
    let (gone, tail) = rest.split_at(rest.ceil_char_boundary(rest.len() - VALUE_TAIL));
    format!("{head}\n… {:.2} MB are left out here …\n{tail}", gone.len() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_value_the_beginning_and_the_end_are_kept() {
        assert_eq!(shortened("[1, 2]"), "[1, 2]");
        let long = shortened(&format!("[{}]", "é, ".repeat(1_000_000)));
        assert!(long.len() < 20_000, "{} bytes", long.len());
        assert!(long.starts_with("[é, ") && long.ends_with("é, ]"));
        assert!(long.contains("… 3.98 MB are left out here …"), "{long}");
    }

    #[test]
    fn it_is_told_once_where_text_becomes_too_much() {
        let mut limit = Limit::default();
        let text = "x".repeat(HEAD);
        assert_eq!(limit.admit(Stream::Out, &text), (text.as_str(), false));
        assert_eq!(limit.admit(Stream::Out, "y"), ("", true));
        assert_eq!(limit.admit(Stream::Out, "z"), ("", false));
        let (word, end) = limit.take_end();
        assert_eq!(word, None, "nothing is missing");
        assert_eq!(end.into_iter().map(|(_, text)| text).collect::<String>(), "yz");
    }
}
