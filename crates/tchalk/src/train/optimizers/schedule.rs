//! Schedules of the learning rate.

use crate::error::{Error, Result};

/// How the learning rate changes during training, for [`Fit::schedule`](crate::train::Fit::schedule).
///
/// A schedule multiplies the optimizer's learning rate by a factor at each step. Its shape does not
/// depend on the batch size. [`Schedule::function`] takes a function of your own.
///
/// ```
/// use tchalk::prelude::*;
/// // The learning rate rises to its full value in three epochs, then falls along a cosine.
/// let fit = Fit::new().epochs(25).schedule(Schedule::cosine().warm_up(3));
///
/// fn halved_every_ten(epoch: usize, learning_rate: f64) -> f64 {
///     if epoch > 0 && epoch % 10 == 0 { learning_rate / 2.0 } else { learning_rate }
/// }
/// let fit = Fit::new().epochs(25).schedule(Schedule::function(halved_every_ten));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    shape: Shape,
    /// The number of epochs of the warm-up.
    warm_up: usize,
    /// The part of the learning rate at which the warm-up starts.
    warm_up_from: f64,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Constant,
    Step { every: usize, factor: f64 },
    Exponential { factor: f64 },
    Linear { to: f64 },
    Cosine { to: f64, cycles: usize },
    OneCycle { warm_up: f64, from: f64, to: f64 },
    Function(fn(usize, f64) -> f64),
}

impl PartialEq for Shape {
    fn eq(&self, other: &Shape) -> bool {
        // Functions are compared by the address that Debug writes.
        format!("{self:?}") == format!("{other:?}")
    }
}

/// The progress of a training: the number of the step, from 0, and the number of all steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TrainingProgress {
    pub(crate) step: usize,
    pub(crate) steps: usize,
    pub(crate) steps_per_epoch: usize,
}

impl Schedule {
    const fn new(shape: Shape) -> Schedule {
        Schedule { shape, warm_up: 0, warm_up_from: 0.0 }
    }

    /// The learning rate does not change.
    pub fn constant() -> Schedule {
        Schedule::new(Shape::Constant)
    }

    /// Multiplies the learning rate by `factor` after every `every` epochs.
    pub fn step(every: usize, factor: f64) -> Schedule {
        Schedule::new(Shape::Step { every, factor })
    }

    /// Multiplies the learning rate by `factor` over each epoch, evenly at each step.
    pub fn exponential(factor: f64) -> Schedule {
        Schedule::new(Shape::Exponential { factor })
    }

    /// The learning rate changes linearly, to `to` times its value at the end of training.
    pub fn linear(to: f64) -> Schedule {
        Schedule::new(Shape::Linear { to })
    }

    /// The learning rate falls along a cosine, to 0 at the end (Loshchilov and Hutter 2017).
    pub fn cosine() -> Schedule {
        Schedule::new(Shape::Cosine { to: 0.0, cycles: 1 })
    }

    /// The cosine with restarts: the learning rate falls `cycles` times during training, and jumps back
    /// in between. The network at the end of each cycle makes a good member of an ensemble.
    pub fn cosine_cycles(cycles: usize) -> Schedule {
        Schedule::new(Shape::Cosine { to: 0.0, cycles })
    }

    /// The learning rate rises from a twenty-fifth to its full value in the first 30 % of training, and
    /// falls to almost 0 in the rest, both along cosines (Smith 2018). Choose the highest learning rate
    /// with which the training does not diverge.
    pub fn one_cycle() -> Schedule {
        Schedule::new(Shape::OneCycle { warm_up: 0.3, from: 1.0 / 25.0, to: 1.0 / 25e4 })
    }

    /// A function of your own, called before each epoch. It is given the number of the epoch, from 0,
    /// and the current learning rate, and returns the new one, like Keras's `LearningRateScheduler`.
    pub fn function(function: fn(usize, f64) -> f64) -> Schedule {
        Schedule::new(Shape::Function(function))
    }

    /// Adds a warm-up: in the first `epochs` the learning rate rises linearly to its full value, so that
    /// training with large batches does not diverge (Goyal et al. 2017). The schedule covers the epochs
    /// after it.
    pub fn warm_up(mut self, epochs: usize) -> Schedule {
        self.warm_up = epochs;
        self
    }

    /// The part of the full learning rate, from 0 to 1, at which the warm-up starts. The default is 0. If
    /// batch size and learning rate are `n` times as large, `1.0 / n` starts with the learning rate of
    /// the small batch.
    pub fn warm_up_from(mut self, part: f64) -> Schedule {
        self.warm_up_from = part;
        self
    }

    /// The learning rate of each step of a training with this initial learning rate, to be looked at
    /// before training.
    ///
    /// # Errors
    ///
    /// If a number of the schedule is out of range.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let rates = Schedule::step(2, 0.1).learning_rates(1.0, 4, 1)?;
    /// assert_eq!(rates, [1.0, 1.0, 0.1, 0.1]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn learning_rates(
        &self,
        learning_rate: f64,
        epochs: usize,
        steps_per_epoch: usize,
    ) -> Result<Vec<f64>> {
        self.check()?;
        let (steps, mut rate) = (epochs * steps_per_epoch, learning_rate);
        let mut rates = Vec::with_capacity(steps);
        for step in 0..steps {
            if step % steps_per_epoch == 0 {
                rate = self.epoch_learning_rate(step / steps_per_epoch, rate)?;
            }
            rates.push(rate * self.factor(TrainingProgress { step, steps, steps_per_epoch }));
        }
        Ok(rates)
    }

    /// Checks the numbers.
    pub(crate) fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.warm_up_from) {
            let (op, got) = ("Schedule::warm_up_from", self.warm_up_from.to_string());
            return Err(Error::invalid(op, "a part from 0 to 1", got, "0.25 is a quarter."));
        }
        let fine = |value: f64| value.is_finite() && value >= 0.0;
        let (op, good) = match self.shape {
            Shape::Step { every, factor } => ("Schedule::step", every > 0 && fine(factor)),
            Shape::Exponential { factor } => ("Schedule::exponential", fine(factor)),
            Shape::Linear { to } => ("Schedule::linear", fine(to)),
            Shape::Cosine { cycles, .. } => ("Schedule::cosine_cycles", cycles > 0),
            Shape::Constant | Shape::OneCycle { .. } | Shape::Function(_) => ("", true),
        };
        if good {
            return Ok(());
        }
        let got = format!("{:?}", self.shape);
        Err(Error::invalid(op, "numbers of 0 or more, and at least 1 epoch or cycle", got, ""))
    }

    /// The learning rate at the start of an epoch. Only a function changes it.
    pub(crate) fn epoch_learning_rate(&self, epoch: usize, learning_rate: f64) -> Result<f64> {
        let Shape::Function(function) = self.shape else { return Ok(learning_rate) };
        let new = function(epoch, learning_rate);
        if new.is_finite() && new >= 0.0 {
            return Ok(new);
        }
        let got = format!("{new} for epoch {epoch} and learning rate {learning_rate}");
        Err(Error::invalid("Schedule::function", "a learning rate of 0 or more", got, ""))
    }

    /// The factor of the learning rate at a step.
    pub(crate) fn factor(&self, at: TrainingProgress) -> f64 {
        let warm_up_steps = self.warm_up * at.steps_per_epoch;
        if at.step < warm_up_steps {
            let done = (at.step + 1) as f64 / warm_up_steps as f64;
            return self.warm_up_from + (1.0 - self.warm_up_from) * done;
        }
        let step = (at.step - warm_up_steps) as f64;
        let steps = at.steps.saturating_sub(warm_up_steps).max(1) as f64;
        let epoch = step / at.steps_per_epoch as f64;
        match self.shape {
            Shape::Constant | Shape::Function(_) => 1.0,
            Shape::Step { every, factor } => factor.powf((epoch / every as f64).floor()),
            Shape::Exponential { factor } => factor.powf(epoch),
            Shape::Linear { to } => 1.0 + (to - 1.0) * (step / steps),
            Shape::Cosine { to, cycles } => {
                cosine_between(1.0, to, (step / steps * cycles as f64).fract())
            }
            Shape::OneCycle { warm_up, from, to } => {
                let (top, end) = (warm_up * steps - 1.0, steps - 1.0);
                if step <= top {
                    cosine_between(from, 1.0, step / top)
                } else {
                    cosine_between(1.0, to, (step - top) / (end - top))
                }
            }
        }
    }
}

/// From `a` to `b` along a cosine.
fn cosine_between(a: f64, b: f64, part: f64) -> f64 {
    b + (a - b) * (1.0 + (std::f64::consts::PI * part.clamp(0.0, 1.0)).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(schedule: Schedule, epochs: usize, per_epoch: usize) -> Vec<f64> {
        let steps = epochs * per_epoch;
        (0..steps)
            .map(|step| {
                schedule.factor(TrainingProgress { step, steps, steps_per_epoch: per_epoch })
            })
            .collect()
    }

    fn close(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{got:?}");
    }

    #[test]
    fn each_shape_has_its_factors() {
        close(&factors(Schedule::constant(), 2, 2), &[1.0; 4]);
        close(&factors(Schedule::step(2, 0.1), 5, 1), &[1.0, 1.0, 0.1, 0.1, 0.01]);
        close(&factors(Schedule::exponential(0.25), 2, 2), &[1.0, 0.5, 0.25, 0.125]);
        close(&factors(Schedule::linear(0.0), 4, 1), &[1.0, 0.75, 0.5, 0.25]);
        close(&factors(Schedule::cosine(), 2, 1), &[1.0, 0.5]);
        close(&factors(Schedule::cosine_cycles(2), 2, 2), &[1.0, 0.5, 1.0, 0.5]);
        let warm = factors(Schedule::linear(0.0).warm_up(2), 4, 2);
        close(&warm, &[0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]);
        let half = factors(Schedule::constant().warm_up(2).warm_up_from(0.5), 3, 2);
        close(&half, &[0.625, 0.75, 0.875, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn factors_stay_in_range_in_short_trainings() {
        for schedule in
            [Schedule::one_cycle(), Schedule::cosine().warm_up(3), Schedule::linear(0.0)]
        {
            for epochs in 1..6 {
                let all = factors(schedule.clone(), epochs, 1);
                assert!(all.iter().all(|f| (0.0..=1.0).contains(f)), "{schedule:?} {all:?}");
            }
        }
    }

    #[test]
    fn a_function_is_given_the_current_learning_rate() {
        fn halved(epoch: usize, rate: f64) -> f64 {
            if epoch == 0 { rate } else { rate / 2.0 }
        }
        let schedule = Schedule::function(halved);
        let rates = (0..3).scan(0.8, |rate, epoch| {
            *rate = schedule.epoch_learning_rate(epoch, *rate).unwrap();
            Some(*rate)
        });
        close(&rates.collect::<Vec<_>>(), &[0.8, 0.4, 0.2]);
        let broken = Schedule::function(|_, _| f64::NAN).epoch_learning_rate(1, 0.1).unwrap_err();
        assert!(
            broken.to_string().contains("got NaN for epoch 1 and learning rate 0.1"),
            "{broken}"
        );
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert!(Schedule::step(0, 0.1).check().is_err());
        assert!(Schedule::exponential(f64::NAN).check().is_err());
        assert!(Schedule::cosine_cycles(0).check().is_err());
        assert!(Schedule::constant().warm_up(2).warm_up_from(1.5).check().is_err());
        assert!(Schedule::one_cycle().check().is_ok());
    }
}
