//! What an interrupt does, depending on those before it in the same cell.

use std::time::{Duration, Instant};

/// A second interrupt this soon after the first one is a double click.
const DOUBLE_CLICK: Duration = Duration::from_secs(1);

/// What to do on an interrupt.
#[derive(Debug, PartialEq)]
pub enum InterruptAction {
    /// Ask the cell to end at its next step.
    Signal,
    /// End the cell process.
    KillProcess,
    Ignore,
}

/// The interrupts since the cell began.
#[derive(Debug, Default)]
pub struct InterruptState {
    first: Option<Instant>,
    /// The process was killed; the new one has nothing to interrupt.
    killed: bool,
    /// The first interrupt ended a build.
    pub build_ended: bool,
}

impl InterruptState {
    pub fn interrupt(&mut self, now: Instant) -> InterruptAction {
        match self.first {
            None => {
                self.first = Some(now);
                InterruptAction::Signal
            }
            Some(_) if self.killed => InterruptAction::Ignore,
            Some(first) if now.saturating_duration_since(first) < DOUBLE_CLICK => {
                InterruptAction::Ignore
            }
            Some(_) => {
                self.killed = true;
                InterruptAction::KillProcess
            }
        }
    }

    /// Whether the cell was interrupted.
    pub fn is_interrupted(&self) -> bool {
        self.first.is_some()
    }

    /// Whether the cell has not reacted to a signal for this long.
    pub fn is_overdue(&self, timeout: Duration) -> bool {
        !self.killed && self.first.is_some_and(|first| first.elapsed() >= timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(seconds: &[f64]) -> Vec<InterruptAction> {
        let (mut state, begun) = (InterruptState::default(), Instant::now());
        seconds.iter().map(|&at| state.interrupt(begun + Duration::from_secs_f64(at))).collect()
    }

    #[test]
    fn a_double_click_is_one_interrupt() {
        assert_eq!(
            actions(&[0.0, 0.2, 0.9]),
            [InterruptAction::Signal, InterruptAction::Ignore, InterruptAction::Ignore]
        );
    }

    #[test]
    fn a_later_interrupt_kills_the_process() {
        for later in [1.5, 5.0, 11.0, 600.0] {
            assert_eq!(
                actions(&[0.0, later]),
                [InterruptAction::Signal, InterruptAction::KillProcess]
            );
        }
    }

    #[test]
    fn the_process_is_killed_once() {
        assert_eq!(actions(&[0.0, 2.0, 4.0]).last(), Some(&InterruptAction::Ignore));
    }
}
