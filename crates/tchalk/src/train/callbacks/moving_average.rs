//! The moving average of the weights.

use crate::error::Error;
use crate::train::{Callback, CallbackResult, CallbackState, Note, Run};
use std::collections::BTreeMap;
use tch::{Kind, Tensor, no_grad};

/// Keeps a moving average of the weights (Polyak 1992), and sets the weights to it when training ends:
/// `mean = decay * mean + (1 - decay) * weight` after every step. It is often slightly better than the
/// weights of the last step.
///
/// ```
/// use tchalk::prelude::*;
/// let fit = Fit::new().epochs(25).callback(MovingAverage::new(0.999));
/// ```
pub struct MovingAverage {
    decay: f64,
    /// By the names of the weights, so that layers can be frozen and unfrozen during training.
    means: BTreeMap<String, Tensor>,
}

impl MovingAverage {
    /// A moving average over about `1 / (1 - decay)` steps.
    pub fn new(decay: f64) -> MovingAverage {
        MovingAverage { decay, means: BTreeMap::new() }
    }
}

impl std::fmt::Debug for MovingAverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MovingAverage::new({})", self.decay)
    }
}

impl Callback for MovingAverage {
    fn on_train_begin(&mut self, run: &mut Run) -> CallbackResult {
        if !(0.0..1.0).contains(&self.decay) {
            let got = self.decay.to_string();
            Err(Error::invalid("MovingAverage::new", "a number from 0 to below 1", got, "0.999"))?;
        }
        let mut known = match run.history().is_empty() {
            true => BTreeMap::new(),
            false => std::mem::take(&mut self.means),
        };
        let weights = run.weights().into_iter();
        self.means = weights
            .map(|(name, weight)| {
                let mean = known.remove(&name).unwrap_or(weight);
                (name, mean)
            })
            .collect();
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run) -> CallbackResult {
        let model = run.model();
        let program = &model.inner().program;
        let _access = program.inference();
        no_grad(|| {
            for weight in program.weights() {
                match self.means.get_mut(&weight.name) {
                    // Counters, such as that of batch normalization, are copied.
                    Some(mean) if mean.kind() == Kind::Int64 => mean.copy_(&weight.tensor),
                    Some(mean) => {
                        let _ = mean.lerp_(&weight.tensor, 1.0 - self.decay);
                    }
                    // The average of a weight that was unfrozen during training starts now.
                    None if weight.may_change() => {
                        self.means.insert(weight.name, weight.tensor.detach().copy());
                    }
                    None => {}
                }
            }
        });
        Ok(())
    }

    fn on_train_end(&mut self, run: &mut Run) -> CallbackResult {
        if !run.history().is_empty() {
            let means = std::mem::take(&mut self.means).into_iter().collect::<Vec<_>>();
            run.set_weights(&means)?;
            run.note(Note::WeightsAveraged { decay: self.decay });
        }
        self.means.clear();
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let tensors = self.means.iter().map(|(name, mean)| (name.clone(), mean.copy()));
        CallbackState { tensors: tensors.collect(), ..CallbackState::default() }
    }

    fn restore(&mut self, state: CallbackState) -> CallbackResult {
        self.means = state.tensors;
        Ok(())
    }
}
