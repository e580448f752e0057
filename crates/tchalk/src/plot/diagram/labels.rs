//! The shapes that are written beside the lines of a diagram.

use super::Diagram;
use super::card::{Header, SMALL_TEXT};
use super::scene::Scene;
use crate::plot::canvas::Area;

/// In networks of more layers a shape is written only where it changes.
pub(super) const LARGE_NETWORK: usize = 60;

/// The left end of a text's baseline, and the text.
pub(super) type Label = (f64, f64, String);

/// The shapes of the data, one for each source: below the source or above the target, on a side of
/// the line where the text overlaps nothing.
pub(super) fn labels(diagram: &Diagram, scene: &Scene) -> Vec<Label> {
    let mut occupied = occupied(scene);
    let mut done: Vec<(&str, &str)> = Vec::new();
    let mut labels = Vec::new();
    for (edge, points) in &scene.lines {
        let edge = &diagram.edges[*edge];
        let source = (edge.from.as_str(), edge.shape.as_str());
        let is_new = done.last().is_none_or(|(_, shape)| *shape != edge.shape)
            || diagram.nodes.len() <= LARGE_NETWORK;
        if edge.shape.is_empty() || done.contains(&source) || !is_new {
            continue;
        }
        let is_free = |label: &Label| {
            let area = area(label);
            let inside = area.x >= -10.0 && area.right() <= scene.width + 10.0;
            inside && !occupied.iter().any(|other| area.touches(*other))
        };
        if let Some(label) = candidates(&edge.shape, points).into_iter().find(is_free) {
            occupied.push(area(&label));
            labels.push(label);
            done.push(source);
        }
    }
    labels
}

/// What labels must not touch: boxes, lines, and the titles and borders of frames.
fn occupied(scene: &Scene) -> Vec<Area> {
    let mut occupied: Vec<Area> = scene.cards.iter().map(|(_, area)| *area).collect();
    for &(_, frame) in &scene.frames {
        occupied.push(Area { height: Header::HEIGHT - 8.0, ..frame });
        occupied.push(Area { y: frame.bottom(), height: 1.0, ..frame });
        occupied.push(Area { width: 1.0, ..frame });
        occupied.push(Area { x: frame.right(), width: 1.0, ..frame });
    }
    for pair in scene.lines.iter().flat_map(|(_, points)| points.windows(2)) {
        let [(x1, y1), (x2, y2)] = [pair[0], pair[1]];
        let (width, height) = ((x1 - x2).abs() + 2.0, (y1 - y2).abs() + 2.0);
        occupied.push(Area { x: x1.min(x2) - 1.0, y: y1.min(y2) - 1.0, width, height });
    }
    occupied
}

/// The positions that are tried for a shape, and then the same without spaces.
fn candidates(shape: &str, line: &[(f64, f64)]) -> Vec<Label> {
    let (start, end) = (line[0], line[line.len() - 1]);
    let mut labels = Vec::new();
    for text in [shape.to_owned(), shape.replace(" × ", "×")] {
        let width = SMALL_TEXT.width(&text);
        for (x, y) in [(start.0, start.1 + 12.0), (end.0, end.1 - 5.0)] {
            labels.push((x + 6.0, y, text.clone()));
            labels.push((x - 6.0 - width, y, text.clone()));
        }
    }
    labels
}

fn area((x, y, text): &Label) -> Area {
    Area { x: x - 2.0, y: y - 9.0, width: SMALL_TEXT.width(text) + 4.0, height: 11.0 }
}
