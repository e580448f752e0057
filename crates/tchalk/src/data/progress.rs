//! What the reader sees while files are fetched or read: one line that changes in place.

use crate::display::{Content, Live, escape};
use std::time::{Duration, Instant};

/// At most five updates a second.
const INTERVAL: Duration = Duration::from_millis(200);
/// What is over sooner than this shows nothing.
const QUIET: Duration = Duration::from_millis(700);

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Pictures,
}

/// A line with a bar, a rate and the time left. Where the page cannot change, one line when it
/// begins to take long.
pub(crate) struct Progress {
    what: String,
    unit: Unit,
    live: Option<Live>,
    begun: Instant,
    shown: Option<Instant>,
    /// What was there when the rate began to be measured.
    first: Option<(Instant, u64)>,
}

impl Progress {
    /// Nothing is shown yet.
    pub(crate) fn new(what: impl Into<String>, unit: Unit) -> Progress {
        let (what, begun) = (what.into(), Instant::now());
        Progress { what, unit, live: None, begun, shown: None, first: None }
    }

    /// Measures the rate anew, after a break.
    pub(crate) fn start_over(&mut self) {
        self.first = None;
    }

    /// `done` of `total` so far.
    pub(crate) fn update(&mut self, done: u64, total: Option<u64>) {
        let (began, before) = *self.first.get_or_insert((Instant::now(), done));
        let pause = self.shown.map_or(self.begun.elapsed() >= QUIET, |at| at.elapsed() >= INTERVAL);
        if pause {
            let seconds = began.elapsed().as_secs_f64();
            self.say(&line(&self.what, self.unit, done, total, (done - before.min(done), seconds)));
        }
    }

    /// A sentence in place of the numbers.
    pub(crate) fn note(&mut self, text: &str) {
        let text = format!("{}: {text}", self.what);
        self.say(&text);
    }

    /// The last word, only where something was shown before.
    pub(crate) fn finish(&mut self, text: &str) {
        if self.shown.is_some() {
            let text = format!("{}: {text}", self.what);
            match &mut self.live {
                Some(_) => self.say(&text),
                None => println!("{text}"),
            }
        }
    }

    fn say(&mut self, text: &str) {
        if self.shown.replace(Instant::now()).is_none() {
            self.live = Live::new();
            if self.live.is_none() {
                println!("{text}");
            }
        }
        if let Some(live) = &mut self.live {
            let html = format!("<pre style=\"margin:0\">{}</pre>", escape(text));
            live.update(&Content::html(text, html));
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
    let speed = match unit {
        _ if rate == 0.0 => String::new(),
        Unit::Bytes => format!("  {}/s", amount(rate, unit)),
        Unit::Pictures => format!("  {rate:.0} a second"),
    };
    match total.filter(|&total| total > 0) {
        Some(total) => {
            let filled = ((20 * done.min(total) + total / 2) / total) as usize;
            let bar = format!("{}{}", "━".repeat(filled), "─".repeat(20 - filled));
            let left = match (rate > 0.0).then(|| total.saturating_sub(done) as f64 / rate) {
                Some(left) => format!("  {} left", duration(left)),
                None => String::new(),
            };
            let (done, total) = (amount(done as f64, unit), amount(total as f64, unit));
            format!("{what}  {bar}  {done} of {total}{speed}{left}")
        }
        None => format!("{what}  {}{speed}", amount(done as f64, unit)),
    }
}

/// `512 kB`, `9.9 MB`, `162 MB`; pictures are just counted.
fn amount(count: f64, unit: Unit) -> String {
    match unit {
        Unit::Pictures => crate::plot::thousands(count),
        Unit::Bytes => bytes(count as u64),
    }
}

/// `512 kB`, `9.9 MB`, `162 MB`.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", count as f64 / 1e3),
        1_000_000..10_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.0} MB", count as f64 / 1e6),
    }
}

/// `9 s`, `3 min 20 s`, `1 h 5 min`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.clamp(0.0, 1e7).round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_amount_rate_and_time_left() {
        let text = line("a.gz", Unit::Bytes, 40_000_000, Some(160_000_000), (20_000_000, 10.0));
        assert_eq!(text, "a.gz  ━━━━━───────────────  40 MB of 160 MB  2.0 MB/s  1 min 0 s left");
        assert_eq!(line("a.gz", Unit::Bytes, 512_000, None, (0, 0.0)), "a.gz  512 kB");
        let text = line("bees", Unit::Pictures, 30, Some(20), (30, 2.0));
        assert_eq!(text, "bees  ━━━━━━━━━━━━━━━━━━━━  30 of 20  15 a second  0 s left");
    }
}
