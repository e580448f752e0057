//! One pass over the examples, step by step.

use super::callback::{Callbacks, panic_text};
use super::draws::step_seed;
use super::feed::Feed;
use super::fit::Fit;
use super::loss::{Loss, Reading};
use super::metric::{Counts, Tally};
use super::progress::Progress;
use super::run::{Run, copies, put};
use super::schedule::Place;
use super::{Compiled, Precision, count_right, target};
use crate::error::{Error, Result};
use crate::model::{Inner, Program};
use crate::runtime::interrupt;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

/// What all epochs of one training share.
pub(super) struct Pass<'a> {
    pub(super) inner: &'a Inner,
    pub(super) feed: &'a Feed,
    pub(super) plan: &'a Fit,
    pub(super) loss: Loss,
    pub(super) reading: Reading,
    pub(super) callbacks: &'a Callbacks,
    pub(super) seed: u64,
    /// The first epoch of the schedule.
    pub(super) first: usize,
    /// When the time is over.
    pub(super) until: Option<Instant>,
}

impl Pass<'_> {
    /// One epoch in the given order.
    pub(super) fn epoch(
        &self,
        order: &Tensor,
        run: &mut Run,
        progress: &mut Progress,
    ) -> Result<Outcome> {
        let before = copies(&run.model);
        let mut sums = Running::new(self);
        let steps = order.split(self.plan.batch_size as i64, 0);
        for (step, positions) in steps.into_iter().enumerate() {
            if interrupt::requested() {
                return Ok(Outcome::Broken(format!(
                    "stopped in epoch {}; the weights are kept",
                    run.epoch
                )));
            }
            if self.until.is_some_and(|until| Instant::now() > until) && step > 0 {
                let note = format!("epoch {} ended after {step} of {} steps", run.epoch, run.steps);
                let sums = sums.read();
                self.check_finite(sums.loss, run, &before)?;
                return Ok(Outcome::Shortened(sums, note));
            }
            self.step(step, &positions, run, &mut sums)?;
            run.step = step + 1;
            self.sync_rate(run);
            if let Err(problem) =
                self.callbacks.call(run, |callback, run| callback.on_batch_end(run))
            {
                return Ok(Outcome::Broken(format!("stopped in epoch {}: {problem}", run.epoch)));
            }
            self.set_rate(run);
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

    /// Callbacks see the rate of the optimiser, and what they make of it goes back.
    pub(super) fn sync_rate(&self, run: &mut Run) {
        if let Some(compiled) = self.inner.compiled().as_ref() {
            run.rate = compiled.descent.rate();
        }
    }

    pub(super) fn set_rate(&self, run: &Run) {
        if let Some(compiled) = self.inner.compiled().as_mut() {
            compiled.descent.set_rate(run.rate);
        }
    }

    /// One step. What libtorch refuses, such as more memory, changes nothing.
    fn step(&self, step: usize, positions: &Tensor, run: &Run, sums: &mut Running) -> Result<()> {
        let at = Place {
            step: (run.epoch - 1 - self.first) * run.steps + step,
            steps: (run.epochs - self.first) * run.steps,
            per_epoch: run.steps,
        };
        let factor = self.plan.schedule.factor(at);
        let outcome =
            catch_unwind(AssertUnwindSafe(|| self.learn(step, positions, run.epoch, factor, sums)));
        outcome.unwrap_or_else(|panic| {
            let text = panic_text(&*panic);
            let start = text.find("Torch(\"").map_or(0, |at| at + 7);
            let mut message = text[start..].split("\\n").next().unwrap_or_default().to_owned();
            if message.contains("out of memory") || message.contains("can't allocate memory") {
                message.push_str(". Try a smaller batch_size.");
            }
            Err(Error::Torch { op: "Model::fit".into(), message })
        })
    }

    fn learn(
        &self,
        step: usize,
        positions: &Tensor,
        epoch: usize,
        factor: f64,
        sums: &mut Running,
    ) -> Result<()> {
        let (program, device) = (&self.inner.program, self.inner.device);
        let seed = step_seed(self.seed, epoch, step);
        let (mut values, labels) = self.feed.take(program, positions, device);
        if let (Some(augment), None) = (&self.plan.augment, &self.feed.made) {
            for (_, x) in &mut values {
                *x = no_grad(|| augment.apply(x, seed as u64))?;
            }
        }
        // Dropout draws from libtorch's one generator: started anew at every step, whatever else
        // has used it in between.
        tch::manual_seed(seed);
        let known: Vec<_> = values.iter().map(|(step, value)| (*step, value)).collect();
        // The weights belong to this step until it is done.
        let mixed = self.plan.precision == Precision::Mixed && device.is_cuda();
        let access = program.training().mixed(mixed);
        let target = target(program, self.reading);
        let weights = trained(program, &known, target);
        let outputs = access.run(&known, &[target]).remove(0);
        let loss = self.loss.mean(self.reading.form, &outputs, &labels);
        let handles: Vec<&Tensor> = weights.iter().map(|(_, weight)| weight).collect();
        if handles.is_empty() {
            // Everything has been frozen meanwhile.
            drop(access);
            sums.add(&loss, &outputs.detach(), &labels, &self.loss);
            return Ok(());
        }
        let gradients = Tensor::run_backward(&[&loss], &handles, false, false);
        let mut compiled = self.inner.compiled();
        let Compiled { descent, .. } = compiled.as_mut().expect("a compiled model stays compiled");
        let rate = descent.rate() * factor;
        sums.rate = descent.decayed(rate);
        descent.step(&weights, &gradients, rate);
        drop((compiled, access));
        sums.add(&loss, &outputs.detach(), &labels, &self.loss);
        Ok(())
    }

    /// Goes back to the weights from before the epoch when the loss has run away.
    fn check_finite(&self, loss: f64, run: &Run, before: &[(String, Tensor)]) -> Result<()> {
        if loss.is_finite() {
            return Ok(());
        }
        put(&run.model, before)?;
        if let Some(compiled) = self.inner.compiled().as_mut() {
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

/// The weights that a step changes: those that are not frozen, behind the values that are known.
pub(super) fn trained(
    program: &Program,
    known: &[(usize, &Tensor)],
    target: usize,
) -> Vec<(String, Tensor)> {
    let places: Vec<usize> = known.iter().map(|(place, _)| *place).collect();
    let needed = program.needed(&places, &[target]);
    let steps = program.steps.iter().zip(needed).filter(|(_, needed)| *needed);
    let paths: HashSet<&str> = steps.map(|(step, _)| step.path.as_str()).collect();
    let weights = program.weights().into_iter().filter(|weight| {
        let path = weight.name.rsplit_once('.').map_or("", |(path, _)| path);
        weight.trainable && paths.contains(path)
    });
    weights.map(|weight| (weight.name, weight.tensor)).collect()
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
    fn new(pass: &Pass<'_>) -> Running {
        let outputs = pass.inner.output_shape()[0];
        let tally = (!pass.plan.metrics.is_empty())
            .then(|| Tally::new(pass.reading.form, outputs, pass.inner.device));
        Running { reading: pass.reading, loss: None, right: None, seen: 0, rate: 0.0, tally }
    }

    fn add(&mut self, batch_loss: &Tensor, outputs: &Tensor, labels: &Tensor, loss: &Loss) {
        let count = labels.size()[0];
        let (l, r) = no_grad(|| {
            (batch_loss.detach() * count as f64, count_right(self.reading, outputs, labels))
        });
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
