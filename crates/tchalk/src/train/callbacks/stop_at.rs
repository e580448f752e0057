//! Ends training when a metric reaches a target.

use crate::train::measure::metric::lower_is_better;
use crate::train::{Callback, CallbackResult, Note, Run};

/// Ends training when a metric reaches a target: `StopAt::new("val_accuracy", 0.99)`. A loss has to fall
/// to it, all others have to rise to it.
#[derive(Debug, Clone)]
pub struct StopAt {
    metric: String,
    target: f64,
}

impl StopAt {
    /// Ends training when `metric` reaches `target`.
    pub fn new(metric: impl Into<String>, target: f64) -> StopAt {
        StopAt { metric: metric.into(), target }
    }
}

impl Callback for StopAt {
    fn on_train_begin(&mut self, run: &mut Run) -> CallbackResult {
        Ok(run.check_metric("StopAt::new", &self.metric)?)
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        let value = run.last().and_then(|epoch| epoch.value(&self.metric)).unwrap_or(f64::NAN);
        let there = match lower_is_better(&self.metric) {
            true => value <= self.target,
            false => value >= self.target,
        };
        if there {
            run.stop(Note::TargetReached { metric: self.metric.clone(), value });
        }
        Ok(())
    }
}
