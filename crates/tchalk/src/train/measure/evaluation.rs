//! Evaluation: loss, accuracy and other metrics of a network on a set.

use super::loss::{Loss, LossInput};
use super::metric::{Metric, MetricResult, MetricState};
use super::note::{Note, Shortened};
use crate::data::TensorSet;
use crate::display::{Content, Show};
use crate::error::Result;
use crate::model::{Inner, Model};
use crate::runtime::progress::Progress;
use crate::runtime::{Budget, interrupt, memory};
use crate::text::thousands;
use crate::train::batch_source::BatchSource;
use crate::train::catch_torch_error;
use crate::train::compile::{check_input, check_labels, compiled_loss};
use ndarray::Array2;
use tch::{Device, Tensor, no_grad};

/// The number of standard errors to each side of a 95 % confidence interval.
pub(crate) const Z_95: f64 = 1.959_963_984_540_054;

/// Loss and accuracy over a whole set.
#[derive(Clone, PartialEq)]
pub struct Evaluation {
    /// The mean loss over all examples.
    pub loss: f64,
    /// The fraction of examples whose most probable class is correct.
    pub accuracy: f64,
    /// The number of examples.
    pub examples: usize,
    result: MetricResult,
    /// Whether a budget left out examples, and whether there is leakage.
    notes: Vec<Note>,
    /// The budget that shortened the training, if one did.
    pub(crate) shortened_by: Option<Budget>,
}

impl Evaluation {
    fn new(result: MetricResult, notes: Vec<Note>) -> Evaluation {
        let (loss, accuracy) = (result.value(Metric::Loss), result.value(Metric::Accuracy));
        let (examples, shortened_by) = (result.examples, None);
        Evaluation { loss, accuracy, examples, result, notes, shortened_by }
    }

    /// The evaluation of a network whose training a budget has shortened.
    pub(crate) fn with_shortened_by(self, shortened: Option<Budget>) -> Evaluation {
        Evaluation { shortened_by: shortened, ..self }
    }

    /// The evaluation of probabilities `[examples, classes]` with these labels.
    pub(crate) fn from_probabilities(
        probabilities: &Array2<f32>,
        labels: &[usize],
        notes: Vec<Note>,
    ) -> Evaluation {
        let classes = probabilities.ncols();
        let rows: Vec<f32> = probabilities.iter().copied().collect();
        let rows = Tensor::from_slice(&rows).view([-1, classes as i64]);
        let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        let mut state = MetricState::new(LossInput::Probabilities, classes, Device::Cpu);
        state.add(&Loss::CategoricalCrossEntropy, &rows, &Tensor::from_slice(&labels));
        Evaluation::new(state.result(), notes)
    }

    /// Any metric, over the same examples.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// # let train = datasets::shapes()?.train.take(100).to_tensors(Device::Cpu);
    /// # let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    /// # let model = layers.add(Softmax).build(Device::Cpu)?;
    /// # model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
    /// let evaluation = model.evaluate(&train)?;
    /// assert_eq!(evaluation.metric(Metric::TopK(10)), 1.0);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn metric(&self, metric: Metric) -> f64 {
        self.result.value(metric)
    }

    /// The confusion matrix: how often examples of each class (row) were predicted as each class (column).
    pub fn confusion(&self) -> Vec<Vec<usize>> {
        self.result.confusion.clone()
    }

    /// The 95 % confidence interval of the accuracy on infinitely many such examples (Wilson 1927). It
    /// stays within 0 and 1 and holds for small sets.
    pub fn accuracy_interval(&self) -> (f64, f64) {
        wilson_interval(self.accuracy, self.examples)
    }

    /// The 95 % confidence interval of the mean loss on infinitely many such examples (normal
    /// approximation).
    pub fn loss_interval(&self) -> (f64, f64) {
        let half = Z_95 * self.result.loss_standard_error();
        (self.loss - half, self.loss + half)
    }

    /// Half the width of the confidence interval of the accuracy.
    pub fn margin(&self) -> f64 {
        let (low, high) = self.accuracy_interval();
        (high - low) / 2.0
    }

    /// Whether each example is classified correctly, by this network and by the other one; `None` if they
    /// were evaluated on other examples.
    pub(crate) fn correct_beside<'a>(
        &'a self,
        other: &'a Evaluation,
    ) -> Option<(&'a [bool], &'a [bool])> {
        self.result.correct_beside(&other.result)
    }

    /// Whether a budget left out examples, and whether there is leakage.
    pub fn notes(&self) -> Vec<Note> {
        self.notes.clone()
    }
}

/// The 95 % confidence interval of a fraction that was measured on this number of examples.
pub(crate) fn wilson_interval(fraction: f64, examples: usize) -> (f64, f64) {
    let (n, z2) = (examples as f64, Z_95 * Z_95);
    let middle = (fraction + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let spread = (fraction * (1.0 - fraction) / n + z2 / (4.0 * n * n)).sqrt();
    let half = Z_95 * spread / (1.0 + z2 / n);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

impl std::fmt::Debug for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.accuracy_interval();
        write!(
            f,
            "loss {:.4}, accuracy {:.2} % (95 % interval {:.2} to {:.2} %) on {} examples",
            self.loss,
            100.0 * self.accuracy,
            100.0 * low,
            100.0 * high,
            thousands(self.examples),
        )?;
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

impl Show for Evaluation {
    fn content(&self) -> Content {
        Content::text(format!("{self:?}"))
    }
}

impl Model {
    /// Measures loss and accuracy on `set`.
    ///
    /// The notes of the result report leakage: examples that the network was trained on, or a set that
    /// chose between the epochs.
    ///
    /// # Errors
    ///
    /// If the model is not compiled, the set has no labels or does not fit the network, or the
    /// reader interrupts it.
    pub fn evaluate(&self, set: &TensorSet) -> Result<Evaluation> {
        const OP: &str = "Model::evaluate";
        let inner = self.inner();
        check_input(OP, inner, set)?;
        check_labels(OP, inner, set)?;
        let (loss, loss_input) = compiled_loss(inner, OP)?;
        let budget = Budget::current()?;
        let kept = set.first(budget.evaluation_examples(set.len(), inner.device));
        let mut notes = Vec::new();
        if kept.len() < set.len() {
            let to = Shortened::Evaluation { examples: kept.len(), all_examples: set.len() };
            notes.push(Note::Shortened { budget, to });
        }
        notes.extend(self.leakage_notes(&kept));
        let counts = evaluate_source(inner, &BatchSource::new(kept), &loss, loss_input, OP, true)?;
        Ok(Evaluation::new(counts, notes).with_shortened_by(self.training_facts().shortened_by))
    }
}

/// The metrics over a source, in inference mode. `shown`: whether the page shows the progress.
pub(crate) fn evaluate_source(
    inner: &Inner,
    source: &BatchSource,
    loss: &Loss,
    loss_input: LossInput,
    op: &str,
    shown: bool,
) -> Result<MetricResult> {
    let _kept = memory::keep_freed_memory();
    let program = &inner.program;
    let target = loss_input.step(program);
    let mut state = MetricState::new(loss_input, inner.output_shape()[0], inner.device);
    let mut progress = shown.then(|| Progress::of("measured", "examples", source.len()));
    let mut done = 0;
    for positions in source.batch_positions(source.inference_batch_size()) {
        interrupt::check(op)?;
        catch_torch_error(op, || {
            let batch = source.batch(program, &positions, inner.device);
            no_grad(|| {
                let outputs = program.inference().run(&batch.known_values(), &[target]).remove(0);
                state.add(loss, &outputs, &batch.labels);
            });
            done += batch.len();
            Ok(())
        })?;
        progress.iter_mut().for_each(|progress| progress.done(done));
    }
    Ok(state.result())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_s_interval_is_scipy_s() {
        // scipy.stats.binomtest(…).proportion_ci(method="wilson")
        let close = |got: (f64, f64), low: f64, high: f64| {
            assert!((got.0 - low).abs() < 1e-6 && (got.1 - high).abs() < 1e-6, "{got:?}");
        };
        close(wilson_interval(0.9, 100), 0.825_634_3, 0.944_770_9);
        close(wilson_interval(1.0, 10), 0.722_467_2, 1.0);
        close(wilson_interval(0.0, 10), 0.0, 0.277_532_8);
    }
}
