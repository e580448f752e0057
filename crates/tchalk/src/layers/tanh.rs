//! The hyperbolic tangent.

use super::{Layer, Mode, Shape, config};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Bends all values into −1 to 1.
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Layer, Mode, Tanh};
/// use tchalk::tch::Tensor;
/// let y = Tanh.forward(&Tensor::from_slice(&[-1f32, 0.0, 20.0]), &[], Mode::Inference);
/// let y = Vec::<f32>::try_from(&y).unwrap();
/// assert!((y[0] + 0.761_594).abs() < 1e-6 && y[1] == 0.0 && y[2] == 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tanh;

impl Layer for Tanh {
    fn kind(&self) -> &'static str {
        "tanh"
    }

    fn repr(&self) -> String {
        "Tanh".into()
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.tanh()
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }
}
