//! Metrics, computed over a whole set.

use super::loss::{Loss, LossInput, class_count, predicted_class};
use std::hash::{DefaultHasher, Hash, Hasher};
use tch::{Device, Kind, Tensor, no_grad};

/// A measure of how well a network does. Each is computed over a whole set and never averaged over
/// batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// The mean loss.
    Loss,
    /// The fraction of examples whose most probable class is correct.
    Accuracy,
    /// The fraction of examples whose correct class is among the `k` most probable ones. A class exactly
    /// as probable as the correct one does not count as more probable, so equal probabilities score 1; [`Predictions::top_k`](crate::train::Predictions::top_k) takes equals in the order
    /// of the classes.
    TopK(usize),
    /// Of the examples predicted as a class, the fraction that is of it; the mean over all classes.
    Precision,
    /// Of the examples of a class, the fraction predicted as it; the mean over all classes.
    Recall,
    /// The harmonic mean of a class's precision and recall; the mean over all classes.
    F1,
}

impl Metric {
    /// The name in tables and files: `loss`, `accuracy`, `top_5`, `precision`, `recall`, `f1`.
    pub fn name(self) -> String {
        match self {
            Metric::TopK(k) => format!("top_{k}"),
            other => format!("{other:?}").to_lowercase(),
        }
    }
}

/// Whether a lower value of a metric is better. It is for losses only.
pub(crate) fn lower_is_better(measure: &str) -> bool {
    measure.ends_with("loss")
}

/// The state of all metrics while batches are added. [`MetricState::result`] reads it from the device.
#[derive(Debug)]
pub(crate) struct MetricState {
    loss_input: LossInput,
    /// The sum and the sum of squares of the examples' losses.
    losses: Tensor,
    /// For each batch `[3, examples]`: the labels, the predicted classes, and the number of classes that
    /// are more probable than the correct one.
    answers: Vec<Tensor>,
    outputs: usize,
}

impl MetricState {
    /// The empty state for a network with this number of outputs.
    pub(crate) fn new(loss_input: LossInput, outputs: usize, device: Device) -> MetricState {
        let losses = Tensor::zeros([2], (Kind::Double, device));
        MetricState { loss_input, losses, answers: Vec::new(), outputs }
    }

    /// Adds a batch: the outputs that the loss reads, and the labels.
    pub(crate) fn add(&mut self, loss: &Loss, outputs: &Tensor, labels: &Tensor) {
        no_grad(|| {
            let outputs = outputs.detach();
            let each = loss.per_example(self.loss_input, &outputs, labels).to_kind(Kind::Double);
            let predicted = predicted_class(self.loss_input, &outputs);
            self.losses +=
                Tensor::stack(&[each.sum(Kind::Double), each.square().sum(Kind::Double)], 0);
            let before = if self.outputs == 1 {
                predicted.ne_tensor(labels).to_kind(Kind::Int64)
            } else {
                // Counted in a way that makes NaN never the most probable.
                let right = outputs.gather(1, &labels.unsqueeze(1), false);
                let others = outputs.le_tensor(&right).logical_not();
                others.sum_dim_intlist(1i64, false, Kind::Int64)
            };
            self.answers.push(Tensor::stack(&[labels, &predicted, &before], 0));
        });
    }

    /// The result over all batches.
    pub(crate) fn result(&self) -> MetricResult {
        let losses = self.losses.to_device(Device::Cpu);
        let classes = class_count(self.outputs);
        let mut counts = MetricResult {
            examples: 0,
            loss_sum: losses.double_value(&[0]),
            loss_squares: losses.double_value(&[1]),
            confusion: vec![vec![0; classes]; classes],
            ranks: vec![0; classes + 1],
            correct: Vec::new(),
            labels_fingerprint: 0,
        };
        if self.answers.is_empty() {
            return counts;
        }
        let answers = Tensor::cat(&self.answers, 1).to_device(Device::Cpu);
        counts.examples = answers.size()[1] as usize;
        let answers = Vec::<i64>::try_from(answers.view([-1])).expect("they are whole numbers");
        let (truth, rest) = answers.split_at(counts.examples);
        let (predicted, before) = rest.split_at(counts.examples);
        for ((&truth, &predicted), &before) in truth.iter().zip(predicted).zip(before) {
            counts.confusion[truth as usize][predicted as usize] += 1;
            counts.ranks[before as usize] += 1;
            counts.correct.push(truth == predicted);
        }
        let mut labels = DefaultHasher::new();
        truth.hash(&mut labels);
        counts.labels_fingerprint = labels.finish();
        counts
    }
}

/// The result of all metrics on a set.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct MetricResult {
    pub(crate) examples: usize,
    loss_sum: f64,
    loss_squares: f64,
    /// How often each true class (row) was predicted as each class (column).
    pub(crate) confusion: Vec<Vec<usize>>,
    ranks: Vec<usize>,
    /// Whether each example was predicted correctly, in their order.
    correct: Vec<bool>,
    /// A fingerprint of the labels in their order, to recognize the same examples.
    labels_fingerprint: u64,
}

impl MetricResult {
    pub(crate) fn value(&self, metric: Metric) -> f64 {
        let n = self.examples as f64;
        match metric {
            Metric::Loss => self.loss_sum / n,
            Metric::Accuracy => {
                let correct: usize = (0..self.confusion.len()).map(|i| self.confusion[i][i]).sum();
                correct as f64 / n
            }
            Metric::TopK(k) => self.ranks.iter().take(k).sum::<usize>() as f64 / n,
            Metric::Precision => self.mean(|predicted, _, both| ratio(both, predicted)),
            Metric::Recall => self.mean(|_, actual, both| ratio(both, actual)),
            Metric::F1 => self.mean(|predicted, actual, both| ratio(2 * both, predicted + actual)),
        }
    }

    /// Whether each example is classified correctly, here and in `other`; `None` if these are other
    /// examples.
    pub(crate) fn correct_beside<'a>(
        &'a self,
        other: &'a MetricResult,
    ) -> Option<(&'a [bool], &'a [bool])> {
        let same =
            self.examples == other.examples && self.labels_fingerprint == other.labels_fingerprint;
        same.then_some((&self.correct, &other.correct))
    }

    /// The standard error of the mean loss.
    pub(crate) fn loss_standard_error(&self) -> f64 {
        let n = self.examples as f64;
        let mean = self.loss_sum / n;
        let variance = (self.loss_squares / n - mean * mean).max(0.0);
        (variance / (n - 1.0).max(1.0)).sqrt()
    }

    /// The mean over the classes of a number computed of three counts: predicted, actual, and both.
    fn mean(&self, of: impl Fn(usize, usize, usize) -> f64) -> f64 {
        let classes = self.confusion.len();
        let each = (0..classes).map(|class| {
            let predicted = self.confusion.iter().map(|row| row[class]).sum();
            of(predicted, self.confusion[class].iter().sum(), self.confusion[class][class])
        });
        each.sum::<f64>() / classes as f64
    }
}

/// A fraction. 0 where the divisor is 0, as in scikit-learn.
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[[f32; 3]], labels: &[i64], batch: usize) -> MetricResult {
        let mut state = MetricState::new(LossInput::Logits, 3, Device::Cpu);
        for (rows, labels) in rows.chunks(batch).zip(labels.chunks(batch)) {
            let outputs = Tensor::from_slice(&rows.concat()).view([-1, 3]);
            state.add(&Loss::CategoricalCrossEntropy, &outputs, &Tensor::from_slice(labels));
        }
        state.result()
    }

    const ROWS: [[f32; 3]; 6] = [
        [3.0, 2.0, 1.0],
        [1.0, 3.0, 2.0],
        [3.0, 2.0, 1.0],
        [0.0, 1.0, 2.0],
        [2.0, 1.0, 0.0],
        [1.0, 2.0, 0.0],
    ];
    const LABELS: [i64; 6] = [0, 1, 1, 2, 2, 1];

    #[test]
    fn metrics_are_scikit_learn_s() {
        // precision_score(…, average="macro") and its like, on labels [0, 1, 1, 2, 2, 1] against
        // [0, 1, 0, 2, 0, 1].
        let counts = counts(&ROWS, &LABELS, 6);
        let close = |metric, expected: f64| {
            let got = counts.value(metric);
            assert!((got - expected).abs() < 1e-9, "{metric:?}: {got}");
        };
        close(Metric::Accuracy, 4.0 / 6.0);
        close(Metric::TopK(1), 4.0 / 6.0);
        close(Metric::TopK(2), 5.0 / 6.0);
        close(Metric::TopK(3), 1.0);
        close(Metric::Precision, (1.0 / 3.0 + 1.0 + 1.0) / 3.0);
        close(Metric::Recall, (1.0 + 2.0 / 3.0 + 0.5) / 3.0);
        close(Metric::F1, (0.5 + 0.8 + 2.0 / 3.0) / 3.0);
    }

    #[test]
    fn results_do_not_depend_on_the_batches() {
        let (whole, parts) = (counts(&ROWS, &LABELS, 6), counts(&ROWS, &LABELS, 4));
        assert_eq!(whole.confusion, parts.confusion);
        assert_eq!(whole.ranks, parts.ranks);
        assert!((whole.value(Metric::Loss) - parts.value(Metric::Loss)).abs() < 1e-12);
        assert!((whole.loss_standard_error() - parts.loss_standard_error()).abs() < 1e-12);
    }

    #[test]
    fn only_the_same_examples_are_compared() {
        let (whole, parts) = (counts(&ROWS, &LABELS, 6), counts(&ROWS, &LABELS, 4));
        let correct = [true, true, false, true, false, true];
        assert_eq!(whole.correct_beside(&parts), Some((&correct[..], &correct[..])));
        let mut others = LABELS;
        others.swap(0, 1);
        assert_eq!(whole.correct_beside(&counts(&ROWS, &others, 6)), None);
        assert_eq!(whole.correct_beside(&counts(&ROWS[..5], &LABELS[..5], 6)), None);
    }

    #[test]
    fn nan_is_never_correct() {
        let counts = counts(&[[f32::NAN; 3]], &[1], 1);
        assert_eq!(counts.value(Metric::TopK(3)), 0.0);
        assert_eq!(counts.examples, 1);
    }

    #[test]
    fn one_output_has_two_classes() {
        let mut state = MetricState::new(LossInput::BinaryLogits, 1, Device::Cpu);
        let outputs = Tensor::from_slice(&[1f32, -1.0, 2.0]).view([3, 1]);
        state.add(&Loss::BinaryCrossEntropy, &outputs, &Tensor::from_slice(&[1i64, 1, 0]));
        let counts = state.result();
        assert_eq!(counts.confusion, [[0, 1], [1, 1]]);
        assert_eq!(counts.value(Metric::TopK(2)), 1.0);
    }
}
