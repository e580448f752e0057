//! The history of a training, epoch by epoch.

use super::metric::lower_is_better;
use super::note::{Note, notes_of_any_version};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::files::expand_home;
use crate::plot::{Figure, Line, LinePanel};
use crate::table::Table;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The results of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The number of the epoch, from 1.
    pub number: usize,
    /// The mean loss over the epoch, measured while the weights were changing.
    pub loss: f64,
    /// The accuracy over the epoch, measured while the weights were changing.
    pub accuracy: f64,
    /// The loss on the validation set after the epoch, if there is one.
    pub val_loss: Option<f64>,
    /// The accuracy on the validation set after the epoch.
    pub val_accuracy: Option<f64>,
    /// The other metrics, by name: `f1`, `val_f1`, `top_5`.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// The learning rate of the last step.
    #[serde(default)]
    pub learning_rate: f64,
    /// The duration of the epoch in seconds, with validation.
    pub seconds: f64,
}

impl Epoch {
    /// A metric by its name: `loss`, `val_accuracy`, `val_f1`, `learning_rate`, `seconds`.
    pub fn value(&self, metric: &str) -> Option<f64> {
        match metric {
            "loss" => Some(self.loss),
            "accuracy" => Some(self.accuracy),
            "val_loss" => self.val_loss,
            "val_accuracy" => self.val_accuracy,
            // Files and CSV logs say "rate".
            "learning_rate" | "rate" => Some(self.learning_rate),
            "seconds" => Some(self.seconds),
            other => self.metrics.get(other).copied(),
        }
    }
}

/// The history of a training, which [`fit`](crate::model::Model::fit) returns.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    pub(crate) epochs: Vec<Epoch>,
    #[serde(deserialize_with = "notes_of_any_version")]
    pub(crate) notes: Vec<Note>,
    /// Why training ended before its last epoch.
    #[serde(default)]
    pub(crate) stop_reason: Option<Note>,
    /// The time to compute the features of the frozen layers, before the epochs.
    #[serde(default)]
    pub(crate) feature_cache_seconds: f64,
    /// The names of the optimizer and the loss; empty in files of older versions.
    #[serde(default)]
    pub(crate) optimizer: String,
    #[serde(default)]
    pub(crate) loss: String,
    /// The epoch whose weights were restored at the end, if any.
    #[serde(default)]
    pub(crate) restored_epoch: Option<usize>,
}

/// The most epochs in the table. Of more, the first and the last are shown.
const MAX_ROWS: usize = 40;

impl History {
    /// The epochs, in order.
    pub fn epochs(&self) -> Vec<Epoch> {
        self.epochs.clone()
    }

    /// The number of finished epochs.
    pub fn len(&self) -> usize {
        self.epochs.len()
    }

    /// Whether no epoch was finished.
    pub fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// The last finished epoch.
    pub fn last(&self) -> Option<Epoch> {
        self.epochs.last().cloned()
    }

    /// The best epoch by a metric such as `"val_accuracy"`: the one with the smallest loss, or the
    /// largest value of any other metric. The first of equal ones; none if no epoch has the metric.
    pub fn best(&self, metric: &str) -> Option<Epoch> {
        let sign = if lower_is_better(metric) { -1.0 } else { 1.0 };
        let known = self.epochs.iter().filter_map(|epoch| {
            let value = epoch.value(metric).filter(|value| value.is_finite())?;
            Some((sign * value, epoch))
        });
        known.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, e)| e.clone())
    }

    /// The values of a metric over the epochs, by its name: `"val_loss"`.
    ///
    /// # Errors
    ///
    /// If no epoch has it.
    pub fn values(&self, metric: &str) -> Result<Vec<f64>> {
        let values: Vec<f64> = self.epochs.iter().filter_map(|e| e.value(metric)).collect();
        if values.is_empty() {
            let known = self.metric_names().join(", ");
            let op = format!("History::values({metric:?})");
            return Err(Error::invalid(op, format!("one of {known}"), "no such metric", ""));
        }
        Ok(values)
    }

    /// What a reader should know: what a budget left out, leakage, why training ended early.
    pub fn notes(&self) -> Vec<Note> {
        self.notes.clone()
    }

    /// Why training ended before its last epoch, if it did.
    pub fn stop_reason(&self) -> Option<Note> {
        self.stop_reason.clone()
    }

    /// Whether a budget shortened the training.
    pub(crate) fn is_shortened(&self) -> bool {
        self.notes.iter().any(Note::is_shortened)
    }

    /// The duration of the training in seconds: all epochs, and the features of the frozen layers.
    pub fn seconds(&self) -> f64 {
        self.feature_cache_seconds + self.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>()
    }

    /// The names of the metrics of the epochs, without learning rate and seconds.
    fn metric_names(&self) -> Vec<String> {
        let Some(epoch) = self.epochs.first() else { return Vec::new() };
        let always = ["loss", "accuracy", "val_loss", "val_accuracy"].map(str::to_owned);
        let always = always.into_iter().filter(|measure| epoch.value(measure).is_some());
        always.chain(epoch.metrics.keys().cloned()).collect()
    }

    fn line(&self, name: &str, measure: &str) -> Line {
        let points = self
            .epochs
            .iter()
            .map(|epoch| (epoch.number as f64, epoch.value(measure).unwrap_or(f64::NAN)));
        Line::new(name, points.collect())
    }

    /// The curves of loss and accuracy, for training and validation; below them the other metrics, and
    /// the learning rate if it changes.
    ///
    /// # Errors
    ///
    /// If no epoch was finished.
    pub fn plot(&self) -> Result<Figure> {
        self.plot_in("History::plot", 2)
    }

    /// The same curves in one column, each as wide as the page.
    ///
    /// # Errors
    ///
    /// If no epoch was finished.
    pub fn plot_stacked(&self) -> Result<Figure> {
        self.plot_in("History::plot_stacked", 1)
    }

    fn plot_in(&self, op: &str, columns: usize) -> Result<Figure> {
        if self.is_empty() {
            let hint = "There is nothing to draw yet.";
            return Err(Error::invalid(op, "at least one finished epoch", "none", hint));
        }
        let validated = self.epochs.iter().any(|epoch| epoch.val_loss.is_some());
        let panel = |measure: &str| {
            let panel = LinePanel::new(measure.replace('_', " ")).x_label("epoch").integer_x();
            let panel = panel.line(self.line("train", measure));
            match validated {
                true => panel.line(self.line("validation", &format!("val_{measure}")).dashed()),
                false => panel,
            }
        };
        let mut panels = vec![panel("loss").into(), panel("accuracy").into()];
        let others = self.metric_names().into_iter().skip(2).filter(|m| !m.starts_with("val_"));
        panels.extend(others.map(|measure| panel(&measure).into()));
        // A slow decay is not worth a panel.
        let first = self.epochs.first().map_or(0.0, |epoch| epoch.learning_rate);
        if self.epochs.iter().any(|epoch| (epoch.learning_rate - first).abs() > 0.01 * first) {
            let rate = LinePanel::new("learning rate").x_label("epoch").integer_x();
            panels.push(rate.line(self.line("rate", "rate")).into());
        }
        Figure::grid(panels, columns)
    }

    /// Several trainings in one figure: the validation curves if all have them, otherwise the training
    /// curves.
    ///
    /// # Errors
    ///
    /// If there is nothing to draw.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// # let train = datasets::shapes()?.train.take(100).to_tensors(Device::Cpu);
    /// # let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    /// # let model = layers.add(Softmax).build(Device::Cpu)?;
    /// # model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
    /// # let slow = model.fit(&train, Fit::new())?;
    /// # let fast = model.fit(&train, Fit::new())?;
    /// History::compare(&[("rate 0.01", &slow), ("rate 0.1", &fast)])?;
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn compare(histories: &[(&str, &History)]) -> Result<Figure> {
        if histories.iter().all(|(_, history)| history.is_empty()) {
            let hint = "Give it pairs of a name and a history.";
            return Err(Error::invalid("History::compare", "finished epochs", "none", hint));
        }
        let all_validated = histories
            .iter()
            .all(|(_, history)| history.epochs.iter().all(|epoch| epoch.val_loss.is_some()));
        let prefix = if all_validated { "val_" } else { "" };
        let panel = |measure: &str| {
            let title = match all_validated {
                true => format!("validation {measure}"),
                false => format!("training {measure}"),
            };
            let panel = LinePanel::new(title).x_label("epoch").integer_x();
            histories.iter().fold(panel, |panel, (name, history)| {
                panel.line(history.line(name, &format!("{prefix}{measure}")))
            })
        };
        Figure::grid(vec![panel("loss").into(), panel("accuracy").into()], 1)
    }

    /// The history as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and texts can be written")
    }

    /// A history from JSON, as [`History::to_json`] writes it.
    ///
    /// # Errors
    ///
    /// If the text is not a saved history.
    pub fn from_json(text: &str) -> Result<History> {
        serde_json::from_str(text).map_err(|error| {
            Error::invalid("History::from_json", "a saved history", error.to_string(), "")
        })
    }

    /// Writes the history to a file, as JSON.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = expand_home(path);
        std::fs::write(&path, self.to_json()).map_err(|error| Error::io(path, error, ""))
    }

    /// Reads a saved history.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or holds no history.
    pub fn load(path: impl AsRef<Path>) -> Result<History> {
        let path = expand_home(path);
        let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error, ""))?;
        serde_json::from_str(&text)
            .map_err(|error| Error::bad_file(path, format!("it holds no history: {error}"), ""))
    }

    /// The epochs as a table. Of many epochs those in the middle are left out.
    pub fn table(&self) -> Table {
        let optional =
            |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.4}"));
        let row = |epoch: &Epoch| {
            [
                epoch.number.to_string(),
                format!("{:.4}", epoch.loss),
                format!("{:.4}", epoch.accuracy),
                optional(epoch.val_loss),
                optional(epoch.val_accuracy),
                format!("{:.1} s", epoch.seconds),
            ]
        };
        let (first, last) = match self.len() {
            n if n > MAX_ROWS => (MAX_ROWS / 4, n - MAX_ROWS / 2),
            n => (n, n),
        };
        let mut rows: Vec<[String; 6]> = self.epochs[..first].iter().map(row).collect();
        if first < last {
            let skipped = ["…", "…", "…", "", "", ""].map(str::to_owned);
            rows.push(skipped);
            rows.extend(self.epochs[last..].iter().map(row));
        }
        let headings = ["epoch", "loss", "accuracy", "val. loss", "val. accuracy", "time"];
        let mut table = Table::new(headings).rows(rows);
        for column in 0..6 {
            table = table.align_right(column);
        }
        if let Some(best) = self.best("val_accuracy").filter(|_| self.len() > 1) {
            let value = 100.0 * best.val_accuracy.unwrap_or(f64::NAN);
            table =
                table.footer(format!("best val. accuracy: {value:.2} %, epoch {}", best.number));
        }
        let others = self.epochs.last().filter(|epoch| !epoch.metrics.is_empty());
        if let Some(epoch) = others {
            let values = epoch.metrics.iter().map(|(name, value)| format!("{name} {value:.4}"));
            table = table.footer(format!("last: {}", values.collect::<Vec<_>>().join(", ")));
        }
        self.notes.iter().fold(table, |table, note| table.footer(note.to_string()))
    }
}

impl Show for History {
    fn content(&self) -> Content {
        self.table().content()
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.table())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(losses: &[f64]) -> History {
        let epoch = |(i, &loss): (usize, &f64)| Epoch {
            number: i + 1,
            loss,
            accuracy: 1.0 / (1.0 + loss),
            val_loss: Some(loss + 0.1),
            val_accuracy: Some(0.9 / (1.0 + loss)),
            metrics: [("val_f1".to_owned(), 0.5)].into(),
            learning_rate: 0.1,
            seconds: 1.0,
        };
        let epochs = losses.iter().enumerate().map(epoch).collect();
        History { epochs, ..History::default() }
    }

    #[test]
    fn the_best_epoch_has_the_smallest_loss_or_the_largest_accuracy() {
        let history = history(&[0.5, 0.2, f64::NAN, 0.2, 0.3]);
        assert_eq!(history.best("val_loss").unwrap().number, 2, "the earliest of equals");
        assert_eq!(history.best("val_accuracy").unwrap().number, 2);
        assert_eq!(history.best("val_f1").unwrap().number, 1);
        assert!(history.best("val_f2").is_none());
        assert!(history.values("f2").unwrap_err().to_string().contains("val_loss"));
    }

    #[test]
    fn json_holds_everything() {
        let mut history = history(&[0.5, 0.2]);
        history.notes.push("budget ci".into());
        assert_eq!(History::from_json(&history.to_json()).unwrap(), history);
        assert!(History::from_json("{").unwrap_err().to_string().contains("a saved history"));
        // As it was written before optimizer and loss had names in it.
        let old = History::from_json(r#"{"epochs": [], "notes": []}"#).unwrap();
        assert_eq!(
            (old.optimizer, old.loss, old.restored_epoch),
            (String::new(), String::new(), None)
        );
    }

    #[test]
    fn a_long_history_stays_a_short_table() {
        let long = format!("{:?}", history(&[0.5; 200]));
        assert!(long.lines().count() < 40, "{}", long.lines().count());
        assert!(long.contains("\n  200 ") && long.contains('…'), "{long}");
    }

    #[test]
    fn curves_are_drawn_and_compared() {
        let (a, b) = (history(&[0.5, 0.2]), history(&[0.6, 0.1, 0.1]));
        assert!(a.plot().unwrap().description().contains("loss: train from 0.500 to 0.200"));
        assert!(a.plot_stacked().unwrap().overlaps().is_empty());
        let both = History::compare(&[("a", &a), ("b", &b)]).unwrap();
        assert!(both.description().contains("b from 0.700 to 0.200"), "{both:?}");
        assert!(History::default().plot().is_err() && History::compare(&[]).is_err());
    }
}
