//! The two streams that a cell writes to.

/// Standard output or standard error of the cell process.
#[derive(Debug, Clone, Copy, PartialEq)]
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
