//! A drawing of drawings: each nested model is laid out by itself, then takes its place as one box.

use super::card::{Card, Header};
use super::layout::layout;
use super::structure::Graph;
use super::{Diagram, NodeKind};
use crate::plot::canvas::Area;

const PADDING: f64 = 12.0;

/// How large things may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The width of a box.
    pub(super) card: f64,
    /// The height of a column.
    pub(super) column: f64,
}

/// Everything in its place.
#[derive(Debug, Clone, Default)]
pub(super) struct Scene {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) cards: Vec<(Card, Area)>,
    /// Open nested models, the outer ones first.
    pub(super) frames: Vec<(usize, Area)>,
    /// The corners of each edge's line.
    pub(super) lines: Vec<(usize, Vec<(f64, f64)>)>,
}

impl Scene {
    fn moved(mut self, dx: f64, dy: f64) -> Scene {
        let shift = |area: &mut Area| (area.x, area.y) = (area.x + dx, area.y + dy);
        self.cards.iter_mut().for_each(|(_, area)| shift(area));
        self.frames.iter_mut().for_each(|(_, area)| shift(area));
        let points = self.lines.iter_mut().flat_map(|(_, points)| points);
        points.for_each(|point| *point = (point.0 + dx, point.1 + dy));
        self
    }
}

/// What stands in one box of a level.
enum Member {
    Layers(Vec<usize>),
    Closed(usize),
    Open(usize, Scene),
}

/// Lays out what is directly in `parent` (or in no group), and all that is nested there; nothing if
/// the ways go round in a circle.
pub(super) fn compose(diagram: &Diagram, parent: Option<usize>, limits: Limits) -> Option<Scene> {
    let parent_id = parent.map(|group| diagram.groups[group].id.as_str());
    let mut members: Vec<Member> =
        stacks(diagram, parent_id).into_iter().map(Member::Layers).collect();
    for (number, group) in diagram.groups.iter().enumerate() {
        if group.parent.as_deref() != parent_id {
            continue;
        }
        members.push(match group.open {
            false => Member::Closed(number),
            true => {
                let column = (limits.column - Header::HEIGHT - PADDING).max(160.0);
                let inner = compose(diagram, Some(number), Limits { column, ..limits })?;
                match inner.cards.is_empty() {
                    true => Member::Closed(number),
                    false => Member::Open(number, inner),
                }
            }
        });
    }
    let cards: Vec<Option<Card>> = members
        .iter()
        .map(|member| match member {
            Member::Layers(nodes) => {
                let nodes: Vec<_> = nodes.iter().map(|&node| &diagram.nodes[node]).collect();
                Some(Card::new(&nodes))
            }
            Member::Closed(group) => Some(Card::closed(diagram, *group)),
            Member::Open(..) => None,
        })
        .collect();
    // All boxes of a level are equally wide; only where ways meet they may be smaller.
    let widest = cards.iter().flatten().map(Card::width).fold(0.0, f64::max).min(limits.card);
    let sizes = members.iter().zip(&cards).map(|(member, card)| match (member, card) {
        (Member::Open(group, scene), _) => {
            let title = Header::new(diagram, *group).width().min(limits.card);
            let width = (scene.width + 2.0 * PADDING).max(title);
            (width, scene.height + Header::HEIGHT + PADDING)
        }
        (_, Some(card)) if card.is_merge() => (card.width().min(widest), card.height()),
        (_, Some(card)) => (widest, card.height()),
        (_, None) => (0.0, 0.0),
    });
    let sizes = sizes.collect();
    let place = |id: &str| member_of(diagram, &members, id, parent_id);
    let edges = diagram.edges.iter().enumerate().filter_map(|(number, edge)| {
        let (from, to) = (place(&edge.from)?, place(&edge.to)?);
        (from != to).then_some((number, (from, to)))
    });
    let (numbers, edges): (Vec<usize>, Vec<(usize, usize)>) = edges.unzip();
    let drawing = layout(&Graph { sizes, edges }, limits.column)?;
    let mut scene = Scene {
        width: drawing.width,
        height: drawing.height,
        lines: numbers.into_iter().zip(drawing.routes).collect(),
        ..Scene::default()
    };
    for ((member, card), area) in members.into_iter().zip(cards).zip(drawing.boxes) {
        match (member, card) {
            (Member::Open(group, inner), _) => {
                let aside = (area.width - inner.width) / 2.0;
                let inner = inner.moved(area.x + aside, area.y + Header::HEIGHT);
                scene.frames.push((group, area));
                scene.frames.extend(inner.frames);
                scene.cards.extend(inner.cards);
                scene.lines.extend(inner.lines);
            }
            (_, Some(card)) => scene.cards.push((card, area)),
            (_, None) => {}
        }
    }
    Some(scene)
}

/// Which member of a level the part `id` is, or is inside of.
fn member_of(
    diagram: &Diagram,
    members: &[Member],
    id: &str,
    parent: Option<&str>,
) -> Option<usize> {
    let node = diagram.nodes.iter().position(|node| node.id == id);
    let (mut above, mut group) = match node {
        Some(node) => (diagram.nodes[node].group.as_deref(), None),
        None => {
            let group = diagram.groups.iter().position(|group| group.id == id)?;
            (diagram.groups[group].parent.as_deref(), Some(group))
        }
    };
    while above != parent {
        let outer = diagram.groups.iter().position(|group| Some(group.id.as_str()) == above)?;
        (above, group) = (diagram.groups[outer].parent.as_deref(), Some(outer));
    }
    members.iter().position(|member| match (member, group) {
        (Member::Layers(nodes), None) => node.is_some_and(|node| nodes.contains(&node)),
        (Member::Closed(number) | Member::Open(number, _), Some(group)) => *number == group,
        _ => false,
    })
}

/// The layers of one level: what only touches values one by one, and is all that follows a layer,
/// joins its box.
fn stacks(diagram: &Diagram, parent: Option<&str>) -> Vec<Vec<usize>> {
    let from = |id: &str| diagram.edges.iter().filter(|edge| edge.from == id).collect::<Vec<_>>();
    let to = |id: &str| diagram.edges.iter().filter(|edge| edge.to == id).collect::<Vec<_>>();
    let here: Vec<usize> = (0..diagram.nodes.len())
        .filter(|&node| diagram.nodes[node].group.as_deref() == parent)
        .collect();
    let follower = |node: usize| {
        let id = &diagram.nodes[node].id;
        let [edge] = from(id)[..] else { return None };
        let next = *here.iter().find(|&&next| diagram.nodes[next].id == edge.to)?;
        let same_shape = from(&edge.to).iter().all(|after| after.shape == edge.shape);
        let joins = diagram.nodes[next].kind.is_light()
            && diagram.nodes[node].kind != NodeKind::Input
            && to(&edge.to).len() == 1
            && same_shape;
        joins.then_some(next)
    };
    let followers: Vec<Option<usize>> = here.iter().map(|&node| follower(node)).collect();
    let heads = here.iter().filter(|node| !followers.contains(&Some(**node)));
    heads
        .map(|&head| {
            let mut stack = vec![head];
            while let Some(next) = here
                .iter()
                .position(|&node| node == stack[stack.len() - 1])
                .and_then(|place| followers[place])
            {
                stack.push(next);
            }
            stack
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    const LIMITS: Limits = Limits { card: 178.0, column: 600.0 };

    #[test]
    fn light_layers_join_the_box_above() {
        let stacks = stacks(&samples::simple(), None);
        let sizes: Vec<usize> = stacks.iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 2, 2, 2, 2, 2, 2, 1, 3, 2]);
    }

    #[test]
    fn every_layer_and_every_way_is_there() {
        for (name, diagram) in samples::all() {
            let scene = compose(&diagram, None, LIMITS).unwrap();
            if name.ends_with("closed") {
                assert!(scene.frames.is_empty());
                continue;
            }
            let parts: usize = scene.cards.iter().map(|(card, _)| card.parts.len()).sum();
            assert_eq!(parts, diagram.nodes.len(), "{name}");
            let inside = parts - scene.cards.len();
            assert_eq!(scene.lines.len() + inside, diagram.edges.len(), "{name}");
        }
    }

    #[test]
    fn frames_hold_their_layers() {
        let scene = compose(&samples::combined(), None, LIMITS).unwrap();
        assert_eq!(scene.frames.len(), 3);
        let (outer, inner) = (scene.frames[0].1, scene.frames[1].1);
        assert!(inner.x > outer.x && inner.bottom() < outer.bottom() && inner.y > outer.y + 20.0);
    }
}
