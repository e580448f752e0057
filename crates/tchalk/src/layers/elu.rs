//! The exponential linear unit.

use super::{Layer, Mode, Shape, config};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Leaves positive values, and bends negative ones toward −α: α (exp(x) − 1).
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Elu, Layer, Mode};
/// use tchalk::tch::Tensor;
/// let y = Elu::new().forward(&Tensor::from_slice(&[-1f32, 0.0, 7.0]), &[], Mode::Inference);
/// let y = Vec::<f32>::try_from(&y).unwrap();
/// assert!((y[0] + 0.632_121).abs() < 1e-6 && y[1] == 0.0 && y[2] == 7.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elu {
    alpha: f64,
}

impl Default for Elu {
    fn default() -> Elu {
        Elu::new()
    }
}

impl Elu {
    /// Keras's α, 1.
    pub fn new() -> Elu {
        Elu { alpha: 1.0 }
    }

    /// How far below zero the values can get, 0 or more.
    pub fn alpha(mut self, alpha: f64) -> Elu {
        self.alpha = alpha;
        self
    }
}

impl Layer for Elu {
    fn kind(&self) -> &'static str {
        "elu"
    }

    fn repr(&self) -> String {
        format!("Elu::new().alpha({})", self.alpha)
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        if !(self.alpha >= 0.0 && self.alpha.is_finite()) {
            let got = self.alpha.to_string();
            return Err(Error::invalid(self.repr(), "an alpha of at least 0", got, ""));
        }
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        if self.alpha == 1.0 { x.elu() } else { x.relu() + x.clamp_max(0.0).expm1() * self.alpha }
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }
}
