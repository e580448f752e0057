//! An image as one vector.

use super::{Layer, Mode, Shape, check_size};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Reshapes an image to one vector: channel by channel, and each channel row by row. (In Keras the
/// channels are the last axis, so the order of the vector differs.)
///
/// # Shapes
///
/// Input of any shape, output `[features]`; no weights.
///
/// ```
/// use tchalk::layers::{Flatten, Layer};
/// assert_eq!(Flatten.output_shape(&vec![64, 7, 7], "pool")?, [3_136]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flatten;

impl Layer for Flatten {
    fn kind(&self) -> &'static str {
        "flatten"
    }

    fn repr(&self) -> String {
        "Flatten".into()
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        check_size(self, input)?;
        Ok(vec![input.iter().product()])
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.flatten(1, -1)
    }

    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        None
    }
}
