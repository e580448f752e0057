//! What the reader sees while something is computed in steps.

use crate::display::{Content, Live};
use std::time::{Duration, Instant};

/// At most five updates a second.
const INTERVAL: Duration = Duration::from_millis(200);
/// Where the page cannot change, a line as often as this.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// One line that changes in place; nothing for what is done within a blink.
pub(super) struct Steps {
    live: Option<Live>,
    what: String,
    unit: &'static str,
    total: usize,
    begun: Instant,
    shown: Instant,
}

impl Steps {
    /// `total` steps of `what`, counted in `unit`.
    pub(super) fn new(what: impl Into<String>, unit: &'static str, total: usize) -> Steps {
        let now = Instant::now();
        Steps { live: Live::new(), what: what.into(), unit, total, begun: now, shown: now }
    }

    /// So many steps are done; `more` is asked only when it will be shown.
    pub(super) fn done(&mut self, done: usize, more: impl FnOnce() -> String) {
        let interval = if self.live.is_some() { INTERVAL } else { LINE_INTERVAL };
        if self.shown.elapsed() < interval {
            return;
        }
        self.shown = Instant::now();
        let left = self.begun.elapsed().as_secs_f64() * (self.total as f64 / done as f64 - 1.0);
        let line = format!(
            "{}: {} {done} of {}{}, {:.0} s left",
            self.what,
            self.unit,
            self.total,
            more(),
            left.max(0.0).ceil()
        );
        self.say(&line);
    }

    /// The last line, where there was one before.
    pub(super) fn finish(mut self, note: &str) {
        if self.shown > self.begun && self.live.is_some() {
            let seconds = self.begun.elapsed().as_secs_f64();
            self.say(&format!("{}: {note}, {seconds:.1} s", self.what));
        }
    }

    fn say(&mut self, line: &str) {
        match &mut self.live {
            Some(live) => live.update(&Content::text(line)),
            None => println!("{line}"),
        }
    }
}
