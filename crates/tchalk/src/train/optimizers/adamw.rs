//! AdamW: Adam with weight decay.

use super::adam::Adam;
use super::optimizer::{Optimizer, OptimizerOptions, Slots, common_options};
use crate::error::Result;
use tch::Tensor;

/// [`Adam`] with weight decay (Loshchilov and Hutter 2019): each step also reduces every weight by
/// `learning_rate * weight_decay` of its value. The default weight decay is 0.004, as in Keras.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    adam: Adam,
    options: OptimizerOptions,
}

common_options!(AdamW);

impl AdamW {
    /// AdamW with this learning rate, betas of 0.9 and 0.999, and a weight decay of 0.004.
    pub fn new(learning_rate: f64) -> AdamW {
        let options = OptimizerOptions { weight_decay: 0.004, ..OptimizerOptions::default() };
        AdamW { adam: Adam::new(learning_rate), options }
    }

    /// The decay rates of the moving averages of the gradients and of their squares, from 0 to below
    /// 1.
    pub fn betas(mut self, mean: f64, size: f64) -> AdamW {
        self.adam = self.adam.betas(mean, size);
        self
    }

    /// A small number that keeps the divisor away from zero. The default is 1e-7.
    pub fn epsilon(mut self, epsilon: f64) -> AdamW {
        self.adam = self.adam.epsilon(epsilon);
        self
    }
}

impl Optimizer for AdamW {
    fn learning_rate(&self) -> f64 {
        self.adam.learning_rate()
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, slots: &mut Slots, learning_rate: f64) {
        self.adam.update(weight, gradient, slots, learning_rate);
    }

    fn options(&self) -> OptimizerOptions {
        self.options.clone()
    }

    fn check(&self) -> Result<()> {
        self.adam.check()
    }
}
