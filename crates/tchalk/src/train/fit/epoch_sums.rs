//! What is summed up over the steps of an epoch.

use super::train_step::StepOutput;
use crate::model::Inner;
use crate::train::Epoch;
use crate::train::measure::loss::{Loss, LossInput, predicted_class};
use crate::train::measure::metric::{Metric, MetricResult, MetricState};
use std::collections::BTreeMap;
use tch::{Kind, Tensor, no_grad};

/// Sums over the steps of an epoch, on the device.
pub(crate) struct EpochSums {
    loss_input: LossInput,
    loss: Option<Tensor>,
    correct: Option<Tensor>,
    examples: i64,
    learning_rate: f64,
    metrics: Option<MetricState>,
}

/// Means over the examples of an epoch, measured while the weights were changing.
pub(crate) struct EpochMeans {
    pub(crate) loss: f64,
    accuracy: f64,
    learning_rate: f64,
    metrics: Option<MetricResult>,
}

impl EpochSums {
    pub(crate) fn new(inner: &Inner, loss_input: LossInput, metrics: &[Metric]) -> EpochSums {
        let outputs = inner.output_shape()[0];
        let metrics =
            (!metrics.is_empty()).then(|| MetricState::new(loss_input, outputs, inner.device));
        let (loss, correct) = (None, None);
        EpochSums { loss_input, loss, correct, examples: 0, learning_rate: 0.0, metrics }
    }

    /// Adds what a step has found.
    pub(crate) fn add(&mut self, step: &StepOutput, labels: &Tensor, loss: &Loss) {
        let count = labels.size()[0];
        no_grad(|| {
            let predicted = predicted_class(self.loss_input, &step.outputs);
            let correct = predicted.eq_tensor(labels).sum(Kind::Int64);
            add_to(&mut self.loss, &step.loss * count as f64);
            add_to(&mut self.correct, correct);
        });
        self.examples += count;
        self.learning_rate = step.learning_rate.unwrap_or(self.learning_rate);
        if let Some(metrics) = &mut self.metrics {
            metrics.add(loss, &step.outputs, labels);
        }
    }

    /// The mean loss and the accuracy so far.
    pub(crate) fn loss_and_accuracy(&self) -> (f64, f64) {
        let mean = |sum: &Option<Tensor>| {
            let sum = sum.as_ref().map(|sum| sum.to_kind(Kind::Double).double_value(&[]));
            sum.map_or(f64::NAN, |sum| sum / self.examples as f64)
        };
        (mean(&self.loss), mean(&self.correct))
    }

    pub(crate) fn means(&self) -> EpochMeans {
        let (loss, accuracy) = self.loss_and_accuracy();
        let metrics = self.metrics.as_ref().map(MetricState::result);
        EpochMeans { loss, accuracy, learning_rate: self.learning_rate, metrics }
    }
}

fn add_to(sum: &mut Option<Tensor>, value: Tensor) {
    *sum = Some(match sum.take() {
        Some(sum) => sum + value,
        None => value,
    });
}

impl EpochMeans {
    /// The epoch as the history keeps it.
    pub(crate) fn epoch(
        self,
        number: usize,
        metrics: &[Metric],
        validation: Option<MetricResult>,
        seconds: f64,
    ) -> Epoch {
        let mut values = BTreeMap::new();
        for (prefix, result) in [("", &self.metrics), ("val_", &validation)] {
            let Some(result) = result else { continue };
            values.extend(
                metrics
                    .iter()
                    .map(|metric| (format!("{prefix}{}", metric.name()), result.value(*metric))),
            );
        }
        let validated = |metric: Metric| validation.as_ref().map(|result| result.value(metric));
        Epoch {
            number,
            loss: self.loss,
            accuracy: self.accuracy,
            val_loss: validated(Metric::Loss),
            val_accuracy: validated(Metric::Accuracy),
            metrics: values,
            learning_rate: self.learning_rate,
            seconds,
        }
    }
}
