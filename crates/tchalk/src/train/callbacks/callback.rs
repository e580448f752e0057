//! What is called while a network learns.

use super::run::Run;
use crate::error::{Error, Result};
use crate::train::catch_panic::{catch_panic, lock, panic_message};
use crate::train::optimizers::optimizer::type_name;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tch::Tensor;

/// What a callback's methods return: any error ends training, with the epochs so far.
pub type CallbackResult = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What is called while a network learns, at the places that Keras has names for. Each method does
/// nothing unless it is written.
///
/// The model is free while a callback runs: it may evaluate it, predict with it, change its weights.
/// An error, or a panic, ends training after what was done; the epochs so far are returned, and say
/// why.
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
    /// Before anything is learned. An error here means that nothing has happened.
    fn on_train_begin(&mut self, _run: &mut Run) -> CallbackResult {
        Ok(())
    }

    /// Before each epoch.
    fn on_epoch_begin(&mut self, _run: &mut Run) -> CallbackResult {
        Ok(())
    }

    /// After each step.
    fn on_batch_end(&mut self, _run: &mut Run) -> CallbackResult {
        Ok(())
    }

    /// After each epoch, when the validation set has been measured.
    fn on_epoch_end(&mut self, _run: &mut Run) -> CallbackResult {
        Ok(())
    }

    /// After the last epoch, also where the reader pressed stop.
    fn on_train_end(&mut self, _run: &mut Run) -> CallbackResult {
        Ok(())
    }

    /// What it has to know when training is taken up again from a checkpoint; nothing by default.
    fn state(&self) -> CallbackState {
        CallbackState::default()
    }

    /// Takes up what [`Callback::state`] gave.
    fn restore(&mut self, _state: CallbackState) -> CallbackResult {
        Ok(())
    }
}

/// What a callback keeps in a checkpoint: numbers and tensors by name.
#[derive(Default)]
pub struct CallbackState {
    /// Numbers by name.
    pub numbers: BTreeMap<String, f64>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl CallbackState {
    /// The number of this name.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }
}

impl std::fmt::Debug for CallbackState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} and {} tensors", self.numbers, self.tensors.len())
    }
}

/// A callback that several hold: keep one end to look at it after training.
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

/// The callbacks of one [`Fit`](crate::train::Fit), in the order in which they were given. Cloning shares
/// them.
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

    /// Gives each callback the state that one of its place had.
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
