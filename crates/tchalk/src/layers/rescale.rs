//! Scaling and shifting of all values.

use super::{Layer, Mode, Shape};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Multiplies all values by a scale and adds an offset: Keras's `Rescaling`.
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Layer, Mode, Rescale};
/// use tchalk::tch::Tensor;
/// let layer = Rescale::new(2.0).offset(-1.0); // [0, 1] becomes [−1, 1]
/// let y = layer.forward(&Tensor::from_slice(&[0f32, 0.5, 1.0]), &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice(&[-1f32, 0.0, 1.0]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rescale {
    scale: f64,
    offset: f64,
}

impl Rescale {
    /// Multiplies by `scale`.
    pub fn new(scale: f64) -> Rescale {
        Rescale { scale, offset: 0.0 }
    }

    /// Adds `offset` afterwards.
    pub fn offset(mut self, offset: f64) -> Rescale {
        self.offset = offset;
        self
    }
}

impl Layer for Rescale {
    fn kind(&self) -> &'static str {
        "rescale"
    }

    fn repr(&self) -> String {
        match self.offset {
            0.0 => format!("Rescale::new({})", self.scale),
            offset => format!("Rescale::new({}).offset({offset})", self.scale),
        }
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        if !(self.scale.is_finite() && self.offset.is_finite()) {
            let got = format!("{} and {}", self.scale, self.offset);
            return Err(Error::invalid(self.repr(), "finite numbers", got, ""));
        }
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x * self.scale + self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinite_numbers_are_refused() {
        let error = Rescale::new(1.0 / 0.0).output_shape(&vec![3], "input").unwrap_err();
        assert!(error.to_string().contains("expected finite numbers, got inf and 0"));
    }
}
