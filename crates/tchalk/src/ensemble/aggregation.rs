//! How the outputs of several members become one.

use super::meta_learner::MetaLearner;
use super::softmax::softmax;
use crate::compare::vote_shares;
use ndarray::Array2;

/// How the outputs of several members become one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Aggregation {
    Average,
    AverageLogits,
    Weighted(Vec<f64>),
    Vote,
    Stacked(MetaLearner),
}

impl Aggregation {
    /// Whether the members have to give logits in place of probabilities.
    pub(super) fn needs_logits(&self) -> bool {
        *self == Aggregation::AverageLogits
    }

    /// The weight of each of `members` members.
    pub(super) fn weights(&self, members: usize) -> Vec<f64> {
        match self {
            Aggregation::Weighted(weights) => weights.clone(),
            Aggregation::Stacked(learner) => learner.weights.clone(),
            _ => vec![1.0 / members as f64; members],
        }
    }

    /// The probabilities `[examples, classes]` from the outputs of all members.
    pub(super) fn combine(&self, outputs: &[Array2<f32>]) -> Array2<f32> {
        let weighted_mean = || {
            let mut sum = Array2::<f32>::zeros(outputs[0].dim());
            let weights = self.weights(outputs.len());
            outputs.iter().zip(weights).for_each(|(one, w)| sum.scaled_add(w as f32, one));
            sum
        };
        match self {
            Aggregation::Average | Aggregation::Weighted(_) => weighted_mean(),
            Aggregation::AverageLogits => softmax(weighted_mean()),
            Aggregation::Vote => vote_shares(outputs),
            Aggregation::Stacked(learner) => learner.predict(outputs),
        }
    }

    /// The weight of a member as text, where the weights differ.
    pub(super) fn format_weight(&self, weight: f64) -> Option<String> {
        match self {
            Aggregation::Weighted(_) => Some(format!("{:.1} %", 100.0 * weight)),
            Aggregation::Stacked(_) => Some(format!("{weight:.2}")),
            _ => None,
        }
    }
}

impl std::fmt::Display for Aggregation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Aggregation::Average => "mean probability",
            Aggregation::AverageLogits => "mean logits",
            Aggregation::Weighted(_) => "weighted mean probability",
            Aggregation::Vote => "vote",
            Aggregation::Stacked(_) => "stack",
        })
    }
}
