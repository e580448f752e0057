//! What the reader sees while something is being found out.

use crate::display::{Content, Live};
use std::time::{Duration, Instant};

/// At most five updates a second.
const INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Progress {
    live: Option<Live>,
    what: String,
    total: usize,
    begun: Instant,
    shown: Instant,
}

impl Progress {
    pub(super) fn new(what: impl Into<String>, total: usize) -> Progress {
        let now = Instant::now();
        Progress { live: Live::new(), what: what.into(), total, begun: now, shown: now }
    }

    /// So much is done.
    pub(super) fn done(&mut self, count: usize) {
        let Some(live) = &mut self.live else { return };
        if self.shown.elapsed() < INTERVAL || count == 0 {
            return;
        }
        self.shown = Instant::now();
        let left = self.begun.elapsed().as_secs_f64() * (self.total as f64 / count as f64 - 1.0);
        let (what, total) = (&self.what, self.total);
        live.update(&Content::text(format!("{what}: {count} of {total}, {left:.0} s left")));
    }
}

impl Drop for Progress {
    /// What was found takes the place of the progress.
    fn drop(&mut self) {
        if self.shown > self.begun
            && let Some(live) = &mut self.live
        {
            let took = self.begun.elapsed().as_secs_f64();
            live.update(&Content::text(format!("{}: {took:.0} s", self.what)));
        }
    }
}
