//! One pass over the examples, step by step.

use super::draws::step_seed;
use super::fitting::Fitting;
use super::loss::{Loss, Reading};
use super::metric::{Counts, Tally};
use super::progress::Progress;
use super::run::{Run, copies, put};
use super::schedule::Place;
use super::step::{Learner, guarded};
use super::{Precision, count_right};
use crate::error::{Error, Result};
use crate::runtime::budget::work;
use crate::runtime::interrupt;
use std::time::Instant;
use tch::{Kind, Tensor, no_grad};

/// What came of an epoch.
pub(super) enum Outcome {
    /// All of it was done.
    Finished(Sums),
    /// Time was over; it counts as it is.
    Shortened(Sums, String),
    /// It was broken off, for this reason, and does not count.
    Broken(String),
}

/// The means over an epoch.
pub(super) struct Sums {
    pub(super) loss: f64,
    pub(super) accuracy: f64,
    pub(super) rate: f64,
    pub(super) counts: Option<Counts>,
}

impl Fitting {
    /// One epoch in the given order.
    pub(super) fn pass(
        &mut self,
        order: &Tensor,
        run: &mut Run,
        progress: &mut Progress,
    ) -> Result<Outcome> {
        let before = copies(&run.model);
        {
            let program = &self.model.inner().program;
            let _access = program.using();
            self.replicas.follow(program, true);
        }
        let mut sums = Running::new(self);
        let steps = order.split(self.how.batch_size as i64, 0);
        for (step, positions) in steps.into_iter().enumerate() {
            if interrupt::requested() {
                return Ok(Outcome::Broken(format!(
                    "stopped in epoch {}; the weights are kept",
                    run.epoch
                )));
            }
            if step == run.steps {
                break;
            }
            let now = Instant::now();
            if step > 0 && self.clock.as_ref().is_some_and(|clock| clock.is_over(now)) {
                let note = format!("epoch {} ended after {step} of {} steps", run.epoch, run.steps);
                let sums = sums.read();
                self.check_finite(sums.loss, run, &before)?;
                return Ok(Outcome::Shortened(sums, note));
            }
            guarded("Model::fit", || self.step(step, &positions, run, &mut sums))?;
            run.step = step + 1;
            if let Some(clock) = &mut self.clock {
                let now = Instant::now();
                clock.worked(work(positions.size()[0] as usize, 0), now);
                if let Some(each) = clock.each(now) {
                    self.plan(each, run, progress);
                }
            }
            self.show_rate(run);
            if let Err(problem) =
                self.how.callbacks.call(run, |callback, run| callback.on_batch_end(run))
            {
                return Ok(Outcome::Broken(format!("stopped in epoch {}: {problem}", run.epoch)));
            }
            self.take_rate(run);
            // Reading a number back waits for the device, so it is done only when it will be shown.
            if progress.wants_update() {
                let (loss, accuracy) = sums.means();
                self.check_finite(loss, run, &before)?;
                progress.step_done(run, loss, accuracy);
            }
            if let Some(reason) = &run.ends {
                return Ok(Outcome::Broken(format!("stopped in epoch {}: {reason}", run.epoch)));
            }
        }
        let sums = sums.read();
        self.check_finite(sums.loss, run, &before)?;
        Ok(Outcome::Finished(sums))
    }

    /// One step. What libtorch refuses, such as more memory, changes no weight.
    fn step(&self, step: usize, positions: &Tensor, run: &Run, sums: &mut Running) -> Result<()> {
        let at = Place {
            step: (run.epoch - 1 - self.first) * run.steps + step,
            steps: (run.epochs - self.first) * run.steps,
            per_epoch: run.steps,
        };
        let factor = self.how.schedule.factor(at);
        let inner = self.model.inner();
        let seed = step_seed(self.seed, run.epoch, step);
        let mut batch = self.feed.take(&inner.program, positions, inner.device);
        if let (Some(augment), None) = (&self.how.augment, &self.feed.made) {
            for (_, x) in &mut batch.values {
                *x = no_grad(|| augment.apply(x, seed as u64))?;
            }
        }
        let learner = Learner {
            inner,
            replicas: &self.replicas,
            loss: &self.loss,
            reading: self.reading,
            mixed: self.how.precision == Precision::Mixed,
        };
        let learned = learner.step(&batch, seed, |rate| rate * factor)?;
        sums.rate = learned.rate.unwrap_or(sums.rate);
        sums.add(&learned.loss, &learned.outputs, &batch.labels, &self.loss);
        Ok(())
    }

    /// Goes back to the weights from before the epoch when the loss has run away.
    fn check_finite(&self, loss: f64, run: &Run, before: &[(String, Tensor)]) -> Result<()> {
        if loss.is_finite() {
            return Ok(());
        }
        put(&run.model, before)?;
        if let Some(compiled) = self.model.inner().compiled().as_mut() {
            compiled.descent.forget();
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
struct Running {
    reading: Reading,
    loss: Option<Tensor>,
    right: Option<Tensor>,
    seen: i64,
    rate: f64,
    tally: Option<Tally>,
}

impl Running {
    fn new(fitting: &Fitting) -> Running {
        let (inner, reading) = (fitting.model.inner(), fitting.reading);
        let outputs = inner.output_shape()[0];
        let tally = (!fitting.how.metrics.is_empty())
            .then(|| Tally::new(reading.form, outputs, inner.device));
        Running { reading, loss: None, right: None, seen: 0, rate: 0.0, tally }
    }

    fn add(&mut self, batch_loss: &Tensor, outputs: &Tensor, labels: &Tensor, loss: &Loss) {
        let count = labels.size()[0];
        let (l, r) =
            no_grad(|| (batch_loss * count as f64, count_right(self.reading, outputs, labels)));
        self.loss = Some(self.loss.take().map_or(l.shallow_clone(), |sum| sum + l));
        self.right = Some(self.right.take().map_or(r.shallow_clone(), |sum| sum + r));
        self.seen += count;
        if let Some(tally) = &mut self.tally {
            tally.add(loss, outputs, labels);
        }
    }

    /// The mean loss and the fraction right, so far.
    fn means(&self) -> (f64, f64) {
        let mean = |sum: &Option<Tensor>| {
            let sum = sum.as_ref().map(|sum| sum.to_kind(Kind::Double).double_value(&[]));
            sum.map_or(f64::NAN, |sum| sum / self.seen as f64)
        };
        (mean(&self.loss), mean(&self.right))
    }

    fn read(&self) -> Sums {
        let (loss, accuracy) = self.means();
        Sums { loss, accuracy, rate: self.rate, counts: self.tally.as_ref().map(Tally::read) }
    }
}
