//! The time that a budget gives a training.

use std::time::{Duration, Instant};

/// The seconds that are measured before the rest is planned.
const MEASURED_SECONDS: f64 = 2.0;
/// The part of the time that is planned. The rest is a reserve.
const PLANNED_PART: f64 = 0.8;

/// Measures the speed of a training against its time limit.
#[derive(Debug)]
pub(crate) struct BudgetClock {
    begun: Instant,
    time: Duration,
    /// The first step takes longer than others, so measuring starts after it.
    measured_from: Option<Instant>,
    /// The [work units](crate::runtime::budget::work_units) since then.
    done: f64,
    read: bool,
}

impl BudgetClock {
    pub(crate) fn new(begun: Instant, time: Duration) -> BudgetClock {
        BudgetClock { begun, time, measured_from: None, done: 0.0, read: false }
    }

    /// Whether the time is up.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.begun) > self.time
    }

    /// The seconds that may be planned.
    pub(crate) fn planned_seconds(&self) -> f64 {
        self.time.as_secs_f64() * PLANNED_PART
    }

    /// Counts work that was done until now.
    pub(crate) fn worked(&mut self, work: f64, now: Instant) {
        match self.measured_from {
            Some(_) => self.done += work,
            None => self.measured_from = Some(now),
        }
    }

    /// The seconds that a work unit takes. Returned once, when enough was measured.
    pub(crate) fn seconds_per_unit(&mut self, now: Instant) -> Option<f64> {
        let seconds = now.duration_since(self.measured_from?).as_secs_f64();
        let due = !self.read && self.done > 0.0 && seconds >= MEASURED_SECONDS;
        self.read |= due;
        due.then(|| seconds / self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_not_measured_and_the_others_are_once() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut clock = BudgetClock::new(begun, Duration::from_secs(150));
        let mut step = |millis| {
            clock.worked(32.0, at(millis));
            clock.seconds_per_unit(at(millis))
        };
        assert_eq!([step(900), step(1_900), step(2_899)], [None; 3]);
        assert_eq!(step(3_300), Some(2.4 / 96.0));
        assert_eq!(step(9_000), None);
        assert_eq!(clock.planned_seconds(), 120.0);
        assert!(!clock.is_over(at(150_000)) && clock.is_over(at(150_001)));
    }
}
