//! The number that decides, and which way is better.

use crate::train::Epoch;
use crate::train::measure::metric::lower_is_better;

/// The best value of a measure so far, and for how many epochs there was none better.
#[derive(Debug, Clone)]
pub(super) struct Monitor {
    pub(super) metric: String,
    /// What a value has to be better by.
    pub(super) min_delta: f64,
    pub(super) best: f64,
    pub(super) epoch: usize,
    pub(super) epochs_since_best: usize,
}

impl Monitor {
    pub(super) fn new(measure: &str) -> Monitor {
        let best = if lower_is_better(measure) { f64::INFINITY } else { f64::NEG_INFINITY };
        Monitor { metric: measure.to_owned(), min_delta: 0.0, best, epoch: 0, epochs_since_best: 0 }
    }

    /// The same question to another measure.
    pub(super) fn with_metric(&self, measure: &str) -> Monitor {
        Monitor { min_delta: self.min_delta, ..Monitor::new(measure) }
    }

    /// The same question, with nothing seen yet.
    pub(super) fn reset(&self) -> Monitor {
        self.with_metric(&self.metric)
    }

    /// Looks at an epoch: whether it is the best so far. An epoch without the measure, or with one
    /// that is no number, is not.
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
