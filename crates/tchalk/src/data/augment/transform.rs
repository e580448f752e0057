//! What one random change of images is.

use super::{RandomStream, Rearrangement, affine};
use crate::error::{Error, Result};
use tch::Tensor;

/// A random change of images. A transformation of your own goes into a chain with
/// [`Augmentation::add`](super::Augmentation::add).
pub trait Transform: std::fmt::Debug + Send + Sync {
    /// What it does, in a few words: `flip left and right, 50 % of the images`.
    fn describe(&self) -> String;

    /// Whether it can be applied to images of this height and width.
    ///
    /// # Errors
    ///
    /// If it cannot: a crop larger than the image, a factor below zero.
    fn check(&self, height: usize, width: usize) -> Result<()>;

    /// Draws a change for each image of a batch `f32 [n, channels, height, width]`.
    fn draw(&self, random: &mut RandomStream, height: usize, width: usize) -> Change;
}

/// What is drawn for the images of a batch. Changes of the same kind that follow each other and only
/// move pixels are made in one.
pub enum Change {
    /// New values: a function of the batch, which it may change in place. The batch is contiguous.
    Pixels(Box<dyn FnOnce(Tensor) -> Tensor>),
    /// Whole rows and columns in another order.
    Index(Rearrangement),
    /// A matrix `f32 [n, 3, 3]` from coordinates in the new image to coordinates in the old one,
    /// which may lie between pixels. Coordinates are in pixels from the center, as columns
    /// `(x, y, 1)`.
    Affine(Tensor),
}

impl Change {
    /// This change and the next one, as one change where possible.
    pub(super) fn then(self, next: Change) -> Vec<Change> {
        match (self, next) {
            (Change::Index(first), Change::Index(next)) => vec![Change::Index(first.then(&next))],
            // From new to old coordinates, the last change comes first.
            (Change::Affine(first), Change::Affine(next)) => {
                vec![Change::Affine(first.matmul(&next))]
            }
            (first, next) => vec![first, next],
        }
    }

    /// The changed images. `original` is never written to.
    pub(super) fn apply(self, images: Tensor, original: &Tensor) -> Tensor {
        match self {
            Change::Index(rearrangement) => rearrangement.apply(&images),
            Change::Affine(matrices) => affine::sample(&images, &matrices),
            Change::Pixels(change) => {
                let is_own = images.data_ptr() != original.data_ptr() && images.is_contiguous();
                change(if is_own { images } else { images.copy().contiguous() })
            }
        }
    }
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Change::Pixels(_) => f.write_str("Pixels(…)"),
            Change::Index(rearrangement) => f.debug_tuple("Index").field(rearrangement).finish(),
            Change::Affine(matrices) => f.debug_tuple("Affine").field(matrices).finish(),
        }
    }
}

/// Refuses a number that is not from `low` to `high`.
pub(super) fn check_range(op: String, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(op, format!("a number from {low} to {high}"), value.to_string(), ""))
}
