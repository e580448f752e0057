//! A smooth rectifier, the sigmoid-weighted one.

use super::{Layer, Mode, Shape, config};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// x times the sigmoid of x, also called swish: like [`Relu`](super::Relu), but smooth, and a little
/// below zero before it.
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Layer, Mode, Silu};
/// use tchalk::tch::Tensor;
/// let y = Silu.forward(&Tensor::from_slice(&[-1f32, 0.0, 2.0]), &[], Mode::Inference);
/// let y = Vec::<f32>::try_from(&y).unwrap();
/// assert!((y[0] + 0.268_941).abs() < 1e-6 && y[1] == 0.0 && (y[2] - 1.761_594).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silu;

impl Layer for Silu {
    fn kind(&self) -> &'static str {
        "silu"
    }

    fn repr(&self) -> String {
        "Silu".into()
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.silu()
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }
}
