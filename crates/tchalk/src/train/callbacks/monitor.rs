//! The number that decides, and which way is better.

use crate::train::Epoch;

/// Whether a small number is a good one: losses are, all else is counted in hits.
pub(crate) fn smaller_is_better(measure: &str) -> bool {
    measure.ends_with("loss")
}

/// The best value of a measure so far, and for how many epochs there was none better.
#[derive(Debug, Clone)]
pub(super) struct Monitor {
    pub(super) measure: String,
    /// What a value has to be better by.
    pub(super) least: f64,
    pub(super) best: f64,
    pub(super) epoch: usize,
    pub(super) waited: usize,
}

impl Monitor {
    pub(super) fn new(measure: &str) -> Monitor {
        let best = if smaller_is_better(measure) { f64::INFINITY } else { f64::NEG_INFINITY };
        Monitor { measure: measure.to_owned(), least: 0.0, best, epoch: 0, waited: 0 }
    }

    /// The same question to another measure.
    pub(super) fn of(&self, measure: &str) -> Monitor {
        Monitor { least: self.least, ..Monitor::new(measure) }
    }

    /// The same question, with nothing seen yet.
    pub(super) fn anew(&self) -> Monitor {
        self.of(&self.measure)
    }

    /// Looks at an epoch: whether it is the best so far. An epoch without the measure, or with one
    /// that is no number, is not.
    pub(super) fn look(&mut self, epoch: &Epoch) -> bool {
        let value = epoch.value(&self.measure).unwrap_or(f64::NAN);
        let better = if smaller_is_better(&self.measure) {
            value < self.best - self.least
        } else {
            value > self.best + self.least
        };
        if better {
            (self.best, self.epoch, self.waited) = (value, epoch.number, 0);
        } else {
            self.waited += 1;
        }
        better
    }

    pub(super) fn numbers(&self) -> [(String, f64); 3] {
        [
            ("best".into(), self.best),
            ("epoch".into(), self.epoch as f64),
            ("waited".into(), self.waited as f64),
        ]
    }

    pub(super) fn restore(&mut self, state: &crate::train::State) {
        self.best = state.number("best").unwrap_or(self.best);
        self.epoch = state.number("epoch").unwrap_or_default() as usize;
        self.waited = state.number("waited").unwrap_or_default() as usize;
    }
}
