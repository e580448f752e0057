//! Pictures changed a little each time they are seen.

use tch::Tensor;

/// What changes pictures a little each time they are seen in training, so that the network cannot
/// learn them by heart. Given to [`Fit::augment`](super::Fit::augment).
pub trait Augment: std::fmt::Debug + Send + Sync {
    /// Changes a batch of pictures `[batch, channels, height, width]`; the shape stays. The same
    /// `seed` makes the same changes.
    fn apply(&self, x: &Tensor, seed: u64) -> Tensor;
}
