//! The training loop: `fit`, its epochs and their steps.

use super::budget_clock::BudgetClock;
use super::checkpoint_file::{self, TrainingCheckpoint};
use super::data;
use super::epoch_sums::{EpochMeans, EpochSums};
use super::feature_cache;
use super::progress::ProgressDisplay;
use super::random::{shuffled_order, step_seed};
use super::replicas::Replicas;
use super::train_step::TrainStep;
use super::weight_backup::WeightBackup;
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::runtime::budget::{Allowance, work_units};
use crate::runtime::{self, Budget, interrupt, memory};
use crate::train::batch_source::BatchSource;
use crate::train::catch_torch_error;
use crate::train::compile::{check_input, check_labels, compiled_loss};
use crate::train::measure::evaluation::evaluate_source;
use crate::train::measure::loss::LossInput;
use crate::train::measure::metric::MetricResult;
use crate::train::optimizers::schedule::TrainingProgress;
use crate::train::{Fit, History, Loss, Note, Precision, Run, Shortened, StoppedAt};
use std::time::Instant;
use tch::{Device, Kind, Tensor, no_grad};

impl Model {
    /// Trains on `set`, and returns the history. Training again continues with the current weights.
    ///
    /// Every epoch uses each example once, in a new random order. An interrupt ends the training after
    /// the current batch: the weights stay as they are, and the finished epochs are returned. The same
    /// happens where a callback fails; the history says why. The outputs of frozen layers are computed
    /// once, if memory allows it and the images are not augmented.
    ///
    /// # Errors
    ///
    /// If the model is not compiled; if a set is empty, has no labels, or does not fit the network; if
    /// all layers are frozen; if the loss is no longer a number: the weights are then those from before
    /// the epoch; if libtorch refuses a step, for want of memory for example: the weights are then those
    /// of the last step. [`Model::history`] has the epochs so far.
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
        // Dropped last: by then the training has freed its memory.
        let _kept = memory::keep_freed_memory();
        let (mut trainer, checkpoint) = Trainer::new(self, set, options)?;
        trainer.fit(set.len(), checkpoint)
    }
}

/// One training.
struct Trainer {
    model: Model,
    options: Fit,
    loss: Loss,
    loss_input: LossInput,
    seed: u64,
    train_data: BatchSource,
    validation_data: Option<BatchSource>,
    replicas: Replicas,
    budget: Budget,
    /// The epoch at which the schedule begins.
    initial_epoch: usize,
    /// The epochs that were done before this training.
    epochs_before: usize,
    /// Where the budget limits the time.
    clock: Option<BudgetClock>,
}

/// How the steps of an epoch ended.
enum EpochOutcome {
    /// The epoch counts. A note where the budget ended it early.
    Finished(EpochMeans, Option<Note>),
    /// The epoch does not count.
    Stopped(Note),
}

impl Trainer {
    /// Checks everything that can be checked before training, and reads the checkpoint to resume.
    fn new(
        model: &Model,
        set: &TensorSet,
        options: Fit,
    ) -> Result<(Trainer, Option<TrainingCheckpoint>)> {
        const OP: &str = "Model::fit";
        let inner = model.inner();
        let (loss, loss_input) = compiled_loss(inner, OP)?;
        options.check()?;
        check_input(OP, inner, set)?;
        check_labels(OP, inner, set)?;
        if inner.trainable_weights().is_empty() {
            let hint = "unfreeze() unfreezes all layers, unfreeze_at(\"name\") one of them.";
            return Err(Error::invalid(OP, "weights to train", "none: all are frozen", hint));
        }
        let checkpoint =
            options.resume.as_ref().map(|path| checkpoint_file::read(path)).transpose()?;
        let seed = match &checkpoint {
            Some(checkpoint) => checkpoint.seed,
            None => runtime::seed::derive("fit") as u64,
        };
        let replicas = match &options.devices {
            Some(devices) => Replicas::new(model, devices)?,
            None => Replicas::none(),
        };
        let budget = options.chosen_budget()?;
        let (train_data, validation_data) = data::split(&options, model, set, seed)?;
        let trainer = Trainer {
            model: model.clone(),
            loss,
            loss_input,
            seed,
            train_data,
            validation_data,
            replicas,
            budget,
            initial_epoch: options.initial_epoch,
            epochs_before: options.initial_epoch,
            clock: None,
            options,
        };
        Ok((trainer, checkpoint))
    }

    /// The whole training. `examples` is the size of the set that was given.
    fn fit(&mut self, examples: usize, checkpoint: Option<TrainingCheckpoint>) -> Result<History> {
        let mut run = self.begin(examples, checkpoint)?;
        self.cache_features(&mut run)?;
        let mut progress = ProgressDisplay::new(&run);
        // A budget may reduce the number of epochs on the way.
        while run.epoch < run.epochs && run.history.stop_reason.is_none() {
            (run.epoch, run.step) = (run.epoch + 1, 0);
            let stop_reason = self.run_epoch(&mut run, &mut progress);
            if let Some(compiled) = self.model.inner().compiled().as_mut() {
                compiled.history = run.history.clone();
            }
            run.history.stop_reason = stop_reason?;
        }
        self.end(&mut run);
        progress.finish(&run.history);
        Ok(run.history)
    }

    /// The state of the training before its first epoch.
    fn begin(&mut self, examples: usize, checkpoint: Option<TrainingCheckpoint>) -> Result<Run> {
        let (history, done) = match checkpoint {
            Some(checkpoint) => {
                let done = checkpoint.history.epochs.last().map_or(0, |epoch| epoch.number);
                let callbacks = &self.options.callbacks;
                (checkpoint_file::restore(&self.model, callbacks, checkpoint)?, done)
            }
            None => (History::default(), self.options.initial_epoch),
        };
        self.epochs_before = done;
        self.initial_epoch = self.options.initial_epoch.min(done);
        let planned = self.options.epochs.saturating_sub(done);
        let epochs = self.budget.training_allowance(planned, self.train_data.len()).epochs;
        let metric_names = self.options.metric_names(self.validation_data.is_some());
        let mut run = Run::new(&self.model, metric_names);
        run.history = history;
        (run.epoch, run.epochs) = (done, done + epochs);
        run.steps = self.train_data.len().div_ceil(self.options.batch_size);
        self.describe(&mut run.history, examples, planned, epochs);
        self.options
            .callbacks
            .call(&mut run, |callback, run| callback.on_train_begin(run))
            .map_err(|problem| {
                let op = "Model::fit, before training";
                Error::invalid(op, "callbacks that can begin", problem.trim_end_matches('.'), "")
            })?;
        Ok(run)
    }

    /// Writes into the history how the network is trained, and what a reader should know about it.
    fn describe(
        &self,
        history: &mut History,
        examples: usize,
        planned_epochs: usize,
        epochs: usize,
    ) {
        let inner = self.model.inner();
        let validation = self.validation_data.as_ref();
        let held_out = validation.filter(|_| self.options.validation_split > 0.0);
        let all_examples = examples - held_out.map_or(0, BatchSource::len);
        let examples = self.train_data.len();
        let notes = &mut history.notes;
        notes.extend(self.replicas.notes(self.model.device(), self.options.batch_size));
        if epochs < planned_epochs || examples < all_examples {
            let to = Shortened::Training {
                epochs,
                planned_epochs,
                examples,
                all_examples,
                seconds: None,
            };
            notes.push(Note::Shortened { budget: self.budget, to });
        }
        notes.extend(self.options.notes(examples, inner.device));
        history.loss = self.loss.name().into();
        let mut compiled = inner.compiled();
        let Some(compiled) = compiled.as_mut() else { return };
        history.optimizer = compiled.optimizer_state.summary().name;
        if compiled.optimizer_state.learning_rate() == 0.0 {
            notes.push(Note::ZeroLearningRate);
        }
        let validation = validation.map(BatchSource::fingerprints);
        let train = self.train_data.fingerprints();
        notes.extend(compiled.training_facts.record_training(&train, validation.as_deref()));
    }

    /// Computes the outputs of the frozen layers once, where that pays, and starts the clock.
    fn cache_features(&mut self, run: &mut Run) -> Result<()> {
        let started = Instant::now();
        let model = self.model.clone();
        let inner = model.inner();
        if run.epochs - run.epoch > 1 {
            let step = self.loss_input.step(&inner.program);
            let train_data = match self.options.augment {
                Some(_) => None,
                None => Some(&mut self.train_data),
            };
            let validation_data = self.validation_data.as_mut();
            let limit = self.options.feature_cache_bytes;
            match feature_cache::fill(inner, step, train_data, validation_data, limit) {
                Ok(notes) => run.history.notes.extend(notes),
                Err(Error::Interrupted { .. }) => {
                    let at = StoppedAt::BeforeEpoch(run.epoch + 1);
                    run.history.stop_reason = Some(at.interrupted());
                }
                Err(error) => return Err(error),
            }
        }
        run.history.feature_cache_seconds += started.elapsed().as_secs_f64();
        // A fifth of the time is always left for the epochs.
        self.clock = self.budget.time_limit(self.options.trainings, inner.device).map(|time| {
            BudgetClock::new(Instant::now(), time.saturating_sub(started.elapsed()).max(time / 5))
        });
        Ok(())
    }

    /// What belongs after the last epoch.
    fn end(&self, run: &mut Run) {
        run.history.notes.extend(run.history.stop_reason.clone());
        let callbacks = &self.options.callbacks;
        if let Err(problem) = callbacks.call(run, |callback, run| callback.on_train_end(run)) {
            run.history.notes.push(format!("at the end: {problem}").into());
            run.history.stop_reason.get_or_insert(problem.into());
        }
        if let Some(compiled) = self.model.inner().compiled().as_mut() {
            compiled.history = run.history.clone();
            let facts = &mut compiled.training_facts;
            facts.shortened_by = run.history.is_shortened().then_some(self.budget);
            if let Some(data) = self.validation_data.as_ref().filter(|_| run.chosen_by_validation) {
                facts.record_choice(&data.fingerprints());
            }
        }
    }

    /// One epoch with its validation, callbacks and checkpoints. Returns why training ends with it,
    /// if it does.
    fn run_epoch(&mut self, run: &mut Run, progress: &mut ProgressDisplay) -> Result<Option<Note>> {
        let started = Instant::now();
        run.read_learning_rate();
        run.learning_rate =
            self.options.schedule.epoch_learning_rate(run.epoch - 1, run.learning_rate)?;
        run.write_learning_rate();
        if let Err(problem) =
            self.options.callbacks.call(run, |callback, run| callback.on_epoch_begin(run))
        {
            return Ok(Some(StoppedAt::BeforeEpoch(run.epoch).because(problem)));
        }
        let (means, mut stop_reason) = match self.train_epoch(run, progress)? {
            EpochOutcome::Finished(means, note) => (means, note),
            EpochOutcome::Stopped(reason) => return Ok(Some(reason)),
        };
        let validation = match self.validate(run, progress) {
            Ok(result) => result,
            Err(Error::Interrupted { .. }) => {
                stop_reason = Some(StoppedAt::InValidation(run.epoch).interrupted());
                None
            }
            Err(error) => return Err(error),
        };
        let seconds = started.elapsed().as_secs_f64();
        let metrics = &self.options.metrics;
        run.history.epochs.push(means.epoch(run.epoch, metrics, validation, seconds));
        let failed =
            self.options.callbacks.call(run, |callback, run| callback.on_epoch_end(run)).err();
        let unwritten = self.write_checkpoints(run).err();
        progress.epoch_done(&run.history, run.epochs);
        let problem = failed.or(unwritten.map(|error| format!("Checkpoint: {error}")));
        Ok(match problem {
            Some(problem) => Some(StoppedAt::AfterEpoch(run.epoch).because(problem)),
            None => stop_reason.or(run.stop_reason.take()),
        })
    }

    /// The steps of one epoch.
    fn train_epoch(
        &mut self,
        run: &mut Run,
        progress: &mut ProgressDisplay,
    ) -> Result<EpochOutcome> {
        let at = StoppedAt::InEpoch(run.epoch);
        let backup = WeightBackup::new(&run.model, run.epoch);
        self.replicas.copy_all_weights(&self.model.inner().program);
        let mut sums = EpochSums::new(self.model.inner(), self.loss_input, &self.options.metrics);
        let mut shortened = None;
        for (step, positions) in self.batches(run.epoch).into_iter().enumerate() {
            if interrupt::requested() {
                return Ok(EpochOutcome::Stopped(at.interrupted()));
            }
            if step == run.steps {
                break;
            }
            if step > 0 && self.clock.as_ref().is_some_and(|clock| clock.is_over(Instant::now())) {
                let to =
                    Shortened::Epoch { epoch: run.epoch, steps: step, planned_steps: run.steps };
                shortened = Some(Note::Shortened { budget: self.budget, to });
                break;
            }
            catch_torch_error("Model::fit", || self.train_step(step, &positions, run, &mut sums))?;
            run.step = step + 1;
            self.keep_within_budget(positions.size()[0] as usize, run, progress);
            if let Err(problem) =
                self.options.callbacks.call(run, |callback, run| callback.on_batch_end(run))
            {
                return Ok(EpochOutcome::Stopped(at.because(problem)));
            }
            // Reading a number waits for the device, so it is done only when it will be shown.
            if progress.wants_update() {
                let (loss, accuracy) = sums.loss_and_accuracy();
                backup.check_finite(loss)?;
                progress.step_done(run, loss, accuracy);
            }
            if let Some(reason) = &run.stop_reason {
                return Ok(EpochOutcome::Stopped(at.because(reason.to_string())));
            }
        }
        let means = sums.means();
        backup.check_finite(means.loss)?;
        Ok(EpochOutcome::Finished(means, shortened))
    }

    /// The positions of the examples of each batch of an epoch.
    fn batches(&self, epoch: usize) -> Vec<Tensor> {
        let examples = self.train_data.len();
        let order = match self.options.shuffle {
            true => shuffled_order(self.seed, epoch, examples),
            false => Tensor::arange(examples as i64, (Kind::Int64, Device::Cpu)),
        };
        order.split(self.options.batch_size as i64, 0)
    }

    /// One step. Where libtorch refuses it, for want of memory for example, no weight has changed.
    fn train_step(
        &self,
        step: usize,
        positions: &Tensor,
        run: &Run,
        sums: &mut EpochSums,
    ) -> Result<()> {
        let factor = self.options.schedule.factor(TrainingProgress {
            step: (run.epoch - 1 - self.initial_epoch) * run.steps + step,
            steps: (run.epochs - self.initial_epoch) * run.steps,
            steps_per_epoch: run.steps,
        });
        let inner = self.model.inner();
        let seed = step_seed(self.seed, run.epoch, step);
        let mut batch = self.train_data.batch(&inner.program, positions, inner.device);
        if let Some(augment) = &self.options.augment {
            for (_, images) in &mut batch.values {
                *images = no_grad(|| augment.apply(images, seed as u64))?;
            }
        }
        let train_step = TrainStep {
            inner,
            replicas: &self.replicas,
            loss: &self.loss,
            loss_input: self.loss_input,
            mixed_precision: self.options.precision == Precision::Mixed,
        };
        let output = train_step.run(&batch, seed, |learning_rate| learning_rate * factor)?;
        sums.add(&output, &batch.labels, &self.loss);
        Ok(())
    }

    /// Measures the validation set, if there is one.
    fn validate(
        &mut self,
        run: &Run,
        progress: &mut ProgressDisplay,
    ) -> Result<Option<MetricResult>> {
        const OP: &str = "Model::fit, validation";
        let Some(data) = &self.validation_data else { return Ok(None) };
        progress.validation_started(run);
        let result =
            evaluate_source(self.model.inner(), data, &self.loss, self.loss_input, OP, false);
        if let Some(clock) = &mut self.clock {
            clock.worked(work_units(0, data.len()), Instant::now());
        }
        result.map(Some)
    }

    /// Counts a step of `examples`. Once, when enough was measured, it plans what fits into the time.
    fn keep_within_budget(
        &mut self,
        examples: usize,
        run: &mut Run,
        progress: &mut ProgressDisplay,
    ) {
        let Some(clock) = &mut self.clock else { return };
        let now = Instant::now();
        clock.worked(work_units(examples, 0), now);
        if let Some(seconds) = clock.seconds_per_unit(now) {
            self.plan_within_budget(seconds, run, progress);
        }
    }

    /// Plans what fits into the time, if an example takes these seconds.
    fn plan_within_budget(&self, seconds: f64, run: &mut Run, progress: &mut ProgressDisplay) {
        let Some(clock) = &self.clock else { return };
        let (batch_size, examples) = (self.options.batch_size, self.train_data.len());
        let planned = Allowance { epochs: run.epochs - self.epochs_before, examples };
        let validated = self.validation_data.as_ref().map_or(0, BatchSource::len);
        let left = planned.within(clock.planned_seconds(), seconds, validated);
        // Whole batches, and no fewer than were done.
        let steps = left.examples.div_ceil(batch_size).max(run.step);
        let left = Allowance { examples: examples.min(steps * batch_size), ..left };
        (run.epochs, run.steps) = ((self.epochs_before + left.epochs).max(run.epoch), steps);
        if left != planned {
            let to = Shortened::Training {
                epochs: left.epochs,
                planned_epochs: planned.epochs,
                examples: left.examples,
                all_examples: planned.examples,
                seconds: Some(clock.planned_seconds()),
            };
            let note = Note::Shortened { budget: self.budget, to };
            progress.note(&note);
            run.note(note);
        }
    }

    fn write_checkpoints(&self, run: &mut Run) -> Result<()> {
        std::mem::take(&mut run.checkpoints).into_iter().try_for_each(|path| {
            let callbacks = &self.options.callbacks;
            checkpoint_file::write(&path, &self.model, &run.history, self.seed, callbacks)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use std::time::Duration;

    /// A training on 2,000 examples in batches of 100, whose clock has just started.
    fn trainer(epochs: usize) -> (Trainer, Run, ProgressDisplay) {
        let x = Tensor::zeros([2_000, 1, 2, 2], (Kind::Float, Device::Cpu));
        let y = Tensor::zeros([2_000], (Kind::Int64, Device::Cpu));
        let set = TensorSet::new(&x, &y, &["a", "b"]).unwrap();
        let layers = Sequential::new().input_shape([1, 2, 2]).add(Flatten).add(Dense::new(2));
        let model = layers.add(Softmax).build(Device::Cpu).unwrap();
        model.compile(Sgd::new(0.1), Loss::CategoricalCrossEntropy).unwrap();
        let options = Fit::new().epochs(epochs).batch_size(100).budget(Budget::Class);
        let (mut trainer, _) = Trainer::new(&model, &set, options).unwrap();
        trainer.clock = Some(BudgetClock::new(Instant::now(), Duration::from_secs(150)));
        let mut run = Run::new(&model, Vec::new());
        (run.epoch, run.epochs, run.steps) = (1, epochs, 20);
        let progress = ProgressDisplay::new(&run);
        (trainer, run, progress)
    }

    #[test]
    fn epochs_that_do_not_fit_into_the_time_are_left_out() {
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
