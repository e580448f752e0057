//! The two streams that a cell writes to.

use serde::{Deserialize, Serialize};

/// Standard output or standard error of the cell process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Stream {
    Out,
    Err,
}

impl Stream {
    /// Jupyter's name of the stream.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Out => "stdout",
            Stream::Err => "stderr",
        }
    }
}
