//! Gradients that are too large, cut down to size.

use crate::error::{Error, Result};
use tch::{Kind, Tensor};

/// How gradients are cut down before they change weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Clip {
    /// The gradient of each weight tensor has at most this length.
    Norm(f64),
    /// All gradients together have at most this length.
    GlobalNorm(f64),
    /// Every number lies within this of zero.
    Value(f64),
}

impl Clip {
    pub(crate) fn check(self) -> Result<()> {
        let (op, most) = match self {
            Clip::Norm(most) => ("clip_norm", most),
            Clip::GlobalNorm(most) => ("global_clip_norm", most),
            Clip::Value(most) => ("clip_value", most),
        };
        if most.is_finite() && most > 0.0 {
            return Ok(());
        }
        Err(Error::invalid(op, "a number above 0", most.to_string(), "1.0 is usual."))
    }

    /// The gradients, cut down. Where they are short enough already, nothing changes. No number is
    /// read back from the device.
    pub(crate) fn apply(self, gradients: &[Tensor]) -> Vec<Tensor> {
        let shortened = |gradient: &Tensor, norm: &Tensor, most: f64| {
            gradient * (norm.reciprocal() * most).clamp_max(1.0)
        };
        match self {
            Clip::Norm(most) => gradients
                .iter()
                .map(|gradient| shortened(gradient, &gradient.norm(), most))
                .collect(),
            Clip::GlobalNorm(most) => {
                let norms: Vec<Tensor> =
                    gradients.iter().map(|gradient| gradient.norm().to_kind(Kind::Float)).collect();
                if norms.is_empty() {
                    return Vec::new();
                }
                let norm = Tensor::stack(&norms, 0).norm();
                gradients.iter().map(|gradient| shortened(gradient, &norm, most)).collect()
            }
            Clip::Value(most) => {
                gradients.iter().map(|gradient| gradient.clamp(-most, most)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(clip: Clip, gradients: &[&[f32]]) -> Vec<f64> {
        let gradients: Vec<Tensor> = gradients.iter().map(|g| Tensor::from_slice(g)).collect();
        clip.apply(&gradients).iter().map(|g| g.norm().double_value(&[])).collect()
    }

    #[test]
    fn each_or_all_together_are_shortened_and_short_ones_stay() {
        let gradients: [&[f32]; 2] = [&[3.0, 4.0], &[0.0, 0.5]];
        let close = |got: Vec<f64>, expected: [f64; 2]| {
            assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?}");
        };
        close(lengths(Clip::Norm(1.0), &gradients), [1.0, 0.5]);
        let whole = (25.0f64 + 0.25).sqrt();
        close(lengths(Clip::GlobalNorm(1.0), &gradients), [5.0 / whole, 0.5 / whole]);
        close(lengths(Clip::GlobalNorm(10.0), &gradients), [5.0, 0.5]);
        close(lengths(Clip::Value(1.0), &gradients), [2f64.sqrt(), 0.5]);
    }

    #[test]
    fn no_gradient_at_all_stays_none() {
        assert_eq!(lengths(Clip::Norm(1.0), &[&[0.0, 0.0]]), [0.0]);
    }
}
