//! The drawing on the sheet.

use super::card::{FROZEN, Header, SMALL};
use super::nested::{Limits, Line, Scene, compose};
use super::{Diagram, NodeKind};
use crate::error::{Error, Result};
use crate::plot::canvas::{Anchor, Area, Canvas, Type};
use crate::plot::figure::Draw;
use crate::plot::theme::Ink;

const CARD_WIDTHS: [f64; 7] = [186.0, 164.0, 144.0, 134.0, 126.0, 116.0, 106.0];
const COLUMN_HEIGHTS: [f64; 12] =
    [430.0, 520.0, 620.0, 740.0, 880.0, 1050.0, 1250.0, 1500.0, 1800.0, 2200.0, 3000.0, 1e9];
/// Height costs nothing up to here.
const COMFORTABLE: f64 = 520.0;
/// What a name costs that does not fit into its box.
const CUT_NAME: f64 = 14.0;
/// Networks of more layers say a shape only where it changes.
const MANY: usize = 60;
const LEGEND: f64 = 30.0;
const HEAD: f64 = 6.0;

/// An entry of the legend: place, color if it has one, and text.
type Sample = (f64, f64, Option<Ink>, String);

/// A diagram, laid out.
#[derive(Debug)]
pub(super) struct Painting {
    diagram: Diagram,
    scene: Scene,
    /// Shapes beside lines: the place of the text's left end on its baseline.
    labels: Vec<(f64, f64, String)>,
    scale: f64,
}

impl Painting {
    /// Chooses the width of the boxes and the height of the columns so that all fits into `room`.
    pub(super) fn new(diagram: &Diagram, room: f64) -> Result<Painting> {
        let mut best: Option<(f64, Scene)> = None;
        let terse = diagram.nodes.len() > MANY;
        for card in CARD_WIDTHS {
            for column in COLUMN_HEIGHTS {
                let limits = Limits { card, column, terse };
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
                let fits = scene.fits;
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    best = Some((cost, scene));
                }
                // Higher columns would all give the same.
                if fits {
                    break;
                }
            }
        }
        let scene = best.expect("there are sizes to choose from").1;
        let wide = labels(diagram, &scene, false);
        let tight = labels(diagram, &scene, true);
        // Where not all find room, less is written around the crosses.
        let labels = if tight.len() > wide.len() { tight } else { wide };
        let scale = (room / scene.width).min(1.0);
        Ok(Painting { diagram: diagram.clone(), scene, labels, scale })
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
    fn legend(&self, room: f64) -> (Vec<Sample>, f64) {
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
            let width = SMALL.width(&text) + if ink.is_some() { 15.0 } else { 0.0 };
            if x > 0.0 && x + width > room {
                (x, y) = (0.0, y + 16.0);
            }
            placed.push((x, y, ink, text));
            x += width + 16.0;
        }
        (placed, y)
    }
}

impl Draw for Painting {
    fn width(&self, room: f64) -> f64 {
        // A legend in one line looks better than a narrow drawing.
        let (placed, _) = self.legend(f64::INFINITY);
        let end = |(x, _, _, text): &Sample| x + 15.0 + SMALL.width(text);
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
        let write = |canvas: &mut Canvas, x: f64, y: f64, text: &str, set: Type| {
            let (x, y) = at((x, y));
            canvas.text(x, y, text, Type { size: set.size * s, ..set });
        };
        for &(group, frame) in &self.scene.frames {
            canvas.tinted(place(frame), 8.0 * s, Ink::Class(5), 0.07);
            canvas.outline(place(frame), 8.0 * s, Ink::Class(5), 1.2, false);
            for (x, y, text, set) in Header::new(&self.diagram, group).texts(frame) {
                write(canvas, x, y, &text, set);
            }
        }
        for line in &self.scene.lines {
            let mut points: Vec<(f64, f64)> = line.points.iter().map(|&point| at(point)).collect();
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
            write(canvas, *x, *y, text, SMALL);
        }
        let below = area.y + s * self.scene.height + 24.0;
        for (x, y, ink, text) in self.legend(area.width).0 {
            let (x, y) = (area.x + x, below + y);
            let aside = if ink.is_some() { 15.0 } else { 0.0 };
            if let Some(ink) = ink {
                let sample = Area { x, y: y - 8.0, width: 10.0, height: 9.0 };
                canvas.tinted(sample, 2.0, ink, 1.0);
            }
            canvas.text(x + aside, y, &text, SMALL.anchor(Anchor::Start));
        }
    }

    fn description(&self) -> String {
        self.diagram.words()
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

/// The shape of what flows, once for each source where all its lines carry the same: beside the
/// line, where it touches neither boxes nor other lines nor other texts.
fn labels(diagram: &Diagram, scene: &Scene, tight: bool) -> Vec<(f64, f64, String)> {
    let mut taken: Vec<Area> = scene.cards.iter().map(|(_, area)| *area).collect();
    for &(group, frame) in &scene.frames {
        // The frame's border and header; what is inside it may be written on.
        let texts = Header::new(diagram, group).texts(frame);
        taken.extend(texts.iter().map(|(x, y, text, set)| {
            let width = set.width(text);
            let x = if set.anchor == Anchor::End { x - width } else { *x };
            Area { x, y: y - 9.0, width, height: 12.0 }
        }));
        let Area { x, y, width, height } = frame;
        let thin = 1.0;
        taken.extend([
            Area { x, y, width, height: thin },
            Area { x, y: y + height, width, height: thin },
            Area { x, y, width: thin, height },
            Area { x: x + width, y, width: thin, height },
        ]);
    }
    let lines: Vec<Area> = scene
        .lines
        .iter()
        .flat_map(|line| line.points.windows(2))
        .map(|pair| {
            let (a, b) = (pair[0], pair[1]);
            Area {
                x: a.0.min(b.0) - 1.0,
                y: a.1.min(b.1) - 1.0,
                width: (a.0 - b.0).abs() + 2.0,
                height: (a.1 - b.1).abs() + 2.0,
            }
        })
        .collect();
    let mut labels: Vec<(f64, f64, String)> = Vec::new();
    let mut done: Vec<(&str, &str)> = Vec::new();
    for Line { edge, points, quiet } in &scene.lines {
        let edge = &diagram.edges[*edge];
        let text = if tight { edge.shape.replace(" × ", "×") } else { edge.shape.clone() };
        let said = (edge.from.as_str(), edge.shape.as_str());
        if edge.shape.is_empty() || done.contains(&said) || *quiet {
            continue;
        }
        done.push(said);
        let width = SMALL.width(&text);
        let (start, end) = (points[0], points[points.len() - 1]);
        let middle = (start.1 + points[1].1) / 2.0;
        let mut tried = Vec::new();
        // A straight line has its text half-way down; else it is near the source or the target.
        if points.len() == 2 && (end.1 - start.1) < 60.0 {
            tried.push((start.0 + 6.0, middle + 2.5));
        }
        tried.extend([
            (start.0 + 6.0, start.1 + 12.0),
            (start.0 - 6.0 - width, start.1 + 12.0),
            (start.0 + 6.0, middle + 3.5),
            (start.0 - 6.0 - width, middle + 3.5),
            (end.0 + 6.0, end.1 - 5.0),
            (end.0 - 6.0 - width, end.1 - 5.0),
        ]);
        for pair in points.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            if (a.0 - b.0).abs() < 0.1 && (a.1 - b.1).abs() > 16.0 {
                tried.push((a.0 + 5.0, (a.1 + b.1) / 2.0 + 3.5));
                tried.push((a.0 - 5.0 - width, (a.1 + b.1) / 2.0 + 3.5));
            } else if (a.0 - b.0).abs() > width + 8.0 {
                tried.push(((a.0 + b.0 - width) / 2.0, a.1 - 4.0));
                tried.push(((a.0 + b.0 - width) / 2.0, a.1 + 11.0));
            }
        }
        let free = tried.into_iter().find(|&(x, y)| {
            let area = Area { x: x - 2.0, y: y - 9.0, width: width + 4.0, height: 11.0 };
            let inside = area.x >= 0.0
                && area.right() <= scene.width + 8.0
                && area.y >= 0.0
                && area.bottom() <= scene.height;
            inside && !taken.iter().chain(&lines).any(|other| area.touches(*other))
        });
        if let Some((x, y)) = free {
            taken.push(Area { x, y: y - 9.0, width, height: 11.0 });
            labels.push((x, y, text));
        }
    }
    labels
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
        for (name, diagram) in samples::all() {
            let painting = Painting::new(&diagram, 872.0).unwrap();
            let sources: std::collections::HashSet<&str> = painting
                .scene
                .lines
                .iter()
                .filter(|line| !line.quiet)
                .map(|line| diagram.edges[line.edge].from.as_str())
                .collect();
            let (written, all) = (painting.labels.len(), sources.len());
            assert!(10 * written >= 9 * all, "{name}: {written} of {all}");
        }
    }

    #[test]
    fn drawings_keep_their_size_on_a_page() {
        for (name, diagram) in samples::all() {
            let painting = Painting::new(&diagram, 872.0).unwrap();
            assert_eq!(painting.scale, 1.0, "{name}");
        }
    }
}
