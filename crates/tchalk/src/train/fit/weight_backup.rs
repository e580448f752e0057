//! The weights from before an epoch, to go back to where the training diverges.

use crate::error::{Error, Result};
use crate::model::Model;
use crate::train::callbacks::run::{copy_weights, set_weights};
use tch::Tensor;

/// The weights from before an epoch.
pub(crate) struct WeightBackup {
    model: Model,
    epoch: usize,
    weights: Vec<(String, Tensor)>,
}

impl WeightBackup {
    /// Copies the weights of a model before this epoch, counted from 1.
    pub(crate) fn new(model: &Model, epoch: usize) -> WeightBackup {
        WeightBackup { model: model.clone(), epoch, weights: copy_weights(model) }
    }

    /// Goes back to these weights where the loss is not a finite number.
    ///
    /// # Errors
    ///
    /// If it went back.
    pub(crate) fn check_finite(&self, loss: f64) -> Result<()> {
        if loss.is_finite() {
            return Ok(());
        }
        set_weights(&self.model, &self.weights)?;
        if let Some(compiled) = self.model.inner().compiled().as_mut() {
            compiled.optimizer_state.reset();
        }
        let since = match self.epoch - 1 {
            0 => "those from before training".to_owned(),
            last => format!("those after epoch {last}"),
        };
        let got = format!("{loss} in epoch {}", self.epoch);
        let hint = format!(
            "The training has diverged. The weights are {since}, and model.history() has the epochs \
             so far. Compile with a smaller learning rate, or with clip_norm(1.0)."
        );
        Err(Error::invalid("Model::fit", "a finite loss", got, hint))
    }
}
