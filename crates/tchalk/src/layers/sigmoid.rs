//! The logistic function.

use super::{Layer, Mode, Shape, config};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// 1 / (1 + exp(−x)): bends all values into 0 to 1, each on its own. For classes that exclude each other
/// use [`Softmax`](super::Softmax).
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Layer, Mode, Sigmoid};
/// use tchalk::tch::Tensor;
/// let y = Sigmoid.forward(&Tensor::from_slice(&[-1f32, 0.0, 2.0]), &[], Mode::Inference);
/// let y = Vec::<f32>::try_from(&y).unwrap();
/// assert!((y[0] - 0.268_941).abs() < 1e-6 && y[1] == 0.5 && (y[2] - 0.880_797).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sigmoid;

impl Layer for Sigmoid {
    fn kind(&self) -> &'static str {
        "sigmoid"
    }

    fn repr(&self) -> String {
        "Sigmoid".into()
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.sigmoid()
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }
}
