//! The rectifier with a ceiling.

use super::{Layer, Mode, Shape, config};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Makes negative values zero, and values above 6 into 6: what MobileNet uses, since its numbers fit
/// into few bits.
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Layer, Mode, Relu6};
/// use tchalk::tch::Tensor;
/// let y = Relu6.forward(&Tensor::from_slice(&[-1f32, 0.5, 7.0]), &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice(&[0f32, 0.5, 6.0]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relu6;

impl Layer for Relu6 {
    fn kind(&self) -> &'static str {
        "relu6"
    }

    fn repr(&self) -> String {
        "Relu6".into()
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.relu6()
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }
}
