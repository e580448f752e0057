//! A scatter plot: points colored by group, with the images they stand for.

use super::axis::Axis;
use super::canvas::{Anchor, Area, Canvas, LABEL, TICK};
use super::figure::{Draw, Panel};
use super::font;
use super::sprite::SpriteSheet;
use super::theme::Ink;
use crate::text::thousands;
use ndarray::{ArcArray, Ix3};

const HEADING_HEIGHT: f64 = 26.0;
/// The height of the plotting area.
const PLOT: f64 = 520.0;
/// The column beside it: names, notes, the image under the pointer.
pub(super) const SIDE: f64 = 178.0;
const ROW: f64 = 20.0;
/// The most names beside the plot; the rest are counted.
const MOST_NAMES: usize = 14;
/// After so many classes colors repeat.
const COLORS: usize = 10;
/// The image under the pointer.
const PREVIEW: f64 = 128.0;
/// Spots with an image are at least so far from each other, and so large.
const SPOT: f64 = 11.0;
const MOST_SPOTS: usize = 250;

/// The point of an image, the image, and its caption.
type PlacedImage = ((f64, f64), ArcArray<u8, Ix3>, String);

/// Points in a plane, colored by group.
#[derive(Debug, Clone)]
pub struct ScatterPanel {
    title: String,
    x_label: String,
    y_label: String,
    axes: bool,
    pub(super) side: SideLegend,
    groups: Vec<Vec<(f64, f64)>>,
    images: Vec<PlacedImage>,
}

impl ScatterPanel {
    /// No points yet.
    pub fn new(title: impl Into<String>) -> ScatterPanel {
        ScatterPanel {
            title: title.into(),
            x_label: String::new(),
            y_label: String::new(),
            axes: true,
            side: SideLegend::default(),
            groups: Vec::new(),
            images: Vec::new(),
        }
    }

    /// What the horizontal axis is.
    pub fn x_label(mut self, label: impl Into<String>) -> ScatterPanel {
        self.x_label = label.into();
        self
    }

    /// What the vertical axis is.
    pub fn y_label(mut self, label: impl Into<String>) -> ScatterPanel {
        self.y_label = label.into();
        self
    }

    /// No numbers at the axes, and the same scale along both: for a map.
    pub fn without_axes(mut self) -> ScatterPanel {
        self.axes = false;
        self
    }

    /// More points `(x, y)`, in the color of the next group. A group without a name is not in the
    /// legend. What is not a number is left out.
    pub fn group(mut self, name: impl Into<String>, points: Vec<(f64, f64)>) -> ScatterPanel {
        let finite = |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
        self.side.names.push((name.into(), points.len()));
        self.groups.push(points.into_iter().filter(finite).collect());
        self
    }

    /// A sentence beside the points.
    pub fn note(mut self, note: impl Into<String>) -> ScatterPanel {
        self.side.notes.push(note.into());
        self
    }

    /// Images `u8 [height, width, 1 or 3]`, all of one shape, and their captions, that a page shows
    /// when the pointer is over their points. As many as fit are shown, evenly spread.
    pub fn images(
        mut self,
        images: impl IntoIterator<Item = ((f64, f64), ArcArray<u8, Ix3>, String)>,
    ) -> ScatterPanel {
        self.images.extend(images);
        self
    }

    /// The axes, horizontal and vertical; for a map, for a plotting area of this size.
    fn scales(&self, width: f64, height: f64) -> (Axis, Axis) {
        let range = |pick: fn(&(f64, f64)) -> f64| {
            let values = self.groups.iter().flatten().map(pick);
            let (low, high) =
                values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
            let room = 0.03 * (high - low);
            (low - room, high + room)
        };
        let (mut x, mut y) = (range(|p| p.0), range(|p| p.1));
        if !self.axes && x.0.is_finite() {
            // The same number of pixels for a unit in both directions.
            let unit = ((x.1 - x.0) / width).max((y.1 - y.0) / height);
            let widen = |(low, high): (f64, f64), length: f64| {
                let more = (unit * length - (high - low)) / 2.0;
                (low - more, high + more)
            };
            (x, y) = (widen(x, width), widen(y, height));
        }
        (Axis::new(x.0, x.1, 8), Axis::new(y.0, y.1, 8))
    }

    /// Draws the frame with its labels; the plotting area, and both axes.
    fn frame(&self, canvas: &mut Canvas, area: Area) -> (Area, Axis, Axis) {
        canvas.heading(area, &self.title);
        let top = area.y + self.above();
        let mut plot = Area { x: area.x, y: top, width: area.width - SIDE, height: PLOT };
        let (x, y) = self.scales(plot.width, plot.height);
        if self.axes {
            let before = TICK.widest(y.ticks().iter().map(|(_, text)| text)) + 8.0;
            plot.x += before;
            plot.width -= before;
            let y_label = TICK.shortened(&self.y_label, plot.width);
            canvas.text(plot.x, top - 8.0, &y_label, TICK);
            for (value, text) in y.ticks() {
                let position = plot.bottom() - y.fraction(value) * plot.height;
                canvas.rule((plot.x, position), (plot.right(), position));
                canvas.text(plot.x - 8.0, position + 3.8, &text, TICK.anchor(Anchor::End));
            }
            for (value, text) in x.ticks() {
                let position = plot.x + x.fraction(value) * plot.width;
                canvas.rule((position, plot.y), (position, plot.bottom()));
                canvas.text(position, plot.bottom() + 15.0, &text, TICK.anchor(Anchor::Middle));
            }
            let x_label = TICK.shortened(&self.x_label, plot.width);
            canvas.text(plot.right(), plot.bottom() + 31.0, &x_label, TICK.anchor(Anchor::End));
        } else {
            let corners = [
                (plot.x, plot.y),
                (plot.right(), plot.y),
                (plot.right(), plot.bottom()),
                (plot.x, plot.bottom()),
                (plot.x, plot.y),
            ];
            corners.windows(2).for_each(|side| canvas.rule(side[0], side[1]));
        }
        (plot, x, y)
    }

    fn above(&self) -> f64 {
        let title = if self.title.is_empty() { 0.0 } else { HEADING_HEIGHT };
        title + if self.axes && !self.y_label.is_empty() { 20.0 } else { 4.0 }
    }

    /// The spots that have an image: no two too close, as many as have room.
    fn spots(&self, at: impl Fn(f64, f64) -> (f64, f64)) -> Vec<((f64, f64), usize)> {
        let mut spots: Vec<((f64, f64), usize)> = Vec::new();
        for (number, &((x, y), ..)) in self.images.iter().enumerate() {
            let position = at(x, y);
            let apart = |&(other, _): &((f64, f64), usize)| {
                (other.0 - position.0).hypot(other.1 - position.1) >= 1.4 * SPOT
            };
            if position.0.is_finite() && position.1.is_finite() && spots.iter().all(apart) {
                spots.push((position, number));
            }
            if spots.len() == MOST_SPOTS {
                break;
            }
        }
        spots
    }

    fn draw_images(&self, canvas: &mut Canvas, preview: Area, at: impl Fn(f64, f64) -> (f64, f64)) {
        let spots = self.spots(at);
        let images: Vec<_> =
            spots.iter().map(|&(_, number)| self.images[number].1.clone()).collect();
        let Some(sprite) = SpriteSheet::new(&images) else { return };
        let (width, height) = sprite.size;
        let sheet = canvas.define_image((height, width), &sprite.data_url, false);
        for (i, &(position, number)) in spots.iter().take(sprite.count).enumerate() {
            canvas.hover_spot(position, SPOT, |canvas| {
                canvas.image_crop(preview, &sheet, sprite.cell_origin(i), sprite.cell);
                let caption = LABEL.shortened(&self.images[number].2, SIDE - 18.0);
                canvas.text(preview.x, preview.bottom() + 15.0, &caption, LABEL);
            });
        }
    }
}

impl From<ScatterPanel> for Panel {
    fn from(panel: ScatterPanel) -> Panel {
        Panel::new(panel)
    }
}

impl Draw for ScatterPanel {
    fn height(&self, _width: f64) -> f64 {
        self.above() + PLOT + if self.axes { 36.0 } else { 2.0 }
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let (plot, x, y) = self.frame(canvas, area);
        let at = |a: f64, b: f64| {
            (plot.x + x.fraction(a) * plot.width, plot.bottom() - y.fraction(b) * plot.height)
        };
        let groups: Vec<Vec<(f64, f64)>> = self
            .groups
            .iter()
            .map(|points| points.iter().map(|&(x, y)| at(x, y)).collect())
            .collect();
        let look = DotStyle::of(groups.iter().map(Vec::len).sum());
        // A few of each group in turn, so that none hides the others.
        for slice in 0..look.slices {
            for (i, points) in groups.iter().enumerate() {
                let (from, to) = (slice * points.len(), (slice + 1) * points.len());
                let part = &points[from / look.slices..to / look.slices];
                canvas.dots(part, look.radius, Ink::Class(i), look.opacity);
            }
        }
        let left = plot.right() + 18.0;
        let side = Area { x: left, y: plot.y, width: area.right() - left, height: plot.height };
        self.side.draw(canvas, side);
        if canvas.on_page() && !self.images.is_empty() {
            let y = plot.bottom() - PREVIEW - 20.0;
            let frame = Area { x: left, y, width: PREVIEW, height: PREVIEW };
            let hint = "Move over the points to see images.";
            for (line, text) in font::wrapped(hint, TICK.size, side.width, 2).iter().enumerate() {
                canvas.text(left, y - 22.0 + 14.0 * line as f64, text, TICK);
            }
            self.draw_images(canvas, frame, at);
        }
    }

    fn description(&self) -> String {
        let count: usize = self.groups.iter().map(Vec::len).sum();
        let title = if self.title.is_empty() { String::new() } else { format!("{}: ", self.title) };
        format!("{title}{} points{}", thousands(count), self.side.description())
    }
}

/// The legend beside a scatter plot: the names of the groups, and notes.
#[derive(Debug, Clone, Default)]
pub(super) struct SideLegend {
    /// The name of each group, and how many points it has.
    pub(super) names: Vec<(String, usize)>,
    pub(super) notes: Vec<String>,
}

impl SideLegend {
    pub(super) fn draw(&self, canvas: &mut Canvas, area: Area) {
        let mut y = area.y + 10.0;
        let named: Vec<(usize, &String)> = self
            .names
            .iter()
            .enumerate()
            .filter_map(|(i, (name, _))| (!name.is_empty()).then_some((i, name)))
            .collect();
        // Of very many only those whose colors all differ.
        let few = if named.len() > MOST_NAMES { COLORS } else { named.len() };
        for &(i, name) in &named[..few] {
            let name = LABEL.shortened(name, area.width - 18.0);
            canvas.dot((area.x + 5.0, y - 3.8), 5.0, Ink::Class(i));
            canvas.text(area.x + 18.0, y, &name, LABEL);
            y += ROW;
        }
        if few < named.len() {
            let more = format!("… and {} more, in the same colors", named.len() - few);
            for line in font::wrapped(&more, TICK.size, area.width - 18.0, 2) {
                canvas.text(area.x + 18.0, y, &line, TICK);
                y += 15.0;
            }
        }
        for note in &self.notes {
            y += 8.0;
            for line in font::wrapped(note, TICK.size, area.width, 4) {
                canvas.text(area.x, y, &line, TICK);
                y += 15.0;
            }
        }
    }

    /// `, of them 12 cat, 9 dog. Notes`
    pub(super) fn description(&self) -> String {
        let named = self.names.iter().filter(|(name, _)| !name.is_empty());
        let named: Vec<String> =
            named.map(|(name, n)| format!("{} {name}", thousands(*n))).collect();
        let mut text = String::new();
        if !named.is_empty() {
            text.push_str(&format!(": {}", named.join(", ")));
        }
        self.notes.iter().for_each(|note| text.push_str(&format!(". {note}")));
        text
    }
}

/// The style of dots, by how many there are.
pub(super) struct DotStyle {
    pub(super) radius: f64,
    pub(super) opacity: f64,
    pub(super) slices: usize,
}

impl DotStyle {
    pub(super) fn of(count: usize) -> DotStyle {
        let radius = (3.6 * (500.0 / count.max(1) as f64).powf(0.3)).clamp(1.5, 5.0);
        match count {
            0..100 => DotStyle { radius, opacity: 0.9, slices: 1 },
            100..1000 => DotStyle { radius, opacity: 0.75, slices: 4 },
            _ => DotStyle { radius, opacity: 0.6, slices: 8 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Theme;
    use crate::plot::figure::{Figure, assert_tidy};
    use ndarray::Array3;

    fn points(n: usize) -> Vec<(f64, f64)> {
        (0..n).map(|i| ((i as f64 * 0.7).sin() * 50.0, (i as f64 * 1.3).cos() * i as f64)).collect()
    }

    fn figure(panel: ScatterPanel) -> Figure {
        Figure::grid(vec![panel.into()], 1).unwrap().title("points")
    }

    #[test]
    fn nothing_touches_with_few_or_many_names() {
        for groups in [1, 10, 40] {
            let mut panel = ScatterPanel::new("a heading")
                .x_label("component 1, 29.1 %")
                .y_label("component 2, 11.3 %")
                .note("87 % of the 10 nearest points are of the same class")
                .note("10,000 of 50,000 points");
            for i in 0..groups {
                panel = panel.group(format!("a long name of a class {i}"), points(20 + i));
            }
            assert_tidy(&figure(panel.clone()));
            assert_tidy(&figure(panel.without_axes()));
        }
        assert_tidy(&figure(ScatterPanel::new("").group("", vec![])));
        assert_tidy(&figure(ScatterPanel::new("").group("one", vec![(1.0, 1.0)]).without_axes()));
    }

    #[test]
    fn a_map_has_one_scale_for_both_directions() {
        let panel = ScatterPanel::new("").group("", vec![(0.0, 0.0), (100.0, 1.0)]).without_axes();
        let (x, y) = panel.scales(700.0, 500.0);
        let along = (x.fraction(10.0) - x.fraction(0.0)) * 700.0;
        let up = (y.fraction(10.0) - y.fraction(0.0)) * 500.0;
        assert!((along - up).abs() < 1e-9, "{along} {up}");
    }

    #[test]
    fn images_are_shown_on_a_page_only_and_five_thousand_points_stay_small() {
        let image = Array3::from_shape_fn((28, 28, 1), |(y, x, _)| (x * y) as u8).into_shared();
        let points = points(5000);
        let images = points.iter().map(|&at| (at, image.clone(), "seven".to_owned()));
        let panel = ScatterPanel::new("").images(images.collect::<Vec<_>>()).group("", points);
        let figure = figure(panel);
        assert_tidy(&figure);
        let html = crate::display::Show::content(&figure).as_html().unwrap();
        assert!(html.contains("tk-spot") && html.contains("seven"));
        assert!(html.len() < 300_000, "{}", html.len());
        let svg = figure.to_svg(&Theme::light());
        assert!(!svg.contains("tk-spot") && svg.len() < 120_000, "{}", svg.len());
    }

    #[test]
    fn what_is_not_a_number_is_left_out() {
        let svg = figure(ScatterPanel::new("").group("", vec![(f64::NAN, 1.0), (1.0, 2.0)]))
            .to_svg(&Theme::light());
        assert!(!svg.contains("NaN"));
    }
}
