//! The mean of several inputs.

use super::merge::same_shapes;
use super::{Merge, Shape};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// The mean of several inputs element by element, for example of several networks' probabilities.
///
/// # Shapes
///
/// Several inputs, all of one shape; output like them. No weights.
///
/// ```
/// use tchalk::layers::{Average, Merge};
/// use tchalk::tch::Tensor;
/// let a = Tensor::from_slice2(&[[1f32, 2.0]]);
/// let b = Tensor::from_slice2(&[[3f32, 5.0]]);
/// let y = Average::new().forward(&[a, b]);
/// assert_eq!(y, Tensor::from_slice2(&[[2f32, 3.5]]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Average;

impl Average {
    /// The mean of its inputs.
    pub fn new() -> Average {
        Average
    }
}

impl Merge for Average {
    fn kind(&self) -> &'static str {
        "average"
    }

    fn repr(&self) -> String {
        "Average::new()".into()
    }

    fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape> {
        same_shapes(self, inputs, from)
    }

    fn forward(&self, inputs: &[Tensor]) -> Tensor {
        let (first, others) = inputs.split_first().expect("a merge has inputs");
        let sum = others.iter().fold(first.shallow_clone(), |sum, x| sum + x);
        sum / inputs.len() as f64
    }
}
