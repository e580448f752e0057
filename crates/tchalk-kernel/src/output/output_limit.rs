//! How much text a cell may show: of too much text, the beginning and the end.

use crate::output::stream::Stream;
use std::collections::VecDeque;

/// A longer text keeps this many bytes of its beginning and of its end.
pub const MAX_START: usize = 1 << 18;
pub const MAX_END: usize = 1 << 14;

/// How much of a cell's text was shown, and the end of the rest.
#[derive(Default)]
pub struct OutputLimit {
    shown: usize,
    end: VecDeque<(Stream, String)>,
    end_size: usize,
    /// Lines and bytes between the beginning and the end.
    omitted: (usize, usize),
}

impl OutputLimit {
    /// The part of `text` that may be shown, and whether the limit was reached here. The end of the rest
    /// is kept.
    pub fn admit<'a>(&mut self, stream: Stream, text: &'a str) -> (&'a str, bool) {
        let room = text.floor_char_boundary(text.len().min(MAX_START.saturating_sub(self.shown)));
        let (text, rest) = text.split_at(room);
        self.shown += text.len();
        if rest.is_empty() {
            return (text, false);
        }
        let reached = self.end.is_empty();
        self.shown = MAX_START;
        self.keep_end(stream, rest);
        (text, reached)
    }

    /// Whether no more of the text may be shown before the end.
    pub fn is_reached(&self) -> bool {
        !self.end.is_empty()
    }

    /// Keeps the end of a text that is too long, and counts what is omitted.
    fn keep_end(&mut self, stream: Stream, text: &str) {
        let (omitted, kept) =
            text.split_at(text.ceil_char_boundary(text.len().saturating_sub(MAX_END)));
        let mut omit = |text: &str| {
            self.omitted.0 += text.matches('\n').count();
            self.omitted.1 += text.len();
        };
        omit(omitted);
        self.end.push_back((stream, kept.to_owned()));
        self.end_size += kept.len();
        while self.end_size > MAX_END
            && self.end.len() > 1
            && let Some((_, oldest)) = self.end.pop_front()
        {
            self.end_size -= oldest.len();
            omit(&oldest);
        }
    }

    /// The end of a text that was too long, and a note on what is omitted before it.
    pub fn take_end(&mut self) -> (Option<String>, VecDeque<(Stream, String)>) {
        let (lines, bytes) = std::mem::take(&mut self.omitted);
        self.end_size = 0;
        let note = (bytes > 0).then(|| {
            format!("\n… {lines} lines ({:.1} MB) are left out here …\n", bytes as f64 / 1e6)
        });
        (note, std::mem::take(&mut self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_reached_once() {
        let mut limit = OutputLimit::default();
        let text = "x".repeat(MAX_START);
        assert_eq!(limit.admit(Stream::Out, &text), (text.as_str(), false));
        assert_eq!(limit.admit(Stream::Out, "y"), ("", true));
        assert_eq!(limit.admit(Stream::Out, "z"), ("", false));
        let (note, end) = limit.take_end();
        assert_eq!(note, None, "nothing is omitted");
        assert_eq!(end.into_iter().map(|(_, text)| text).collect::<String>(), "yz");
    }
}
