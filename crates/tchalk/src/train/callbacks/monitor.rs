//! The best value of a metric so far.

use crate::train::Epoch;
use crate::train::measure::metric::lower_is_better;

/// The best value of a metric so far, and the number of epochs since then.
#[derive(Debug, Clone)]
pub(super) struct Monitor {
    pub(super) metric: String,
    /// The smallest change that counts as an improvement.
    pub(super) min_delta: f64,
    pub(super) best: f64,
    pub(super) epoch: usize,
    pub(super) epochs_since_best: usize,
}

impl Monitor {
    pub(super) fn new(metric: &str) -> Monitor {
        let best = if lower_is_better(metric) { f64::INFINITY } else { f64::NEG_INFINITY };
        Monitor { metric: metric.to_owned(), min_delta: 0.0, best, epoch: 0, epochs_since_best: 0 }
    }

    /// The monitor of another metric, with the same `min_delta`.
    pub(super) fn with_metric(&self, metric: &str) -> Monitor {
        Monitor { min_delta: self.min_delta, ..Monitor::new(metric) }
    }

    /// The monitor before the first epoch.
    pub(super) fn reset(&self) -> Monitor {
        self.with_metric(&self.metric)
    }

    /// Takes an epoch into account. Returns whether it is the best so far. An epoch without the metric, or
    /// with NaN, is not.
    pub(super) fn update(&mut self, epoch: &Epoch) -> bool {
        let value = epoch.value(&self.metric).unwrap_or(f64::NAN);
        let better = if lower_is_better(&self.metric) {
            value < self.best - self.min_delta
        } else {
            value > self.best + self.min_delta
        };
        if better {
            (self.best, self.epoch, self.epochs_since_best) = (value, epoch.number, 0);
        } else {
            self.epochs_since_best += 1;
        }
        better
    }

    pub(super) fn numbers(&self) -> [(String, f64); 3] {
        [
            ("best".into(), self.best),
            ("epoch".into(), self.epoch as f64),
            ("waited".into(), self.epochs_since_best as f64),
        ]
    }

    pub(super) fn restore(&mut self, state: &crate::train::CallbackState) {
        self.best = state.number("best").unwrap_or(self.best);
        self.epoch = state.number("epoch").unwrap_or_default() as usize;
        self.epochs_since_best = state.number("waited").unwrap_or_default() as usize;
    }
}
