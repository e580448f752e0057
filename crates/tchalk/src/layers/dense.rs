//! The fully connected layer.

use super::activation;
use super::{
    Activation, Initializer, Layer, LayerId, Mode, Shape, WeightSpec, check_counts, check_size,
    shape_text,
};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tch::Tensor;

/// Every output is a weighted sum of all inputs, plus a bias.
///
/// # Shapes
///
/// Input `[features]`, output `[units]`; weights `[units, features]` and `[units]`: units × features
/// \+ units parameters.
///
/// ```
/// use tchalk::prelude::*;
/// let model = Sequential::new().input_shape([784]).add(Dense::new(10)).build(Device::Cpu)?;
/// assert_eq!(model.parameter_count(), 7_850);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    units: usize,
    use_bias: bool,
    activation: Option<Activation>,
    kernel_initializer: Initializer,
    #[serde(skip)]
    id: LayerId,
}

impl Dense {
    /// A layer with `units` outputs, a bias and no activation.
    pub fn new(units: usize) -> Dense {
        Dense {
            units,
            use_bias: true,
            activation: None,
            kernel_initializer: Initializer::GlorotUniform,
            id: LayerId::new(),
        }
    }

    /// The activation of the outputs: `.activation(Relu)`.
    pub fn activation(mut self, activation: impl Into<Activation>) -> Dense {
        self.activation = Some(activation.into());
        self
    }

    /// Whether each output has a bias.
    pub fn use_bias(mut self, use_bias: bool) -> Dense {
        self.use_bias = use_bias;
        self
    }

    /// The initial values of the weights. Biases start at zero.
    pub fn kernel_initializer(mut self, initializer: Initializer) -> Dense {
        self.kernel_initializer = initializer;
        self
    }
}

impl Layer for Dense {
    fn kind(&self) -> &'static str {
        "dense"
    }

    fn repr(&self) -> String {
        format!("Dense::new({}){}", self.units, activation::repr(self.activation))
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        check_counts(self, &[("a number of units", self.units)])?;
        if input.len() != 1 {
            return Err(Error::invalid(
                self.repr(),
                "a flat input [features]",
                format!("{} from {from:?}", shape_text(input)),
                "Try adding Flatten before it.",
            ));
        }
        check_size(self, &[self.units, input[0]])?;
        let output = vec![self.units];
        activation::check(self.activation, &output, "dense")?;
        Ok(output)
    }

    fn weights(&self, input: &Shape) -> Vec<WeightSpec> {
        let kernel = WeightSpec::new("weight", vec![self.units, input[0]], self.kernel_initializer);
        let bias = WeightSpec::new("bias", vec![self.units], Initializer::Zeros);
        if self.use_bias { vec![kernel, bias] } else { vec![kernel] }
    }

    fn forward(&self, x: &Tensor, weights: &[Tensor], _mode: Mode) -> Tensor {
        activation::apply(self.activation, x.linear(&weights[0], weights.get(1)))
    }

    fn output_unused_in_backward(&self) -> bool {
        self.activation.is_none()
    }

    fn identity(&self) -> Option<LayerId> {
        Some(self.id.clone())
    }

    fn without_softmax(&self) -> Option<Arc<dyn Layer>> {
        let is_softmax = self.activation == Some(Activation::Softmax);
        is_softmax.then(|| Arc::new(Dense { activation: None, ..self.clone() }) as Arc<dyn Layer>)
    }

    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_sizes_are_refused() {
        let error = |layer: Dense| layer.output_shape(&vec![8], "flatten").unwrap_err().to_string();
        assert_eq!(
            error(Dense::new(0)),
            "Dense::new(0): expected a number of units of at least 1, got 0."
        );
        assert!(error(Dense::new(usize::MAX)).contains("of at most 16777216"));
        assert!(Dense::new(1 << 24).output_shape(&vec![1 << 24], "x").is_err(), "2⁴⁸ weights");
    }

    #[test]
    fn without_a_bias_there_is_one_weight() {
        let layer = Dense::new(3).use_bias(false);
        let weights = layer.weights(&vec![2]);
        assert_eq!(weights.len(), 1);
        let x = Tensor::from_slice2(&[[1f32, 2.0]]);
        let kernel = Tensor::from_slice2(&[[1f32, 0.0], [0.0, 1.0], [1.0, 1.0]]);
        let y = layer.forward(&x, &[kernel], Mode::Inference);
        assert_eq!(y, Tensor::from_slice2(&[[1f32, 2.0, 3.0]]));
    }
}
