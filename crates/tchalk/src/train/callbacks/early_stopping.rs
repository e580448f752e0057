//! Ends training when a metric stops improving, and restores the best weights.

use super::monitor::Monitor;
use crate::train::{Callback, CallbackResult, CallbackState, Note, Run};
use tch::Tensor;

/// Ends training when the validation loss, or another metric, has not improved for some epochs, and
/// restores the weights of the best epoch.
///
/// Results on the set that chose the epoch are slightly too good. Report those on a third set.
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
    /// Ends training after `patience` epochs without an improvement of the validation loss.
    pub fn new(patience: usize) -> EarlyStopping {
        EarlyStopping {
            patience,
            monitor: Monitor::new("val_loss"),
            restore_best: true,
            best: Vec::new(),
        }
    }

    /// The metric to use instead of `val_loss`. Losses improve by falling, all others by rising.
    pub fn monitor(mut self, metric: &str) -> EarlyStopping {
        self.monitor = self.monitor.with_metric(metric);
        self
    }

    /// The smallest change that counts as an improvement. The default is 0.
    pub fn min_delta(mut self, delta: f64) -> EarlyStopping {
        self.monitor.min_delta = delta.abs();
        self
    }

    /// Keeps the weights of the last epoch.
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
