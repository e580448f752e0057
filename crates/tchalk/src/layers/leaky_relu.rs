//! The rectifier that lets a little of the negative through.

use super::{Layer, Mode, Shape, config};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Multiplies negative values by a small slope and leaves the others, so that no unit ever stops
/// learning.
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Layer, LeakyRelu, Mode};
/// use tchalk::tch::Tensor;
/// let layer = LeakyRelu::new().negative_slope(0.25);
/// let y = layer.forward(&Tensor::from_slice(&[-2f32, 0.0, 7.0]), &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice(&[-0.5f32, 0.0, 7.0]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakyRelu {
    negative_slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> LeakyRelu {
        LeakyRelu::new()
    }
}

impl LeakyRelu {
    /// Keras's slope, 0.3.
    pub fn new() -> LeakyRelu {
        LeakyRelu { negative_slope: 0.3 }
    }

    /// What negative values are multiplied by, 0 or more.
    pub fn negative_slope(mut self, slope: f64) -> LeakyRelu {
        self.negative_slope = slope;
        self
    }
}

impl Layer for LeakyRelu {
    fn kind(&self) -> &'static str {
        "leaky_relu"
    }

    fn repr(&self) -> String {
        format!("LeakyRelu::new().negative_slope({})", self.negative_slope)
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        if !(self.negative_slope >= 0.0 && self.negative_slope.is_finite()) {
            let got = self.negative_slope.to_string();
            return Err(Error::invalid(self.repr(), "a slope of at least 0", got, ""));
        }
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.relu() + x.clamp_max(0.0) * self.negative_slope
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }
}
