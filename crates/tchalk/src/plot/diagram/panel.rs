//! The panel that draws a diagram.

use super::card::{Card, FROZEN, Header, SMALL_TEXT};
use super::labels::labels;
use super::scene::{Limits, Scene, compose};
use super::{Diagram, NodeKind};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::canvas::{Anchor, Area, Canvas, TextStyle};
use crate::plot::figure::{Draw, Figure, Panel, WIDTH_INSIDE};
use crate::plot::theme::Ink;
use crate::text::escape_html;
use std::path::Path;

/// Widths of boxes and heights of columns that are tried.
const CARD_WIDTHS: [f64; 5] = [186.0, 164.0, 144.0, 126.0, 106.0];
const COLUMN_HEIGHTS: [f64; 7] = [430.0, 560.0, 740.0, 1000.0, 1500.0, 2200.0, f64::INFINITY];
/// Height costs nothing up to here.
const COMFORTABLE: f64 = 520.0;
/// What a name costs that does not fit into its box.
const CUT_NAME: f64 = 14.0;
const LEGEND: f64 = 30.0;
const HEAD: f64 = 6.0;

/// An entry of the legend: position, color if it has one, and text.
type LegendEntry = (f64, f64, Option<Ink>, String);

impl Diagram {
    /// The diagram as a figure.
    ///
    /// # Errors
    ///
    /// If there are no layers, two parts have the same id, an edge leads to an unknown part, or the
    /// edges form a cycle.
    pub fn figure(&self) -> Result<Figure> {
        self.check()?;
        let painting = DiagramPanel::new(self, WIDTH_INSIDE)?;
        Ok(Figure::grid(vec![Panel::new(painting)], 1)?.title(&self.title))
    }

    /// Writes the diagram to a file; the extension selects the format: `.svg` or `.png`.
    ///
    /// # Errors
    ///
    /// As [`Diagram::figure`] and [`Figure::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.figure()?.save(path)
    }

    /// The diagram for a page. With nested models it is drawn open and closed, and a click on a line
    /// switches between the two without a script.
    fn to_html(&self) -> Result<String> {
        let drawn = |diagram: &Diagram| Ok::<String, Error>(diagram.figure()?.to_html());
        if self.groups.is_empty() {
            return drawn(self);
        }
        let closed = drawn(&self.clone().collapsed())?;
        let opened = match self.groups.iter().any(|group| group.open) {
            true => drawn(self)?,
            false => drawn(&self.clone().expanded())?,
        };
        let outermost = self.groups.iter().filter(|group| group.parent.is_none());
        let names: Vec<String> = outermost
            .map(|group| {
                format!("<b>{}</b> ({})", escape_html(&group.title), self.layer_count(group))
            })
            .collect();
        let open = if self.groups.iter().any(|group| group.open) { " open" } else { "" };
        Ok(format!(
            "<style>.tchalk-diagram[open]>summary .tchalk-closed{{display:none}}\
             .tchalk-diagram>summary{{cursor:pointer}}</style>\
             <details class=\"tchalk-diagram\"{open}><summary>nested models: {}; click to open or \
             close<div class=\"tchalk-closed\">{closed}</div></summary>{opened}</details>",
            names.join(", ")
        ))
    }
}

impl Show for Diagram {
    fn content(&self) -> Content {
        match self.to_html() {
            Ok(html) => Content::html(format!("{self:?}"), html),
            Err(error) => Content::text(error.to_string()),
        }
    }
}

/// A diagram with its layout.
#[derive(Debug)]
struct DiagramPanel {
    diagram: Diagram,
    scene: Scene,
    /// The shapes written beside lines: the left end of each text's baseline, and the text.
    labels: Vec<(f64, f64, String)>,
    scale: f64,
}

impl DiagramPanel {
    /// Chooses the width of the boxes and the height of the columns so that the diagram fits into
    /// `room`.
    fn new(diagram: &Diagram, room: f64) -> Result<DiagramPanel> {
        let mut best: Option<(f64, Scene)> = None;
        for card in CARD_WIDTHS {
            for column in COLUMN_HEIGHTS {
                let limits = Limits { card, column };
                let scene = compose(diagram, None, limits).ok_or_else(|| {
                    let op = format!("diagram of {:?}", diagram.title);
                    Error::invalid(op, "edges without a cycle", "a cycle", "")
                })?;
                // Narrow boxes cut names, and a diagram that is too wide has to shrink.
                let narrow = (CARD_WIDTHS[0] - card) * 3.0;
                let shrink = (scene.width / room - 1.0).max(0.0) * 20_000.0;
                let cut = |(card, area): &(Card, Area)| card.cut_names(area.width);
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
        let rows = self.scene.cards.iter().flat_map(|(card, _)| &card.rows);
        let mut kinds: Vec<NodeKind> = rows.map(|row| row.kind).collect();
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
            |kind| self.scene.cards.iter().any(|(c, _)| c.rows.iter().any(|p| p.kind == kind));
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
        let scaled = Scaled { x: area.x, y: area.y, scale: self.scale };
        for &(group, frame) in &self.scene.frames {
            canvas.tinted(scaled.area(frame), 8.0 * self.scale, Ink::Class(5), 0.07);
            canvas.outline(scaled.area(frame), 8.0 * self.scale, Ink::Class(5), 1.2, false);
            for (x, y, text, style) in Header::new(&self.diagram, group).texts(frame) {
                scaled.write(canvas, (x, y), &text, style);
            }
        }
        for (_, points) in &self.scene.lines {
            scaled.draw_arrow(canvas, points);
        }
        for (card, area) in &self.scene.cards {
            scaled.draw_card(canvas, card, *area);
        }
        for (x, y, text) in &self.labels {
            scaled.write(canvas, (*x, *y), text, SMALL_TEXT);
        }
        let below = area.y + self.scale * self.scene.height + 24.0;
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

/// Draws parts of a scene, moved and scaled.
struct Scaled {
    x: f64,
    y: f64,
    scale: f64,
}

impl Scaled {
    fn point(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x + self.scale * x, self.y + self.scale * y)
    }

    fn area(&self, area: Area) -> Area {
        let (x, y) = self.point((area.x, area.y));
        Area { x, y, width: self.scale * area.width, height: self.scale * area.height }
    }

    fn write(&self, canvas: &mut Canvas, point: (f64, f64), text: &str, style: TextStyle) {
        let (x, y) = self.point(point);
        canvas.text(x, y, text, TextStyle { size: style.size * self.scale, ..style });
    }

    fn draw_arrow(&self, canvas: &mut Canvas, points: &[(f64, f64)]) {
        let mut points: Vec<(f64, f64)> = points.iter().map(|&point| self.point(point)).collect();
        let head = arrow(&points, HEAD * self.scale);
        // The line ends inside its head.
        let last = points.len() - 1;
        points[last] = ((head[0].0 + head[1].0) / 2.0, (head[0].1 + head[1].1) / 2.0);
        canvas.connector(&points, Ink::Quiet, 1.2);
        canvas.fill(&head, Ink::Quiet);
    }

    fn draw_card(&self, canvas: &mut Canvas, card: &Card, area: Area) {
        let (outline, s) = (self.area(area), self.scale);
        if card.is_closed() {
            // A second sheet behind a closed model.
            let behind = Area { x: outline.x + 3.0 * s, y: outline.y + 3.0 * s, ..outline };
            canvas.card(behind, 5.0 * s, Ink::Class(5), 0.3);
        }
        canvas.card(outline, 5.0 * s, card.rows[0].kind.ink(), 0.15);
        let mut y = area.y;
        for (i, row) in card.rows.iter().enumerate() {
            let height = row.height();
            if i > 0 {
                let ends = [self.point((area.x, y)), self.point((area.right(), y))];
                canvas.line(&ends, Ink::Rule, 1.0, false);
            }
            let bar = Area { y: y + 4.0, height: height - 8.0, x: area.x + 4.0, width: 3.0 };
            canvas.tinted(self.area(bar), 1.5 * s, row.kind.ink(), 1.0);
            for (dx, dy, text, style) in row.texts(area.width) {
                self.write(canvas, (area.x + dx, y + dy), &text, style);
            }
            y += height;
        }
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

#[cfg(test)]
mod tests {
    use super::super::labels::LARGE_NETWORK;
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
