//! A training from its beginning to its end: many small steps, each on a batch of examples.

use super::batch_source::BatchSource;
use super::budget_clock::Clock;
use super::checkpoint_file::{self, TrainingCheckpoint};
use super::epoch::{EpochMeans, EpochOutcome};
use super::evaluation::evaluate_source;
use super::fit::Fit;
use super::loss::{Loss, LossInput};
use super::metric::{Metric, MetricResult};
use super::note::{Note, Shortened, StoppedAt};
use super::progress::Progress;
use super::replicas::Replicas;
use super::run::Run;
use super::{Epoch, History, check_input, check_labels, compiled_loss, random};
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::runtime::budget::{Allowance, work_units};
use crate::runtime::{self, Budget, memory};
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
    pub fn fit(&self, set: &TensorSet, options: Fit) -> Result<History> {
        const OP: &str = "Model::fit";
        // Goes last: what the training has taken is free by then.
        let _kept = memory::keep();
        let inner = self.inner();
        let (loss, reading) = compiled_loss(inner, OP)?;
        options.check()?;
        check_input(OP, inner, set)?;
        check_labels(OP, inner, set)?;
        if inner.trainable_weights().is_empty() {
            let hint = "unfreeze() sets all layers free, unfreeze_at(\"name\") one of them.";
            return Err(Error::invalid(OP, "weights to train", "none: all are frozen", hint));
        }
        let saved = options.resume.as_ref().map(|path| checkpoint_file::read(path)).transpose()?;
        let seed = match &saved {
            Some(saved) => saved.seed,
            None => runtime::seed::derive("fit") as u64,
        };
        let replicas = match &options.devices {
            Some(devices) => Replicas::new(self, devices)?,
            None => Replicas::none(),
        };
        let budget = options.chosen_budget()?;
        let (feed, validation) = options.batch_sources(self, set, seed)?;
        let (model, first) = (self.clone(), options.initial_epoch);
        let mut fitting = Trainer {
            model,
            options,
            loss,
            loss_input: reading,
            seed,
            train_source: feed,
            validation_source: validation,
            replicas,
            budget,
            initial_epoch: first,
            epochs_before: first,
            clock: None,
        };
        fitting.train(set.len(), saved)
    }
}

/// One training at work.
pub(super) struct Trainer {
    pub(super) model: Model,
    pub(super) options: Fit,
    pub(super) loss: Loss,
    pub(super) loss_input: LossInput,
    pub(super) seed: u64,
    pub(super) train_source: BatchSource,
    pub(super) validation_source: Option<BatchSource>,
    pub(super) replicas: Replicas,
    pub(super) budget: Budget,
    /// So many epochs were done before the schedule begins.
    pub(super) initial_epoch: usize,
    /// So many epochs were done before this training.
    epochs_before: usize,
    /// Where the budget limits the time.
    pub(super) clock: Option<Clock>,
}

impl Trainer {
    /// Trains on what is left of a set of so many examples.
    fn train(&mut self, examples: usize, saved: Option<TrainingCheckpoint>) -> Result<History> {
        let model = self.model.clone();
        let inner = model.inner();
        let (mut history, done) = match saved {
            Some(saved) => {
                let done = saved.history.epochs.last().map_or(0, |epoch| epoch.number);
                (checkpoint_file::restore(&model, &self.options.callbacks, saved)?, done)
            }
            None => (History::default(), self.options.initial_epoch),
        };
        if let Some(compiled) = inner.compiled().as_ref() {
            history.optimizer = compiled.optimizer_state.summary().name;
        }
        history.loss = self.loss.name().into();
        self.initial_epoch = self.options.initial_epoch.min(done);
        let wanted = self.options.epochs.saturating_sub(done);
        self.epochs_before = done;
        let epochs = done + self.budget.training_allowance(wanted, self.train_source.len()).epochs;
        history.notes.extend(self.notes(examples, epochs - done, wanted));
        let mut run = Run::new(&model, self.options.metric_names(self.validation_source.is_some()));
        let steps = self.train_source.len().div_ceil(self.options.batch_size);
        (run.history, run.epoch, run.epochs, run.steps) = (history, done, epochs, steps);
        self.publish_learning_rate(&mut run);
        let begun = self.options.callbacks.call(&mut run, |c, run| c.on_train_begin(run));
        begun.map_err(|problem| {
            let op = "Model::fit, before training";
            Error::invalid(op, "callbacks that can begin", problem, "")
        })?;
        self.apply_learning_rate(&run);
        let begun = Instant::now();
        if !self.compute_frozen(&mut run, epochs - done)? {
            run.history.stop_reason = {
                let at = StoppedAt::BeforeEpoch(run.epoch + 1);
                Some(Note::Stopped { at, reason: None })
            };
        }
        run.history.feature_cache_seconds += begun.elapsed().as_secs_f64();
        // What is left of the time is for learning, and some of it always is.
        self.clock = self.budget.time_limit(self.options.trainings, inner.device).map(|time| {
            Clock::new(Instant::now(), time.saturating_sub(begun.elapsed()).max(time / 5))
        });
        let mut progress = Progress::new(&run);
        // What fits into the time is known only on the way.
        while run.epoch < run.epochs && run.history.stop_reason.is_none() {
            (run.epoch, run.step) = (run.epoch + 1, 0);
            let ended = self.run_epoch(&mut run, &mut progress);
            if let Some(compiled) = inner.compiled().as_mut() {
                compiled.history = run.history.clone();
            }
            run.history.stop_reason = ended?;
        }
        if let Some(reason) = run.history.stop_reason.clone() {
            run.history.notes.push(reason);
        }
        self.publish_learning_rate(&mut run);
        if let Err(problem) = self.options.callbacks.call(&mut run, |c, run| c.on_train_end(run)) {
            run.history.notes.push(format!("at the end: {problem}").into());
            run.history.stop_reason.get_or_insert(problem.into());
        }
        if let Some(compiled) = inner.compiled().as_mut() {
            compiled.history = run.history.clone();
            compiled.training_facts.shortened_by =
                run.history.is_shortened().then_some(self.budget);
            if let Some(validation) =
                self.validation_source.as_ref().filter(|_| run.chosen_by_validation)
            {
                compiled.training_facts.record_choice(&validation.fingerprints());
            }
        }
        progress.finish(&run.history);
        Ok(run.history)
    }

    /// One epoch with all that belongs to it; why training ends with it, if it does.
    fn run_epoch(&mut self, run: &mut Run, progress: &mut Progress) -> Result<Option<Note>> {
        let begun = Instant::now();
        self.publish_learning_rate(run);
        run.learning_rate =
            self.options.schedule.epoch_learning_rate(run.epoch - 1, run.learning_rate)?;
        if let Err(problem) = self.options.callbacks.call(run, |c, run| c.on_epoch_begin(run)) {
            let at = StoppedAt::BeforeEpoch(run.epoch);
            return Ok(Some(Note::Stopped { at, reason: Some(problem) }));
        }
        self.apply_learning_rate(run);
        let order = match self.options.shuffle {
            true => random::shuffled_order(self.seed, run.epoch, self.train_source.len()),
            false => Tensor::arange(self.train_source.len() as i64, (Kind::Int64, Device::Cpu)),
        };
        let (sums, mut ended) = match self.train_epoch(&order, run, progress)? {
            EpochOutcome::Finished(sums) => (sums, None),
            EpochOutcome::Shortened(sums, note) => (sums, Some(note)),
            EpochOutcome::Stopped(reason) => return Ok(Some(reason)),
        };
        let measured = match &self.validation_source {
            Some(feed) => {
                const OP: &str = "Model::fit, validation";
                progress.validation_started(run);
                match evaluate_source(
                    self.model.inner(),
                    feed,
                    &self.loss,
                    self.loss_input,
                    OP,
                    false,
                ) {
                    Ok(counts) => Some(counts),
                    Err(Error::Interrupted { .. }) => {
                        let at = StoppedAt::InValidation(run.epoch);
                        ended = Some(Note::Stopped { at, reason: None });
                        None
                    }
                    Err(error) => return Err(error),
                }
            }
            None => None,
        };
        if let (Some(clock), Some(feed)) = (&mut self.clock, &self.validation_source) {
            clock.worked(work_units(0, feed.len()), Instant::now());
        }
        let seconds = begun.elapsed().as_secs_f64();
        let callbacks = &self.options.callbacks;
        run.history.epochs.push(self.epoch_record(run.epoch, sums, measured, seconds));
        let problem = callbacks.call(run, |callback, run| callback.on_epoch_end(run)).err();
        self.apply_learning_rate(run);
        let written = std::mem::take(&mut run.checkpoints).into_iter().try_for_each(|path| {
            checkpoint_file::write(&path, &self.model, &run.history, self.seed, callbacks)
        });
        progress.epoch_done(&run.history, run.epochs);
        let problem = problem.or(written.err().map(|error| format!("Checkpoint: {error}")));
        Ok(match problem {
            Some(problem) => {
                let at = StoppedAt::AfterEpoch(run.epoch);
                Some(Note::Stopped { at, reason: Some(problem) })
            }
            None => ended.or(run.stop_reason.take()),
        })
    }

    /// Plans once what fits into the time, where learning from an example takes so many seconds.
    pub(super) fn plan_within_budget(&self, each: f64, run: &mut Run, progress: &mut Progress) {
        let Some(clock) = &self.clock else { return };
        let (batch, examples) = (self.options.batch_size, self.train_source.len());
        let wanted = Allowance { epochs: run.epochs - self.epochs_before, examples };
        let measured = self.validation_source.as_ref().map_or(0, BatchSource::len);
        let left = wanted.within(clock.planned(), each, measured);
        // Full steps, and no fewer than were done.
        let steps = left.examples.div_ceil(batch).max(run.step);
        let left = Allowance { examples: examples.min(steps * batch), ..left };
        (run.epochs, run.steps) = ((self.epochs_before + left.epochs).max(run.epoch), steps);
        if left != wanted {
            let to = Shortened::Training {
                epochs: left.epochs,
                planned_epochs: wanted.epochs,
                examples: left.examples,
                all_examples: wanted.examples,
                seconds: Some(clock.planned()),
            };
            let note = Note::Shortened { budget: self.budget, to };
            progress.note(&note);
            run.note(note);
        }
    }

    fn epoch_record(
        &self,
        number: usize,
        sums: EpochMeans,
        measured: Option<MetricResult>,
        seconds: f64,
    ) -> Epoch {
        let mut metrics = BTreeMap::new();
        for (prefix, counts) in [("", &sums.metrics), ("val_", &measured)] {
            let Some(counts) = counts else { continue };
            let named =
                |metric: &Metric| (format!("{prefix}{}", metric.name()), counts.value(*metric));
            metrics.extend(self.options.metrics.iter().map(named));
        }
        let validated = |metric: Metric| measured.as_ref().map(|counts| counts.value(metric));
        Epoch {
            number,
            loss: sums.loss,
            accuracy: sums.accuracy,
            val_loss: validated(Metric::Loss),
            val_accuracy: validated(Metric::Accuracy),
            metrics,
            learning_rate: sums.learning_rate,
            seconds,
        }
    }

    /// Callbacks see the rate of the optimizer,
    pub(super) fn publish_learning_rate(&self, run: &mut Run) {
        if let Some(compiled) = self.model.inner().compiled().as_ref() {
            run.learning_rate = compiled.optimizer_state.learning_rate();
        }
    }

    /// and what they make of it goes back.
    pub(super) fn apply_learning_rate(&self, run: &Run) {
        if let Some(compiled) = self.model.inner().compiled().as_mut() {
            compiled.optimizer_state.set_learning_rate(run.learning_rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use crate::train::compiled_loss;
    use std::time::Duration;

    /// A training of so many epochs on 2,000 examples in batches of 100, whose clock has just begun.
    fn trainer(epochs: usize) -> (Trainer, Run, Progress) {
        let x = Tensor::zeros([2_000, 1, 2, 2], (Kind::Float, Device::Cpu));
        let y = Tensor::zeros([2_000], (Kind::Int64, Device::Cpu));
        let set = TensorSet::new(&x, &y, &["a", "b"]).unwrap();
        let layers = Sequential::new().input_shape([1, 2, 2]).add(Flatten).add(Dense::new(2));
        let model = layers.add(Softmax).build(Device::Cpu).unwrap();
        model.compile(Sgd::new(0.1), Loss::CategoricalCrossEntropy).unwrap();
        let (loss, reading) = compiled_loss(model.inner(), "test").unwrap();
        let mut run = Run::new(&model, Vec::new());
        (run.epoch, run.epochs, run.steps) = (1, epochs, 20);
        let progress = Progress::new(&run);
        let trainer = Trainer {
            model,
            options: Fit::new().epochs(epochs).batch_size(100),
            loss,
            loss_input: reading,
            seed: 1,
            train_source: BatchSource::new(set),
            validation_source: None,
            replicas: Replicas::none(),
            budget: Budget::Class,
            initial_epoch: 0,
            epochs_before: 0,
            clock: Some(Clock::new(Instant::now(), Duration::from_secs(150))),
        };
        (trainer, run, progress)
    }

    #[test]
    fn epochs_that_do_not_fit_into_the_time_are_left_out_and_named() {
        let planned = |epochs, each| {
            let (trainer, mut run, mut progress) = trainer(epochs);
            trainer.plan_within_budget(each, &mut run, &mut progress);
            (run.epochs, run.steps, run.history.notes)
        };
        let note = |epochs, planned_epochs, examples| {
            let seconds = Some(120.0);
            let all_examples = 2_000;
            let to =
                Shortened::Training { epochs, planned_epochs, examples, all_examples, seconds };
            vec![Note::Shortened { budget: Budget::Class, to }]
        };
        assert_eq!(planned(25, 0.001), (25, 20, vec![]));
        assert_eq!(planned(25, 0.005), (12, 20, note(12, 25, 2_000)));
        assert_eq!(planned(25, 0.02), (5, 12, note(5, 25, 1_200)));
        assert_eq!(planned(2, 0.05), (2, 12, note(2, 2, 1_200)));
    }

    #[test]
    fn a_planned_epoch_ends_after_its_steps() {
        let (mut trainer, mut run, mut progress) = trainer(25);
        trainer.plan_within_budget(0.02, &mut run, &mut progress);
        assert_eq!(trainer.run_epoch(&mut run, &mut progress).unwrap(), None);
        assert_eq!((run.step, run.history.len()), (12, 1));
    }
}
