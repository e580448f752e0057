//! The error type of the library.
//!
//! Every message has the same order: the operation, what it expected, what it got, and, on a line of its
//! own, what to try.

use std::fmt;
use std::path::{Path, PathBuf};

/// An error with a message for the user of the notebook.
#[derive(thiserror::Error)]
pub enum Error {
    /// An argument does not fit: a shape, a size, a name, a range.
    #[error("{op}: expected {expected}, got {got}.{}", Hint(hint))]
    Invalid {
        /// The operation that fails, as it is written in a cell: `Dense::new(512)`.
        op: String,
        /// What would have been accepted.
        expected: String,
        /// What was passed instead.
        got: String,
        /// What to try; may be empty.
        hint: String,
    },
    /// A file does not contain what its name or its header says.
    #[error("{}: {problem}.{}", path.display(), Hint(hint))]
    BadFile {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to try; may be empty.
        hint: String,
    },
    /// An error of the operating system: no such file, no permission, disk full.
    #[error("{}: {source}.{}", path.display(), Hint(hint))]
    Io {
        /// The file or folder in question.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
        /// What to try; may be empty.
        hint: String,
    },
    /// A download failed.
    #[error("{file}: {problem}.{}", Hint(hint))]
    Download {
        /// The name of the file.
        file: String,
        /// What went wrong, for each URL that was tried.
        problem: String,
        /// What to try; may be empty.
        hint: String,
    },
    /// libtorch refused an operation. Its C++ stack trace is left out.
    #[error("{op}: libtorch says: {message}")]
    Torch {
        /// The operation that was under way.
        op: String,
        /// The first line of libtorch's message.
        message: String,
    },
    /// The user interrupted an operation that has no partial result.
    #[error("{op}: interrupted")]
    Interrupted {
        /// The operation that was under way.
        op: String,
    },
}

/// Writes a hint on a line of its own, if there is one.
struct Hint<'a>(&'a str);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "\n{}", self.0) }
    }
}

/// The message itself, since a cell and `main` print errors with `{:?}`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The `Result` of the library. It is not in the prelude, since a glob import would hide the standard one.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The first line without its full stop and without the hint, for use within a sentence.
    pub(crate) fn short_message(&self) -> String {
        let text = self.to_string();
        text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
    }

    /// An [`Error::Invalid`].
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

    /// An [`Error::BadFile`].
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

    /// An [`Error::Download`].
    pub(crate) fn download(
        file: impl Into<String>,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        Error::Download { file: file.into(), problem: problem.into(), hint: hint.into() }
    }

    /// An [`Error::Io`] at `path`.
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
    fn a_message_has_operation_expected_got_and_hint() {
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
