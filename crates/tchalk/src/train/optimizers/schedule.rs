//! How the learning rate changes while training goes on.

use crate::error::{Error, Result};

/// How the learning rate changes while training goes on: given to
/// [`Fit::schedule`](crate::train::Fit::schedule).
///
/// A schedule multiplies the rate that the optimizer was made with, step by step, so that its shape
/// does not depend on the batch size. [`Schedule::function`] takes a function of your own.
///
/// ```
/// use tchalk::prelude::*;
/// // The rate climbs to its full size in three epochs, then falls along a cosine.
/// let fit = Fit::new().epochs(25).schedule(Schedule::cosine().warm_up(3));
///
/// fn halved_every_ten(epoch: usize, rate: f64) -> f64 {
///     if epoch > 0 && epoch % 10 == 0 { rate / 2.0 } else { rate }
/// }
/// let fit = Fit::new().epochs(25).schedule(Schedule::function(halved_every_ten));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    shape: Shape,
    /// So many epochs at the beginning, in which the rate climbs.
    warm_up: usize,
    /// From this part of the full rate on.
    warm_up_from: f64,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Constant,
    Step { every: usize, factor: f64 },
    Exponential { factor: f64 },
    Linear { to: f64 },
    Cosine { to: f64, cycles: usize },
    OneCycle { climb: f64, from: f64, to: f64 },
    Function(fn(usize, f64) -> f64),
}

impl PartialEq for Shape {
    fn eq(&self, other: &Shape) -> bool {
        // A function is known by its address, which is all that is written of it.
        format!("{self:?}") == format!("{other:?}")
    }
}

/// How far training is: `step` steps of `steps` in all, `per_epoch` of them to an epoch.
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

    /// The rate stays as it is.
    pub fn constant() -> Schedule {
        Schedule::new(Shape::Constant)
    }

    /// Every so many epochs the rate is multiplied by `factor`.
    pub fn step(every: usize, factor: f64) -> Schedule {
        Schedule::new(Shape::Step { every, factor })
    }

    /// The rate is multiplied by `factor` in the course of every epoch, a little at each step.
    pub fn exponential(factor: f64) -> Schedule {
        Schedule::new(Shape::Exponential { factor })
    }

    /// The rate goes in a straight line to `to` times its value at the end of training.
    pub fn linear(to: f64) -> Schedule {
        Schedule::new(Shape::Linear { to })
    }

    /// The rate falls along half a wave of the cosine, to 0 at the end (Loshchilov and Hutter 2017).
    pub fn cosine() -> Schedule {
        Schedule::new(Shape::Cosine { to: 0.0, cycles: 1 })
    }

    /// The cosine again and again: `cycles` times in the course of training the rate falls, and
    /// jumps back. What is found at the end of each fall makes a good member of an ensemble.
    pub fn cosine_cycles(cycles: usize) -> Schedule {
        Schedule::new(Shape::Cosine { to: 0.0, cycles })
    }

    /// The rate climbs from a twenty-fifth to its full value in the first three tenths of training,
    /// and falls to nearly nothing in the rest (Smith 2018), both along cosines. Choose a rate that
    /// is the highest training can bear.
    pub fn one_cycle() -> Schedule {
        Schedule::new(Shape::OneCycle { climb: 0.3, from: 1.0 / 25.0, to: 1.0 / 25e4 })
    }

    /// A function of your own, asked at the beginning of each epoch: given the number of the epoch,
    /// counted from 0, and the rate so far, it returns the new rate. Keras's `LearningRateScheduler`.
    pub fn function(rate: fn(usize, f64) -> f64) -> Schedule {
        Schedule::new(Shape::Function(rate))
    }

    /// Before all that, the rate climbs in a straight line to its full value in so many epochs, so
    /// that large batches and fresh weights do not run away (Goyal et al. 2017). What follows is
    /// stretched over the epochs that are left.
    pub fn warm_up(mut self, epochs: usize) -> Schedule {
        self.warm_up = epochs;
        self
    }

    /// The part of the full rate, 0 to 1, from which the warm-up climbs, instead of 0. With a rate that
    /// was made `n` times as large for a batch `n` times as large, `1.0 / n` begins with the rate of
    /// the small batch.
    pub fn warm_up_from(mut self, part: f64) -> Schedule {
        self.warm_up_from = part;
        self
    }

    /// The rate at each step of a training of so many epochs, of so many steps each, that begins with
    /// `rate`: to look at before training.
    ///
    /// # Errors
    ///
    /// If the schedule's numbers make no sense.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let rates = Schedule::step(2, 0.1).rates(1.0, 4, 1)?;
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

    /// Whether the numbers make sense.
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

    /// The rate with which the epoch begins, where a function decides it.
    pub(crate) fn epoch_learning_rate(&self, epoch: usize, learning_rate: f64) -> Result<f64> {
        let Shape::Function(function) = self.shape else { return Ok(learning_rate) };
        let new = function(epoch, learning_rate);
        if new.is_finite() && new >= 0.0 {
            return Ok(new);
        }
        let got = format!("{new} for epoch {epoch} and rate {learning_rate}");
        Err(Error::invalid("Schedule::function", "a learning rate of 0 or more", got, ""))
    }

    /// What the rate is multiplied by at a step.
    pub(crate) fn factor(&self, at: TrainingProgress) -> f64 {
        let climbing = self.warm_up * at.steps_per_epoch;
        if at.step < climbing {
            let climbed = (at.step + 1) as f64 / climbing as f64;
            return self.warm_up_from + (1.0 - self.warm_up_from) * climbed;
        }
        let step = (at.step - climbing) as f64;
        let steps = at.steps.saturating_sub(climbing).max(1) as f64;
        let epoch = step / at.steps_per_epoch as f64;
        match self.shape {
            Shape::Constant | Shape::Function(_) => 1.0,
            Shape::Step { every, factor } => factor.powf((epoch / every as f64).floor()),
            Shape::Exponential { factor } => factor.powf(epoch),
            Shape::Linear { to } => 1.0 + (to - 1.0) * (step / steps),
            Shape::Cosine { to, cycles } => {
                cosine_between(1.0, to, (step / steps * cycles as f64).fract())
            }
            Shape::OneCycle { climb, from, to } => {
                let (top, end) = (climb * steps - 1.0, steps - 1.0);
                if step <= top {
                    cosine_between(from, 1.0, step / top)
                } else {
                    cosine_between(1.0, to, (step - top) / (end - top))
                }
            }
        }
    }
}

/// From `a` to `b` along half a wave of the cosine.
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
    fn shapes_are_what_they_are_called() {
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
    fn no_shape_leaves_its_range_however_short_training_is() {
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
    fn a_function_is_asked_with_the_rate_so_far() {
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
        assert!(broken.to_string().contains("got NaN for epoch 1 and rate 0.1"), "{broken}");
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        assert!(Schedule::step(0, 0.1).check().is_err());
        assert!(Schedule::exponential(f64::NAN).check().is_err());
        assert!(Schedule::cosine_cycles(0).check().is_err());
        assert!(Schedule::constant().warm_up(2).warm_up_from(1.5).check().is_err());
        assert!(Schedule::one_cycle().check().is_ok());
    }
}
