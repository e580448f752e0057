//! A plot of confidence intervals: a dot and a line for each name.

use super::axis::Axis;
use super::canvas::{Anchor, Area, Canvas, LABEL, TICK};
use super::figure::{Draw, Panel};
use super::theme::Ink;

const HEADING_HEIGHT: f64 = 26.0;
const ROW: f64 = 22.0;
const TICKS_HEIGHT: f64 = 22.0;
const X_LABEL_HEIGHT: f64 = 16.0;
/// Longer names are cut.
const LONGEST_NAME: f64 = 0.4;

/// A value with its confidence interval.
#[derive(Debug, Clone, PartialEq)]
struct Interval {
    name: String,
    value: f64,
    low: f64,
    high: f64,
}

/// Values with their intervals, one below the other over a common axis.
#[derive(Debug, Clone)]
pub struct IntervalPanel {
    title: String,
    x_label: String,
    rows: Vec<Interval>,
}

impl IntervalPanel {
    /// No values yet.
    pub fn new(title: impl Into<String>) -> IntervalPanel {
        IntervalPanel { title: title.into(), x_label: String::new(), rows: Vec::new() }
    }

    /// What the horizontal axis is, with its unit.
    pub fn x_label(mut self, label: impl Into<String>) -> IntervalPanel {
        self.x_label = label.into();
        self
    }

    /// One more value, and the interval `(low, high)` in which it lies.
    pub fn row(mut self, name: impl Into<String>, value: f64, interval: (f64, f64)) -> Self {
        self.rows.push(Interval { name: name.into(), value, low: interval.0, high: interval.1 });
        self
    }
}

impl From<IntervalPanel> for Panel {
    fn from(panel: IntervalPanel) -> Panel {
        Panel::new(panel)
    }
}

impl Draw for IntervalPanel {
    fn height(&self, _width: f64) -> f64 {
        let label = if self.x_label.is_empty() { 0.0 } else { X_LABEL_HEIGHT };
        HEADING_HEIGHT + ROW * self.rows.len() as f64 + TICKS_HEIGHT + label
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        canvas.heading(area, &self.title);
        let room = LONGEST_NAME * area.width;
        let names: Vec<String> =
            self.rows.iter().map(|row| LABEL.shortened(&row.name, room)).collect();
        let values: Vec<String> = self.rows.iter().map(|row| format!("{:.1}", row.value)).collect();
        let before = LABEL.widest(&names) + 10.0;
        let behind = TICK.widest(&values) + 14.0;
        let low = self.rows.iter().map(|row| row.low.min(row.value)).fold(f64::INFINITY, f64::min);
        let high = self.rows.iter().map(|row| row.high.max(row.value));
        let axis = Axis::new(low, high.fold(f64::NEG_INFINITY, f64::max), 6).rounded();
        let (left, width) = (area.x + before, (area.width - before - behind).max(1.0));
        let at = |value: f64| left + axis.fraction(value) * width;
        let top = area.y + HEADING_HEIGHT;
        let bottom = top + ROW * self.rows.len() as f64;
        for (value, text) in axis.ticks() {
            canvas.rule((at(value), top), (at(value), bottom));
            canvas.text(at(value), bottom + 15.0, &text, TICK.anchor(Anchor::Middle));
        }
        for (i, row) in self.rows.iter().enumerate() {
            let middle = top + ROW * (i as f64 + 0.5);
            canvas.text(left - 10.0, middle + 4.0, &names[i], LABEL.anchor(Anchor::End));
            let ends = [(at(row.low), middle), (at(row.high), middle)];
            canvas.line(&ends, Ink::Class(0), 3.0, false);
            canvas.dot((at(row.value), middle), 4.5, Ink::Class(0));
            canvas.text(left + width + 12.0, middle + 3.8, &values[i], TICK);
        }
        let x_label = TICK.shortened(&self.x_label, width);
        let below = (left + width / 2.0, bottom + TICKS_HEIGHT + 11.0);
        canvas.text(below.0, below.1, &x_label, TICK.anchor(Anchor::Middle));
    }

    fn description(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            format!("{} {:.1} ({:.1} to {:.1})", row.name, row.value, row.low, row.high)
        });
        format!("{}: {}", self.title, rows.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::figure::{Figure, assert_tidy};

    #[test]
    fn names_values_and_ticks_stay_apart() {
        let panel = IntervalPanel::new("accuracy").x_label("per cent");
        assert_tidy(&Figure::grid(vec![panel.clone().into()], 1).unwrap());
        let one = panel.clone().row("only one", 71.0, (71.0, 71.0));
        assert_tidy(&Figure::grid(vec![one.into()], 1).unwrap());
        let long = "a name that goes on and on and on and does not end".repeat(2);
        let many = (0..9).fold(panel, |panel, i| {
            let value = 60.0 + f64::from(i);
            panel.row(&long, value, (value - 0.9, value + 0.9))
        });
        let figure = Figure::grid(vec![many.clone().into(), many.into()], 2).unwrap();
        assert_tidy(&figure);
        assert!(figure.description().contains("60.0 (59.1 to 60.9)"), "{figure:?}");
    }
}
