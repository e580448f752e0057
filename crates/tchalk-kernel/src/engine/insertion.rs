//! Text of the kernel's in the code of a cell.

/// Text for Evcxr at a byte offset of the cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Insertion {
    pub offset: usize,
    pub text: String,
}

impl Insertion {
    pub fn new(offset: usize, text: impl Into<String>) -> Insertion {
        Insertion { offset, text: text.into() }
    }
}
