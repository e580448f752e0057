//! A bar chart.

use super::canvas::{Anchor, Area, Canvas, LABEL, TICK};
use super::figure::{Draw, Panel};
use super::theme::Ink;
use crate::text::thousands;

const HEADING_HEIGHT: f64 = 26.0;
const ROW: f64 = 20.0;
const BAR: f64 = 13.0;
/// Longer names are cut.
const LONGEST_NAME: f64 = 0.4;

/// Horizontal bars, a name before each and its value behind.
#[derive(Debug, Clone)]
pub struct BarPanel {
    title: String,
    bars: Vec<(String, f64)>,
}

impl BarPanel {
    /// No bars yet.
    pub fn new(title: impl Into<String>) -> BarPanel {
        BarPanel { title: title.into(), bars: Vec::new() }
    }

    /// A bar for each name and value; values are at least 0.
    pub fn bars(mut self, bars: impl IntoIterator<Item = (String, f64)>) -> BarPanel {
        self.bars.extend(bars);
        self
    }
}

impl From<BarPanel> for Panel {
    fn from(panel: BarPanel) -> Panel {
        Panel::new(panel)
    }
}

impl Draw for BarPanel {
    fn height(&self, _width: f64) -> f64 {
        HEADING_HEIGHT + ROW * self.bars.len() as f64
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        canvas.heading(area, &self.title);
        let room = LONGEST_NAME * area.width;
        let names: Vec<String> =
            self.bars.iter().map(|(name, _)| LABEL.shortened(name, room)).collect();
        let values: Vec<String> = self.bars.iter().map(|&(_, value)| thousands(value)).collect();
        let before = LABEL.widest(&names) + 8.0;
        let behind = TICK.widest(&values) + 8.0;
        let longest = self.bars.iter().map(|&(_, value)| value).fold(0.0, f64::max);
        let scale = if longest > 0.0 { (area.width - before - behind) / longest } else { 0.0 };
        for (i, (_, value)) in self.bars.iter().enumerate() {
            let y = area.y + HEADING_HEIGHT + ROW * i as f64;
            let baseline = y + ROW / 2.0 + 4.0;
            let length = (value * scale).max(0.0);
            let bar =
                Area { x: area.x + before, y: y + (ROW - BAR) / 2.0, width: length, height: BAR };
            canvas.text(bar.x - 8.0, baseline, &names[i], LABEL.anchor(Anchor::End));
            canvas.rect(bar, Ink::Class(0));
            canvas.text(bar.right() + 6.0, baseline, &values[i], TICK);
        }
        let (x, top) = (area.x + before, area.y + HEADING_HEIGHT);
        canvas.rule((x, top), (x, top + ROW * self.bars.len() as f64));
    }

    fn description(&self) -> String {
        let bars = self.bars.iter().map(|(name, value)| format!("{name} {}", thousands(*value)));
        format!("{}: {}", self.title, bars.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::figure::{Figure, assert_tidy};

    #[test]
    fn long_names_and_empty_bars_stay_apart() {
        let long = ("a name that goes on and on and on and does not end".repeat(2), 3.0);
        let panel = BarPanel::new("labels").bars([long, ("none".into(), 0.0)]);
        assert_tidy(&Figure::grid(vec![panel.clone().into(), panel.into()], 2).unwrap());
        assert_tidy(&Figure::grid(vec![BarPanel::new("nothing").into()], 1).unwrap());
    }
}
