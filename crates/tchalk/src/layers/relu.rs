//! The rectifier: negative values become zero.

use super::{Layer, Mode, Shape, config};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Makes negative values zero and leaves the others: the bend without which a stack of layers would be
/// no more than one.
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Layer, Mode, Relu};
/// use tchalk::tch::Tensor;
/// let y = Relu.forward(&Tensor::from_slice(&[-1f32, 0.0, 7.0]), &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice(&[0f32, 0.0, 7.0]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relu;

impl Layer for Relu {
    fn kind(&self) -> &'static str {
        "relu"
    }

    fn repr(&self) -> String {
        "Relu".into()
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.relu()
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }
}
