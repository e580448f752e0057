//! Images changed a little each time they are seen.

use crate::data::Augmentation;
use crate::error::Result;
use tch::Tensor;

/// What changes images a little each time they are seen in training, so that the network cannot
/// learn them by heart: an [`Augmentation`], or a type of your own. Given to
/// [`Fit::augment`](crate::train::Fit::augment).
pub trait Augment: std::fmt::Debug + Send + Sync {
    /// Changes a batch of images `[batch, channels, height, width]`; the shape stays. The same
    /// `seed` makes the same changes.
    ///
    /// # Errors
    ///
    /// If it cannot work with such images.
    fn apply(&self, x: &Tensor, seed: u64) -> Result<Tensor>;
}

impl Augment for Augmentation {
    fn apply(&self, x: &Tensor, seed: u64) -> Result<Tensor> {
        Augmentation::apply(self, x, seed)
    }
}
