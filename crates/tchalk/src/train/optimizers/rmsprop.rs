//! RMSprop: steps divided by the moving magnitude of a weight's gradients.

use super::fused;
use super::optimizer::{
    Optimizer, OptimizerOptions, Slots, check_epsilon, check_fraction, check_learning_rate,
    common_options,
};
use crate::error::Result;
use tch::Tensor;

/// Divides each weight's gradient by its moving magnitude, so that all weights move at a similar speed
/// (Hinton 2012). The formulas are those of Keras, with epsilon inside the root:
/// `v = rho * v + (1 - rho) * g²; w -= learning_rate * g / √(v + 1e-7)`.
#[derive(Debug, Clone, PartialEq)]
pub struct RmsProp {
    learning_rate: f64,
    rho: f64,
    momentum: f64,
    epsilon: f64,
    options: OptimizerOptions,
}

common_options!(RmsProp);

impl RmsProp {
    /// RMSprop with this learning rate and a rho of 0.9.
    pub fn new(learning_rate: f64) -> RmsProp {
        RmsProp {
            learning_rate,
            rho: 0.9,
            momentum: 0.0,
            epsilon: 1e-7,
            options: OptimizerOptions::default(),
        }
    }

    /// The decay rate of the moving average, from 0 to below 1.
    pub fn rho(mut self, rho: f64) -> RmsProp {
        self.rho = rho;
        self
    }

    /// The part of its last step that a weight repeats, from 0 to below 1. The default is 0.
    pub fn momentum(mut self, momentum: f64) -> RmsProp {
        self.momentum = momentum;
        self
    }

    /// A small number that keeps the root away from zero. The default is 1e-7.
    pub fn epsilon(mut self, epsilon: f64) -> RmsProp {
        self.epsilon = epsilon;
        self
    }
}

impl Optimizer for RmsProp {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, slots: &mut Slots, learning_rate: f64) {
        let mut weight = weight.shallow_clone();
        let (by, rho, epsilon) = (learning_rate as f32, self.rho as f32, self.epsilon as f32);
        let (rest, momentum) = ((1.0 - self.rho) as f32, self.momentum as f32);
        if self.momentum == 0.0 {
            let slots = slots.tensors::<1>(&weight);
            let done = fused::update(&weight, gradient, &slots, |w, g, [v]| {
                let v = rho * v + rest * g * g;
                (w - by * g / (v + epsilon).sqrt(), [v])
            });
            if !done {
                let [mut square] = slots;
                let _ = square.lerp_(&gradient.square(), 1.0 - self.rho);
                weight -= (square + self.epsilon).rsqrt_() * gradient * learning_rate;
            }
            return;
        }
        let slots = slots.tensors::<2>(&weight);
        let done = fused::update(&weight, gradient, &slots, |w, g, [v, m]| {
            let v = rho * v + rest * g * g;
            let m = momentum * m + by * g / (v + epsilon).sqrt();
            (w - m, [v, m])
        });
        if !done {
            let [mut square, mut step] = slots;
            let _ = square.lerp_(&gradient.square(), 1.0 - self.rho);
            step *= self.momentum;
            step += (square + self.epsilon).rsqrt_() * gradient * learning_rate;
            weight -= step;
        }
    }

    fn options(&self) -> OptimizerOptions {
        OptimizerOptions { momentum: self.momentum, ..self.options.clone() }
    }

    fn check(&self) -> Result<()> {
        check_learning_rate("RmsProp::new", self.learning_rate)?;
        check_fraction("RmsProp::rho", self.rho)?;
        check_fraction("RmsProp::momentum", self.momentum)?;
        check_epsilon("RmsProp::epsilon", self.epsilon)
    }
}
