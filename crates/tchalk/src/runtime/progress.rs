//! The progress of a long operation: one line that is updated in place.

use crate::display::{Content, Live};
use crate::text::{bytes, duration, escape_html, thousands};
use std::time::{Duration, Instant};

/// The interval of updates.
pub(crate) const INTERVAL: Duration = Duration::from_millis(200);
/// The interval of lines where outputs cannot be replaced.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// A shorter operation shows nothing.
const DELAY: Duration = Duration::from_millis(700);

/// The unit of progress.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes of a file.
    Bytes,
    /// Items with this name, in the plural.
    Count(&'static str),
}

/// A line with a bar, a rate and the remaining time. Where outputs cannot be replaced, it is printed every
/// ten seconds.
pub(crate) struct Progress {
    what: String,
    unit: Unit,
    total: Option<u64>,
    live: Option<Live>,
    begun: Instant,
    shown: Option<Instant>,
    /// Time and count at which the measurement of the rate began.
    first: Option<(Instant, u64)>,
}

impl Progress {
    /// The progress of `what` in `unit`, of an unknown total. Nothing is shown yet.
    pub(crate) fn new(what: impl Into<String>, unit: Unit) -> Progress {
        let (what, begun) = (what.into(), Instant::now());
        // A download may resume an earlier one, so its rate is measured from the first update.
        let first = (unit != Unit::Bytes).then_some((begun, 0));
        Progress { what, unit, total: None, live: None, begun, shown: None, first }
    }

    /// The progress of `what` over `total` items.
    pub(crate) fn of(what: impl Into<String>, things: &'static str, total: usize) -> Progress {
        let mut progress = Progress::new(what, Unit::Count(things));
        progress.total = Some(total as u64);
        progress
    }

    /// Sets the total, if it is known.
    pub(crate) fn set_total(&mut self, total: Option<u64>) {
        self.total = total;
    }

    /// Starts the measurement of the rate again, after a pause.
    pub(crate) fn restart_rate(&mut self) {
        self.first = None;
    }

    /// Updates the line: `done` items are done.
    pub(crate) fn done(&mut self, done: usize) {
        self.done_with(done, String::new);
    }

    /// The same with more text, which is only computed if it is shown.
    pub(crate) fn done_with(&mut self, done: usize, more: impl FnOnce() -> String) {
        let done = done as u64;
        let (began, before) = *self.first.get_or_insert((Instant::now(), done));
        let interval = if self.live.is_some() { INTERVAL } else { LINE_INTERVAL };
        let due = self.shown.map_or(self.begun.elapsed() >= DELAY, |at| at.elapsed() >= interval);
        if due {
            let recent = (done.saturating_sub(before), began.elapsed().as_secs_f64());
            let line = line(&self.what, self.unit, done, self.total, recent);
            self.print(&format!("{line}{}", more()));
        }
    }

    /// Shows a sentence instead of the numbers.
    pub(crate) fn note(&mut self, text: &str) {
        let text = format!("{}: {text}", self.what);
        self.print(&text);
    }

    /// Leaves a last line, if anything was shown before. Without it the line disappears.
    pub(crate) fn finish(mut self, text: &str) {
        if self.shown.is_some() {
            let seconds = duration(self.begun.elapsed().as_secs_f64());
            let text = format!("{}: {text}, {seconds}", self.what);
            self.print(&text);
            self.live = None;
        }
    }

    fn print(&mut self, text: &str) {
        if self.shown.replace(Instant::now()).is_none() {
            self.live = Live::new();
        }
        match &mut self.live {
            Some(live) => {
                let html = format!("<pre style=\"margin:0\">{}</pre>", escape_html(text));
                live.update(&Content::html(text, html));
            }
            None => println!("{text}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(live) = &mut self.live {
            live.update(&Content::html("", ""));
        }
    }
}

/// `mnist.gz  ━━━━━━──────────────  3.1 of 9.9 MB  1.2 MB/s  6 s left`
fn line(
    what: &str,
    unit: Unit,
    done: u64,
    total: Option<u64>,
    (recent, seconds): (u64, f64),
) -> String {
    let rate = if seconds > 0.2 { recent as f64 / seconds } else { 0.0 };
    let amount = |count: u64| match unit {
        Unit::Bytes => bytes(count),
        Unit::Count(_) => thousands(count),
    };
    let (things, speed) = match unit {
        Unit::Bytes if rate > 0.0 => (String::new(), format!("  {}/s", bytes(rate as u64))),
        Unit::Bytes => (String::new(), String::new()),
        Unit::Count(things) => (format!(" {things}"), String::new()),
    };
    match total.filter(|&total| total > 0) {
        Some(total) => {
            let left = match rate > 0.0 {
                true => {
                    format!("  {} left", duration(total.saturating_sub(done) as f64 / rate))
                }
                false => String::new(),
            };
            let (bar, done) = (bar(done as f64 / total as f64), amount(done));
            format!("{what}  {bar}  {done} of {}{things}{speed}{left}", amount(total))
        }
        None => format!("{what}  {}{things}{speed}", amount(done)),
    }
}

/// A bar of twenty characters.
pub(crate) fn bar(fraction: f64) -> String {
    let filled = ((20.0 * fraction).round() as usize).min(20);
    format!("{}{}", "━".repeat(filled), "─".repeat(20 - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_amount_rate_and_remaining_time() {
        let text = line("a.gz", Unit::Bytes, 40_000_000, Some(160_000_000), (20_000_000, 10.0));
        assert_eq!(text, "a.gz  ━━━━━───────────────  40 MB of 160 MB  2.0 MB/s  1 min 0 s left");
        assert_eq!(line("a.gz", Unit::Bytes, 512_000, None, (0, 0.0)), "a.gz  512 kB");
        let text = line("t-SNE", Unit::Count("steps"), 1_500, Some(1_000), (1_500, 2.0));
        assert_eq!(text, "t-SNE  ━━━━━━━━━━━━━━━━━━━━  1,500 of 1,000 steps  0 s left");
    }

    #[test]
    fn the_bar_has_a_constant_width() {
        for fraction in [0.0, 0.33, 1.0, 1.5] {
            assert_eq!(bar(fraction).chars().count(), 20);
        }
    }
}
