//! A training from its beginning to its end: many small steps, each on a batch of examples.

use super::epoch::{Outcome, Sums};
use super::evaluation::measure;
use super::feed::Feed;
use super::fit::Fit;
use super::loss::{Loss, Reading};
use super::metric::{Counts, Metric};
use super::progress::Progress;
use super::replicas::Replicas;
use super::resume::{self, Saved};
use super::run::Run;
use super::{Epoch, History, check, check_labels, compiled, draws};
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::runtime::{self, memory};
use std::collections::BTreeMap;
use std::time::Instant;
use tch::{Device, Kind, Tensor};

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
    /// are then those from before the epoch, and [`Model::history`] has the epochs so far. It has
    /// them, too, if libtorch refuses a step, for want of memory for example: the weights are then
    /// those of the last step that was done.
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
        // Goes last: what the training has taken is free by then.
        let _kept = memory::keep();
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
        let replicas = match &how.devices {
            Some(devices) => Replicas::of(self, devices)?,
            None => Replicas::none(),
        };
        let (feed, validation) = how.feeds(self, set, seed)?;
        let (model, first) = (self.clone(), how.initial_epoch);
        let mut fitting = Fitting {
            model,
            how,
            loss,
            reading,
            seed,
            feed,
            validation,
            replicas,
            first,
            until: None,
        };
        fitting.train(set.len(), saved)
    }
}

/// One training at work.
pub(super) struct Fitting {
    pub(super) model: Model,
    pub(super) how: Fit,
    pub(super) loss: Loss,
    pub(super) reading: Reading,
    pub(super) seed: u64,
    pub(super) feed: Feed,
    pub(super) validation: Option<Feed>,
    pub(super) replicas: Replicas,
    /// So many epochs were done before the schedule begins.
    pub(super) first: usize,
    /// When the time is over.
    pub(super) until: Option<Instant>,
}

impl Fitting {
    /// Trains on what is left of a set of so many examples.
    fn train(&mut self, examples: usize, saved: Option<Saved>) -> Result<History> {
        let model = self.model.clone();
        let inner = model.inner();
        let (mut history, done) = match saved {
            Some(saved) => {
                let done = saved.history.epochs.last().map_or(0, |epoch| epoch.number);
                (resume::take_up(&model, &self.how.callbacks, saved)?, done)
            }
            None => (History::default(), self.how.initial_epoch),
        };
        if let Some(compiled) = inner.compiled().as_ref() {
            history.optimizer = compiled.descent.described().name;
        }
        history.loss = self.loss.name().into();
        self.first = self.how.initial_epoch.min(done);
        let wanted = self.how.epochs.saturating_sub(done);
        let budget = self.how.budget;
        let epochs = done + budget.training(wanted, self.feed.len(), inner.device).epochs;
        history.notes.extend(self.notes(examples, epochs - done, wanted));
        let mut run = Run::begin(&model, self.how.measures(self.validation.is_some()));
        let steps = self.feed.len().div_ceil(self.how.batch_size);
        (run.history, run.epoch, run.epochs, run.steps) = (history, done, epochs, steps);
        self.show_rate(&mut run);
        let begun = self.how.callbacks.call(&mut run, |c, run| c.on_train_begin(run));
        begun.map_err(|problem| {
            let op = "Model::fit, before training";
            Error::invalid(op, "callbacks that can begin", problem, "")
        })?;
        self.take_rate(&run);
        let begun = Instant::now();
        if !self.compute_frozen(&mut run, epochs - done)? {
            run.history.ended = Some("stopped before the first epoch".into());
        }
        run.history.prepared += begun.elapsed().as_secs_f64();
        // What is left of the time is for learning, and some of it always is.
        self.until = budget
            .time(inner.device)
            .map(|time| Instant::now() + time.saturating_sub(begun.elapsed()).max(time / 5));
        let mut progress = Progress::new(&run);
        for number in done + 1..=epochs {
            if run.history.ended.is_some() {
                break;
            }
            (run.epoch, run.step) = (number, 0);
            let ended = self.epoch(&mut run, &mut progress);
            if let Some(compiled) = inner.compiled().as_mut() {
                compiled.history = run.history.clone();
            }
            run.history.ended = ended?;
        }
        if let Some(reason) = run.history.ended.clone() {
            run.history.notes.push(reason);
        }
        self.show_rate(&mut run);
        if let Err(problem) = self.how.callbacks.call(&mut run, |c, run| c.on_train_end(run)) {
            run.history.notes.push(format!("at the end: {problem}"));
            run.history.ended.get_or_insert(problem);
        }
        if let Some(compiled) = inner.compiled().as_mut() {
            compiled.history = run.history.clone();
            compiled.seen.shortened = run.history.is_shortened().then_some(self.how.budget);
            if let Some(validation) = self.validation.as_ref().filter(|_| run.chosen) {
                compiled.seen.chosen(&validation.marks());
            }
        }
        progress.finish(&run.history);
        Ok(run.history)
    }

    /// One epoch with all that belongs to it; why training ends with it, if it does.
    fn epoch(&self, run: &mut Run, progress: &mut Progress) -> Result<Option<String>> {
        let begun = Instant::now();
        let callbacks = &self.how.callbacks;
        self.show_rate(run);
        run.rate = self.how.schedule.epoch_rate(run.epoch - 1, run.rate)?;
        if let Err(problem) = callbacks.call(run, |c, run| c.on_epoch_begin(run)) {
            return Ok(Some(format!("stopped before epoch {}: {problem}", run.epoch)));
        }
        self.take_rate(run);
        let order = match self.how.shuffle {
            true => draws::order(self.seed, run.epoch, self.feed.len()),
            false => Tensor::arange(self.feed.len() as i64, (Kind::Int64, Device::Cpu)),
        };
        let (sums, mut ended) = match self.pass(&order, run, progress)? {
            Outcome::Finished(sums) => (sums, None),
            Outcome::Shortened(sums, note) => {
                (sums, Some(format!("budget {}: {note}", self.how.budget.name())))
            }
            Outcome::Broken(reason) => return Ok(Some(reason)),
        };
        let measured = match &self.validation {
            Some(feed) => {
                const OP: &str = "Model::fit, validation";
                progress.measuring(run);
                match measure(self.model.inner(), feed, &self.loss, self.reading, OP, false) {
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
        let problem = callbacks.call(run, |callback, run| callback.on_epoch_end(run)).err();
        self.take_rate(run);
        let written = std::mem::take(&mut run.checkpoints).into_iter().try_for_each(|path| {
            resume::write(&path, &self.model, &run.history, self.seed, callbacks)
        });
        progress.epoch_done(&run.history, run.epochs);
        let problem = problem.or(written.err().map(|error| format!("Checkpoint: {error}")));
        Ok(match problem {
            Some(problem) => Some(format!("stopped after epoch {}: {problem}", run.epoch)),
            None => ended.or(run.ends.take()),
        })
    }

    fn record(&self, number: usize, sums: Sums, measured: Option<Counts>, seconds: f64) -> Epoch {
        let mut metrics = BTreeMap::new();
        for (prefix, counts) in [("", &sums.counts), ("val_", &measured)] {
            let Some(counts) = counts else { continue };
            let named =
                |metric: &Metric| (format!("{prefix}{}", metric.name()), counts.value(*metric));
            metrics.extend(self.how.metrics.iter().map(named));
        }
        let validated = |metric: Metric| measured.as_ref().map(|counts| counts.value(metric));
        Epoch {
            number,
            loss: sums.loss,
            accuracy: sums.accuracy,
            val_loss: validated(Metric::Loss),
            val_accuracy: validated(Metric::Accuracy),
            metrics,
            rate: sums.rate,
            seconds,
        }
    }

    /// Callbacks see the rate of the optimiser,
    pub(super) fn show_rate(&self, run: &mut Run) {
        if let Some(compiled) = self.model.inner().compiled().as_ref() {
            run.rate = compiled.descent.rate();
        }
    }

    /// and what they make of it goes back.
    pub(super) fn take_rate(&self, run: &Run) {
        if let Some(compiled) = self.model.inner().compiled().as_mut() {
            compiled.descent.set_rate(run.rate);
        }
    }
}
