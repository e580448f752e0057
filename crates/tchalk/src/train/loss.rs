//! How wrong a prediction is, as one number.

use tch::{Reduction, Tensor};

/// How wrong a prediction is, as one number to make small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Minus the logarithm of the probability given to the right class, averaged over the examples:
    /// 0 for certainty, 2.3 for guessing among ten. Computed from the scores before the softmax, so
    /// that no probability is rounded to zero.
    CategoricalCrossEntropy,
}

impl Loss {
    /// The mean over a batch, from scores before the softmax `[batch, classes]` and labels `[batch]`.
    pub(crate) fn of_scores(self, scores: &Tensor, labels: &Tensor) -> Tensor {
        match self {
            Loss::CategoricalCrossEntropy => {
                let none: Option<Tensor> = None;
                scores.cross_entropy_loss(labels, none, Reduction::Mean, -100, 0.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certain_mistake_costs_much_but_not_infinity() {
        let scores = Tensor::from_slice(&[200f32, 0.0]).view([1, 2]);
        let loss = Loss::CategoricalCrossEntropy.of_scores(&scores, &Tensor::from_slice(&[1i64]));
        assert_eq!(f64::try_from(loss).unwrap(), 200.0);
    }

    #[test]
    fn guessing_among_ten_costs_the_logarithm_of_ten() {
        let scores = Tensor::zeros([3, 10], (tch::Kind::Float, tch::Device::Cpu));
        let labels = Tensor::from_slice(&[0i64, 4, 9]);
        let loss =
            f64::try_from(Loss::CategoricalCrossEntropy.of_scores(&scores, &labels)).unwrap();
        assert!((loss - 10f64.ln()).abs() < 1e-6);
    }
}
