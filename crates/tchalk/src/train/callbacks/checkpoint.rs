//! Training, saved on the way.

use super::monitor::Monitor;
use crate::files::path_of;
use crate::train::{Callback, CallbackResult, CallbackState, Run};
use std::path::PathBuf;

/// Saves training after every epoch, so that nothing is lost and [`Fit::resume`](crate::train::Fit)
/// can go on from there: weights, what the optimizer remembers, the history, the state of the other
/// callbacks. For the network alone there is [`Model::save`](crate::model::Model::save).
///
/// It is written under another name and then renamed: when the disk is full, the last one stays.
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
    /// Saves to `path` after every epoch, in place of what was saved before. Folders on the way are
    /// made.
    pub fn new(path: impl Into<PathBuf>) -> Checkpoint {
        Checkpoint { path: path_of(path.into()), every: 1, best: None }
    }

    /// Saves only after every so many epochs, and after the last.
    pub fn every(mut self, epochs: usize) -> Checkpoint {
        self.every = epochs.max(1);
        self
    }

    /// Saves only epochs that are the best so far by this measure: `"val_accuracy"`.
    pub fn best_only(mut self, measure: &str) -> Checkpoint {
        self.best = Some(Monitor::new(measure));
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
