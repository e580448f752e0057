//! Stochastic gradient descent.

use super::fused;
use super::optimizer::{
    Optimizer, OptimizerOptions, Slots, check_fraction, check_learning_rate, common_options,
};
use crate::error::Result;
use tch::Tensor;

/// Gradient descent: each weight moves against its gradient, with the formulas of Keras.
///
/// Without momentum `w -= learning_rate * g`. With momentum
/// `v = momentum * v - learning_rate * g; w += v`. In Nesterov's form (Nesterov 1983, Sutskever 2013)
/// `w += momentum * v - learning_rate * g` with the same `v`.
///
/// ```
/// use tchalk::prelude::*;
/// let model = Sequential::new().input_shape([4]).add(Dense::new(2)).add(Softmax);
/// let model = model.build(Device::Cpu)?;
/// let optimizer = Sgd::new(0.1).momentum(0.9).nesterov().weight_decay(5e-4).clip_norm(1.0);
/// model.compile(optimizer, Loss::CategoricalCrossEntropy)?;
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sgd {
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
    options: OptimizerOptions,
}

common_options!(Sgd);

impl Sgd {
    /// Gradient descent with this learning rate, without momentum.
    pub fn new(learning_rate: f64) -> Sgd {
        Sgd { learning_rate, momentum: 0.0, nesterov: false, options: OptimizerOptions::default() }
    }

    /// The part of its velocity that a weight keeps from step to step, from 0 to below 1.
    pub fn momentum(mut self, momentum: f64) -> Sgd {
        self.momentum = momentum;
        self
    }

    /// Nesterov's momentum: the gradient acts on the weight that the momentum has already moved.
    pub fn nesterov(mut self) -> Sgd {
        self.nesterov = true;
        self
    }
}

impl Optimizer for Sgd {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, slots: &mut Slots, learning_rate: f64) {
        let mut weight = weight.shallow_clone();
        let (by, momentum, nesterov) = (learning_rate as f32, self.momentum as f32, self.nesterov);
        if self.momentum == 0.0 {
            if !fused::update(&weight, gradient, &[], |w, g, []| (w - by * g, [])) {
                weight -= gradient * learning_rate;
            }
            return;
        }
        let slots = slots.tensors::<1>(&weight);
        let done = fused::update(&weight, gradient, &slots, |w, g, [v]| {
            let v = momentum * v - by * g;
            (if nesterov { w + momentum * v - by * g } else { w + v }, [v])
        });
        if !done {
            let [mut velocity] = slots;
            let change = gradient * -learning_rate;
            velocity *= self.momentum;
            velocity += &change;
            if nesterov {
                weight += &velocity * self.momentum;
                weight += change;
            } else {
                weight += velocity;
            }
        }
    }

    fn options(&self) -> OptimizerOptions {
        OptimizerOptions { momentum: self.momentum, ..self.options.clone() }
    }

    fn check(&self) -> Result<()> {
        check_learning_rate("Sgd::new", self.learning_rate)?;
        check_fraction("Sgd::momentum", self.momentum)
    }
}
