//! Augmentation of the training images.

use crate::data::Augmentation;
use crate::error::Result;
use tch::Tensor;

/// Changes the images of each training step, so that the network sees them in many variants: an
/// [`Augmentation`], or a type of your own, for [`Fit::augment`](crate::train::Fit::augment).
pub trait Augment: std::fmt::Debug + Send + Sync {
    /// Changes a batch of images `[batch, channels, height, width]`. The shape stays. The same `seed`
    /// makes the same changes.
    ///
    /// # Errors
    ///
    /// If the images do not fit.
    fn apply(&self, x: &Tensor, seed: u64) -> Result<Tensor>;
}

impl Augment for Augmentation {
    fn apply(&self, x: &Tensor, seed: u64) -> Result<Tensor> {
        Augmentation::apply(self, x, seed)
    }
}
