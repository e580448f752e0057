//! A line chart, and the frame that it shares with other charts.

use super::axis::Axis;
use super::canvas::{Anchor, Area, Canvas, HEADING, LABEL, TICK};
use super::figure::{Draw, Panel};
use super::theme::Ink;

/// The height of the plotting area itself.
const PLOT: f64 = 200.0;
const HEADING_HEIGHT: f64 = 26.0;
const TICKS_HEIGHT: f64 = 18.0;
const X_LABEL_HEIGHT: f64 = 18.0;
/// Lines of at most so many points show each of them.
const FEW: usize = 40;

/// A named line. A point whose `y` is not a number leaves a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    name: String,
    points: Vec<(f64, f64)>,
    dashed: bool,
    color: Option<usize>,
    is_reference: bool,
}

impl Line {
    /// A line through these `(x, y)`.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Line {
        Line { name: name.into(), points, dashed: false, color: None, is_reference: false }
    }

    /// Drawn in dashes.
    pub fn dashed(mut self) -> Line {
        self.dashed = true;
        self
    }
}

impl Line {
    /// The color of this number; the default is the line's own number in the panel. Lines that belong
    /// together, such as a run's training and validation, can share a color.
    pub fn color(mut self, number: usize) -> Line {
        self.color = Some(number);
        self
    }

    /// A line to compare others with, not one of them: gray, without points.
    pub fn reference(mut self) -> Line {
        self.is_reference = true;
        self
    }

    fn ink(&self, number: usize) -> Ink {
        if self.is_reference { Ink::Quiet } else { Ink::Class(self.color.unwrap_or(number)) }
    }
}

/// Lines over a common axis, with a legend.
#[derive(Debug, Clone)]
pub struct LinePanel {
    title: String,
    x_label: String,
    integer_x_ticks: bool,
    y_range: Option<(f64, f64)>,
    lines: Vec<Line>,
}

impl LinePanel {
    /// No lines yet.
    pub fn new(title: impl Into<String>) -> LinePanel {
        LinePanel {
            title: title.into(),
            x_label: String::new(),
            integer_x_ticks: false,
            y_range: None,
            lines: Vec::new(),
        }
    }

    /// What the horizontal axis is, with its unit.
    pub fn x_label(mut self, label: impl Into<String>) -> LinePanel {
        self.x_label = label.into();
        self
    }

    /// Ticks only at whole numbers: epochs, not time.
    pub fn integer_x(mut self) -> LinePanel {
        self.integer_x_ticks = true;
        self
    }

    /// The vertical axis shows this range, whatever the values: so that panels can be compared.
    pub fn y_range(mut self, low: f64, high: f64) -> LinePanel {
        self.y_range = Some((low, high));
        self
    }

    /// One more line.
    pub fn line(mut self, line: Line) -> LinePanel {
        self.lines.push(line);
        self
    }

    fn legend(&self) -> Vec<LegendEntry<'_>> {
        let lines = self.lines.iter().enumerate();
        lines
            .map(|(i, line)| LegendEntry {
                name: &line.name,
                ink: line.ink(i),
                dashed: line.dashed,
            })
            .collect()
    }

    fn range(&self, pick: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let values = self.lines.iter().flat_map(|line| line.points.iter().map(&pick));
        values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    }
}

impl From<LinePanel> for Panel {
    fn from(panel: LinePanel) -> Panel {
        Panel::new(panel)
    }
}

impl Draw for LinePanel {
    fn height(&self, width: f64) -> f64 {
        frame_height(&self.x_label) + legend_height(&self.title, &self.legend(), width)
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let (left, right) = self.range(|p| p.0);
        let (low, high) = self.y_range.unwrap_or_else(|| self.range(|p| p.1));
        let x = Axis::new(left, right, 8);
        let legend = self.legend();
        let frame = Frame {
            title: &self.title,
            x_label: &self.x_label,
            x: if self.integer_x_ticks { x.integer_ticks() } else { x },
            y: Axis::new(low, high, 4).rounded(),
            legend: &legend,
        };
        let at = frame.draw(canvas, area);
        for (i, line) in self.lines.iter().enumerate() {
            for run in line.points.split(|(_, y)| !y.is_finite()) {
                let points: Vec<(f64, f64)> = run.iter().map(|&(x, y)| at(x, y)).collect();
                if points.len() > 1 {
                    canvas.line(&points, line.ink(i), 2.0, line.dashed);
                }
                if (points.len() == 1 || line.points.len() <= FEW) && !line.is_reference {
                    points.iter().for_each(|&position| canvas.dot(position, 3.0, line.ink(i)));
                }
            }
        }
    }

    fn description(&self) -> String {
        let ends = self.lines.iter().filter_map(|line| {
            let mut finite = line.points.iter().filter(|(_, y)| y.is_finite());
            let (first, last) = (finite.clone().next()?, finite.next_back()?);
            Some(format!("{} from {:.3} to {:.3}", line.name, first.1, last.1))
        });
        format!("{}: {}", self.title, ends.collect::<Vec<_>>().join(", "))
    }
}

pub(super) struct LegendEntry<'a> {
    name: &'a str,
    ink: Ink,
    dashed: bool,
}

/// Title, legend, axes, grid lines: what charts with two axes have in common.
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    pub(super) x_label: &'a str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) legend: &'a [LegendEntry<'a>],
}

/// How high a panel with a [`Frame`] is.
pub(super) fn frame_height(x_label: &str) -> f64 {
    HEADING_HEIGHT + PLOT + TICKS_HEIGHT + if x_label.is_empty() { 0.0 } else { X_LABEL_HEIGHT }
}

const SAMPLE: f64 = 24.0;
const LEGEND_ROW: f64 = 17.0;

fn entry_width(entry: &LegendEntry, width: f64) -> f64 {
    let name = LABEL.shortened(entry.name, width / 4.0);
    SAMPLE + 6.0 + LABEL.width(&name) + 14.0
}

/// How high the legend is below the title; nothing where it fits beside the title.
fn legend_height(title: &str, legend: &[LegendEntry], width: f64) -> f64 {
    let entries: f64 = legend.iter().map(|entry| entry_width(entry, width)).sum();
    if entries == 0.0 || entries + HEADING.width(title).min(width / 3.0) <= width {
        return 0.0;
    }
    legend_rows(legend, width).last().map_or(0.0, |(_, y, _)| y + LEGEND_ROW)
}

/// The legend in rows of this width.
fn legend_rows<'a, 'b>(
    legend: &'a [LegendEntry<'b>],
    width: f64,
) -> Vec<(f64, f64, &'a LegendEntry<'b>)> {
    let (mut x, mut y, mut rows) = (0.0, 0.0, Vec::new());
    for entry in legend {
        let wide = entry_width(entry, width);
        if x > 0.0 && x + wide - 14.0 > width {
            (x, y) = (0.0, y + LEGEND_ROW);
        }
        rows.push((x, y, entry));
        x += wide;
    }
    rows
}

impl Frame<'_> {
    /// Draws the title and the legend; returns the area below them.
    fn draw_heading(&self, canvas: &mut Canvas, area: Area) -> Area {
        let below = legend_height(self.title, self.legend, area.width);
        let room = area.width / 4.0;
        let name = |entry: &LegendEntry| LABEL.shortened(entry.name, room);
        let sample = |canvas: &mut Canvas, x: f64, y: f64, entry: &LegendEntry| {
            let name = name(entry);
            canvas.text(x + SAMPLE + 6.0, y, &name, LABEL);
            let middle = y - 3.5;
            canvas.line(&[(x, middle), (x + SAMPLE, middle)], entry.ink, 2.0, entry.dashed);
        };
        let mut right = area.right();
        if below == 0.0 {
            for entry in self.legend.iter().rev() {
                right -= SAMPLE + 6.0 + LABEL.width(&name(entry));
                sample(canvas, right, area.y + 12.0, entry);
                right -= 14.0;
            }
        } else {
            for (x, y, entry) in legend_rows(self.legend, area.width) {
                sample(canvas, area.x + x, area.y + 30.0 + y, entry);
            }
        }
        canvas.heading(Area { width: right - area.x, ..area }, self.title);
        Area { y: area.y + below, height: area.height - below, ..area }
    }

    /// Draws the frame; the result says where a value belongs.
    pub(super) fn draw(
        &self,
        canvas: &mut Canvas,
        area: Area,
    ) -> impl Fn(f64, f64) -> (f64, f64) + use<> {
        let area = self.draw_heading(canvas, area);
        let (x_ticks, y_ticks) = (self.x.ticks(), self.y.ticks());
        let before = TICK.widest(y_ticks.iter().map(|(_, text)| text)) + 8.0;
        // The last tick label may reach over the end of its axis by half its width.
        let behind = x_ticks.last().map_or(0.0, |(_, text)| TICK.width(text) / 2.0).max(4.0);
        let plot = Area {
            x: area.x + before,
            y: area.y + HEADING_HEIGHT,
            width: area.width - before - behind,
            height: PLOT,
        };
        let (x, y) = (self.x.clone(), self.y.clone());
        let at = move |a: f64, b: f64| {
            (plot.x + x.fraction(a) * plot.width, plot.bottom() - y.fraction(b) * plot.height)
        };
        for (value, text) in &y_ticks {
            let position = plot.bottom() - self.y.fraction(*value) * plot.height;
            canvas.rule((plot.x, position), (plot.right(), position));
            canvas.text(plot.x - 8.0, position + 3.8, text, TICK.anchor(Anchor::End));
        }
        for (value, text) in &x_ticks {
            let position = plot.x + self.x.fraction(*value) * plot.width;
            canvas.rule((position, plot.bottom()), (position, plot.bottom() + 4.0));
            canvas.text(position, plot.bottom() + 15.0, text, TICK.anchor(Anchor::Middle));
        }
        let middle = plot.x + plot.width / 2.0;
        let x_label = TICK.shortened(self.x_label, plot.width);
        let below = plot.bottom() + TICKS_HEIGHT + 13.0;
        canvas.text(middle, below, &x_label, TICK.anchor(Anchor::Middle));
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Theme;
    use crate::plot::figure::{Figure, assert_tidy};

    fn figure(lines: Vec<Line>) -> Figure {
        let panel =
            lines.into_iter().fold(LinePanel::new("loss").x_label("epoch"), LinePanel::line);
        Figure::grid(vec![panel.clone().into(), panel.into()], 2).unwrap()
    }

    #[test]
    fn nothing_touches_whatever_the_values() {
        for scale in [1e-6, 1.0, 1e6] {
            let line = |name: &str| {
                Line::new(name, (0..30).map(|i| (i as f64, scale * i as f64)).collect())
            };
            assert_tidy(&figure(vec![line("train"), line("validation of something long")]));
        }
        assert_tidy(&figure(vec![Line::new("one point", vec![(1.0, 0.5)])]));
        assert_tidy(&figure(vec![]));
    }

    #[test]
    fn many_runs_have_their_legend_below_the_title() {
        let run = |i: usize| {
            let name = format!("a run of number {i}");
            Line::new(name, vec![(1.0, i as f64), (2.0, 1.0)]).color(i / 2)
        };
        assert_tidy(&figure((0..12).map(run).collect()));
        let reference = Line::new("as sure as right", vec![(1.0, 0.0), (2.0, 1.0)]).reference();
        assert_tidy(&figure(vec![run(0), reference.dashed()]));
    }

    #[test]
    fn what_is_not_a_number_leaves_a_gap() {
        let points = vec![(1.0, 1.0), (2.0, 2.0), (3.0, f64::NAN), (4.0, 1.0), (5.0, 3.0)];
        let svg = figure(vec![Line::new("a", points)]).to_svg(&Theme::light());
        assert!(!svg.contains("NaN"));
        // Two runs in each of two panels, and a sample in each legend.
        assert_eq!(svg.matches("stroke-width=\"2\"").count(), 6);
    }
}
