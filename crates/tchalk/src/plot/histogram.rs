//! A histogram: how often each range of values occurs.

use super::axis::Axis;
use super::canvas::{Area, Canvas};
use super::figure::{Draw, Panel};
use super::lines::{Frame, frame_height};
use super::theme::Ink;
use crate::text::thousands;

/// Counts over equal steps of a range, as a filled outline.
#[derive(Debug, Clone)]
pub struct HistogramPanel {
    title: String,
    x_label: String,
    low: f64,
    high: f64,
    counts: Vec<f64>,
}

impl HistogramPanel {
    /// No counts yet.
    pub fn new(title: impl Into<String>) -> HistogramPanel {
        HistogramPanel {
            title: title.into(),
            x_label: String::new(),
            low: 0.0,
            high: 1.0,
            counts: Vec::new(),
        }
    }

    /// What the values are, with their unit.
    pub fn x_label(mut self, label: impl Into<String>) -> HistogramPanel {
        self.x_label = label.into();
        self
    }

    /// The counts, each over an equal step from `low` to `high`.
    pub fn counts(
        mut self,
        low: f64,
        high: f64,
        counts: impl IntoIterator<Item = f64>,
    ) -> HistogramPanel {
        (self.low, self.high, self.counts) = (low, high, counts.into_iter().collect());
        self
    }
}

impl From<HistogramPanel> for Panel {
    fn from(panel: HistogramPanel) -> Panel {
        Panel::new(panel)
    }
}

impl Draw for HistogramPanel {
    fn height(&self, _width: f64) -> f64 {
        frame_height(&self.x_label)
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let most = self.counts.iter().copied().fold(0.0, f64::max);
        let frame = Frame {
            title: &self.title,
            x_label: &self.x_label,
            x: Axis::new(self.low, self.high, 6),
            y: Axis::new(0.0, most, 4).rounded(),
            legend: &[],
        };
        let at = frame.draw(canvas, area);
        let step = (self.high - self.low) / self.counts.len().max(1) as f64;
        let mut outline = vec![at(self.low, 0.0)];
        for (i, &count) in self.counts.iter().enumerate() {
            let left = self.low + i as f64 * step;
            outline.extend([at(left, count), at(left + step, count)]);
        }
        outline.push(at(self.high, 0.0));
        canvas.fill(&outline, Ink::Class(0));
    }

    fn description(&self) -> String {
        let step = (self.high - self.low) / self.counts.len().max(1) as f64;
        let most =
            |best: usize, i: usize| if self.counts[i] > self.counts[best] { i } else { best };
        let peak = self.low + step * (0..self.counts.len()).fold(0, most) as f64;
        format!(
            "{}: a histogram from {} to {}, highest at {}",
            self.title,
            thousands(self.low),
            thousands(self.high),
            thousands(peak)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::figure::{Figure, assert_tidy};

    #[test]
    fn large_and_missing_counts_are_drawn() {
        let panel = HistogramPanel::new("values").x_label("pixel value");
        let large = panel.clone().counts(0.0, 256.0, (0..256).map(|i| f64::from(i) * 1e6));
        let figure = Figure::grid(vec![large.into(), panel.into()], 2).unwrap();
        assert_tidy(&figure);
        assert!(figure.description().contains("from 0 to 256, highest at 255"), "{figure:?}");
    }
}
