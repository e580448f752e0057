//! How well a network does: losses, metrics, evaluations, predictions, and what a reader should know
//! about them.

pub(super) mod evaluation;
pub(super) mod history;
pub(super) mod leakage;
pub(super) mod loss;
pub(super) mod metric;
pub(super) mod note;
pub(super) mod predictions;
