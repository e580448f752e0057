//! RMSprop: steps scaled by how large a weight's gradients have been.

use super::optimizer::{Optimizer, check_fraction, check_rate};
use crate::error::Result;
use tch::Tensor;

/// Keras's epsilon, which keeps the root away from zero.
const EPSILON: f64 = 1e-7;

/// Divides each weight's gradient by the running size of its gradients, so that all weights move at
/// a like speed (Hinton 2012), in Keras's form, with epsilon inside the root:
/// `v = rho * v + (1 - rho) * g²; w -= rate * g / √(v + 1e-7)`.
#[derive(Debug)]
pub struct RmsProp {
    rate: f64,
    rho: f64,
    decay: f64,
    squares: Vec<Tensor>,
}

impl RmsProp {
    /// RMSprop with this learning rate, and with rho = 0.9.
    pub fn new(rate: f64) -> RmsProp {
        RmsProp { rate, rho: 0.9, decay: 0.0, squares: Vec::new() }
    }

    /// Lets the rate fall from step to step: `rate / (1 + decay * step)`.
    pub fn decay(mut self, decay: f64) -> RmsProp {
        self.decay = decay;
        self
    }

    /// How long gradients are remembered, from 0 to below 1.
    pub fn rho(mut self, rho: f64) -> RmsProp {
        self.rho = rho;
        self
    }
}

impl Optimizer for RmsProp {
    fn update(&mut self, step: u64, weights: &[Tensor], gradients: &[Tensor]) {
        if self.squares.is_empty() {
            self.squares = gradients.iter().map(Tensor::zeros_like).collect();
        }
        let rate = self.rate / (1.0 + self.decay * step as f64);
        for ((weight, gradient), square) in weights.iter().zip(gradients).zip(&mut self.squares) {
            *square *= self.rho;
            *square += gradient.square() * (1.0 - self.rho);
            let mut weight = weight.shallow_clone();
            weight -= gradient * rate / (&*square + EPSILON).sqrt();
        }
    }

    fn check(&self) -> Result<()> {
        check_rate("RmsProp::new", self.rate)?;
        check_rate("RmsProp::decay", self.decay)?;
        check_fraction("RmsProp::rho", self.rho)
    }
}
