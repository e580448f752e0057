//! Batch normalization.

use super::{Initializer, Layer, LayerId, Mode, Shape, WeightSpec, image_axes};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Normalizes each channel to mean 0 and variance 1, then applies a learned scale and offset. Deep
/// networks learn faster with it (Ioffe and Szegedy 2015).
///
/// In training it uses the batch's own mean and variance, and updates running averages; in inference it
/// uses the running averages. As in Keras, `momentum` is the fraction of the running average that is
/// kept (in PyTorch it is the other fraction), and the variance is divided by n. PyTorch's defaults are
/// `.momentum(0.9).epsilon(1e-5)`.
///
/// # Shapes
///
/// Input `[channels, height, width]`, output like it; weights `weight`, `bias`, and, not learned,
/// `running_mean` and `running_var`, each `[channels]`: 4 × channels parameters.
///
/// ```
/// use tchalk::layers::BatchNorm2d;
/// use tchalk::prelude::*;
/// let model =
///     Sequential::new().input_shape([64, 8, 8]).add(BatchNorm2d::new()).build(Device::Cpu)?;
/// assert_eq!(model.parameter_count(), 256);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm2d {
    momentum: f64,
    epsilon: f64,
    #[serde(skip)]
    id: LayerId,
}

impl Default for BatchNorm2d {
    fn default() -> BatchNorm2d {
        BatchNorm2d::new()
    }
}

impl BatchNorm2d {
    /// Keras's defaults: momentum 0.99, epsilon 0.001.
    pub fn new() -> BatchNorm2d {
        BatchNorm2d { momentum: 0.99, epsilon: 1e-3, id: LayerId::new() }
    }

    /// The fraction of the running averages that is kept at each step, from 0 to 1.
    pub fn momentum(mut self, momentum: f64) -> BatchNorm2d {
        self.momentum = momentum;
        self
    }

    /// A number above 0 that is added to the variance.
    pub fn epsilon(mut self, epsilon: f64) -> BatchNorm2d {
        self.epsilon = epsilon;
        self
    }

    /// Normalizes by the batch's own mean and variance, and updates the running averages.
    fn normalize_batch(&self, x: &Tensor, weights: &[Tensor]) -> Tensor {
        // The averages change without autograd, which does not need them.
        let (mean, mut variance) = (weights[2].data(), weights[3].data());
        let size = x.size();
        let count = (size[0] * size[2] * size[3]) as f64;
        if count < 2.0 {
            // libtorch refuses a single number, whose variance is 0.
            let moved = mean.lerp(&x.detach().view([-1]), 1.0 - self.momentum);
            weights[2].data().copy_(&moved);
            let _ = variance.g_mul_scalar_(self.momentum);
            let shape = [1, -1, 1, 1];
            return x * 0.0 * weights[0].view(shape) + weights[1].view(shape);
        }
        // libtorch averages the variance divided by n − 1, Keras the variance divided by n.
        let _ = variance.g_mul_scalar_(count / (count - 1.0));
        let y = x.batch_norm(
            Some(&weights[0]),
            Some(&weights[1]),
            Some(&mean),
            Some(&variance),
            true,
            1.0 - self.momentum,
            self.epsilon,
            true,
        );
        let _ = weights[3].data().g_mul_scalar_((count - 1.0) / count);
        y
    }
}

impl Layer for BatchNorm2d {
    fn kind(&self) -> &'static str {
        "batch_norm2d"
    }

    fn repr(&self) -> String {
        // Only settings other than Keras's defaults.
        let default = BatchNorm2d::new();
        let mut text = String::from("BatchNorm2d::new()");
        if self.momentum != default.momentum {
            text += &format!(".momentum({})", self.momentum);
        }
        if self.epsilon != default.epsilon {
            text += &format!(".epsilon({})", self.epsilon);
        }
        text
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        if !(0.0..=1.0).contains(&self.momentum) {
            let got = self.momentum.to_string();
            return Err(Error::invalid(
                self.repr(),
                "a fraction from 0 to 1",
                got,
                "Keras's is 0.99.",
            ));
        }
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            let got = self.epsilon.to_string();
            return Err(Error::invalid(
                self.repr(),
                "a small number above 0",
                got,
                "Keras's is 0.001.",
            ));
        }
        image_axes(self, input, from)?;
        Ok(input.clone())
    }

    fn weights(&self, input: &Shape) -> Vec<WeightSpec> {
        let shape = || vec![input[0]];
        vec![
            WeightSpec::new("weight", shape(), Initializer::Ones),
            WeightSpec::new("bias", shape(), Initializer::Zeros),
            WeightSpec::buffer("running_mean", shape(), Initializer::Zeros),
            WeightSpec::buffer("running_var", shape(), Initializer::Ones),
        ]
    }

    fn forward(&self, x: &Tensor, weights: &[Tensor], mode: Mode) -> Tensor {
        if mode == Mode::Training {
            return self.normalize_batch(x, weights);
        }
        let [weight, bias, mean, variance] = weights else {
            unreachable!("batch normalization has four weights");
        };
        x.batch_norm(
            Some(weight),
            Some(bias),
            Some(mean),
            Some(variance),
            false,
            0.0,
            self.epsilon,
            true,
        )
    }

    fn output_unused_in_backward(&self) -> bool {
        true
    }

    fn identity(&self) -> Option<LayerId> {
        Some(self.id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn fresh(channels: i64) -> [Tensor; 4] {
        let ones = Tensor::ones([channels], (Kind::Float, Device::Cpu));
        [&ones, &ones.zeros_like(), &ones.zeros_like(), &ones].map(Tensor::copy)
    }

    #[test]
    fn running_averages_are_the_batch_s_mean_and_plain_variance() {
        let weights = fresh(1);
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0, 6.0]).view([1, 1, 2, 2]);
        let layer = BatchNorm2d::new().momentum(0.75);
        let y = layer.forward(&x, &weights, Mode::Training);
        assert!(y.mean(Kind::Float).double_value(&[]).abs() < 1e-6);
        assert!((weights[2].double_value(&[0]) - 0.25 * 3.0).abs() < 1e-6);
        // The squares of −2, −1, 0 and 3 add up to 14.
        assert!((weights[3].double_value(&[0]) - (0.75 + 0.25 * 3.5)).abs() < 1e-6);
        let before = weights[2].copy();
        let _ = layer.forward(&x, &weights, Mode::Inference);
        assert_eq!(weights[2], before, "inference changes nothing");
    }

    #[test]
    fn a_layer_used_twice_has_gradients() {
        let weights = fresh(2);
        let weight = weights[0].set_requires_grad(true);
        let weights = [weight, weights[1].copy(), weights[2].copy(), weights[3].copy()];
        let layer = BatchNorm2d::new();
        let x = Tensor::randn([3, 2, 4, 4], (Kind::Float, Device::Cpu));
        let y = layer.forward(&x, &weights, Mode::Training);
        let y = layer.forward(&(y * 2.0), &weights, Mode::Training);
        y.square().sum(Kind::Float).backward();
        assert_eq!(weights[0].grad().isfinite().all().int64_value(&[]), 1);
    }

    #[test]
    fn a_single_number_becomes_the_bias() {
        let weights = fresh(2);
        let x = Tensor::from_slice(&[3f32, -5.0]).view([1, 2, 1, 1]);
        let y = BatchNorm2d::new().momentum(0.5).forward(&x, &weights, Mode::Training);
        assert_eq!(y, x.zeros_like());
        assert_eq!(weights[2], Tensor::from_slice(&[1.5f32, -2.5]));
        assert_eq!(weights[3], Tensor::from_slice(&[0.5f32, 0.5]));
    }

    #[test]
    fn repr_shows_what_is_not_the_default() {
        assert_eq!(BatchNorm2d::new().repr(), "BatchNorm2d::new()");
        let quick = BatchNorm2d::new().momentum(0.9).epsilon(1e-5);
        assert_eq!(quick.repr(), "BatchNorm2d::new().momentum(0.9).epsilon(0.00001)");
    }

    #[test]
    fn invalid_settings_are_refused() {
        let refusal = |layer: BatchNorm2d| {
            layer.output_shape(&vec![6, 8, 8], "input").unwrap_err().to_string()
        };
        assert!(
            refusal(BatchNorm2d::new().momentum(1.5)).contains("a fraction from 0 to 1, got 1.5")
        );
        assert!(refusal(BatchNorm2d::new().epsilon(0.0)).contains("above 0, got 0"));
        assert!(BatchNorm2d::new().output_shape(&vec![6], "flatten").is_err());
    }
}
