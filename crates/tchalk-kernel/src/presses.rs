//! What the presses of the stop button mean for one cell.

use std::time::{Duration, Instant};

/// A press so soon after the first one is a double click, or an impatient hand.
const SAME_PRESS: Duration = Duration::from_secs(1);

/// What shall be done at a press.
#[derive(Debug, PartialEq)]
pub(crate) enum Wish {
    /// Ask the cell to end at its next step.
    EndGently,
    /// End the cell's process.
    EndProcess,
    Nothing,
}

/// The presses since the cell began.
#[derive(Debug, Default)]
pub(crate) struct Presses {
    first: Option<Instant>,
    /// The process has been ended; the one that takes its place has nothing to be stopped for.
    ended: bool,
    /// The first one ended a build.
    pub(crate) stopped_build: bool,
}

impl Presses {
    pub(crate) fn press(&mut self, now: Instant) -> Wish {
        match self.first {
            None => {
                self.first = Some(now);
                Wish::EndGently
            }
            Some(_) if self.ended => Wish::Nothing,
            Some(first) if now.saturating_duration_since(first) < SAME_PRESS => Wish::Nothing,
            Some(_) => {
                self.ended = true;
                Wish::EndProcess
            }
        }
    }

    /// Whether the reader has pressed stop.
    pub(crate) fn any(&self) -> bool {
        self.first.is_some()
    }

    /// Whether a gentle stop has not been heeded for so long.
    pub(crate) fn waited(&self, patience: Duration) -> bool {
        !self.ended && self.first.is_some_and(|first| first.elapsed() >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presses(seconds: &[f64]) -> Vec<Wish> {
        let (mut presses, begun) = (Presses::default(), Instant::now());
        seconds.iter().map(|&at| presses.press(begun + Duration::from_secs_f64(at))).collect()
    }

    #[test]
    fn a_double_click_is_one_press() {
        assert_eq!(presses(&[0.0, 0.2, 0.9]), [Wish::EndGently, Wish::Nothing, Wish::Nothing]);
    }

    #[test]
    fn a_second_press_counts_however_late_it_comes() {
        for later in [1.5, 5.0, 11.0, 600.0] {
            assert_eq!(presses(&[0.0, later]), [Wish::EndGently, Wish::EndProcess]);
        }
    }

    #[test]
    fn the_process_is_ended_once() {
        assert_eq!(presses(&[0.0, 2.0, 4.0]).last(), Some(&Wish::Nothing));
    }
}
