//! A smooth rectifier, the Gaussian one.

use super::{Layer, Mode, Shape, config};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// x times the probability that a normally distributed number is below x: like
/// [`Relu`](super::Relu), but smooth (Hendrycks and Gimpel 2016).
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Gelu, Layer, Mode};
/// use tchalk::tch::Tensor;
/// let y = Gelu::new().forward(&Tensor::from_slice(&[-1f32, 0.0, 2.0]), &[], Mode::Inference);
/// let y = Vec::<f32>::try_from(&y).unwrap();
/// assert!((y[0] + 0.158_655).abs() < 1e-6 && y[1] == 0.0 && (y[2] - 1.954_500).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gelu {
    approximate: bool,
}

impl Gelu {
    /// The exact function, Keras's default.
    pub fn new() -> Gelu {
        Gelu { approximate: false }
    }

    /// Uses the approximation with a hyperbolic tangent, which some published networks were trained
    /// with; it differs by 0.0005 at most.
    pub fn approximate(mut self, approximate: bool) -> Gelu {
        self.approximate = approximate;
        self
    }
}

impl Layer for Gelu {
    fn kind(&self) -> &'static str {
        "gelu"
    }

    fn repr(&self) -> String {
        if self.approximate { "Gelu::new().approximate(true)" } else { "Gelu::new()" }.into()
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.gelu(if self.approximate { "tanh" } else { "none" })
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }
}
