//! Ends training when it gets no better, and goes back to where it was best.

use super::monitor::Monitor;
use crate::train::{Callback, CallbackResult, CallbackState, Note, Run};
use tch::Tensor;

/// Ends training when the validation loss, or another measure, has not become better for some
/// epochs, and puts the best epoch's weights back.
///
/// The set that chose the epoch flatters the result a little: report a third set, or say so.
///
/// ```
/// use tchalk::prelude::*;
/// let fit = Fit::new().epochs(100).callback(EarlyStopping::new(5).monitor("val_accuracy"));
/// ```
pub struct EarlyStopping {
    patience: usize,
    monitor: Monitor,
    restore_best: bool,
    best: Vec<(String, Tensor)>,
}

impl EarlyStopping {
    /// Ends training after `patience` epochs in a row in which the validation loss was no better
    /// than before.
    pub fn new(patience: usize) -> EarlyStopping {
        EarlyStopping {
            patience,
            monitor: Monitor::new("val_loss"),
            restore_best: true,
            best: Vec::new(),
        }
    }

    /// What to look at instead of `val_loss`: losses shall fall, all else shall rise.
    pub fn monitor(mut self, measure: &str) -> EarlyStopping {
        self.monitor = self.monitor.with_metric(measure);
        self
    }

    /// By how much an epoch has to be better to count.
    pub fn min_delta(mut self, least: f64) -> EarlyStopping {
        self.monitor.min_delta = least.abs();
        self
    }

    /// Leaves the last epoch's weights in place.
    pub fn keep_last(mut self) -> EarlyStopping {
        self.restore_best = false;
        self
    }
}

impl std::fmt::Debug for EarlyStopping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EarlyStopping after {} epochs by {}", self.patience, self.monitor.metric)
    }
}

impl Callback for EarlyStopping {
    fn on_train_begin(&mut self, run: &mut Run) -> CallbackResult {
        run.check_metric("EarlyStopping::monitor", &self.monitor.metric)?;
        if run.history().is_empty() {
            self.monitor = self.monitor.reset();
            self.best.clear();
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        let Some(epoch) = run.last() else { return Ok(()) };
        if self.monitor.update(&epoch) {
            if self.restore_best {
                self.best = run.weights();
            }
        } else if self.monitor.epochs_since_best >= self.patience.max(1) {
            let (metric, best) = (&self.monitor.metric, self.monitor.best);
            run.stop(match best.is_finite() {
                true => {
                    let (metric, epoch) = (metric.clone(), self.monitor.epoch);
                    Note::EarlyStopping { metric, epoch, value: best }
                }
                false => format!("early stopping: {metric} was never a number").into(),
            });
        }
        Ok(())
    }

    fn on_train_end(&mut self, run: &mut Run) -> CallbackResult {
        let last = run.last().map_or(0, |epoch| epoch.number);
        if self.restore_best && !self.best.is_empty() && self.monitor.epoch != last {
            run.set_weights(&self.best)?;
            let (metric, epoch) = (self.monitor.metric.clone(), self.monitor.epoch);
            run.chosen_by_validation |= metric.starts_with("val_");
            run.history.restored_epoch = Some(epoch);
            run.note(Note::WeightsRestored { epoch, metric, value: self.monitor.best });
        }
        self.best.clear();
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let numbers = self.monitor.numbers().into_iter().collect();
        let tensors = self.best.iter().map(|(name, weight)| (name.clone(), weight.shallow_clone()));
        CallbackState { numbers, tensors: tensors.collect() }
    }

    fn restore(&mut self, state: CallbackState) -> CallbackResult {
        self.monitor.restore(&state);
        self.best = state.tensors.into_iter().collect();
        Ok(())
    }
}
