//! The layout of a diagram with its nested models: each is laid out by itself, then is one box of
//! the model around it.

use super::card::{Card, Header};
use super::layout::layout;
use super::structure::Graph;
use super::{Diagram, NodeKind};
use crate::plot::canvas::Area;

const PADDING: f64 = 12.0;

/// The limits of a layout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The width of a box.
    pub(super) card: f64,
    /// The height of a column.
    pub(super) column: f64,
}

/// All parts of a diagram with their positions.
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

/// What one box of a level stands for.
enum Member {
    Layers(Vec<usize>, Card),
    Closed(usize, Card),
    Open(usize, Scene),
}

impl Member {
    /// Whether the part with this id is the member itself.
    fn is(&self, diagram: &Diagram, id: &str) -> bool {
        match self {
            Member::Layers(nodes, _) => nodes.iter().any(|&node| diagram.nodes[node].id == id),
            Member::Closed(group, _) | Member::Open(group, _) => diagram.groups[*group].id == id,
        }
    }

    fn card(&self) -> Option<&Card> {
        match self {
            Member::Layers(_, card) | Member::Closed(_, card) => Some(card),
            Member::Open(..) => None,
        }
    }
}

/// Lays out what is directly in `parent` (or in no group), and everything nested there; `None` if
/// there is a cycle.
pub(super) fn compose(diagram: &Diagram, parent: Option<&str>, limits: Limits) -> Option<Scene> {
    let members = members(diagram, parent, limits)?;
    let member_of = |id: &str| {
        let mut ids = std::iter::successors(Some(id), |id| diagram.parent_of(id));
        ids.find_map(|id| members.iter().position(|member| member.is(diagram, id)))
    };
    let edges = diagram.edges.iter().enumerate().filter_map(|(number, edge)| {
        let (from, to) = (member_of(&edge.from)?, member_of(&edge.to)?);
        (from != to).then_some((number, (from, to)))
    });
    let (numbers, edges): (Vec<usize>, Vec<(usize, usize)>) = edges.unzip();
    let layout = layout(&Graph { sizes: sizes(diagram, &members, limits), edges }, limits.column)?;
    let mut scene = Scene {
        width: layout.width,
        height: layout.height,
        lines: numbers.into_iter().zip(layout.routes).collect(),
        ..Scene::default()
    };
    for (member, area) in members.into_iter().zip(layout.boxes) {
        match member {
            Member::Layers(_, card) | Member::Closed(_, card) => scene.cards.push((card, area)),
            Member::Open(group, inner) => {
                let aside = (area.width - inner.width) / 2.0;
                let inner = inner.moved(area.x + aside, area.y + Header::HEIGHT);
                scene.frames.push((group, area));
                scene.frames.extend(inner.frames);
                scene.cards.extend(inner.cards);
                scene.lines.extend(inner.lines);
            }
        }
    }
    Some(scene)
}

/// The boxes of one level: its layers and nested models.
fn members(diagram: &Diagram, parent: Option<&str>, limits: Limits) -> Option<Vec<Member>> {
    let layers = stacks(diagram, parent).into_iter().map(|stack| {
        let nodes: Vec<_> = stack.iter().map(|&node| &diagram.nodes[node]).collect();
        let card = Card::new(&nodes);
        Member::Layers(stack, card)
    });
    let mut members: Vec<Member> = layers.collect();
    for (number, group) in diagram.groups.iter().enumerate() {
        if group.parent.as_deref() != parent {
            continue;
        }
        let column = (limits.column - Header::HEIGHT - PADDING).max(160.0);
        let inner = match group.open {
            true => compose(diagram, Some(&group.id), Limits { column, ..limits })?,
            false => Scene::default(),
        };
        members.push(match inner.cards.is_empty() {
            true => Member::Closed(number, Card::closed(diagram, number)),
            false => Member::Open(number, inner),
        });
    }
    Some(members)
}

/// The size of each box. All are equally wide, except that merges may be narrower and open models
/// are as wide as their content.
fn sizes(diagram: &Diagram, members: &[Member], limits: Limits) -> Vec<(f64, f64)> {
    let widths = members.iter().filter_map(Member::card).map(Card::width);
    let widest = widths.fold(0.0, f64::max).min(limits.card);
    let size = |member: &Member| match member {
        Member::Open(group, scene) => {
            let title = Header::new(diagram, *group).width().min(limits.card);
            let width = (scene.width + 2.0 * PADDING).max(title);
            (width, scene.height + Header::HEIGHT + PADDING)
        }
        Member::Layers(_, card) | Member::Closed(_, card) => {
            (if card.is_merge() { card.width().min(widest) } else { widest }, card.height())
        }
    };
    members.iter().map(size).collect()
}

/// The layers of one level, in stacks: an elementwise layer that is all that follows another layer
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
                .and_then(|member| followers[member])
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
            let parts: usize = scene.cards.iter().map(|(card, _)| card.rows.len()).sum();
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
