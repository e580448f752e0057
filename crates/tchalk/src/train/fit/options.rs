//! The options of a training.

use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::files::expand_home;
use crate::runtime::Budget;
use crate::train::callbacks::callback::Callbacks;
use crate::train::measure::metric::Metric;
use crate::train::measure::note::{Note, Shortened};
use crate::train::{Augment, Callback, Precision, Schedule};
use std::path::PathBuf;
use std::sync::Arc;
use tch::Device;

/// The options of a training, for [`Model::fit`](crate::model::Model::fit).
///
/// ```
/// use tchalk::prelude::*;
/// let options = Fit::new()
///     .epochs(50)
///     .batch_size(128)
///     .validation_split(0.1)
///     .schedule(Schedule::cosine().warm_up(3))
///     .metrics([Metric::TopK(5), Metric::F1])
///     .callback(EarlyStopping::new(5))
///     .callback(Checkpoint::new("results/cnn.safetensors"));
/// ```
#[derive(Debug, Clone)]
pub struct Fit {
    pub(crate) epochs: usize,
    pub(crate) initial_epoch: usize,
    pub(crate) batch_size: usize,
    pub(crate) validation: Option<TensorSet>,
    pub(crate) validation_split: f64,
    pub(crate) shuffle: bool,
    pub(crate) schedule: Schedule,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) callbacks: Callbacks,
    pub(crate) augment: Option<Arc<dyn Augment>>,
    pub(crate) precision: Precision,
    /// The devices of the replicas, the network's own first. None where only its own is used.
    pub(crate) devices: Option<Vec<Device>>,
    pub(crate) resume: Option<PathBuf>,
    pub(crate) feature_cache_bytes: Option<usize>,
    /// The default is the current budget.
    pub(crate) budget: Option<Budget>,
    /// The number of trainings that share the time of the budget.
    pub(crate) trainings: usize,
}

impl Default for Fit {
    fn default() -> Fit {
        Fit::new()
    }
}

impl Fit {
    /// One epoch in batches of 32, in random order, without validation, within the
    /// [current budget](Budget::current).
    pub fn new() -> Fit {
        Fit {
            epochs: 1,
            initial_epoch: 0,
            batch_size: 32,
            validation: None,
            validation_split: 0.0,
            shuffle: true,
            schedule: Schedule::constant(),
            metrics: Vec::new(),
            callbacks: Callbacks::default(),
            augment: None,
            precision: Precision::Full,
            devices: None,
            resume: None,
            feature_cache_bytes: None,
            budget: None,
            trainings: 1,
        }
    }

    /// The number of epochs. In each of them every example is used once. The default is 1.
    pub fn epochs(mut self, epochs: usize) -> Fit {
        self.epochs = epochs;
        self
    }

    /// The number of epochs that count as done. Training starts with the next one and ends with
    /// [`epochs`](Fit::epochs); schedules start there. The default is 0.
    pub fn initial_epoch(mut self, epochs: usize) -> Fit {
        self.initial_epoch = epochs;
        self
    }

    /// The number of examples of each step. The default is 32.
    pub fn batch_size(mut self, size: usize) -> Fit {
        self.batch_size = size;
        self
    }

    /// A validation set, measured after every epoch. The network does not learn from it.
    pub fn validation(mut self, set: &TensorSet) -> Fit {
        self.validation = Some(set.clone());
        self
    }

    /// Holds this fraction of each class of the training set back for validation. It is measured after
    /// every epoch.
    pub fn validation_split(mut self, fraction: f64) -> Fit {
        self.validation_split = fraction;
        self
    }

    /// Whether each epoch has a random order of its own. The default is `true`.
    pub fn shuffle(mut self, shuffle: bool) -> Fit {
        self.shuffle = shuffle;
        self
    }

    /// How the learning rate changes during training. By default it does not.
    pub fn schedule(mut self, schedule: Schedule) -> Fit {
        self.schedule = schedule;
        self
    }

    /// The metrics besides loss and accuracy, for training and validation.
    pub fn metrics(mut self, metrics: impl Into<Vec<Metric>>) -> Fit {
        self.metrics = metrics.into();
        self
    }

    /// A callback. Several are called in the order in which they were added.
    pub fn callback(mut self, callback: impl Callback + 'static) -> Fit {
        self.callbacks.push(callback);
        self
    }

    /// Augments the training images at every step. Frozen layers then run in every epoch.
    pub fn augment(mut self, augment: impl Augment + 'static) -> Fit {
        self.augment = Some(Arc::new(augment));
        self
    }

    /// The precision of the computation. [`Precision::Mixed`] has an effect on a GPU only.
    pub fn precision(mut self, precision: Precision) -> Fit {
        self.precision = precision;
        self
    }

    /// Trains on several devices, each with a replica of the network (data parallelism). The first has to
    /// be the network's own. Every batch is split evenly. Each replica computes the gradients of its
    /// part; the optimizer takes one step with their sum, on the first device; then all replicas copy
    /// the weights. Except for rounding the steps are those of one device:
    /// [`batch_size`](Fit::batch_size) is the size of the whole batch.
    ///
    /// With `n` devices a batch can be `n` times as large in the same time. An epoch then has fewer steps
    /// with less noise, so the learning rate is scaled with the batch size, after a warm-up (Goyal et al.
    /// 2017):
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// # let shapes = datasets::shapes()?;
    /// # let train = shapes.train.take(96).to_tensors(Device::Cpu);
    /// # let test = shapes.test.take(32).to_tensors(Device::Cpu);
    /// # let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    /// # let model = layers.add(Softmax).build(Device::cuda_if_available())?;
    /// let devices = runtime::devices(); // all GPUs, or the CPU
    /// let n = devices.len();
    /// model.compile(Sgd::new(0.01 * n as f64), Loss::CategoricalCrossEntropy)?;
    /// let schedule = Schedule::constant().warm_up(2).warm_up_from(1.0 / n as f64);
    /// let fit = Fit::new().epochs(3).devices(devices).batch_size(32 * n).schedule(schedule);
    /// let history = model.fit(&train, fit.validation(&test).callback(ReduceOnPlateau::new(3)))?;
    /// assert_eq!(history.len(), 3);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    ///
    /// A device may be named more than once: `[Device::Cpu, Device::Cpu]` shows all of this without a
    /// GPU, but no faster. Three things differ from one device. Each part has its own dropout, which
    /// depends only on the seed. Batch normalization uses the mean and variance of each part; the
    /// running averages are the mean over the parts. Each further device holds a copy of the weights.
    /// Validation and the cached features of frozen layers use the first device only.
    ///
    /// This has been tested with replicas on the CPU, not yet on several GPUs.
    pub fn devices(mut self, devices: impl Into<Vec<Device>>) -> Fit {
        self.devices = Some(devices.into());
        self
    }

    /// Resumes the training that a [`Checkpoint`](crate::train::Checkpoint) has saved. Build and compile
    /// the model as before, and give the same sets and options: the result is the same as without the
    /// interruption.
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Fit {
        self.resume = Some(expand_home(path.into()));
        self
    }

    /// The memory, in bytes, for the outputs of frozen layers, which are computed once. The default is
    /// half of the free memory. With 0 the frozen layers run in every epoch.
    pub fn feature_cache_bytes(mut self, bytes: usize) -> Fit {
        self.feature_cache_bytes = Some(bytes);
        self
    }

    /// The budget. The default is the [current one](Budget::current).
    pub fn budget(mut self, budget: Budget) -> Fit {
        self.budget = Some(budget);
        self
    }

    /// The budget of these options, or the current one.
    pub(crate) fn chosen_budget(&self) -> Result<Budget> {
        self.budget.map_or_else(Budget::current, Ok)
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.schedule.check()?;
        if self.batch_size == 0 {
            return Err(Error::invalid("Fit::batch_size", "at least 1", "0", "128 is usual."));
        }
        if !(0.0..1.0).contains(&self.validation_split) {
            let got = self.validation_split.to_string();
            let hint = "0.2 holds back a fifth.";
            return Err(Error::invalid(
                "Fit::validation_split",
                "a number from 0 to below 1",
                got,
                hint,
            ));
        }
        if self.validation.is_some() && self.validation_split > 0.0 {
            let got = "validation(…) and validation_split(…)";
            return Err(Error::invalid("Fit", "one validation set", got, "Leave one of them out."));
        }
        Ok(())
    }

    /// What a reader should know about these options.
    pub(crate) fn notes(&self, examples: usize, device: Device) -> Vec<Note> {
        let batch_size = self.batch_size;
        let one_step = batch_size > examples;
        let mixed = self.precision == Precision::Mixed;
        [
            one_step.then_some(Note::OneStepEpochs { batch_size, examples }),
            mixed.then_some(Note::MixedPrecision { used: device.is_cuda() }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The names of the metrics of each epoch.
    pub(crate) fn metric_names(&self, validated: bool) -> Vec<String> {
        let names = ["loss".to_owned(), "accuracy".to_owned()].into_iter();
        let names: Vec<String> = names.chain(self.metrics.iter().map(|m| m.name())).collect();
        let validation = names.iter().filter(|_| validated).map(|name| format!("val_{name}"));
        names.iter().cloned().chain(validation).collect()
    }
}

/// For several trainings with the same options.
impl Fit {
    /// Checks the options, and refuses those that are for one network only.
    pub(crate) fn check_for_several(&self, op: &str) -> Result<()> {
        if self.resume.is_some() {
            let hint = "Train that network with fit, and add it to an ensemble afterwards.";
            let got = "Fit::resume, which continues one network";
            return Err(Error::invalid(op, "new networks", got, hint));
        }
        self.check()
    }

    /// The number of epochs to train.
    pub(crate) fn planned_epochs(&self) -> usize {
        self.epochs.saturating_sub(self.initial_epoch)
    }

    /// Whether the learning rate follows a schedule.
    pub(crate) fn has_schedule(&self) -> bool {
        self.schedule != Schedule::constant()
    }

    /// These options for several trainings that share the time of the budget.
    pub(crate) fn sharing_budget(&self, trainings: usize) -> Fit {
        Fit { trainings, ..self.clone() }
    }

    /// The number of examples for each of several trainings. Together they have as many as the budget
    /// allows for one, but each has at least 500. A note where these are not all examples.
    pub(crate) fn examples_per_training(
        &self,
        examples: usize,
        trainings: usize,
    ) -> Result<(usize, Option<Note>)> {
        /// With fewer examples a network learns nothing.
        const FEWEST: usize = 500;
        let budget = self.chosen_budget()?;
        let allowed = budget.training_allowance(1, examples).examples;
        if allowed == examples {
            return Ok((examples, None));
        }
        let share = (allowed / trainings).max(FEWEST).min(allowed);
        let to = Shortened::EachTraining { trainings, examples: share, all_examples: examples };
        Ok((share, Some(Note::Shortened { budget, to })))
    }
}
