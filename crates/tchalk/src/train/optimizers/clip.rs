//! Clipping of gradients.

use crate::error::{Error, Result};
use tch::{Kind, Tensor};

/// How gradients are clipped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Clip {
    /// The gradient of each weight tensor has at max this norm.
    Norm(f64),
    /// All gradients together have at max this norm.
    GlobalNorm(f64),
    /// Every number has at max this magnitude.
    Value(f64),
}

impl Clip {
    pub(crate) fn check(self) -> Result<()> {
        let (op, max) = match self {
            Clip::Norm(max) => ("clip_norm", max),
            Clip::GlobalNorm(max) => ("global_clip_norm", max),
            Clip::Value(max) => ("clip_value", max),
        };
        if max.is_finite() && max > 0.0 {
            return Ok(());
        }
        Err(Error::invalid(op, "a number above 0", max.to_string(), "1.0 is usual."))
    }

    /// The clipped gradients. Nothing is read back from the device.
    pub(crate) fn apply(self, gradients: &[Tensor]) -> Vec<Tensor> {
        let scaled = |gradient: &Tensor, norm: &Tensor, max: f64| {
            gradient * (norm.reciprocal() * max).clamp_max(1.0)
        };
        match self {
            Clip::Norm(max) => {
                gradients.iter().map(|gradient| scaled(gradient, &gradient.norm(), max)).collect()
            }
            Clip::GlobalNorm(max) => {
                let norms: Vec<Tensor> =
                    gradients.iter().map(|gradient| gradient.norm().to_kind(Kind::Float)).collect();
                if norms.is_empty() {
                    return Vec::new();
                }
                let norm = Tensor::stack(&norms, 0).norm();
                gradients.iter().map(|gradient| scaled(gradient, &norm, max)).collect()
            }
            Clip::Value(max) => {
                gradients.iter().map(|gradient| gradient.clamp(-max, max)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norms(clip: Clip, gradients: &[&[f32]]) -> Vec<f64> {
        let gradients: Vec<Tensor> = gradients.iter().map(|g| Tensor::from_slice(g)).collect();
        clip.apply(&gradients).iter().map(|g| g.norm().double_value(&[])).collect()
    }

    #[test]
    fn large_gradients_are_scaled_and_small_ones_stay() {
        let gradients: [&[f32]; 2] = [&[3.0, 4.0], &[0.0, 0.5]];
        let close = |got: Vec<f64>, expected: [f64; 2]| {
            assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?}");
        };
        close(norms(Clip::Norm(1.0), &gradients), [1.0, 0.5]);
        let whole = (25.0f64 + 0.25).sqrt();
        close(norms(Clip::GlobalNorm(1.0), &gradients), [5.0 / whole, 0.5 / whole]);
        close(norms(Clip::GlobalNorm(10.0), &gradients), [5.0, 0.5]);
        close(norms(Clip::Value(1.0), &gradients), [2f64.sqrt(), 0.5]);
    }

    #[test]
    fn a_zero_gradient_stays_zero() {
        assert_eq!(norms(Clip::Norm(1.0), &[&[0.0, 0.0]]), [0.0]);
    }
}
