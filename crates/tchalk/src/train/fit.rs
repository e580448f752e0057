//! Training: many small steps, each on a batch of examples.

use super::callback::Callbacks;
use super::epoch::{Outcome, Pass, Sums};
use super::evaluation::measure;
use super::feed::Feed;
use super::frozen;
use super::loss::{Loss, Reading};
use super::metric::{Counts, Metric};
use super::progress::Progress;
use super::resume::{self, Saved};
use super::run::Run;
use super::{
    Augment, Callback, Epoch, History, Precision, Schedule, check, check_labels, compiled, draws,
    target,
};
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::{Inner, Model};
use crate::plot::thousands;
use crate::runtime::{self, Budget};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// How long to train, and on how much at a time: what [`Model::fit`] is given.
///
/// ```
/// use tchalk::prelude::*;
/// let how = Fit::new()
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
    pub(super) epochs: usize,
    pub(super) initial_epoch: usize,
    pub(super) batch_size: usize,
    pub(super) validation: Option<TensorSet>,
    pub(super) validation_split: f64,
    pub(super) shuffle: bool,
    pub(super) schedule: Schedule,
    pub(super) metrics: Vec<Metric>,
    pub(super) callbacks: Callbacks,
    pub(super) augment: Option<Arc<dyn Augment>>,
    pub(super) precision: Precision,
    pub(super) resume: Option<PathBuf>,
    pub(super) frozen_memory: Option<usize>,
    pub(super) budget: Budget,
}

impl Default for Fit {
    fn default() -> Fit {
        Fit::new()
    }
}

impl Fit {
    /// One epoch in batches of 32, in random order, without validation; within the budget of
    /// `TCHALK_BUDGET`.
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
            resume: None,
            frozen_memory: None,
            budget: Budget::current(),
        }
    }

    /// How many times every example is seen.
    pub fn epochs(mut self, epochs: usize) -> Fit {
        self.epochs = epochs;
        self
    }

    /// So many epochs count as done before: training goes from the next one up to
    /// [`epochs`](Fit::epochs), and schedules begin there.
    pub fn initial_epoch(mut self, epochs: usize) -> Fit {
        self.initial_epoch = epochs;
        self
    }

    /// How many examples each step looks at.
    pub fn batch_size(mut self, size: usize) -> Fit {
        self.batch_size = size;
        self
    }

    /// A set that is not learned from, measured as a whole after every epoch.
    pub fn validation(mut self, set: &TensorSet) -> Fit {
        self.validation = Some(set.clone());
        self
    }

    /// Holds back this fraction of the training set, the same of every class, and measures it after
    /// every epoch.
    pub fn validation_split(mut self, fraction: f64) -> Fit {
        self.validation_split = fraction;
        self
    }

    /// Whether every epoch has a random order of its own, as it has where not set.
    pub fn shuffle(mut self, shuffle: bool) -> Fit {
        self.shuffle = shuffle;
        self
    }

    /// How the learning rate changes on the way; it stays as it is where not set.
    pub fn schedule(mut self, schedule: Schedule) -> Fit {
        self.schedule = schedule;
        self
    }

    /// What is measured beside loss and accuracy, in training and validation.
    pub fn metrics(mut self, metrics: impl Into<Vec<Metric>>) -> Fit {
        self.metrics = metrics.into();
        self
    }

    /// Something to be called while the network learns; several are called in the order in which
    /// they were given.
    pub fn callback(mut self, callback: impl Callback + 'static) -> Fit {
        self.callbacks.push(callback);
        self
    }

    /// Changes the training pictures a little each time they are seen. Frozen layers then have to
    /// run in every epoch.
    pub fn augment(mut self, augment: impl Augment + 'static) -> Fit {
        self.augment = Some(Arc::new(augment));
        self
    }

    /// How exactly to compute; [`Precision::Mixed`] has an effect on a GPU only.
    pub fn precision(mut self, precision: Precision) -> Fit {
        self.precision = precision;
        self
    }

    /// Takes training up where a [`Checkpoint`](super::Checkpoint) left it. Build and compile the
    /// model as before, and give the same sets and settings: it comes to the same numbers as if it
    /// had never been broken off.
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Fit {
        self.resume = Some(path.into());
        self
    }

    /// How many bytes the outputs of frozen layers may take, which are computed once; half of the
    /// free memory where not set. With 0 they run in every epoch.
    pub fn frozen_memory(mut self, bytes: usize) -> Fit {
        self.frozen_memory = Some(bytes);
        self
    }

    /// Another budget than that of `TCHALK_BUDGET`.
    pub fn budget(mut self, budget: Budget) -> Fit {
        self.budget = budget;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
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

    /// What each epoch is measured by.
    fn measures(&self, validated: bool) -> Vec<String> {
        let names = ["loss".to_owned(), "accuracy".to_owned()].into_iter();
        let names: Vec<String> = names.chain(self.metrics.iter().map(|m| m.name())).collect();
        let validation = names.iter().filter(|_| validated).map(|name| format!("val_{name}"));
        names.iter().cloned().chain(validation).collect()
    }

    /// The examples to learn from and those to measure, within the budget.
    fn feeds(&self, inner: &Inner, set: &TensorSet, seed: u64) -> Result<(Feed, Option<Feed>)> {
        const OP: &str = "Fit::validation";
        let device = inner.device;
        let (train, validation) = match &self.validation {
            Some(validation) => {
                check(OP, inner, validation)?;
                check_labels(OP, inner, validation)?;
                let (ours, theirs) = (set.class_names(), validation.class_names());
                if ours != theirs {
                    let short = |names: &[String]| {
                        let first: Vec<&str> = names.iter().take(4).map(String::as_str).collect();
                        format!("{} classes, {}, …", names.len(), first.join(", "))
                    };
                    let hint = "Both sets need the same classes, in the same order.";
                    return Err(Error::invalid(OP, short(&ours), short(&theirs), hint));
                }
                (Feed::new(set.clone()), Some(Feed::new(validation.clone())))
            }
            None if self.validation_split > 0.0 => {
                let labels = set.label_vec().unwrap_or_default();
                let (kept, held) = draws::stratified(seed, &labels, self.validation_split);
                if kept.is_empty() || held.is_empty() {
                    let got = format!("{} of {} held back", held.len(), labels.len());
                    let op = "Fit::validation_split";
                    return Err(Error::invalid(op, "at least one example on each side", got, ""));
                }
                (Feed::some(set.clone(), &kept), Some(Feed::some(set.clone(), &held)))
            }
            None => (Feed::new(set.clone()), None),
        };
        let examples = self.budget.training(1, train.len(), device).examples;
        let validation = validation.map(|feed| {
            let count = self.budget.evaluation(feed.len(), device);
            feed.first(count)
        });
        Ok((train.first(examples), validation))
    }
}

impl Model {
    /// Trains on `set`, and returns how it went. Training again goes on from where it ended.
    ///
    /// Every epoch goes through all examples once, in a new random order. Pressing stop ends it
    /// after the current batch: the weights stay as they are, and the finished epochs are returned.
    /// So does a callback that fails; the history says why. What frozen layers give is computed once,
    /// where memory allows and nothing is augmented; the history says so.
    ///
    /// # Errors
    ///
    /// If the model is not compiled, a set is empty, without labels, or does not fit the network,
    /// nothing can be learned because all is frozen, or the loss stops being a number: the weights
    /// are then those from before the epoch, and [`Model::history`] has the epochs so far.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let shapes = datasets::shapes()?;
    /// let train = shapes.train.take(200).to_tensors(Device::Cpu);
    /// let model = Sequential::new()
    ///     .input_shape([3, 32, 32])
    ///     .add(Flatten)
    ///     .add(Dense::new(10))
    ///     .add(Softmax)
    ///     .build(Device::Cpu)?;
    /// model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
    /// let history = model.fit(&train, Fit::new().epochs(2))?;
    /// assert_eq!(history.len(), 2);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn fit(&self, set: &TensorSet, how: Fit) -> Result<History> {
        const OP: &str = "Model::fit";
        let inner = self.inner();
        let (loss, reading) = compiled(inner, OP)?;
        how.check()?;
        check(OP, inner, set)?;
        check_labels(OP, inner, set)?;
        if inner.trainable().is_empty() {
            let hint = "unfreeze() sets all layers free, unfreeze_at(\"name\") one of them.";
            return Err(Error::invalid(OP, "weights to train", "none: all are frozen", hint));
        }
        let saved = how.resume.as_ref().map(|path| resume::read(path)).transpose()?;
        let seed = match &saved {
            Some(saved) => saved.seed,
            None => runtime::seed::derive("fit") as u64,
        };
        let (feed, validation) = how.feeds(inner, set, seed)?;
        let mut fitting =
            Fitting { model: self.clone(), how, loss, reading, seed, feed, validation };
        fitting.train(set, saved)
    }
}

/// One call of `fit` at work.
struct Fitting {
    model: Model,
    how: Fit,
    loss: Loss,
    reading: Reading,
    seed: u64,
    feed: Feed,
    validation: Option<Feed>,
}

impl Fitting {
    fn train(&mut self, set: &TensorSet, saved: Option<Saved>) -> Result<History> {
        let model = self.model.clone();
        let inner = model.inner();
        let how = self.how.clone();
        let (mut history, first) = match saved {
            Some(saved) => {
                let done = saved.history.epochs.last().map_or(0, |epoch| epoch.number);
                (resume::take_up(&model, &how.callbacks, saved)?, done)
            }
            None => (History::default(), how.initial_epoch),
        };
        let wanted = how.epochs.saturating_sub(first);
        let epochs = first + how.budget.training(wanted, self.feed.len(), inner.device).epochs;
        let steps = self.feed.len().div_ceil(how.batch_size);
        history.notes.extend(self.notes(set, epochs - first, wanted));
        let mut run = Run::begin(&model, how.measures(self.validation.is_some()));
        (run.history, run.epoch, run.epochs, run.steps) = (history, first, epochs, steps);
        self.show_rate(&mut run);
        how.callbacks.call(&mut run, |callback, run| callback.on_train_begin(run)).map_err(
            |problem| {
                let op = "Model::fit, before training";
                Error::invalid(op, "callbacks that can begin", problem, "")
            },
        )?;
        let prepared = Instant::now();
        if !self.compute_frozen(target(&inner.program, self.reading), &mut run, epochs - first)? {
            run.history.ended = Some("stopped before the first epoch".into());
        }
        run.history.prepared += prepared.elapsed().as_secs_f64();
        let begun = Instant::now();
        let mut progress = Progress::new(&run);
        let feed = self.feed.clone();
        let pass = Pass {
            inner,
            feed: &feed,
            plan: &how,
            loss: self.loss.clone(),
            reading: self.reading,
            callbacks: &how.callbacks,
            seed: self.seed,
            first: how.initial_epoch.min(first),
            until: how.budget.time(inner.device).map(|time| begun + time),
        };
        for number in first + 1..=epochs {
            if run.history.ended.is_some() {
                break;
            }
            (run.epoch, run.step) = (number, 0);
            let ended = self.epoch(&pass, &mut run, &mut progress);
            if let Some(compiled) = inner.compiled().as_mut() {
                compiled.history = run.history.clone();
            }
            run.history.ended = ended?;
        }
        if let Some(reason) = run.history.ended.clone() {
            run.history.notes.push(reason);
        }
        pass.sync_rate(&mut run);
        if let Err(problem) = how.callbacks.call(&mut run, |c, run| c.on_train_end(run)) {
            run.history.notes.push(format!("at the end: {problem}"));
            run.history.ended.get_or_insert(problem);
        }
        if let Some(compiled) = inner.compiled().as_mut() {
            compiled.history = run.history.clone();
            if let Some(validation) = self.validation.as_ref().filter(|_| run.chosen) {
                compiled.seen.chosen(&validation.set);
            }
        }
        progress.finish(&run.history);
        Ok(run.history)
    }

    /// One epoch with all that belongs to it; why training ends with it, if it does.
    fn epoch(
        &self,
        pass: &Pass<'_>,
        run: &mut Run,
        progress: &mut Progress,
    ) -> Result<Option<String>> {
        let begun = Instant::now();
        self.show_rate(run);
        run.rate = self.how.schedule.epoch_rate(run.epoch - 1, run.rate)?;
        if let Err(problem) = self.how.callbacks.call(run, |c, run| c.on_epoch_begin(run)) {
            return Ok(Some(format!("stopped before epoch {}: {problem}", run.epoch)));
        }
        pass.set_rate(run);
        let order = match self.how.shuffle {
            true => draws::order(self.seed, run.epoch, self.feed.len()),
            false => {
                tch::Tensor::arange(self.feed.len() as i64, (tch::Kind::Int64, tch::Device::Cpu))
            }
        };
        let (sums, mut ended) = match pass.epoch(&order, run, progress)? {
            Outcome::Finished(sums) => (sums, None),
            Outcome::Shortened(sums, note) => {
                (sums, Some(format!("budget {}: {note}", self.how.budget.name())))
            }
            Outcome::Broken(reason) => return Ok(Some(reason)),
        };
        let measured = match &self.validation {
            Some(feed) => {
                progress.measuring(run);
                match measure(
                    self.model.inner(),
                    feed,
                    &self.loss,
                    self.reading,
                    "Model::fit",
                    false,
                ) {
                    Ok(counts) => Some(counts),
                    Err(Error::Interrupted { .. }) => {
                        let epoch = run.epoch;
                        ended = Some(format!("stopped while epoch {epoch} was being validated"));
                        None
                    }
                    Err(error) => return Err(error),
                }
            }
            None => None,
        };
        let seconds = begun.elapsed().as_secs_f64();
        run.history.epochs.push(self.record(run.epoch, sums, measured, seconds));
        let problem =
            self.how.callbacks.call(run, |callback, run| callback.on_epoch_end(run)).err();
        pass.set_rate(run);
        let written = std::mem::take(&mut run.checkpoints).into_iter().try_for_each(|path| {
            resume::write(&path, &self.model, &run.history, self.seed, &self.how.callbacks)
        });
        progress.epoch_done(&run.history, run.epochs);
        let problem = problem.or(written.err().map(|error| format!("Checkpoint: {error}")));
        Ok(match problem {
            Some(problem) => Some(format!("stopped after epoch {}: {problem}", run.epoch)),
            None => ended.or(run.ends.take()),
        })
    }

    fn record(&self, number: usize, sums: Sums, measured: Option<Counts>, seconds: f64) -> Epoch {
        let of = |counts: &Option<Counts>, prefix: &str| {
            let counts = counts.clone();
            let metrics = self.how.metrics.iter();
            let values = counts.into_iter().flat_map(|counts| {
                let named =
                    |metric: &Metric| (format!("{prefix}{}", metric.name()), counts.value(*metric));
                metrics.clone().map(named).collect::<Vec<_>>()
            });
            values.collect::<Vec<_>>()
        };
        let metrics = of(&sums.counts, "").into_iter().chain(of(&measured, "val_")).collect();
        Epoch {
            number,
            loss: sums.loss,
            accuracy: sums.accuracy,
            val_loss: measured.as_ref().map(|counts| counts.value(Metric::Loss)),
            val_accuracy: measured.as_ref().map(|counts| counts.value(Metric::Accuracy)),
            metrics,
            rate: sums.rate,
            seconds,
        }
    }

    fn show_rate(&self, run: &mut Run) {
        if let Some(compiled) = self.model.inner().compiled().as_ref() {
            run.rate = compiled.descent.rate();
        }
    }

    /// What a reader should know before training.
    fn notes(&self, set: &TensorSet, epochs: usize, wanted: usize) -> Vec<String> {
        let how = &self.how;
        let mut notes = Vec::new();
        let held = self.validation.as_ref().filter(|_| how.validation_split > 0.0);
        let whole = set.len() - held.map_or(0, Feed::len);
        if epochs < wanted || self.feed.len() < whole {
            notes.push(format!(
                "budget {}: {epochs} of {wanted} epochs on {} of {} examples",
                how.budget.name(),
                thousands(self.feed.len() as f64),
                thousands(whole as f64),
            ));
        }
        if how.batch_size > self.feed.len() {
            notes.push(format!(
                "batch_size {} is more than there are examples: every epoch is one step of {}",
                how.batch_size,
                self.feed.len()
            ));
        }
        if how.precision == Precision::Mixed {
            notes.push(match self.model.inner().device.is_cuda() {
                true => "mixed precision: convolutions and dense layers in bfloat16".into(),
                false => "full precision: mixed precision is for GPUs".into(),
            });
        }
        let mut compiled = self.model.inner().compiled();
        let Some(compiled) = compiled.as_mut() else { return notes };
        if compiled.descent.rate() == 0.0 {
            notes.push("the learning rate is 0: no weight will change".into());
        }
        let validation = how.validation.as_ref();
        notes.extend(compiled.seen.training(&self.feed.set, validation));
        notes
    }

    /// Computes what the frozen part gives, where that is worthwhile; `false` if the reader pressed
    /// stop meanwhile.
    fn compute_frozen(&mut self, target: usize, run: &mut Run, epochs: usize) -> Result<bool> {
        let model = self.model.clone();
        let inner = model.inner();
        let limit = self.how.frozen_memory.unwrap_or_else(|| frozen::free_memory(inner.device));
        let validated = self.validation.as_ref().map_or(0, Feed::len);
        let augmented = self.how.augment.is_some();
        let learned = if augmented { 0 } else { self.feed.len() };
        if epochs < 2 || learned + validated == 0 {
            return Ok(true);
        }
        match frozen::plan(&inner.program, target, learned + validated, limit) {
            frozen::Plan::Nothing => Ok(true),
            frozen::Plan::TooLarge { bytes } => {
                run.note(format!(
                    "the frozen part runs in every epoch: its outputs would take {}, with {} free \
                     for them",
                    frozen::bytes_text(bytes),
                    frozen::bytes_text(limit)
                ));
                Ok(true)
            }
            frozen::Plan::Keep { steps, kind } => {
                if augmented {
                    run.note("with augmentation the frozen part runs in every epoch");
                } else if !frozen::compute(inner, &mut self.feed, &steps, kind, "training")? {
                    return Ok(false);
                }
                if let Some(feed) = &mut self.validation
                    && !frozen::compute(inner, feed, &steps, kind, "validation")?
                {
                    return Ok(false);
                }
                run.note(frozen::note(&inner.program, &steps, kind, learned + validated));
                Ok(true)
            }
        }
    }
}
