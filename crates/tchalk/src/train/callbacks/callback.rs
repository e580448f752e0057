//! The trait of callbacks.

use super::run::Run;
use crate::error::{Error, Result};
use crate::train::catch_panic::{catch_panic, lock, panic_message};
use crate::train::optimizers::optimizer::type_name;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tch::Tensor;

/// The result of a callback's methods. An error ends the training with the epochs so far.
pub type CallbackResult = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Methods that are called during training, with the names they have in Keras. By default they do
/// nothing.
///
/// A callback may use the model: evaluate it, predict with it, change its weights. An error or a panic
/// ends the training; the finished epochs are returned, and the history says why.
///
/// ```
/// use tchalk::prelude::*;
/// use tchalk::train::{Callback, CallbackResult, Run};
///
/// #[derive(Debug)]
/// struct Patience(u32);
///
/// impl Callback for Patience {
///     fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
///         if run.epoch() == 2 {
///             run.stop("two epochs are enough");
///         }
///         Ok(())
///     }
/// }
///
/// let train = datasets::shapes()?.train.take(100).to_tensors(Device::Cpu);
/// let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
/// let model = layers.add(Softmax).build(Device::Cpu)?;
/// model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
/// let history = model.fit(&train, Fit::new().epochs(5).callback(Patience(2)))?;
/// assert_eq!(history.len(), 2);
/// # Ok::<(), tchalk::Error>(())
/// ```
pub trait Callback: std::fmt::Debug + Send {
    /// Called before training. An error here ends `fit` with an error.
    fn on_train_begin(&mut self, _run: &mut Run) -> CallbackResult {
        Ok(())
    }

    /// Called before each epoch.
    fn on_epoch_begin(&mut self, _run: &mut Run) -> CallbackResult {
        Ok(())
    }

    /// Called after each step.
    fn on_batch_end(&mut self, _run: &mut Run) -> CallbackResult {
        Ok(())
    }

    /// Called after each epoch and its validation.
    fn on_epoch_end(&mut self, _run: &mut Run) -> CallbackResult {
        Ok(())
    }

    /// Called after the last epoch, also after an interrupt.
    fn on_train_end(&mut self, _run: &mut Run) -> CallbackResult {
        Ok(())
    }

    /// What a checkpoint has to keep for this callback. The default is nothing.
    fn state(&self) -> CallbackState {
        CallbackState::default()
    }

    /// Restores what [`Callback::state`] returned.
    fn restore(&mut self, _state: CallbackState) -> CallbackResult {
        Ok(())
    }
}

/// What a checkpoint keeps for a callback: numbers and tensors by name.
#[derive(Default)]
pub struct CallbackState {
    /// Numbers by name.
    pub numbers: BTreeMap<String, f64>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl CallbackState {
    /// The number with this name.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }
}

impl std::fmt::Debug for CallbackState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} and {} tensors", self.numbers, self.tensors.len())
    }
}

/// A shared callback: keep a clone to look at it after training.
impl<C: Callback + ?Sized> Callback for Arc<Mutex<C>> {
    fn on_train_begin(&mut self, run: &mut Run) -> CallbackResult {
        lock(self).on_train_begin(run)
    }
    fn on_epoch_begin(&mut self, run: &mut Run) -> CallbackResult {
        lock(self).on_epoch_begin(run)
    }
    fn on_batch_end(&mut self, run: &mut Run) -> CallbackResult {
        lock(self).on_batch_end(run)
    }
    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        lock(self).on_epoch_end(run)
    }
    fn on_train_end(&mut self, run: &mut Run) -> CallbackResult {
        lock(self).on_train_end(run)
    }
    fn state(&self) -> CallbackState {
        lock(self).state()
    }
    fn restore(&mut self, state: CallbackState) -> CallbackResult {
        lock(self).restore(state)
    }
}

/// The callbacks of a [`Fit`](crate::train::Fit), in their order. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Callbacks(Vec<Arc<Mutex<dyn Callback>>>);

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|callback| format!("{:?}", lock(callback))))
            .finish()
    }
}

impl Callbacks {
    pub(crate) fn push(&mut self, callback: impl Callback + 'static) {
        self.0.push(Arc::new(Mutex::new(callback)));
    }

    /// Calls one method of all callbacks, up to the first that fails. They see the learning rate of the
    /// optimizer, and may change it.
    pub(crate) fn call(
        &self,
        run: &mut Run,
        method: impl Fn(&mut dyn Callback, &mut Run) -> CallbackResult,
    ) -> Result<(), String> {
        run.read_learning_rate();
        for callback in &self.0 {
            let mut callback = lock(callback);
            let problem = match catch_panic(|| method(&mut *callback, run)) {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(panic) => panic_message(&*panic),
            };
            return Err(format!("{}: {problem}", type_name(&format!("{callback:?}"))));
        }
        run.write_learning_rate();
        Ok(())
    }

    pub(crate) fn states(&self) -> Vec<CallbackState> {
        self.0.iter().map(|callback| lock(callback).state()).collect()
    }

    /// Restores the states of the callbacks, in their order.
    pub(crate) fn restore(&self, states: Vec<CallbackState>) -> Result<()> {
        for (callback, state) in self.0.iter().zip(states) {
            let mut callback = lock(callback);
            callback.restore(state).map_err(|error| {
                let name = type_name(&format!("{callback:?}"));
                Error::invalid("Fit::resume", format!("what {name} saved"), error.to_string(), "")
            })?;
        }
        Ok(())
    }
}
