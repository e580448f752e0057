//! A scatter plot in three dimensions that the reader can turn.

use super::axis::Axis;
use super::canvas::{Anchor, Area, Canvas, TICK};
use super::figure::{Draw, Figure, Panel, describe};
use super::font;
use super::scatter::{DotStyle, SIDE, SideLegend};
use super::theme::{Ink, Theme};
use crate::display::{Content, Show};
use crate::error::Result;
use crate::text::{escape_html, thousands};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::path::Path;

const SCRIPT: &str = include_str!("scatter3d.js");
/// The height of the plotting area.
const PLOT: f64 = 520.0;
/// From where the points are seen at first: turned about the upright axis, then tilted, in radians.
const YAW: f64 = 0.6;
const PITCH: f64 = 0.35;
/// How far the eye is from the middle, where the points lie between -1 and 1.
const EYE: f64 = 6.0;
/// How many times the box's half diagonal the plotting area is high.
const FIT: f64 = 1.9;

/// Points in space, colored by group.
///
/// On a page they turn with the mouse, with a finger, and with the arrow keys (`+` and `-` bring them
/// nearer and take them away, `0` and a double click turn them back). Where no scripts run, in a
/// file, and in print they stand still.
#[derive(Clone)]
pub struct Scatter3d {
    title: String,
    axes: Vec<String>,
    side: SideLegend,
    groups: Vec<Vec<[f64; 3]>>,
}

impl Scatter3d {
    /// No points yet.
    pub fn new(title: impl Into<String>) -> Scatter3d {
        let (side, groups) = (SideLegend::default(), Vec::new());
        Scatter3d { title: title.into(), axes: Vec::new(), side, groups }
    }

    /// Another title.
    pub fn title(mut self, title: impl Into<String>) -> Scatter3d {
        self.title = title.into();
        self
    }

    /// What the three axes are.
    pub fn axes(mut self, axes: impl IntoIterator<Item = String>) -> Scatter3d {
        self.axes = axes.into_iter().take(3).collect();
        self
    }

    /// More points, in the color of the next group. A group without a name is not in the legend.
    /// What is not a number is left out.
    pub fn group(mut self, name: impl Into<String>, points: Vec<[f64; 3]>) -> Scatter3d {
        self.side.names.push((name.into(), points.len()));
        let finite = |point: &[f64; 3]| point.iter().all(|coordinate| coordinate.is_finite());
        self.groups.push(points.into_iter().filter(finite).collect());
        self
    }

    /// A sentence beside the points.
    pub fn note(mut self, note: impl Into<String>) -> Scatter3d {
        self.side.notes.push(note.into());
        self
    }

    /// The points as they stand still, as a figure that can be saved and put beside others.
    pub fn figure(&self) -> Figure {
        self.static_figure(self.unit_cube())
    }

    /// The still image of points that lie in the cube.
    fn static_figure(&self, (groups, sides): (Vec<Vec<[f64; 3]>>, [f64; 3])) -> Figure {
        let (axes, side) = (self.axes.clone(), self.side.clone());
        let panel = Panel::new(StaticPanel { axes, side, groups, sides });
        Figure::grid(vec![panel], 1).expect("one panel").title(&self.title)
    }

    /// Writes the points as they stand still to a file; the ending says how: `.svg` or `.png`.
    ///
    /// # Errors
    ///
    /// As [`Figure::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.figure().save(path)
    }

    /// The still image as an SVG document in the colors of `theme`.
    pub fn to_svg(&self, theme: &Theme) -> String {
        self.figure().to_svg(theme)
    }

    /// The points, moved and scaled so that all lie between -1 and 1; and how far they reach along
    /// each axis.
    fn unit_cube(&self) -> (Vec<Vec<[f64; 3]>>, [f64; 3]) {
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for point in self.groups.iter().flatten() {
            for k in 0..3 {
                low[k] = low[k].min(point[k]);
                high[k] = high[k].max(point[k]);
            }
        }
        let half = (0..3).map(|k| (high[k] - low[k]) / 2.0).fold(f64::MIN_POSITIVE, f64::max);
        let scaled = |point: &[f64; 3]| {
            [0, 1, 2].map(|k| ((point[k] - (low[k] + high[k]) / 2.0) / half).clamp(-1.0, 1.0))
        };
        let groups = self.groups.iter().map(|points| points.iter().map(scaled).collect()).collect();
        // A flat cloud still gets some thickness.
        (groups, [0, 1, 2].map(|k| ((high[k] - low[k]) / 2.0 / half).clamp(0.05, 1.0)))
    }

    fn to_html(&self) -> String {
        let mut bytes = Vec::new();
        let (groups, sides) = self.unit_cube();
        for (group, points) in groups.iter().enumerate() {
            for point in points {
                for coordinate in point {
                    let value = (32_768.0 + 32_767.0 * coordinate).round() as u16;
                    bytes.extend(value.to_le_bytes());
                }
                bytes.push((group % 250) as u8);
            }
        }
        let count = bytes.len() / 7;
        let figure = self.static_figure((groups, sides));
        let mut digest = Sha256::new_with_prefix(&bytes);
        digest.update(format!("{:?}{:?}", self.title, self.axes));
        let id: String = digest.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
        let axes = serde_json::to_string(&self.axes).expect("a list of texts");
        format!(
            "<div data-tchalk-3d=\"{id}\" data-points=\"{}\" data-axes=\"{}\" data-sides=\"{:?}\" data-yaw=\"{YAW}\" \
             data-pitch=\"{PITCH}\" data-eye=\"{EYE}\" data-fit=\"{FIT}\" data-radius=\"{:.2}\" style=\"position:relative;max-width:{}px\">\
             {}<canvas tabindex=\"0\" role=\"img\" aria-label=\"{}. Turn it with the mouse or the arrow \
             keys.\" style=\"position:absolute;display:none;touch-action:pan-y;cursor:grab\"></canvas>\
             </div><script>{}</script>",
            STANDARD.encode(&bytes),
            escape_html(&axes),
            sides,
            DotStyle::of(count).radius,
            figure.width(),
            figure.to_html(),
            escape_html(&figure.description()),
            SCRIPT.replace("@ID@", &id),
        )
    }
}

impl std::fmt::Debug for Scatter3d {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = describe(&self.title, [words(&self.groups, &self.side)].into_iter());
        write!(f, "figure: {words}")
    }
}

impl Show for Scatter3d {
    fn content(&self) -> Content {
        Content::html(format!("{self:?}"), self.to_html())
    }
}

fn words(groups: &[Vec<[f64; 3]>], side: &SideLegend) -> String {
    let count: usize = groups.iter().map(Vec::len).sum();
    format!("{} points in space{}", thousands(count), side.description())
}

/// The points as they are seen at first.
#[derive(Debug)]
struct StaticPanel {
    axes: Vec<String>,
    side: SideLegend,
    groups: Vec<Vec<[f64; 3]>>,
    sides: [f64; 3],
}

impl Draw for StaticPanel {
    fn height(&self, _width: f64) -> f64 {
        PLOT
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let plot = Area { width: area.width - SIDE, height: PLOT, ..area };
        canvas.marked_area("tk-room", plot);
        canvas.group("tk-still", |canvas| {
            let [w, h, d] = self.sides;
            for (a, b) in [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)] {
                for along in 0..3 {
                    let end = |s: f64| {
                        let mut corner = [s, a, b];
                        corner.rotate_right(along);
                        self.seen([w * corner[0], h * corner[1], d * corner[2]], plot).0
                    };
                    canvas.rule(end(-1.0), end(1.0));
                }
            }
            self.draw_points(canvas, plot);
            // Beside edges behind which nothing lies.
            let points = [
                [0.0, -h - 0.12, d + 0.12],
                [-w - 0.12, 0.0, -d - 0.12],
                [-w - 0.12, -h - 0.12, 0.0],
            ];
            let middle = self.seen([0.0; 3], plot).0.0;
            for (point, axis) in points.into_iter().zip(&self.axes) {
                let ((x, y), _) = self.seen(point, plot);
                let (anchor, room) = match x < middle {
                    true => (Anchor::End, x - area.x),
                    false => (Anchor::Start, plot.right() - x),
                };
                let lines = font::wrapped(axis, TICK.size, room.min(130.0), 2);
                let below = 14.0 * lines.len().saturating_sub(1) as f64;
                let y = y.clamp(plot.y + 10.0, plot.bottom() - 4.0 - below);
                for (line, axis) in lines.iter().enumerate() {
                    canvas.text(x, y + 14.0 * line as f64, axis, TICK.anchor(anchor));
                }
            }
        });
        let left = plot.right() + 18.0;
        let side = Area { x: left, y: plot.y, width: area.right() - left, height: plot.height };
        self.side.draw(canvas, side);
        if canvas.on_page() {
            let hint = "Turn it with the mouse, a finger or the arrow keys; + and - zoom.";
            for (line, text) in font::wrapped(hint, TICK.size, side.width, 4).iter().enumerate() {
                canvas.text(left, plot.bottom() - 48.0 + 15.0 * line as f64, text, TICK);
            }
        }
    }

    fn description(&self) -> String {
        words(&self.groups, &self.side)
    }
}

impl StaticPanel {
    /// Where a point is on the page, and how near.
    fn seen(&self, [x, y, z]: [f64; 3], plot: Area) -> ((f64, f64), f64) {
        let ((sin_yaw, cos_yaw), (sin_pitch, cos_pitch)) = (YAW.sin_cos(), PITCH.sin_cos());
        let (x1, z1) = (x * cos_yaw + z * sin_yaw, z * cos_yaw - x * sin_yaw);
        let (y2, z2) = (y * cos_pitch - z1 * sin_pitch, y * sin_pitch + z1 * cos_pitch);
        let reach = self.sides.iter().map(|side| side * side).sum::<f64>().sqrt();
        let unit = plot.width.min(plot.height) / (FIT * reach) / (1.0 - z2 / EYE);
        ((plot.x + plot.width / 2.0 + unit * x1, plot.y + plot.height / 2.0 - unit * y2), z2)
    }

    /// From the farthest to the nearest, in layers.
    fn draw_points(&self, canvas: &mut Canvas, plot: Area) {
        const LAYERS: usize = 10;
        let look = DotStyle::of(self.groups.iter().map(Vec::len).sum());
        let depth = Axis::new(-1.75, 1.75, 2);
        let mut layers = vec![vec![Vec::new(); self.groups.len()]; LAYERS];
        for (group, points) in self.groups.iter().enumerate() {
            for &point in points {
                let (position, near) = self.seen(point, plot);
                let layer = (depth.fraction(near) * LAYERS as f64) as usize;
                layers[layer.min(LAYERS - 1)][group].push(position);
            }
        }
        for (layer, groups) in layers.iter().enumerate() {
            let radius = look.radius * (0.8 + 0.4 * layer as f64 / LAYERS as f64);
            for (group, points) in groups.iter().enumerate() {
                canvas.dots(points, radius, Ink::Class(group), 0.8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::figure::assert_tidy;

    fn scatter(n: usize) -> Scatter3d {
        let point = |i: usize| [0.7, 1.3, 0.4].map(|step| (i as f64 * step).sin() * step);
        Scatter3d::new("points")
            .axes((1..=3).map(|i| format!("component {i}, {}.3 %", 30 - i)))
            .group("even", (0..n).map(point).collect())
            .group("odd", (n..2 * n).map(point).collect())
            .note("87 % of the 10 nearest points are of the same class")
    }

    #[test]
    fn the_still_image_is_tidy() {
        assert_tidy(&scatter(500).figure());
        assert_tidy(&Scatter3d::new("nothing").figure());
        assert_tidy(&Scatter3d::new("").group("", vec![[2.0; 3]]).figure());
    }

    #[test]
    fn a_page_gets_the_points_once_and_the_script_names_its_element() {
        let html = scatter(2500).content().as_html().unwrap();
        assert!(html.len() < 300_000, "{}", html.len());
        assert!(!html.contains("@ID@"));
        // Nothing is fetched: the only address is the name of what an SVG is.
        let addresses: Vec<usize> = html.match_indices("http").map(|(at, _)| at).collect();
        assert!(addresses.iter().all(|&at| html[..at].ends_with("xmlns=\"")), "{addresses:?}");
        let id = html.split("data-tchalk-3d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(html.contains(&format!("[data-tchalk-3d='{id}']")));
        assert!(html.contains("tk-room") && html.contains("tk-still"));
        let other = scatter(2499).content().as_html().unwrap();
        assert!(!other.contains(id), "each figure has a name of its own");
        assert!(!scatter(10).to_svg(&Theme::light()).contains("script"));
    }

    #[test]
    fn all_points_lie_in_the_cube() {
        let (points, sides) = scatter(50).unit_cube();
        assert!(sides.iter().all(|side| (0.05..=1.0).contains(side)));
        assert!(
            points.iter().flatten().flatten().all(|coordinate| (-1.0..=1.0).contains(coordinate))
        );
        let largest = points.iter().flatten().flatten().fold(0.0f64, |a, b| a.max(b.abs()));
        assert!((largest - 1.0).abs() < 1e-12);
    }
}
