//! The layout of a network: the positions of its boxes and the routes of its edges.
//!
//! The links of a chain are centered on one axis, so that its lines are straight; branches are side by
//! side. An edge that skips links runs in a lane on their right. Lines are horizontal or vertical, and
//! turn only in the gaps between links, at different heights where they would overlap. A chain that
//! is too high continues in a further column.

use super::structure::{Chain, Graph, Part, boxes, comb_heads};
use crate::plot::canvas::Area;
use std::ops::Range;

/// Between two branches.
const APART: f64 = 26.0;
/// Between a box and a lane beside it.
const BESIDE: f64 = 13.0;
/// Between two lanes, and between two levels of a gap.
const LANE: f64 = 8.0;
/// Between the arrows that lead to one box.
const ARROWS: f64 = 24.0;
/// Room for what is written beside a line, below its source.
const LABEL_ROOM: f64 = 17.0;
/// Room for an arrow's head above its target, where lines turn and where they are straight.
const HEAD_ROOM: f64 = 13.0;
const STRAIGHT_HEAD_ROOM: f64 = 7.0;
/// Between two columns.
const GUTTER: f64 = 36.0;
/// Above and below columns, for the line from one to the next.
const TURN: f64 = 16.0;
/// Every column has at least this part of the highest one's height.
const LEAST_PIECE: f64 = 0.3;

type Point = (f64, f64);

/// The area of each box, and the corners of each edge's line.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) boxes: Vec<Area>,
    pub(super) routes: Vec<Vec<Point>>,
}

/// Lays out the graph; `None` if it has a cycle. If it is higher than `most`, it continues in further
/// columns where possible.
pub(super) fn layout(graph: &Graph, most: f64) -> Option<Layout> {
    let chain = graph.chain()?;
    if chain.is_empty() {
        return Some(Layout::default());
    }
    let draft = Draft::new(graph, &chain);
    let mut whole = draft.block(&chain);
    if whole.height > most {
        whole = draft.columns(&chain, whole, most);
    }
    let mut areas = vec![Area { x: 0.0, y: 0.0, width: 0.0, height: 0.0 }; graph.sizes.len()];
    whole.boxes.iter().for_each(|&(v, area)| areas[v] = area);
    let mut routes = vec![Vec::new(); graph.edges.len()];
    whole.lines.into_iter().for_each(|(edge, points)| routes[edge].extend(points));
    for (route, &(from, to)) in routes.iter_mut().zip(&graph.edges) {
        // A comb's line from box to box has both ends already.
        if route.iter().any(|point| point.1 != route[0].1) {
            route.insert(0, (route[0].0, areas[from].bottom()));
            route.push((route[route.len() - 1].0, areas[to].y));
        }
        straighten(route);
    }
    Some(Layout { width: whole.width, height: whole.height, boxes: areas, routes })
}

/// Removes the points at which a line does not turn.
fn straighten(route: &mut Vec<Point>) {
    let same = |a: f64, b: f64| (a - b).abs() < 0.05;
    let mut at = 1;
    while at + 1 < route.len() {
        let [a, b, c] = [route[at - 1], route[at], route[at + 1]];
        if same(a.0, b.0) && same(b.0, c.0) || same(a.1, b.1) && same(b.1, c.1) {
            route.remove(at);
        } else {
            at += 1;
        }
    }
}

/// A part that is laid out, from its own upper left corner.
#[derive(Debug, Clone, Default)]
struct Block {
    width: f64,
    height: f64,
    /// Where its axis is at the upper edge, and at the lower one.
    top: f64,
    bottom: f64,
    boxes: Vec<(usize, Area)>,
    /// Pieces of the lines of edges, for each edge from its source on.
    lines: Vec<(usize, Vec<Point>)>,
    /// Edges that come from above, and where they cross the upper edge.
    entries: Vec<(usize, f64)>,
    /// Edges that lead further down, and where they cross the lower edge.
    exits: Vec<(usize, f64)>,
    /// Where each link of a chain begins and ends.
    links: Vec<(f64, f64)>,
}

impl Block {
    /// Adds the boxes and lines of a block that stands at this point.
    fn take(&mut self, block: &Block, (dx, dy): Point) {
        let moved = |area: Area| Area { x: area.x + dx, y: area.y + dy, ..area };
        self.boxes.extend(block.boxes.iter().map(|&(v, area)| (v, moved(area))));
        self.lines.extend(block.lines.iter().map(|(edge, points)| {
            (*edge, points.iter().map(|&(x, y)| (x + dx, y + dy)).collect())
        }));
    }
}

fn crossing(crossings: &[(usize, f64)], edge: usize) -> f64 {
    let found = crossings.iter().find(|(number, _)| *number == edge);
    found.expect("every edge crosses the parts that it connects").1
}

/// A graph while it is laid out.
struct Draft<'a> {
    graph: &'a Graph,
    /// The height of each box's row: in a comb all first boxes stand in one.
    rows: Vec<f64>,
    /// Edges between the first boxes of a comb.
    level: Vec<usize>,
}

impl Draft<'_> {
    fn new<'a>(graph: &'a Graph, chain: &[Part]) -> Draft<'a> {
        let mut rows: Vec<f64> = graph.sizes.iter().map(|size| size.1).collect();
        let mut level = Vec::new();
        for heads in comb_heads(chain) {
            let tallest = heads.iter().map(|&head| rows[head]).fold(0.0, f64::max);
            heads.iter().for_each(|&head| rows[head] = tallest);
            let pairs: Vec<(usize, usize)> = heads.windows(2).map(|p| (p[0], p[1])).collect();
            level.extend((0..graph.edges.len()).filter(|&edge| pairs.contains(&graph.edges[edge])));
        }
        Draft { graph, rows, level }
    }

    fn part(&self, part: &Part) -> Block {
        match part {
            Part::Box(v) => self.single(*v),
            Part::Branches(chains) => self.side_by_side(chains, false),
            Part::Comb(teeth) => self.comb(teeth),
        }
    }

    fn single(&self, v: usize) -> Block {
        let ((width, height), row) = (self.graph.sizes[v], self.rows[v]);
        let (middle, y) = (width / 2.0, (row - height) / 2.0);
        let edges = || self.graph.edges.iter().enumerate();
        let entries = edges().filter(|(_, edge)| edge.1 == v).map(|(number, _)| (number, middle));
        let exits = edges().filter(|(_, edge)| edge.0 == v).map(|(number, _)| (number, middle));
        Block {
            width,
            height: row,
            top: middle,
            bottom: middle,
            boxes: vec![(v, Area { x: 0.0, y, width, height })],
            entries: entries.collect(),
            exits: exits.collect(),
            ..Block::default()
        }
    }

    fn side_by_side(&self, chains: &[Chain], is_comb: bool) -> Block {
        let mut whole = Block::default();
        let blocks: Vec<Block> = chains.iter().map(|chain| self.block(chain)).collect();
        whole.height = blocks.iter().map(|block| block.height).fold(0.0, f64::max);
        let (mut tops, mut bottoms) = (Vec::new(), Vec::new());
        for block in &blocks {
            let x = if whole.width > 0.0 { whole.width + APART } else { 0.0 };
            // A branch without inputs from above is aligned with the merge below.
            let late = block.entries.is_empty() && !is_comb;
            let y = if late { whole.height - block.height } else { 0.0 };
            whole.take(block, (x, y));
            whole.entries.extend(block.entries.iter().map(|&(edge, at)| (edge, x + at)));
            whole.exits.extend(block.exits.iter().map(|&(edge, at)| (edge, x + at)));
            tops.push(x + block.top);
            bottoms.push(x + block.bottom);
            whole.width = x + block.width;
        }
        let middle = |positions: &[f64]| (positions[0] + positions[positions.len() - 1]) / 2.0;
        (whole.top, whole.bottom) = (middle(&tops), middle(&bottoms));
        // With two branches of different length, the longer one is the main path.
        if let [first, second] = chains
            && boxes(first).len() != boxes(second).len()
        {
            (whole.top, whole.bottom) = (tops[0], bottoms[0]);
        }
        whole
    }

    fn comb(&self, teeth: &[Chain]) -> Block {
        let mut whole = self.side_by_side(teeth, true);
        let areas = whole.boxes.clone();
        let area = |v: usize| areas.iter().find(|(w, _)| *w == v).map(|(_, area)| *area);
        for &number in &self.level {
            let (from, to) = self.graph.edges[number];
            if let (Some(left), Some(right)) = (area(from), area(to)) {
                let y = left.y + left.height / 2.0;
                whole.lines.push((number, vec![(left.right(), y), (right.x, y)]));
            }
        }
        whole.top = areas[0].1.x + areas[0].1.width / 2.0;
        whole
    }

    /// A chain, link below link.
    fn block(&self, chain: &[Part]) -> Block {
        let links = Links::new(self, chain);
        let n = links.blocks.len();
        let mut whole = Block { width: links.width, ..Block::default() };
        for (i, block) in links.blocks.iter().enumerate() {
            whole.take(block, (links.left[i], whole.height));
            whole.links.push((whole.height, whole.height + block.height));
            whole.height += block.height;
            if i + 1 < n {
                let (height, lines) = gap(links.turns(i + 1));
                let lower = |(x, y): Point| (x, y + whole.height);
                whole.lines.extend(
                    lines
                        .into_iter()
                        .map(|(edge, points)| (edge, points.into_iter().map(lower).collect())),
                );
                whole.height += height;
            }
        }
        let above = links.spans.iter().filter(|span| span.from == 0);
        whole.entries = above.map(|span| (span.edge, links.lower_end(span, 0))).collect();
        let below = links.spans.iter().filter(|span| span.to == n + 1);
        whole.exits = below.map(|span| (span.edge, links.upper_end(span, n))).collect();
        whole.top = links.left[0] + links.blocks[0].top;
        whole.bottom = links.left[n - 1] + links.blocks[n - 1].bottom;
        whole
    }

    /// A chain of more than one column: as many as its height takes, all about equally high.
    fn columns(&self, chain: &[Part], whole: Block, most: f64) -> Block {
        let height = |part: &Range<usize>| whole.links[part.end - 1].1 - whole.links[part.start].0;
        let cuts = self.cuts(chain);
        let filled = |limit: f64| {
            let mut columns: Vec<Range<usize>> = Vec::new();
            for end in cuts.iter().copied().chain([chain.len()]) {
                let next = columns.last().map_or(0, |column| column.end);
                match columns.last_mut() {
                    Some(column) if height(&(column.start..end)) <= limit => column.end = end,
                    _ => columns.push(next..end),
                }
            }
            columns
        };
        let count = filled(most).len();
        let limits = (0..).map(|step| whole.height / count as f64 + 10.0 * f64::from(step));
        let even = limits.map(filled).find(|columns| columns.len() <= count);
        let columns = even.expect("the limit grows until all fits into one column");
        let tallest = columns.iter().map(height).fold(0.0, f64::max);
        // A short piece does not get a column of its own.
        if columns.iter().any(|column| height(column) < LEAST_PIECE * tallest) {
            return whole;
        }
        self.side_by_side_columns(columns.into_iter().map(|column| &chain[column]))
    }

    fn side_by_side_columns<'a>(&self, columns: impl Iterator<Item = &'a [Part]>) -> Block {
        let mut whole = Block::default();
        // Where the last column ends.
        let mut end = None;
        for column in columns {
            let block = self.block(column);
            let left = if end.is_some() { whole.width + GUTTER } else { 0.0 };
            if let Some((x, y)) = end {
                let (low, high) = (y + 0.75 * TURN, 0.0);
                let aside = whole.width + GUTTER / 2.0;
                whole.lines.extend(block.entries.iter().map(|&(edge, to)| {
                    (edge, vec![(x, low), (aside, low), (aside, high), (left + to, high)])
                }));
            }
            whole.take(&block, (left, TURN));
            end = Some((left + block.bottom, TURN + block.height));
            whole.width = left + block.width;
            whole.height = whole.height.max(block.height + 2.0 * TURN);
        }
        whole
    }

    /// Before which links a column may begin: all lines that lead there come from the box above.
    fn cuts(&self, chain: &[Part]) -> Vec<usize> {
        let link = link_of_boxes(self.graph, chain);
        let all_from_box_above = |&cut: &usize| {
            let Part::Box(above) = chain[cut - 1] else { return false };
            let mut over = self
                .graph
                .edges
                .iter()
                .filter(|edge| link[edge.0] <= Some(cut) && link[edge.1] > Some(cut));
            over.all(|edge| edge.0 == above)
        };
        (1..chain.len()).filter(all_from_box_above).collect()
    }
}

/// An edge as a chain sees it: it leads from one link to another, counted from 1. Link 0 stands for
/// all that is above the chain, and one more than there are links for all below.
#[derive(Debug, Clone, Copy)]
struct Span {
    edge: usize,
    from: usize,
    to: usize,
    /// Where it passes the links that it skips.
    lane: f64,
}

impl Span {
    fn skips(&self) -> bool {
        self.to > self.from + 1
    }

    /// Whether there is a gap that both lead through.
    fn meets(&self, other: &Span) -> bool {
        self.from < other.to && other.from < self.to
    }
}

/// By box the number of the link that it is in, counted from 1.
fn link_of_boxes(graph: &Graph, chain: &[Part]) -> Vec<Option<usize>> {
    let mut links = vec![None; graph.sizes.len()];
    for (i, part) in chain.iter().enumerate() {
        boxes(std::slice::from_ref(part)).into_iter().for_each(|v| links[v] = Some(i + 1));
    }
    links
}

/// The links of a chain on their axis.
struct Links {
    blocks: Vec<Block>,
    left: Vec<f64>,
    spans: Vec<Span>,
    width: f64,
}

/// A line in a gap: its x coordinates at the upper and the lower end.
struct Turn {
    edge: usize,
    from: f64,
    to: f64,
}

impl Links {
    fn new(draft: &Draft, chain: &[Part]) -> Links {
        let graph = draft.graph;
        let blocks: Vec<Block> = chain.iter().map(|part| draft.part(part)).collect();
        let mut left = vec![0.0; blocks.len()];
        for i in 1..blocks.len() {
            left[i] = left[i - 1] + blocks[i - 1].bottom - blocks[i].top;
        }
        let low = left.iter().copied().fold(f64::INFINITY, f64::min);
        left.iter_mut().for_each(|x| *x -= low);
        let right = |i: usize| left[i] + blocks[i].width;
        let mut width = (0..blocks.len()).map(right).fold(0.0, f64::max);

        let link = link_of_boxes(graph, chain);
        let below = chain.len() + 1;
        let spans = graph.edges.iter().enumerate().filter_map(|(edge, &(from, to))| {
            let inside = link[from].is_some() || link[to].is_some();
            let (from, to) = (link[from].unwrap_or(0), link[to].unwrap_or(below));
            (inside && from != to && !draft.level.contains(&edge)).then_some(Span {
                edge,
                from,
                to,
                lane: 0.0,
            })
        });
        let mut spans: Vec<Span> = spans.collect();
        // The shortest lanes are next to the boxes.
        spans.sort_by_key(|span| span.to - span.from);
        for i in 0..spans.len() {
            let span = spans[i];
            if span.skips() {
                let passed =
                    (span.from..span.to - 1).map(|i| right(i) + BESIDE).fold(0.0, f64::max);
                let others = spans[..i].iter().filter(|other| other.skips() && other.meets(&span));
                spans[i].lane = others.map(|other| other.lane + LANE).fold(passed, f64::max);
                width = width.max(spans[i].lane + LANE / 2.0);
            }
        }
        Links { blocks, left, spans, width }
    }

    /// Where an edge crosses the upper end of the gap below this link.
    fn upper_end(&self, span: &Span, link: usize) -> f64 {
        match span.from == link {
            true => self.left[link - 1] + crossing(&self.blocks[link - 1].exits, span.edge),
            false => span.lane,
        }
    }

    /// Where an edge crosses the lower end of the gap below this link.
    fn lower_end(&self, span: &Span, link: usize) -> f64 {
        match span.to == link + 1 {
            true => self.left[link] + crossing(&self.blocks[link].entries, span.edge),
            false => span.lane,
        }
    }

    /// The lines in the gap below this link, but for those that only pass.
    fn turns(&self, link: usize) -> Vec<Turn> {
        let passes = |span: &&Span| span.from < link && span.to > link + 1;
        let here = self.spans.iter().filter(|span| span.from <= link && span.to > link);
        let (mut arriving, leaving): (Vec<&Span>, Vec<&Span>) =
            here.filter(|span| !passes(span)).partition(|span| span.to == link + 1);
        arriving.sort_by(|a, b| self.upper_end(a, link).total_cmp(&self.upper_end(b, link)));
        let target = &self.blocks[link];
        let axis = self.left[link] + target.top;
        // Lines to one box arrive side by side, one from straight above in the middle.
        let count = arriving.len() as f64;
        let straight = |span: &&Span| (self.upper_end(span, link) - axis).abs() < 0.5;
        let middle = arriving.iter().position(straight).map_or((count - 1.0) / 2.0, |at| at as f64);
        let step =
            ARROWS.min((target.width / 2.0 - 8.0) / middle.max(count - 1.0 - middle).max(0.5));
        let arriving = arriving.iter().enumerate().map(|(at, span)| {
            let aside = if target.boxes.len() == 1 { (at as f64 - middle) * step } else { 0.0 };
            Turn {
                edge: span.edge,
                from: self.upper_end(span, link),
                to: self.lower_end(span, link) + aside,
            }
        });
        let leaving = leaving.into_iter().map(|span| Turn {
            edge: span.edge,
            from: self.upper_end(span, link),
            to: span.lane,
        });
        let mut turns: Vec<Turn> = arriving.chain(leaving).collect();
        // Lines from near the axis turn first, so that few lines cross.
        turns.sort_by(|a, b| (a.from - axis).abs().total_cmp(&(b.from - axis).abs()));
        turns
    }
}

/// The height of a gap, and the lines in it.
fn gap(turns: Vec<Turn>) -> (f64, Vec<(usize, Vec<Point>)>) {
    // For each x from which lines come: x, how far they reach to both sides, and their level.
    let mut levels: Vec<(f64, f64, f64, usize)> = Vec::new();
    for Turn { from, to, .. } in &turns {
        let (low, high) = (from.min(*to), from.max(*to));
        if high - low < 0.5 {
            continue;
        }
        match levels.iter_mut().find(|level| level.0 == *from) {
            Some(level) => (level.1, level.2) = (level.1.min(low), level.2.max(high)),
            None => levels.push((*from, low, high, 0)),
        }
    }
    for i in 0..levels.len() {
        let (_, low, high, _) = levels[i];
        let touching =
            levels[..i].iter().filter(|other| other.1 < high + 5.0 && low < other.2 + 5.0);
        levels[i].3 = touching.map(|other| other.3 + 1).max().unwrap_or(0);
    }
    let height = match levels.iter().map(|level| level.3).max() {
        None => LABEL_ROOM + STRAIGHT_HEAD_ROOM,
        Some(most) => LABEL_ROOM + LANE * most as f64 + HEAD_ROOM,
    };
    let lines = turns.into_iter().map(|Turn { edge, from, to }| {
        let level = levels.iter().find(|level| level.0 == from).map_or(0, |level| level.3);
        let y = LABEL_ROOM + LANE * level as f64;
        (edge, vec![(from, 0.0), (from, y), (to, y), (to, height)])
    });
    (height, lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether the line between two corners passes through the inside of an area.
    fn passes(a: (f64, f64), b: (f64, f64), area: Area) -> bool {
        let (left, right) = (a.0.min(b.0), a.0.max(b.0));
        let (top, bottom) = (a.1.min(b.1), a.1.max(b.1));
        right > area.x + 0.5
            && left < area.right() - 0.5
            && bottom > area.y + 0.5
            && top < area.bottom() - 0.5
    }

    fn check(graph: &Graph, drawing: &Layout) {
        for (i, a) in drawing.boxes.iter().enumerate() {
            assert!(a.x > -0.01 && a.right() < drawing.width + 0.01, "{a:?} in {}", drawing.width);
            assert!(a.y > -0.01 && a.bottom() < drawing.height + 0.01, "{a:?}");
            for (j, b) in drawing.boxes.iter().enumerate().skip(i + 1) {
                let apart =
                    a.right() <= b.x || b.right() <= a.x || a.bottom() <= b.y || b.bottom() <= a.y;
                assert!(apart, "boxes {i} and {j}: {a:?} {b:?}");
            }
        }
        for (&(from, to), route) in graph.edges.iter().zip(&drawing.routes) {
            for pair in route.windows(2) {
                let (a, b) = (pair[0], pair[1]);
                assert!(
                    (a.0 - b.0).abs() < 0.1 || (a.1 - b.1).abs() < 0.1,
                    "{from}-{to} {route:?}"
                );
                for (item, &area) in drawing.boxes.iter().enumerate() {
                    assert!(!passes(a, b, area), "{from}-{to} {route:?} through {item} {area:?}");
                }
            }
            let (start, end) = (route[0], route[route.len() - 1]);
            let (a, b) = (drawing.boxes[from], drawing.boxes[to]);
            assert!(start.0 >= a.x && start.0 <= a.right() + 0.1, "{route:?} begins at {a:?}");
            assert!(end.0 >= b.x - 0.1 && end.0 <= b.right(), "{route:?} ends at {b:?}");
            assert!(end.1 <= b.bottom() && (end.1 - b.y).abs() < 0.1 + b.height, "{route:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn no_line_passes_through_a_box_and_no_boxes_touch(
            sizes in prop::collection::vec((20.0f64..200.0, 15.0f64..150.0), 1..24),
            pairs in prop::collection::vec((0usize..24, 0usize..24), 0..50),
            most in 100.0f64..2000.0,
        ) {
            let n = sizes.len();
            let edges = pairs.into_iter().map(|(a, b)| (a % n, b % n)).filter(|(a, b)| a != b);
            let edges = edges.map(|(a, b)| (a.min(b), a.max(b))).collect();
            let graph = Graph { sizes, edges };
            let drawing = layout(&graph, most).expect("edges lead upwards");
            check(&graph, &drawing);
        }
    }

    #[test]
    fn a_long_chain_continues_in_columns() {
        let edges = (1..40).map(|i| (i - 1, i)).collect();
        let graph = Graph { sizes: vec![(100.0, 30.0); 40], edges };
        let drawing = layout(&graph, 600.0).unwrap();
        check(&graph, &drawing);
        assert!(drawing.height < 650.0 && drawing.width > 500.0, "{drawing:?}");
        let short = layout(&graph, 1e6).unwrap();
        assert_eq!(short.width, 100.0);
    }

    #[test]
    fn a_comb_lies_flat() {
        let edges = vec![(0, 1), (1, 2), (0, 3), (1, 4), (2, 5), (3, 6), (4, 6), (5, 6)];
        let graph = Graph { sizes: vec![(100.0, 30.0); 7], edges };
        let drawing = layout(&graph, 600.0).unwrap();
        check(&graph, &drawing);
        assert_eq!(drawing.boxes[0].y, drawing.boxes[2].y);
        assert_eq!(drawing.routes[0].len(), 2);
    }
}
