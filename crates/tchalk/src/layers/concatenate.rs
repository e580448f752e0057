//! The concatenation of several inputs.

use super::merge::concatenated_shape;
use super::{Merge, Shape};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Concatenates the channels of images, or the features of vectors.
///
/// # Shapes
///
/// Inputs `[channels, height, width]` of the same height and width, or vectors `[features]`; the output
/// has the sum of the channels or features. No weights.
///
/// ```
/// use tchalk::layers::{Concatenate, Merge};
/// use tchalk::tch::Tensor;
/// let a = Tensor::from_slice2(&[[1f32, 2.0]]);
/// let b = Tensor::from_slice2(&[[3f32, 5.0]]);
/// let y = Concatenate::new().forward(&[a, b]);
/// assert_eq!(y, Tensor::from_slice2(&[[1f32, 2.0, 3.0, 5.0]]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Concatenate;

impl Concatenate {
    /// The concatenation of its inputs, in order.
    pub fn new() -> Concatenate {
        Concatenate
    }
}

impl Merge for Concatenate {
    fn kind(&self) -> &'static str {
        "concatenate"
    }

    fn repr(&self) -> String {
        "Concatenate::new()".into()
    }

    fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape> {
        concatenated_shape(self, inputs, from)
    }

    fn forward(&self, inputs: &[Tensor]) -> Tensor {
        Tensor::cat(inputs, 1)
    }
}
