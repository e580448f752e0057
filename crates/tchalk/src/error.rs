//! The one error type of the library.
//!
//! Every message follows one order: which operation, what it expected, what it got, and, on a line
//! of its own, what to try.

use std::fmt;
use std::path::{Path, PathBuf};

/// What went wrong, told to the person in front of the notebook.
#[derive(thiserror::Error)]
pub enum Error {
    /// Something the caller passed does not fit: a shape, a size, a name, a range.
    #[error("{op}: expected {expected}, got {got}.{}", Hint(hint))]
    Invalid {
        /// The operation that refuses, as the reader wrote it: `Dense::new(512)`.
        op: String,
        /// What would have been accepted.
        expected: String,
        /// What came instead.
        got: String,
        /// What to try; may be empty.
        hint: String,
    },
    /// A file does not hold what its name or its header promises.
    #[error("{}: {problem}.{}", path.display(), Hint(hint))]
    BadFile {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to try; may be empty.
        hint: String,
    },
    /// The operating system refused: no such file, no permission, disk full.
    #[error("{}: {source}.{}", path.display(), Hint(hint))]
    Io {
        /// The file or folder in question.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
        /// What to try; may be empty.
        hint: String,
    },
    /// A file could not be had from the network.
    #[error("{file}: {problem}.{}", Hint(hint))]
    Download {
        /// What the file is called.
        file: String,
        /// What went wrong, for each address that was tried.
        problem: String,
        /// What to try; may be empty.
        hint: String,
    },
    /// libtorch refused an operation; its C++ trace is left out.
    #[error("{op}: libtorch says: {message}")]
    Torch {
        /// The operation that was under way.
        op: String,
        /// The first line of libtorch's message.
        message: String,
    },
    /// The reader pressed stop where nothing could be kept.
    #[error("{op}: interrupted")]
    Interrupted {
        /// The operation that was under way.
        op: String,
    },
}

/// Writes a hint on a line of its own, and nothing where there is none.
struct Hint<'a>(&'a str);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "\n{}", self.0) }
    }
}

/// The message itself: a cell and `main` print errors with `{:?}`, and people read them.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The library's `Result`. Not in the prelude: a glob import would hide the standard one.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What went wrong, for use within a sentence: the first line, without its full stop. The hint has
    /// no place there.
    pub(crate) fn short_message(&self) -> String {
        let text = self.to_string();
        text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
    }

    /// An argument or a shape that does not fit.
    pub(crate) fn invalid(
        op: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        Error::Invalid {
            op: op.into(),
            expected: expected.into(),
            got: got.into(),
            hint: hint.into(),
        }
    }

    /// A file whose content is not what it should be.
    pub(crate) fn bad_file(
        path: impl AsRef<Path>,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        Error::BadFile {
            path: path.as_ref().to_owned(),
            problem: problem.into(),
            hint: hint.into(),
        }
    }

    /// A file that the network did not give.
    pub(crate) fn download(
        file: impl Into<String>,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        Error::Download { file: file.into(), problem: problem.into(), hint: hint.into() }
    }

    /// An operating-system error at `path`.
    pub(crate) fn io(
        path: impl AsRef<Path>,
        source: std::io::Error,
        hint: impl Into<String>,
    ) -> Error {
        Error::Io { path: path.as_ref().to_owned(), source, hint: hint.into() }
    }
}

/// libtorch's exceptions arrive with a C++ stack trace; the first line says what happened.
impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Error {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim().to_owned();
        Error::Torch { op: "tensor operation".into(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_operation_expected_got_and_remedy() {
        let error = Error::invalid(
            "Dense::new(512)",
            "a flat input [features]",
            "[512, 1, 1] from \"block5_pool\"",
            "Try adding Flatten before it.",
        );
        let text = "Dense::new(512): expected a flat input [features], \
                    got [512, 1, 1] from \"block5_pool\".\nTry adding Flatten before it.";
        assert_eq!(error.to_string(), text);
        assert_eq!(format!("{error:?}"), text, "cells print errors with {{:?}}");
    }

    #[test]
    fn no_hint_leaves_no_empty_line() {
        assert_eq!(Error::invalid("a", "b", "c", "").to_string(), "a: expected b, got c.");
    }
}
