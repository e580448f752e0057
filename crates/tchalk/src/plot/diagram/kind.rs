//! What a layer does.

use crate::plot::theme::Ink;

/// What a layer does, which is what its color says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// Where data enters.
    Input,
    /// Looks for patterns.
    Convolution,
    /// Makes images smaller.
    Pooling,
    /// Weighs everything against everything.
    Dense,
    /// Brings values to a common scale.
    Normalization,
    /// Drops values while training.
    Dropout,
    /// A function of each value: relu, softmax.
    Activation,
    /// The same numbers in another shape.
    Reshape,
    /// Brings several inputs together.
    Merge,
    /// Where results leave.
    Output,
    /// A model inside the model.
    Nested,
    /// Anything else.
    Other,
}

impl NodeKind {
    pub(super) fn ink(self) -> Ink {
        match self {
            NodeKind::Convolution => Ink::Class(0),
            NodeKind::Merge => Ink::Class(1),
            NodeKind::Pooling => Ink::Class(2),
            NodeKind::Dense => Ink::Class(3),
            NodeKind::Normalization | NodeKind::Dropout => Ink::Class(4),
            NodeKind::Nested => Ink::Class(5),
            NodeKind::Output => Ink::Class(6),
            NodeKind::Reshape => Ink::Class(7),
            NodeKind::Input | NodeKind::Other => Ink::Class(8),
            NodeKind::Activation => Ink::Class(9),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            NodeKind::Input => "input",
            NodeKind::Convolution => "convolution",
            NodeKind::Pooling => "pooling",
            NodeKind::Dense => "dense",
            NodeKind::Normalization => "normalization",
            NodeKind::Dropout => "dropout",
            NodeKind::Activation => "activation",
            NodeKind::Reshape => "reshape",
            NodeKind::Merge => "merge",
            NodeKind::Output => "output",
            NodeKind::Nested => "model",
            NodeKind::Other => "other",
        }
    }

    /// Whether such a layer may be drawn as part of the box above it: what only touches values one
    /// by one.
    pub(super) fn is_light(self) -> bool {
        matches!(self, NodeKind::Normalization | NodeKind::Dropout | NodeKind::Activation)
    }
}
