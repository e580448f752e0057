//! A linear axis: the position of a value, and ticks at round numbers.

use crate::text::thousands;

/// A linear axis from `low` to `high` with ticks at round numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// An axis that shows all of `low` to `high`, with about `ticks` ticks. It ends where the values
    /// end; `rounded` makes it end at ticks instead.
    pub(super) fn new(low: f64, high: f64, ticks: usize) -> Axis {
        let (low, high) = match () {
            _ if !(low.is_finite() && high.is_finite()) => (0.0, 1.0),
            // A single value gets some room on both sides.
            _ if high - low <= f64::EPSILON * low.abs().max(high.abs()) => {
                let room = if low == 0.0 { 0.5 } else { 0.05 * low.abs() };
                (low - room, high + room)
            }
            _ => (low, high),
        };
        Axis { low, high, step: round_step((high - low) / ticks.max(1) as f64) }
    }

    /// The same axis, ending at ticks.
    pub(super) fn rounded(mut self) -> Axis {
        self.low = (self.low / self.step + 1e-9).floor() * self.step;
        self.high = (self.high / self.step - 1e-9).ceil() * self.step;
        self
    }

    /// The same axis, with ticks at whole numbers only.
    pub(super) fn integer_ticks(mut self) -> Axis {
        self.step = round_step(self.step.max(1.0)).round();
        self
    }

    /// Where the ticks are, and what is written beside them.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let decimals = (-self.step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize;
        let first = (self.low / self.step - 1e-9).ceil() as i64;
        let last = (self.high / self.step + 1e-9).floor() as i64;
        (first..=last)
            .map(|n| {
                let value = n as f64 * self.step;
                let text = match decimals {
                    0 => thousands(value.round()),
                    _ => format!("{value:.decimals$}"),
                };
                (value, text)
            })
            .collect()
    }

    /// How far along the axis a value is, from 0 to 1.
    pub(super) fn fraction(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// The next of 1, 2, 2.5, 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = least / power;
    // 2.5 only where it does not ask for one more decimal than the rest.
    let steps: &[f64] =
        if power >= 10.0 { &[1.0, 2.0, 2.5, 5.0, 10.0] } else { &[1.0, 2.0, 5.0, 10.0] };
    power * steps.iter().copied().find(|step| *step >= factor - 1e-9).unwrap_or(10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_range() {
        assert_eq!(labels(&Axis::new(0.0, 256.0, 6)), ["0", "50", "100", "150", "200", "250"]);
        assert_eq!(labels(&Axis::new(0.31, 0.72, 4)), ["0.4", "0.6"]);
        assert_eq!(labels(&Axis::new(0.31, 0.72, 4).rounded()), ["0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(&Axis::new(1.0, 3.0, 8).integer_ticks()), ["1", "2", "3"]);
        assert_eq!(labels(&Axis::new(0.0, 50_000.0, 2)), ["0", "25,000", "50,000"]);
    }

    #[test]
    fn odd_ranges_still_make_an_axis() {
        for (low, high) in [(1.0, 1.0), (0.0, 0.0), (f64::NAN, f64::NAN), (-3.0, -3.0)] {
            let axis = Axis::new(low, high, 4).rounded();
            assert!(axis.ticks().len() >= 2, "{low} to {high}: {axis:?}");
        }
    }
}
