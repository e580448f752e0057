//! Saves checkpoints of the training.

use super::monitor::Monitor;
use crate::files::expand_home;
use crate::train::{Callback, CallbackResult, CallbackState, Run};
use std::path::PathBuf;

/// Saves a checkpoint after every epoch, which [`Fit::resume`](crate::train::Fit::resume) continues from:
/// the weights, the optimizer state, the history, the states of the callbacks. To save the network alone
/// use [`Model::save`](crate::model::Model::save).
///
/// A new file replaces the last one when it is complete: if the disk is full, the last one stays.
///
/// ```
/// use tchalk::prelude::*;
/// let fit = Fit::new().epochs(25).callback(Checkpoint::new("results/cnn.safetensors").every(5));
/// ```
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    every: usize,
    best: Option<Monitor>,
}

impl Checkpoint {
    /// Saves to `path` after every epoch and replaces the last checkpoint. Missing folders are created.
    pub fn new(path: impl Into<PathBuf>) -> Checkpoint {
        Checkpoint { path: expand_home(path.into()), every: 1, best: None }
    }

    /// Saves only after every `epochs` epochs, and after the last.
    pub fn every(mut self, epochs: usize) -> Checkpoint {
        self.every = epochs.max(1);
        self
    }

    /// Saves only epochs that are the best so far by this metric, such as `"val_accuracy"`.
    pub fn best_only(mut self, metric: &str) -> Checkpoint {
        self.best = Some(Monitor::new(metric));
        self
    }
}

impl Callback for Checkpoint {
    fn on_train_begin(&mut self, run: &mut Run) -> CallbackResult {
        if let Some(monitor) = &mut self.best {
            run.check_metric("Checkpoint::best_only", &monitor.metric)?;
            if run.history().is_empty() {
                *monitor = monitor.reset();
            }
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        let Some(epoch) = run.last() else { return Ok(()) };
        let wanted = match &mut self.best {
            Some(monitor) => monitor.update(&epoch),
            None => run.epoch().is_multiple_of(self.every) || run.epoch() == run.epochs(),
        };
        if wanted {
            run.checkpoint(&self.path);
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let numbers = self.best.iter().flat_map(Monitor::numbers).collect();
        CallbackState { numbers, ..CallbackState::default() }
    }

    fn restore(&mut self, state: CallbackState) -> CallbackResult {
        if let Some(monitor) = &mut self.best {
            monitor.restore(&state);
        }
        Ok(())
    }
}
