//! Reduces the learning rate when a metric stops improving.

use super::monitor::Monitor;
use crate::error::Error;
use crate::train::{Callback, CallbackResult, CallbackState, Note, Run};

/// Multiplies the learning rate by a factor when the validation loss, or another metric, has not
/// improved for some epochs.
///
/// ```
/// use tchalk::prelude::*;
/// let fit = Fit::new().epochs(50).callback(ReduceOnPlateau::new(3).factor(0.5).min_learning_rate(1e-5));
/// ```
#[derive(Debug, Clone)]
pub struct ReduceOnPlateau {
    patience: usize,
    factor: f64,
    cooldown: usize,
    min_learning_rate: f64,
    monitor: Monitor,
    cooling: usize,
}

impl ReduceOnPlateau {
    /// Divides the learning rate by 10 after `patience` epochs without an improvement of the validation
    /// loss.
    pub fn new(patience: usize) -> ReduceOnPlateau {
        ReduceOnPlateau {
            patience,
            factor: 0.1,
            cooldown: 0,
            min_learning_rate: 0.0,
            monitor: Monitor::new("val_loss"),
            cooling: 0,
        }
    }

    /// The metric to use instead of `val_loss`. Losses improve by falling, all others by rising.
    pub fn monitor(mut self, metric: &str) -> ReduceOnPlateau {
        self.monitor = self.monitor.with_metric(metric);
        self
    }

    /// The factor of the learning rate, above 0 and below 1. The default is 0.1.
    pub fn factor(mut self, factor: f64) -> ReduceOnPlateau {
        self.factor = factor;
        self
    }

    /// The smallest change that counts as an improvement. The default is 0.
    pub fn min_delta(mut self, delta: f64) -> ReduceOnPlateau {
        self.monitor.min_delta = delta.abs();
        self
    }

    /// The number of epochs after a reduction that do not count. The default is 0.
    pub fn cooldown(mut self, epochs: usize) -> ReduceOnPlateau {
        self.cooldown = epochs;
        self
    }

    /// The smallest learning rate. The default is 0.
    pub fn min_learning_rate(mut self, rate: f64) -> ReduceOnPlateau {
        self.min_learning_rate = rate;
        self
    }
}

impl Callback for ReduceOnPlateau {
    fn on_train_begin(&mut self, run: &mut Run) -> CallbackResult {
        run.check_metric("ReduceOnPlateau::monitor", &self.monitor.metric)?;
        if !(self.factor > 0.0 && self.factor < 1.0) {
            let got = self.factor.to_string();
            Err(Error::invalid("ReduceOnPlateau::factor", "a number between 0 and 1", got, ""))?;
        }
        if run.history().is_empty() {
            self.monitor = self.monitor.reset();
            self.cooling = 0;
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        let Some(epoch) = run.last() else { return Ok(()) };
        self.monitor.update(&epoch);
        if self.cooling > 0 {
            self.cooling -= 1;
            self.monitor.epochs_since_best = 0;
        }
        if self.monitor.epochs_since_best >= self.patience.max(1) {
            let rate = (run.learning_rate() * self.factor).max(self.min_learning_rate);
            if rate < run.learning_rate() {
                run.note(Note::LearningRateReduced { learning_rate: rate, epoch: run.epoch() });
                run.set_learning_rate(rate)?;
            }
            self.monitor.epochs_since_best = 0;
            self.cooling = self.cooldown;
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let cooling = ("cooling".to_owned(), self.cooling as f64);
        let numbers = self.monitor.numbers().into_iter().chain([cooling]).collect();
        CallbackState { numbers, ..CallbackState::default() }
    }

    fn restore(&mut self, state: CallbackState) -> CallbackResult {
        self.monitor.restore(&state);
        self.cooling = state.number("cooling").unwrap_or_default() as usize;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use crate::train::Epoch;
    use std::collections::{BTreeMap, HashMap};

    #[test]
    fn rates_fall_as_pytorch_s_do() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/train.safetensors");
        let values: HashMap<String, Tensor> =
            Tensor::read_safetensors(file).unwrap().into_iter().collect();
        let numbers = |name: &str| Vec::<f64>::try_from(&values[name]).unwrap();
        let model = Sequential::new().input_shape([2]).add(Dense::new(2)).build(Device::Cpu);
        let mut run = Run::new(&model.unwrap(), vec!["val_loss".into()]);
        run.learning_rate = 0.1;
        // PyTorch waits for more than `patience` epochs, Keras for as many.
        let plateau = ReduceOnPlateau::new(3).factor(0.5).cooldown(1).min_learning_rate(0.02);
        let mut plateau = plateau;
        plateau.on_train_begin(&mut run).unwrap();
        let expected = numbers("plateau rates");
        for (i, loss) in numbers("plateau losses").into_iter().enumerate() {
            run.epoch = i + 1;
            run.history.epochs.push(Epoch {
                number: i + 1,
                loss,
                accuracy: 0.5,
                val_loss: Some(loss),
                val_accuracy: None,
                metrics: BTreeMap::new(),
                learning_rate: run.learning_rate,
                seconds: 0.0,
            });
            plateau.on_epoch_end(&mut run).unwrap();
            assert!(
                (run.learning_rate - expected[i]).abs() < 1e-12,
                "epoch {}: {}",
                i + 1,
                run.learning_rate
            );
        }
        assert!(run.learning_rate < 0.03, "it fell twice at least");
    }
}
