//! Adam: momentum, and steps scaled as in RMSprop.

use super::fused;
use super::optimizer::{
    Optimizer, OptimizerOptions, Slots, check_epsilon, check_fraction, check_learning_rate,
    common_options,
};
use crate::error::Result;
use tch::Tensor;

/// Moves each weight by the moving average of its gradients, divided by their moving magnitude
/// (Kingma and Ba 2015), with the formulas of Keras:
/// `m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g²;
/// w -= learning_rate * √(1 - beta2ᵗ) / (1 - beta1ᵗ) * m / (√v + 1e-7)`. `t` counts the updates of the
/// weight, from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    options: OptimizerOptions,
}

common_options!(Adam);

impl Adam {
    /// Adam with this learning rate and betas of 0.9 and 0.999.
    pub fn new(learning_rate: f64) -> Adam {
        Adam {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-7,
            options: OptimizerOptions::default(),
        }
    }

    /// The decay rates of the moving averages of the gradients and of their squares, from 0 to below
    /// 1.
    pub fn betas(mut self, mean: f64, size: f64) -> Adam {
        (self.beta1, self.beta2) = (mean, size);
        self
    }

    /// A small number that keeps the divisor away from zero. The default is 1e-7.
    pub fn epsilon(mut self, epsilon: f64) -> Adam {
        self.epsilon = epsilon;
        self
    }
}

impl Optimizer for Adam {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, slots: &mut Slots, learning_rate: f64) {
        let mut weight = weight.shallow_clone();
        let step = i32::try_from(slots.updates() + 1).unwrap_or(i32::MAX);
        let rate =
            learning_rate * (1.0 - self.beta2.powi(step)).sqrt() / (1.0 - self.beta1.powi(step));
        let slots = slots.tensors::<2>(&weight);
        let (by, epsilon) = (rate as f32, self.epsilon as f32);
        let (beta1, beta2) = (self.beta1 as f32, self.beta2 as f32);
        let (rest1, rest2) = ((1.0 - self.beta1) as f32, (1.0 - self.beta2) as f32);
        let done = fused::update(&weight, gradient, &slots, |w, g, [m, v]| {
            let m = beta1 * m + rest1 * g;
            let v = beta2 * v + rest2 * g * g;
            (w - by * m / (v.sqrt() + epsilon), [m, v])
        });
        if !done {
            let [mut mean, mut square] = slots;
            let _ = mean.lerp_(gradient, 1.0 - self.beta1);
            let _ = square.lerp_(&gradient.square(), 1.0 - self.beta2);
            let _ = weight.addcdiv_(&(mean * -rate), &(square.sqrt() + self.epsilon));
        }
    }

    fn options(&self) -> OptimizerOptions {
        self.options.clone()
    }

    fn check(&self) -> Result<()> {
        check_learning_rate("Adam::new", self.learning_rate)?;
        check_fraction("Adam::betas", self.beta1)?;
        check_fraction("Adam::betas", self.beta2)?;
        check_epsilon("Adam::epsilon", self.epsilon)
    }
}
