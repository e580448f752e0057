//! Reshaping.

use super::{Layer, Mode, Shape, check_size, shape_text};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Changes the shape and keeps the order of the numbers: channel by channel, and each channel row by row.
///
/// # Shapes
///
/// Output of the given shape, with as many numbers as the input; no weights.
///
/// ```
/// use tchalk::layers::{Layer, Reshape};
/// assert_eq!(Reshape::new([1, 28, 28]).output_shape(&vec![784], "input")?, [1, 28, 28]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    shape: Shape,
}

impl Reshape {
    /// The shape of one output, without the batch.
    pub fn new(shape: impl Into<Vec<usize>>) -> Reshape {
        Reshape { shape: shape.into() }
    }
}

impl Layer for Reshape {
    fn kind(&self) -> &'static str {
        "reshape"
    }

    fn repr(&self) -> String {
        format!("Reshape::new({:?})", self.shape)
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        check_size(self, &self.shape)?;
        let (expected, got) =
            (self.shape.iter().product::<usize>(), input.iter().product::<usize>());
        if expected != got || self.shape.is_empty() {
            return Err(Error::invalid(
                self.repr(),
                format!("an input of {expected} numbers"),
                format!("{got}, {} from {from:?}", shape_text(input)),
                "Shapes are [channels, height, width], without the batch.",
            ));
        }
        Ok(self.shape.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        let batch = x.size()[0];
        let sizes: Vec<i64> =
            std::iter::once(batch).chain(self.shape.iter().map(|&n| n as i64)).collect();
        x.reshape(sizes)
    }

    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_numbers_stays_the_same() {
        let error = Reshape::new([1, 28, 28]).output_shape(&vec![783], "input").unwrap_err();
        assert!(error.to_string().contains("an input of 784 numbers, got 783, [783] from"));
        assert!(Reshape::new([]).output_shape(&vec![1], "input").is_err());
        assert!(Reshape::new([usize::MAX, 2]).output_shape(&vec![1], "input").is_err());
    }
}
