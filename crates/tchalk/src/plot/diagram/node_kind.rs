//! The kinds of layers that a diagram tells apart.

use crate::plot::theme::Ink;

/// What a layer does; its color in a diagram shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// The input.
    Input,
    /// A convolution.
    Convolution,
    /// Pooling, which makes images smaller.
    Pooling,
    /// A dense (fully connected) layer.
    Dense,
    /// Normalization.
    Normalization,
    /// Dropout.
    Dropout,
    /// An activation: relu, softmax.
    Activation,
    /// Reshaping or flattening.
    Reshape,
    /// A merge of several inputs: add, concatenate.
    Merge,
    /// The output.
    Output,
    /// A nested model.
    Nested,
    /// Anything else.
    Other,
}

impl NodeKind {
    pub(super) fn ink(self) -> Ink {
        self.style().0
    }

    pub(super) fn name(self) -> &'static str {
        self.style().1
    }

    fn style(self) -> (Ink, &'static str) {
        match self {
            NodeKind::Input => (Ink::Class(8), "input"),
            NodeKind::Convolution => (Ink::Class(0), "convolution"),
            NodeKind::Pooling => (Ink::Class(2), "pooling"),
            NodeKind::Dense => (Ink::Class(3), "dense"),
            NodeKind::Normalization => (Ink::Class(4), "normalization"),
            NodeKind::Dropout => (Ink::Class(4), "dropout"),
            NodeKind::Activation => (Ink::Class(9), "activation"),
            NodeKind::Reshape => (Ink::Class(7), "reshape"),
            NodeKind::Merge => (Ink::Class(1), "merge"),
            NodeKind::Output => (Ink::Class(6), "output"),
            NodeKind::Nested => (Ink::Class(5), "model"),
            NodeKind::Other => (Ink::Class(8), "other"),
        }
    }

    /// Whether such a layer may be drawn as part of the box above it: it works elementwise.
    pub(super) fn is_light(self) -> bool {
        matches!(self, NodeKind::Normalization | NodeKind::Dropout | NodeKind::Activation)
    }
}
