//! The sum of several inputs.

use super::merge::same_shapes;
use super::{Merge, Shape};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Adds several inputs element by element, as at the end of a skip connection.
///
/// # Shapes
///
/// Several inputs, all of one shape; output like them. No weights.
///
/// ```
/// use tchalk::layers::{Add, Merge};
/// use tchalk::tch::Tensor;
/// let a = Tensor::from_slice2(&[[1f32, 2.0]]);
/// let b = Tensor::from_slice2(&[[3f32, 5.0]]);
/// let y = Add::new().forward(&[a, b]);
/// assert_eq!(y, Tensor::from_slice2(&[[4f32, 7.0]]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Add;

impl Add {
    /// The sum of its inputs.
    pub fn new() -> Add {
        Add
    }
}

impl Merge for Add {
    fn kind(&self) -> &'static str {
        "add"
    }

    fn repr(&self) -> String {
        "Add::new()".into()
    }

    fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape> {
        same_shapes(self, inputs, from)
    }

    fn forward(&self, inputs: &[Tensor]) -> Tensor {
        let (first, others) = inputs.split_first().expect("a merge has inputs");
        others.iter().fold(first.shallow_clone(), |sum, x| sum + x)
    }
}
