//! The fully connected layer: every output looks at every input.

use super::{Initializer, Layer, LayerId, Mode, Shape, WeightSpec, config, shape_text};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Every output is a weighted sum of all inputs, plus a bias.
///
/// # Shapes
///
/// Input `[features]`, output `[units]`; weights `[units, features]` and `[units]`.
///
/// ```
/// use tchalk::prelude::*;
/// let model = Sequential::new().input_shape([784]).add(Dense::new(10)).build(Device::Cpu)?;
/// assert_eq!(model.parameter_count(), 7_850);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dense {
    units: usize,
    #[serde(skip)]
    id: LayerId,
}

impl Dense {
    /// A layer with `units` outputs.
    pub fn new(units: usize) -> Dense {
        Dense { units, id: LayerId::new() }
    }
}

impl Layer for Dense {
    fn kind(&self) -> &'static str {
        "dense"
    }

    fn written(&self) -> String {
        format!("Dense::new({})", self.units)
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        if self.units == 0 {
            return Err(Error::invalid(self.written(), "at least 1 unit", "0", ""));
        }
        if input.len() != 1 {
            return Err(Error::invalid(
                self.written(),
                "a flat input [features]",
                format!("{} from {from:?}", shape_text(input)),
                "Try adding Flatten before it.",
            ));
        }
        Ok(vec![self.units])
    }

    fn weights(&self, input: &Shape) -> Vec<WeightSpec> {
        let shape = vec![self.units, input[0]];
        vec![
            WeightSpec::new("weight", shape, Initializer::GlorotUniform),
            WeightSpec::new("bias", vec![self.units], Initializer::Zeros),
        ]
    }

    fn forward(&self, x: &Tensor, weights: &[Tensor], _mode: Mode) -> Tensor {
        x.linear(&weights[0], Some(&weights[1]))
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn identity(&self) -> Option<LayerId> {
        Some(self.id.clone())
    }

    fn window(&self) -> Option<(usize, usize)> {
        None
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
    }
}
