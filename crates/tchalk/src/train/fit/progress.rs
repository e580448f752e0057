//! The progress of a training on the page: a display that is updated in place, or a line for each epoch
//! where there is no live page.

use crate::display::{Content, Live, Show};
use crate::runtime::progress::{INTERVAL, bar};
use crate::text::{duration, escape_html};
use crate::train::callbacks::run::Run;
use crate::train::measure::note::Note;
use crate::train::{Epoch, History};
use std::time::Instant;

pub(crate) struct ProgressDisplay {
    live: Option<Live>,
    /// The number of notes that are on the page already.
    notes_shown: usize,
    first: usize,
    started: Instant,
    shown: Option<Instant>,
    /// The curves so far, and below them the last finished epoch.
    curves: Option<Content>,
    notes: Vec<Note>,
}

impl ProgressDisplay {
    pub(crate) fn new(run: &Run) -> ProgressDisplay {
        let live = Live::new();
        let notes = run.history.notes();
        if live.is_none() {
            notes.iter().for_each(|note| println!("{note}"));
        }
        ProgressDisplay {
            live,
            notes_shown: notes.len(),
            first: run.epoch,
            started: Instant::now(),
            shown: None,
            curves: None,
            notes,
        }
    }

    /// Adds a note during the training.
    pub(crate) fn note(&mut self, note: &Note) {
        if self.live.is_none() {
            println!("{note}");
        }
        self.notes.push(note.clone());
        self.notes_shown += 1;
    }

    /// Whether it is time to update the display.
    pub(crate) fn wants_update(&self) -> bool {
        self.live.is_some() && self.is_due()
    }

    fn is_due(&self) -> bool {
        self.shown.unwrap_or(self.started).elapsed() >= INTERVAL
    }

    pub(crate) fn step_done(&mut self, run: &Run, loss: f64, accuracy: f64) {
        let done = ((run.epoch - 1 - self.first) * run.steps + run.step) as f64;
        let total = ((run.epochs - self.first) * run.steps) as f64;
        let left = self.started.elapsed().as_secs_f64() * (total - done) / done;
        let line = format!(
            "epoch {}/{}  {}  step {}/{}  loss {loss:.4}  accuracy {accuracy:.4}  learning rate {}  {} left",
            run.epoch,
            run.epochs,
            bar(run.step as f64 / run.steps as f64),
            run.step,
            run.steps,
            format_learning_rate(run.learning_rate),
            duration(left),
        );
        self.update(&line);
    }

    /// Shows that the validation set is being measured.
    pub(crate) fn validation_started(&mut self, run: &Run) {
        if self.wants_update() {
            let (epoch, epochs) = (run.epoch, run.epochs);
            self.update(&format!("epoch {epoch}/{epochs}  {}  validation", bar(1.0)));
        }
    }

    pub(crate) fn epoch_done(&mut self, history: &History, epochs: usize) {
        let Some(epoch) = history.epochs.last() else { return };
        let line = epoch_line(epoch, epochs);
        if self.live.is_some() {
            // Epochs of a few milliseconds get no figure each.
            if self.is_due() {
                self.curves = history.plot().ok().map(|figure| figure.content());
                self.update(&line);
            }
        } else if self.is_due() || epoch.number == epochs || self.shown.is_none() {
            self.shown = Some(Instant::now());
            println!("{line}");
        }
    }

    /// Leaves the table of epochs on the page.
    pub(crate) fn finish(&mut self, history: &History) {
        if let Some(live) = &mut self.live {
            live.update(&history.content());
        } else {
            history.notes[self.notes_shown.min(history.notes.len())..]
                .iter()
                .for_each(|note| println!("{note}"));
        }
    }

    fn update(&mut self, line: &str) {
        let Some(live) = &mut self.live else { return };
        self.shown = Some(Instant::now());
        let mut plain = self.notes.iter().map(Note::to_string).collect::<Vec<_>>().join("\n");
        let mut html = String::new();
        for note in &self.notes {
            html.push_str(&format!("<div>{}</div>", escape_html(&note.to_string())));
        }
        if let Some(curves) = self.curves.as_ref().and_then(Content::as_html) {
            html.push_str(&curves);
        }
        plain = format!("{plain}\n{line}");
        html.push_str(&format!("<pre style=\"margin:0.5em 0 0\">{}</pre>", escape_html(line)));
        live.update(&Content::html(plain.trim_start().to_owned(), html));
    }
}

fn epoch_line(epoch: &Epoch, epochs: usize) -> String {
    let optional = |name: &str, value: Option<f64>| {
        value.map_or(String::new(), |value| format!("  {name} {value:.4}"))
    };
    let others = epoch.metrics.iter().map(|(name, value)| optional(name, Some(*value)));
    format!(
        "epoch {}/{epochs}  loss {:.4}  accuracy {:.4}{}{}{}  {:.1} s",
        epoch.number,
        epoch.loss,
        epoch.accuracy,
        optional("val_loss", epoch.val_loss),
        optional("val_accuracy", epoch.val_accuracy),
        others.collect::<String>(),
        epoch.seconds,
    )
}

/// `0.001`, `2.5e-5`.
fn format_learning_rate(rate: f64) -> String {
    let digits = format!("{rate:.1e}");
    if (1e-3..1.0).contains(&rate) { format!("{}", (rate * 1e5).round() / 1e5) } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_like_rates() {
        assert_eq!([0.1, 0.001, 2.5e-5].map(format_learning_rate), ["0.1", "0.001", "2.5e-5"]);
    }
}
