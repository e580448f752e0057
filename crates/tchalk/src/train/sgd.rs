//! Stochastic gradient descent.

use super::optimizer::{Optimizer, check_fraction, check_rate};
use crate::error::Result;
use tch::Tensor;

/// Plain gradient descent: each weight moves against its gradient, in Keras's form.
///
/// Without momentum `w -= rate * g`; with it `v = momentum * v - rate * g; w += v`.
#[derive(Debug)]
pub struct Sgd {
    rate: f64,
    momentum: f64,
    velocities: Vec<Tensor>,
}

impl Sgd {
    /// Descent with this learning rate.
    pub fn new(rate: f64) -> Sgd {
        Sgd { rate, momentum: 0.0, velocities: Vec::new() }
    }

    /// The part of its speed that a weight keeps from step to step, from 0 to below 1.
    pub fn momentum(mut self, momentum: f64) -> Sgd {
        self.momentum = momentum;
        self
    }
}

impl Optimizer for Sgd {
    fn update(&mut self, _step: u64, weights: &[Tensor], gradients: &[Tensor]) {
        if self.velocities.is_empty() && self.momentum > 0.0 {
            self.velocities = gradients.iter().map(Tensor::zeros_like).collect();
        }
        for (i, (weight, gradient)) in weights.iter().zip(gradients).enumerate() {
            let mut weight = weight.shallow_clone();
            let change = gradient * -self.rate;
            weight += match self.velocities.get_mut(i) {
                Some(velocity) => {
                    *velocity *= self.momentum;
                    *velocity += change;
                    velocity.shallow_clone()
                }
                None => change,
            };
        }
    }

    fn check(&self) -> Result<()> {
        check_rate("Sgd::new", self.rate)?;
        check_fraction("Sgd::momentum", self.momentum)
    }
}
