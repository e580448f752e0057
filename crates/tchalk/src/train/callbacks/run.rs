//! The running training, as callbacks see it.

use crate::error::{Error, Result};
use crate::files::expand_home;
use crate::model::Model;
use crate::train::measure::note::Note;
use crate::train::optimizers::optimizer::check_learning_rate;
use crate::train::{Epoch, History};
use std::collections::HashMap;
use std::path::PathBuf;
use tch::{Tensor, no_grad};

/// The running training, as a [`Callback`](crate::train::Callback) sees it: its progress, its history, and
/// what can be changed.
#[derive(Debug)]
pub struct Run {
    pub(crate) model: Model,
    pub(crate) history: History,
    pub(crate) epoch: usize,
    pub(crate) epochs: usize,
    pub(crate) step: usize,
    pub(crate) steps: usize,
    pub(crate) learning_rate: f64,
    pub(crate) metric_names: Vec<String>,
    /// Why training is to end.
    pub(crate) stop_reason: Option<Note>,
    /// The checkpoint files to write after this epoch.
    pub(crate) checkpoints: Vec<PathBuf>,
    /// Whether the validation set chose the epoch whose weights were restored.
    pub(crate) chosen_by_validation: bool,
}

impl Run {
    /// A training before its first epoch.
    pub(crate) fn new(model: &Model, metric_names: Vec<String>) -> Run {
        Run {
            model: model.clone(),
            history: History::default(),
            epoch: 0,
            epochs: 0,
            step: 0,
            steps: 0,
            learning_rate: 0.0,
            metric_names,
            stop_reason: None,
            checkpoints: Vec::new(),
            chosen_by_validation: false,
        }
    }

    /// The network. Callbacks may use it.
    pub fn model(&self) -> Model {
        self.model.clone()
    }

    /// The number of the current epoch, from 1.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The number of the last epoch.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// The number of finished steps of this epoch.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The number of steps of an epoch.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The finished epochs. In `on_epoch_end` the current one is included.
    pub fn history(&self) -> History {
        self.history.clone()
    }

    /// The last finished epoch.
    pub fn last(&self) -> Option<Epoch> {
        self.history.last()
    }

    /// The learning rate, before schedule and decay.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Changes the learning rate from the next step on.
    ///
    /// # Errors
    ///
    /// If it is negative or not finite.
    pub fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        check_learning_rate("Run::set_learning_rate", learning_rate)?;
        self.learning_rate = learning_rate;
        Ok(())
    }

    /// Ends the training after this step or epoch. The history gets the reason.
    pub fn stop(&mut self, reason: impl Into<Note>) {
        self.stop_reason.get_or_insert(reason.into());
    }

    /// The names of the metrics of each epoch: `loss`, `accuracy`, `val_loss`, …
    pub fn metric_names(&self) -> Vec<String> {
        self.metric_names.clone()
    }

    /// Refuses a metric that no epoch will have.
    ///
    /// # Errors
    ///
    /// If there is no metric with that name.
    pub fn check_metric(&self, op: &str, name: &str) -> Result<()> {
        if self.metric_names.iter().any(|metric| metric == name) {
            return Ok(());
        }
        let expected = format!("one of {}", self.metric_names.join(", "));
        let hint = if name.starts_with("val_") {
            "Add Fit::validation(&set) or Fit::validation_split(0.2)."
        } else {
            ""
        };
        Err(Error::invalid(op, expected, format!("{name:?}"), hint))
    }

    /// Adds a note to the history.
    pub fn note(&mut self, note: impl Into<Note>) {
        self.history.notes.push(note.into());
    }

    /// Takes the learning rate from the optimizer.
    pub(crate) fn read_learning_rate(&mut self) {
        if let Some(compiled) = self.model.inner().compiled().as_ref() {
            self.learning_rate = compiled.optimizer_state.learning_rate();
        }
    }

    /// Gives the learning rate to the optimizer.
    pub(crate) fn write_learning_rate(&self) {
        if let Some(compiled) = self.model.inner().compiled().as_mut() {
            compiled.optimizer_state.set_learning_rate(self.learning_rate);
        }
    }

    /// Copies of all weights that training may change, with their names. Running means are included.
    pub fn weights(&self) -> Vec<(String, Tensor)> {
        copy_weights(&self.model)
    }

    /// Sets weights by name.
    ///
    /// # Errors
    ///
    /// If there is no weight with a name, or it has another shape.
    pub fn set_weights(&mut self, weights: &[(String, Tensor)]) -> Result<()> {
        set_weights(&self.model, weights)
    }

    /// Requests a checkpoint in `path`, written after the callbacks of this epoch.
    pub fn checkpoint(&mut self, path: impl Into<PathBuf>) {
        self.checkpoints.push(expand_home(path.into()));
    }
}

/// Copies of all weights of layers that are not frozen.
pub(crate) fn copy_weights(model: &Model) -> Vec<(String, Tensor)> {
    let program = &model.inner().program;
    let _access = program.inference();
    let weights = program.weights().into_iter().filter(|weight| weight.may_change());
    weights.map(|weight| (weight.name, weight.tensor.detach().copy())).collect()
}

/// Sets weights by name.
pub(crate) fn set_weights(model: &Model, values: &[(String, Tensor)]) -> Result<()> {
    let program = &model.inner().program;
    let _access = program.training();
    let mut weights: HashMap<String, Tensor> =
        program.weights().into_iter().map(|weight| (weight.name, weight.tensor)).collect();
    for (name, value) in values {
        match weights.get_mut(name) {
            Some(weight) if weight.size() == value.size() => no_grad(|| weight.copy_(value)),
            found => {
                let got = match found {
                    Some(weight) => format!("{:?}, not {:?}", value.size(), weight.size()),
                    None => "no weight of that name".into(),
                };
                return Err(Error::invalid(
                    format!("weights {name:?}"),
                    "weights of this network",
                    got,
                    "",
                ));
            }
        }
    }
    Ok(())
}
