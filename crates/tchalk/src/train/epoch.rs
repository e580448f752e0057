//! One pass over the examples, step by step.

use super::loss::{Loss, LossInput};
use super::metric::{MetricResult, MetricState};
use super::note::{Note, Shortened, StoppedAt};
use super::progress::Progress;
use super::random::step_seed;
use super::run::{Run, copy_weights, set_weights};
use super::schedule::TrainingProgress;
use super::train_step::{TrainStep, catch_torch_error};
use super::trainer::Trainer;
use super::{Precision, count_correct};
use crate::error::{Error, Result};
use crate::runtime::budget::work_units;
use crate::runtime::interrupt;
use std::time::Instant;
use tch::{Kind, Tensor, no_grad};

/// What came of an epoch.
pub(super) enum EpochOutcome {
    /// All of it was done.
    Finished(EpochMeans),
    /// Time was over; it counts as it is.
    Shortened(EpochMeans, Note),
    /// It was broken off, for this reason, and does not count.
    Stopped(Note),
}

fn stopped(epoch: usize, reason: Option<String>) -> EpochOutcome {
    EpochOutcome::Stopped(Note::Stopped { at: StoppedAt::InEpoch(epoch), reason })
}

/// The means over an epoch.
pub(super) struct EpochMeans {
    pub(super) loss: f64,
    pub(super) accuracy: f64,
    pub(super) learning_rate: f64,
    pub(super) metrics: Option<MetricResult>,
}

impl Trainer {
    /// One epoch in the given order.
    pub(super) fn train_epoch(
        &mut self,
        order: &Tensor,
        run: &mut Run,
        progress: &mut Progress,
    ) -> Result<EpochOutcome> {
        let before = copy_weights(&run.model);
        {
            let program = &self.model.inner().program;
            let _access = program.inference();
            self.replicas.copy_weights(program, true);
        }
        let mut sums = EpochSums::new(self);
        let steps = order.split(self.options.batch_size as i64, 0);
        for (step, positions) in steps.into_iter().enumerate() {
            if interrupt::requested() {
                return Ok(stopped(run.epoch, None));
            }
            if step == run.steps {
                break;
            }
            let now = Instant::now();
            if step > 0 && self.clock.as_ref().is_some_and(|clock| clock.is_over(now)) {
                let to =
                    Shortened::Epoch { epoch: run.epoch, steps: step, planned_steps: run.steps };
                let note = Note::Shortened { budget: self.budget, to };
                let sums = sums.read();
                self.check_finite(sums.loss, run, &before)?;
                return Ok(EpochOutcome::Shortened(sums, note));
            }
            catch_torch_error("Model::fit", || self.train_step(step, &positions, run, &mut sums))?;
            run.step = step + 1;
            if let Some(clock) = &mut self.clock {
                let now = Instant::now();
                clock.worked(work_units(positions.size()[0] as usize, 0), now);
                if let Some(each) = clock.each(now) {
                    self.plan_within_budget(each, run, progress);
                }
            }
            self.publish_learning_rate(run);
            if let Err(problem) =
                self.options.callbacks.call(run, |callback, run| callback.on_batch_end(run))
            {
                return Ok(stopped(run.epoch, Some(problem)));
            }
            self.apply_learning_rate(run);
            // Reading a number back waits for the device, so it is done only when it will be shown.
            if progress.wants_update() {
                let (loss, accuracy) = sums.means();
                self.check_finite(loss, run, &before)?;
                progress.step_done(run, loss, accuracy);
            }
            if let Some(reason) = &run.stop_reason {
                return Ok(stopped(run.epoch, Some(reason.to_string())));
            }
        }
        let sums = sums.read();
        self.check_finite(sums.loss, run, &before)?;
        Ok(EpochOutcome::Finished(sums))
    }

    /// One step. What libtorch refuses, such as more memory, changes no weight.
    fn train_step(
        &self,
        step: usize,
        positions: &Tensor,
        run: &Run,
        sums: &mut EpochSums,
    ) -> Result<()> {
        let at = TrainingProgress {
            step: (run.epoch - 1 - self.initial_epoch) * run.steps + step,
            steps: (run.epochs - self.initial_epoch) * run.steps,
            steps_per_epoch: run.steps,
        };
        let factor = self.options.schedule.factor(at);
        let inner = self.model.inner();
        let seed = step_seed(self.seed, run.epoch, step);
        let mut batch = self.train_source.batch(&inner.program, positions, inner.device);
        if let (Some(augment), None) = (&self.options.augment, &self.train_source.cached_features) {
            for (_, x) in &mut batch.values {
                *x = no_grad(|| augment.apply(x, seed as u64))?;
            }
        }
        let learner = TrainStep {
            inner,
            replicas: &self.replicas,
            loss: &self.loss,
            loss_input: self.loss_input,
            mixed_precision: self.options.precision == Precision::Mixed,
        };
        let learned = learner.run(&batch, seed, |rate| rate * factor)?;
        sums.learning_rate = learned.learning_rate.unwrap_or(sums.learning_rate);
        sums.add(&learned.loss, &learned.outputs, &batch.labels, &self.loss);
        Ok(())
    }

    /// Goes back to the weights from before the epoch when the loss has run away.
    fn check_finite(&self, loss: f64, run: &Run, before: &[(String, Tensor)]) -> Result<()> {
        if loss.is_finite() {
            return Ok(());
        }
        set_weights(&run.model, before)?;
        if let Some(compiled) = self.model.inner().compiled().as_mut() {
            compiled.optimizer_state.reset();
        }
        let since = match run.epoch - 1 {
            0 => "those from before training".to_owned(),
            last => format!("those after epoch {last}"),
        };
        Err(Error::invalid(
            "Model::fit",
            "a loss that is a number",
            format!("{loss} in epoch {}", run.epoch),
            format!(
                "Training has run away. The weights are {since}, and model.history() has the \
                 epochs so far. Compile with a smaller learning rate, or with clip_norm(1.0)."
            ),
        ))
    }
}

/// Sums over the steps of an epoch, on the device.
struct EpochSums {
    loss_input: LossInput,
    loss: Option<Tensor>,
    correct: Option<Tensor>,
    examples: i64,
    learning_rate: f64,
    metrics: Option<MetricState>,
}

impl EpochSums {
    fn new(fitting: &Trainer) -> EpochSums {
        let (inner, loss_input) = (fitting.model.inner(), fitting.loss_input);
        let outputs = inner.output_shape()[0];
        let metrics = (!fitting.options.metrics.is_empty())
            .then(|| MetricState::new(loss_input, outputs, inner.device));
        EpochSums {
            loss_input,
            loss: None,
            correct: None,
            examples: 0,
            learning_rate: 0.0,
            metrics,
        }
    }

    fn add(&mut self, batch_loss: &Tensor, outputs: &Tensor, labels: &Tensor, loss: &Loss) {
        let count = labels.size()[0];
        let (l, r) = no_grad(|| {
            (batch_loss * count as f64, count_correct(self.loss_input, outputs, labels))
        });
        self.loss = Some(self.loss.take().map_or(l.shallow_clone(), |sum| sum + l));
        self.correct = Some(self.correct.take().map_or(r.shallow_clone(), |sum| sum + r));
        self.examples += count;
        if let Some(tally) = &mut self.metrics {
            tally.add(loss, outputs, labels);
        }
    }

    /// The mean loss and the fraction right, so far.
    fn means(&self) -> (f64, f64) {
        let mean = |sum: &Option<Tensor>| {
            let sum = sum.as_ref().map(|sum| sum.to_kind(Kind::Double).double_value(&[]));
            sum.map_or(f64::NAN, |sum| sum / self.examples as f64)
        };
        (mean(&self.loss), mean(&self.correct))
    }

    fn read(&self) -> EpochMeans {
        let (loss, accuracy) = self.means();
        EpochMeans {
            loss,
            accuracy,
            learning_rate: self.learning_rate,
            metrics: self.metrics.as_ref().map(MetricState::result),
        }
    }
}
