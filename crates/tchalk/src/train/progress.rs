//! What the reader sees while a network learns: one display that changes in place, or, where there
//! is no live page, a line for each epoch.

use super::History;
use crate::display::{Content, Live, Show};
use std::time::{Duration, Instant};

/// At most five updates a second.
const INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Progress {
    live: Option<Live>,
    epochs: usize,
    steps: usize,
    notes: Vec<String>,
    /// The finished epochs, as a table.
    table: Option<Content>,
    begun: Instant,
    shown: Instant,
}

impl Progress {
    pub(super) fn new(epochs: usize, steps: usize, notes: Vec<String>) -> Progress {
        let now = Instant::now();
        let live = Live::new();
        if live.is_none() {
            notes.iter().for_each(|note| println!("{note}"));
        }
        Progress { live, epochs, steps, notes, table: None, begun: now, shown: now }
    }

    /// Whether it is time to show where training is.
    pub(super) fn wants_update(&self) -> bool {
        self.live.is_some() && self.shown.elapsed() >= INTERVAL
    }

    pub(super) fn step_done(&mut self, epoch: usize, step: usize, loss: f64, accuracy: f64) {
        self.shown = Instant::now();
        let done = ((epoch - 1) * self.steps + step) as f64;
        let total = (self.epochs * self.steps) as f64;
        let left = self.begun.elapsed().as_secs_f64() * (total - done) / done;
        let line = format!(
            "epoch {epoch}/{}  {}  step {step}/{}  loss {loss:.4}  accuracy {accuracy:.4}  {} left",
            self.epochs,
            bar(step as f64 / self.steps as f64),
            self.steps,
            duration_text(left),
        );
        self.update(&line);
    }

    pub(super) fn epoch_done(&mut self, history: &History) {
        match (&self.live, history.epochs.last()) {
            (Some(_), _) => {
                self.table = Some(history.content());
                self.shown = Instant::now();
                self.update("");
            }
            (None, Some(epoch)) => {
                let optional = |name, value: Option<f64>| {
                    value.map_or(String::new(), |value| format!("  {name} {value:.4}"))
                };
                println!(
                    "epoch {}/{}  loss {:.4}  accuracy {:.4}{}{}  {:.1} s",
                    epoch.number,
                    self.epochs,
                    epoch.loss,
                    epoch.accuracy,
                    optional("val_loss", epoch.val_loss),
                    optional("val_accuracy", epoch.val_accuracy),
                    epoch.seconds,
                );
            }
            (None, None) => {}
        }
    }

    /// Leaves the table of epochs on the page.
    pub(super) fn finish(&mut self, history: &History) {
        if let Some(live) = &mut self.live {
            live.update(&history.content());
        } else {
            let told = self.notes.len();
            history.notes[told..].iter().for_each(|note| println!("{note}"));
        }
    }

    fn update(&mut self, line: &str) {
        let Some(live) = &mut self.live else { return };
        let mut plain = self.notes.join("\n");
        let mut html = String::new();
        match &self.table {
            Some(table) => {
                plain = table.plain();
                html.push_str(&table.as_html().unwrap_or_default());
            }
            None => {
                for note in &self.notes {
                    html.push_str(&format!("<div>{}</div>", crate::display::escape(note)));
                }
            }
        }
        if !line.is_empty() {
            plain = format!("{plain}\n{line}");
            html.push_str(&format!(
                "<pre style=\"margin:0.5em 0 0\">{}</pre>",
                crate::display::escape(line)
            ));
        }
        live.update(&Content::html(plain.trim_start().to_owned(), html));
    }
}

/// Twenty characters, filled as far as the work is done.
fn bar(fraction: f64) -> String {
    let filled = (20.0 * fraction).round() as usize;
    format!("{}{}", "━".repeat(filled.min(20)), "─".repeat(20 - filled.min(20)))
}

/// `9 s`, `3 min 20 s`, `1 h 5 min`.
fn duration_text(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
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
    fn times_read_like_times() {
        assert_eq!(duration_text(8.6), "9 s");
        assert_eq!(duration_text(200.0), "3 min 20 s");
        assert_eq!(duration_text(3900.0), "1 h 5 min");
    }

    #[test]
    fn the_bar_has_one_width() {
        for fraction in [0.0, 0.33, 1.0, 1.5] {
            assert_eq!(bar(fraction).chars().count(), 20);
        }
    }
}
