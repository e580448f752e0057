//! Scores become probabilities.

use super::{Layer, Mode, Shape, config, shape_text};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Turns the scores of the classes into probabilities: positive, and adding up to 1.
///
/// # Shapes
///
/// Input `[classes]`, output `[classes]`; no weights.
///
/// ```
/// use tchalk::layers::{Layer, Mode, Softmax};
/// use tchalk::tch::Tensor;
/// let y = Softmax.forward(&Tensor::from_slice2(&[[1f32, 1.0]]), &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice2(&[[0.5f32, 0.5]]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Softmax;

impl Layer for Softmax {
    fn kind(&self) -> &'static str {
        "softmax"
    }

    fn repr(&self) -> String {
        "Softmax".into()
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        if input.len() != 1 {
            return Err(Error::invalid(
                self.repr(),
                "class scores [classes]",
                format!("{} from {from:?}", shape_text(input)),
                "Try adding Flatten and Dense::new(number of classes) before it.",
            ));
        }
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.softmax(-1, None)
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }
}
