//! The drawing on the sheet.

use super::card::{FROZEN, Header, SMALL_TEXT};
use super::scene::{Limits, Scene, compose};
use super::{Diagram, NodeKind};
use crate::error::{Error, Result};
use crate::plot::canvas::{Anchor, Area, Canvas, TextStyle};
use crate::plot::figure::Draw;
use crate::plot::theme::Ink;

/// Widths of boxes and heights of columns that are tried.
const CARD_WIDTHS: [f64; 5] = [186.0, 164.0, 144.0, 126.0, 106.0];
const COLUMN_HEIGHTS: [f64; 7] = [430.0, 560.0, 740.0, 1000.0, 1500.0, 2200.0, f64::INFINITY];
/// Height costs nothing up to here.
const COMFORTABLE: f64 = 520.0;
/// What a name costs that does not fit into its box.
const CUT_NAME: f64 = 14.0;
/// Networks of more layers say a shape only where it changes.
const LARGE_NETWORK: usize = 60;
const LEGEND: f64 = 30.0;
const HEAD: f64 = 6.0;

/// An entry of the legend: place, color if it has one, and text.
type LegendEntry = (f64, f64, Option<Ink>, String);

/// A diagram, laid out.
#[derive(Debug)]
pub(super) struct DiagramPanel {
    diagram: Diagram,
    scene: Scene,
    /// Shapes beside lines: the place of the text's left end on its baseline.
    labels: Vec<(f64, f64, String)>,
    scale: f64,
}

impl DiagramPanel {
    /// Chooses the width of the boxes and the height of the columns so that all fits into `room`.
    pub(super) fn new(diagram: &Diagram, room: f64) -> Result<DiagramPanel> {
        let mut best: Option<(f64, Scene)> = None;
        for card in CARD_WIDTHS {
            for column in COLUMN_HEIGHTS {
                let limits = Limits { card, column };
                let scene = compose(diagram, None, limits).ok_or_else(|| {
                    let op = format!("diagram of {:?}", diagram.title);
                    Error::invalid(op, "ways that lead forwards", "ways that go in a circle", "")
                })?;
                // Small boxes cut their texts, and too wide a drawing would have to shrink.
                let narrow = (CARD_WIDTHS[0] - card) * 3.0;
                let shrink = (scene.width / room - 1.0).max(0.0) * 20_000.0;
                let cut = |(card, area): &(super::card::Card, Area)| card.cut_names(area.width);
                let cut = scene.cards.iter().map(cut).sum::<usize>() as f64 * CUT_NAME;
                let height = scene.height.max(COMFORTABLE);
                let cost = height + narrow + cut + shrink + 0.1 * scene.width;
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    best = Some((cost, scene));
                }
            }
        }
        let scene = best.expect("there are sizes to choose from").1;
        let labels = labels(diagram, &scene);
        let scale = (room / scene.width).min(1.0);
        Ok(DiagramPanel { diagram: diagram.clone(), scene, labels, scale })
    }

    fn kinds(&self) -> Vec<NodeKind> {
        let parts = self.scene.cards.iter().flat_map(|(card, _)| &card.parts);
        let mut kinds: Vec<NodeKind> = parts.map(|part| part.kind).collect();
        if !self.scene.frames.is_empty() {
            kinds.push(NodeKind::Nested);
        }
        kinds.sort();
        kinds.dedup_by_key(|kind| kind.ink());
        kinds
    }

    /// Samples of the colors, in lines of at most `room`, and how far down the last line is.
    fn legend(&self, room: f64) -> (Vec<LegendEntry>, f64) {
        let kinds = self.kinds();
        let has =
            |kind| self.scene.cards.iter().any(|(c, _)| c.parts.iter().any(|p| p.kind == kind));
        let mut entries: Vec<(Option<Ink>, String)> = kinds
            .iter()
            .map(|kind| match kind {
                NodeKind::Normalization if has(NodeKind::Dropout) => {
                    (Some(kind.ink()), "normalization, dropout".to_owned())
                }
                kind => (Some(kind.ink()), kind.name().to_owned()),
            })
            .collect();
        let frozen = self.scene.cards.iter().any(|(card, _)| card.has_frozen());
        if frozen || self.scene.frames.iter().any(|&(group, _)| self.diagram.groups[group].frozen) {
            entries.push((None, format!("{FROZEN} frozen")));
        }
        let (mut x, mut y, mut placed) = (0.0, 0.0, Vec::new());
        for (ink, text) in entries {
            let width = SMALL_TEXT.width(&text) + if ink.is_some() { 15.0 } else { 0.0 };
            if x > 0.0 && x + width > room {
                (x, y) = (0.0, y + 16.0);
            }
            placed.push((x, y, ink, text));
            x += width + 16.0;
        }
        (placed, y)
    }
}

impl Draw for DiagramPanel {
    fn width(&self, room: f64) -> f64 {
        // A legend in one line looks better than a narrow drawing.
        let (placed, _) = self.legend(f64::INFINITY);
        let end = |(x, _, _, text): &LegendEntry| x + 15.0 + SMALL_TEXT.width(text);
        let legend = placed.last().map_or(0.0, end);
        (self.scene.width * self.scale).max(legend.min(640.0)).min(room)
    }

    fn height(&self, width: f64) -> f64 {
        self.scene.height * self.scale + LEGEND + self.legend(width).1
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let s = self.scale;
        let at = |(x, y): (f64, f64)| (area.x + s * x, area.y + s * y);
        let place = |a: Area| {
            let (x, y) = at((a.x, a.y));
            Area { x, y, width: s * a.width, height: s * a.height }
        };
        let write = |canvas: &mut Canvas, x: f64, y: f64, text: &str, set: TextStyle| {
            let (x, y) = at((x, y));
            canvas.text(x, y, text, TextStyle { size: set.size * s, ..set });
        };
        for &(group, frame) in &self.scene.frames {
            canvas.tinted(place(frame), 8.0 * s, Ink::Class(5), 0.07);
            canvas.outline(place(frame), 8.0 * s, Ink::Class(5), 1.2, false);
            for (x, y, text, set) in Header::new(&self.diagram, group).texts(frame) {
                write(canvas, x, y, &text, set);
            }
        }
        for (_, points) in &self.scene.lines {
            let mut points: Vec<(f64, f64)> = points.iter().map(|&point| at(point)).collect();
            let head = arrow(&points, HEAD * s);
            // The line ends inside its head.
            let last = points.len() - 1;
            points[last] = ((head[0].0 + head[1].0) / 2.0, (head[0].1 + head[1].1) / 2.0);
            canvas.connector(&points, Ink::Quiet, 1.2);
            canvas.fill(&head, Ink::Quiet);
        }
        for (card, area) in &self.scene.cards {
            let outline = place(*area);
            if card.is_closed() {
                // A second sheet behind: there is more inside.
                let behind = Area { x: outline.x + 3.0 * s, y: outline.y + 3.0 * s, ..outline };
                canvas.card(behind, 5.0 * s, Ink::Class(5), 0.3);
            }
            canvas.card(outline, 5.0 * s, card.parts[0].kind.ink(), 0.15);
            let mut y = area.y;
            for (i, part) in card.parts.iter().enumerate() {
                let height = part.height();
                let strip = Area { y, height, ..*area };
                if i > 0 {
                    let (from, to) = (at((area.x, y)), at((area.right(), y)));
                    canvas.line(&[from, to], Ink::Rule, 1.0, false);
                }
                let bar = Area { y: y + 4.0, height: height - 8.0, x: area.x + 4.0, width: 3.0 };
                canvas.tinted(place(bar), 1.5 * s, part.kind.ink(), 1.0);
                for (dx, dy, text, set) in part.texts(strip.width) {
                    write(canvas, strip.x + dx, strip.y + dy, &text, set);
                }
                y += height;
            }
        }
        for (x, y, text) in &self.labels {
            write(canvas, *x, *y, text, SMALL_TEXT);
        }
        let below = area.y + s * self.scene.height + 24.0;
        for (x, y, ink, text) in self.legend(area.width).0 {
            let (x, y) = (area.x + x, below + y);
            let aside = if ink.is_some() { 15.0 } else { 0.0 };
            if let Some(ink) = ink {
                let sample = Area { x, y: y - 8.0, width: 10.0, height: 9.0 };
                canvas.tinted(sample, 2.0, ink, 1.0);
            }
            canvas.text(x + aside, y, &text, SMALL_TEXT.anchor(Anchor::Start));
        }
    }

    fn description(&self) -> String {
        self.diagram.node_titles()
    }
}

/// The head of an arrow: its base's two corners and its point.
fn arrow(points: &[(f64, f64)], size: f64) -> [(f64, f64); 3] {
    let (x, y) = points[points.len() - 1];
    let before = points[points.len() - 2];
    if (before.1 - y).abs() < 0.1 {
        let back = x - size * 1.15 * (x - before.0).signum();
        [(back, y - size / 2.0), (back, y + size / 2.0), (x, y)]
    } else {
        [(x - size / 2.0, y - size * 1.15), (x + size / 2.0, y - size * 1.15), (x, y)]
    }
}

/// The shape of what flows, once for each source: below it or above its target, on the side of the
/// line where the text touches nothing. Large networks say a shape only where it changes.
fn labels(diagram: &Diagram, scene: &Scene) -> Vec<(f64, f64, String)> {
    let mut taken: Vec<Area> = scene.cards.iter().map(|(_, area)| *area).collect();
    for &(_, frame) in &scene.frames {
        // A frame's border and title; what is inside it may be written on.
        taken.push(Area { height: Header::HEIGHT - 8.0, ..frame });
        taken.push(Area { y: frame.bottom(), height: 1.0, ..frame });
        taken.push(Area { width: 1.0, ..frame });
        taken.push(Area { x: frame.right(), width: 1.0, ..frame });
    }
    for pair in scene.lines.iter().flat_map(|(_, points)| points.windows(2)) {
        let ((left, right), (top, bottom)) =
            (low_high(pair[0].0, pair[1].0), low_high(pair[0].1, pair[1].1));
        let (width, height) = (right - left + 2.0, bottom - top + 2.0);
        taken.push(Area { x: left - 1.0, y: top - 1.0, width, height });
    }
    let mut done: Vec<(&str, &str)> = Vec::new();
    let mut labels: Vec<(f64, f64, String)> = Vec::new();
    for (edge, points) in &scene.lines {
        let edge = &diagram.edges[*edge];
        let source = (edge.from.as_str(), edge.shape.as_str());
        let changes = done.last().is_none_or(|(_, shape)| *shape != edge.shape);
        if edge.shape.is_empty() || done.contains(&source) || diagram.nodes.len() > LARGE_NETWORK && !changes
        {
            continue;
        }
        let (start, end) = (points[0], points[points.len() - 1]);
        let tried =
            [edge.shape.clone(), edge.shape.replace(" × ", "×")].into_iter().flat_map(|text| {
                let width = SMALL_TEXT.width(&text);
                let beside = |x: f64, y: f64| [(x + 6.0, y), (x - 6.0 - width, y)];
                let places =
                    beside(start.0, start.1 + 12.0).into_iter().chain(beside(end.0, end.1 - 5.0));
                places.map(move |(x, y)| (x, y, text.clone()))
            });
        let area = |&(x, y, ref text): &(f64, f64, String)| Area {
            x: x - 2.0,
            y: y - 9.0,
            width: SMALL_TEXT.width(text) + 4.0,
            height: 11.0,
        };
        let is_free = |label: &(f64, f64, String)| {
            let area = area(label);
            let inside = area.x >= -10.0 && area.right() <= scene.width + 10.0;
            inside && !taken.iter().any(|other| area.touches(*other))
        };
        let found = tried.into_iter().find(is_free);
        if let Some(label) = found {
            taken.push(area(&label));
            labels.push(label);
            done.push(source);
        }
    }
    labels
}

fn low_high(a: f64, b: f64) -> (f64, f64) {
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::plot::Theme;
    use crate::plot::figure::assert_tidy;

    #[test]
    fn all_kinds_of_networks_are_tidy() {
        for (name, diagram) in samples::all() {
            let figure = diagram.figure().unwrap();
            assert_tidy(&figure);
            let svg = figure.to_svg(&Theme::light());
            assert!(svg.len() < 300_000, "{name}: {} bytes", svg.len());
        }
    }

    #[test]
    fn nearly_every_shape_is_written() {
        let few = |diagram: &Diagram| diagram.nodes.len() <= LARGE_NETWORK;
        for (name, diagram) in samples::all().into_iter().filter(|(_, diagram)| few(diagram)) {
            let painting = DiagramPanel::new(&diagram, 872.0).unwrap();
            let sources: std::collections::HashSet<&str> = painting
                .scene
                .lines
                .iter()
                .map(|line| diagram.edges[line.0].from.as_str())
                .collect();
            let (written, all) = (painting.labels.len(), sources.len());
            assert!(10 * written >= 9 * all, "{name}: {written} of {all}");
        }
    }

    #[test]
    fn drawings_keep_their_size_on_a_page() {
        for (name, diagram) in samples::all() {
            let painting = DiagramPanel::new(&diagram, 872.0).unwrap();
            assert_eq!(painting.scale, 1.0, "{name}");
        }
    }
}
