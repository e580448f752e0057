//! Lines on a cell's standard streams that are meant for the kernel, not for the reader.
//!
//! A marker is one line: a control character that nobody types, a word, and JSON. The library's `display`
//! writes `show` and `clear` markers. The runtime crate of cells and the cell process (see
//! [`crate::output::relay`]) write the others.

use crate::output::stream::Stream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How every marker line begins.
pub const PREFIX: &str = "\u{1}tchalk ";

/// One message from the cell process to the kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Marker {
    /// Show this on the page now; with an `id` it can be updated later.
    Show {
        /// MIME type to content.
        data: Map<String, Value>,
        /// The display to create, or to change where `update` is set.
        #[serde(default)]
        id: Option<String>,
        /// Change the display of that id instead of making a new one.
        #[serde(default)]
        update: bool,
    },
    /// Remove what the cell has shown so far.
    Clear {
        /// Only when the next output arrives, so that nothing flickers.
        #[serde(default)]
        wait: bool,
    },
    /// Text that is not a line of the stream: a progress bar that has no newline yet, or the output of a
    /// thread while no cell runs.
    Text {
        /// The text as it was written.
        text: String,
        /// The stream to which it was written, if that is not the one that carries the marker.
        #[serde(default)]
        stream: Option<Stream>,
    },
    /// A cell begins to run.
    Begin,
    /// The next lines on standard error say why the cell may fail: a panic, or a `?` that met an error.
    Report {
        /// Where the `?` is: file, line and column.
        #[serde(default)]
        location: Option<String>,
    },
    /// A `?` met an error, whose text went to standard error just before.
    Error,
    /// The cell panicked, and said so on standard error.
    Panic,
    /// A cell that redefines a variable failed, and the old value is still in the store.
    Kept {
        /// The variable.
        name: String,
    },
    /// A cell has ended; written to both streams, so that both can be waited for.
    Done {
        /// The number of the cell in this process.
        cell: u64,
    },
}

impl Marker {
    /// Text of the stream that carries the marker.
    pub fn text(text: String) -> Marker {
        Marker::Text { text, stream: None }
    }

    /// The marker in `line`, if it is one.
    pub fn parse(line: &str) -> Option<Marker> {
        serde_json::from_str(line.strip_prefix(PREFIX)?).ok()
    }

    /// The line that carries this marker, without its newline.
    pub fn line(&self) -> String {
        let json = serde_json::to_string(self).expect("a marker is plain data");
        format!("{PREFIX}{json}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_parsed_and_other_lines_are_not() {
        for marker in [Marker::Error, Marker::Done { cell: 7 }, Marker::text("50 %".into())] {
            assert_eq!(Marker::parse(&marker.line()), Some(marker));
        }
        let shown = format!("{PREFIX}{{\"kind\":\"show\",\"data\":{{\"text/plain\":\"x\"}}}}");
        assert!(matches!(
            Marker::parse(&shown),
            Some(Marker::Show { id: None, update: false, .. })
        ));
        assert_eq!(Marker::parse("loss 0.5"), None);
        assert_eq!(Marker::parse(&format!("{PREFIX}nonsense")), None);
    }
}
