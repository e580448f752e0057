//! How training went, epoch by epoch.

use crate::display::{Content, Show};
use crate::error::Result;
use crate::plot::{Figure, Line, LinePanel};
use crate::table::Table;
use serde::{Deserialize, Serialize};

/// One pass over the training examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counts from 1.
    pub number: usize,
    /// The mean loss over the epoch, measured while the weights were changing.
    pub loss: f64,
    /// The fraction of training examples that were right, likewise.
    pub accuracy: f64,
    /// The loss on the validation set after the epoch, where there is one.
    pub val_loss: Option<f64>,
    /// The accuracy on the validation set after the epoch.
    pub val_accuracy: Option<f64>,
    /// How long the epoch took, validation included.
    pub seconds: f64,
}

/// How training went: what [`fit`](crate::model::Model::fit) returns.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    pub(crate) epochs: Vec<Epoch>,
    /// What a budget left out, or that the reader pressed stop; empty if nothing.
    pub(crate) notes: Vec<String>,
}

impl History {
    /// The epochs, in order.
    pub fn epochs(&self) -> Vec<Epoch> {
        self.epochs.clone()
    }

    /// How many epochs were finished.
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

    /// How long all epochs took together, in seconds.
    pub fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum()
    }

    /// The curves: loss on the left, accuracy on the right, training and validation in each.
    ///
    /// # Errors
    ///
    /// If no epoch was finished.
    pub fn plot(&self) -> Result<Figure> {
        let line = |name: &str, value: &dyn Fn(&Epoch) -> Option<f64>| {
            let points =
                self.epochs.iter().map(|e| (e.number as f64, value(e).unwrap_or(f64::NAN)));
            Line::new(name, points.collect::<Vec<_>>())
        };
        let validated = self.epochs.iter().any(|epoch| epoch.val_loss.is_some());
        let panel = |title: &str, of_training: Line, of_validation: Line| {
            let panel = LinePanel::new(title).x_label("epoch").integer_x().line(of_training);
            if validated { panel.line(of_validation.dashed()) } else { panel }
        };
        let loss = panel(
            "loss",
            line("train", &|epoch| Some(epoch.loss)),
            line("validation", &|epoch| epoch.val_loss),
        );
        let accuracy = panel(
            "accuracy",
            line("train", &|epoch| Some(epoch.accuracy)),
            line("validation", &|epoch| epoch.val_accuracy),
        );
        Figure::grid(vec![loss.into(), accuracy.into()], 2)
    }

    /// The epochs as a table.
    pub fn table(&self) -> Table {
        let optional =
            |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.4}"));
        let rows = self.epochs.iter().map(|epoch| {
            [
                epoch.number.to_string(),
                format!("{:.4}", epoch.loss),
                format!("{:.4}", epoch.accuracy),
                optional(epoch.val_loss),
                optional(epoch.val_accuracy),
                format!("{:.1} s", epoch.seconds),
            ]
        });
        let mut table =
            Table::new(["epoch", "loss", "accuracy", "val. loss", "val. accuracy", "time"])
                .rows(rows.collect::<Vec<_>>());
        for column in 0..6 {
            table = table.align_right(column);
        }
        self.notes.iter().fold(table, |table, note| table.footer(note))
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
