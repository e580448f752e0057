//! The mean of the weights along the way.

use crate::error::Error;
use crate::train::{Callback, CallbackResult, CallbackState, Note, Run};
use std::collections::BTreeMap;
use tch::{Kind, Tensor, no_grad};

/// Follows the weights with a moving average (Polyak 1992), and puts it in their place when training
/// ends: `mean = decay * mean + (1 - decay) * weight` after every step. It often does a little better
/// than the last step's weights.
///
/// ```
/// use tchalk::prelude::*;
/// let fit = Fit::new().epochs(25).callback(MovingAverage::new(0.999));
/// ```
pub struct MovingAverage {
    decay: f64,
    /// By the weights' names, so that layers may be frozen and freed on the way.
    means: BTreeMap<String, Tensor>,
}

impl MovingAverage {
    /// A mean that remembers for about `1 / (1 - decay)` steps.
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
                    // Counts, such as a batch normalization's, have no mean.
                    Some(mean) if mean.kind() == Kind::Int64 => mean.copy_(&weight.tensor),
                    Some(mean) => {
                        let _ = mean.lerp_(&weight.tensor, 1.0 - self.decay);
                    }
                    // The mean of a weight that was set free on the way begins there.
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
