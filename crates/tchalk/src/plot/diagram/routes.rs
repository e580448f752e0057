//! From rows to a drawing: heights, columns, and lines that run beside the boxes.
//!
//! Lines are level or upright. Between two rows is a channel, in which every source has a track of
//! its own, so that two lines never lie on one another unless they come from the same box. A drawing
//! that is too high continues in a further column, where all lines that would cross the cut come
//! from one box.

use super::columns::cuts;
use super::layers::{Graph, Layered};
use super::places::places;
use crate::plot::canvas::Area;

/// Room for what is written beside a line, below its source.
const LABEL_ROOM: f64 = 17.0;
/// The same where nothing is written.
const QUIET_ROOM: f64 = 9.0;
/// Between two tracks.
const TRACK: f64 = 8.0;
/// Room for an arrow's head above its target.
const HEAD_ROOM: f64 = 13.0;
/// Between two columns.
const GUTTER: f64 = 36.0;
/// Above and below columns, for the line from one to the next.
const TURN: f64 = 16.0;

/// Boxes in their places, and for each edge the corners of its line.
#[derive(Debug, Clone, Default)]
pub(super) struct Drawing {
    /// Whether it is no higher than it may be in one column: more height would change nothing.
    pub(super) fits: bool,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) boxes: Vec<Area>,
    pub(super) routes: Vec<Vec<(f64, f64)>>,
}

/// All lines of one source between two rows.
#[derive(Debug, Clone)]
struct Net {
    source: usize,
    from: f64,
    to: Vec<f64>,
}

impl Net {
    fn low(&self) -> f64 {
        self.to.iter().copied().fold(self.from, f64::min)
    }

    fn high(&self) -> f64 {
        self.to.iter().copied().fold(self.from, f64::max)
    }

    fn is_straight(&self) -> bool {
        self.high() - self.low() < 0.5
    }

    fn overlaps(&self, other: &Net) -> bool {
        self.low() < other.high() + 5.0 && other.low() < self.high() + 5.0
    }

    /// How bad it is to have this one's track above the other's.
    fn above(&self, other: &Net) -> usize {
        let inside = |x: f64, net: &Net| net.low() < x && x < net.high();
        let close = |a: f64, b: f64| (a - b).abs() < 4.0;
        let crossing = self.to.iter().filter(|&&x| inside(x, other)).count()
            + usize::from(inside(other.from, self));
        // The line down to a target of the upper would run into the line from the lower's source.
        let on_another = self.to.iter().filter(|&&x| close(x, other.from)).count();
        crossing + 100 * on_another
    }
}

/// The gap below each row: how high, and on which track each source's lines run.
#[derive(Debug, Clone, Default)]
pub(super) struct Channel {
    pub(super) height: f64,
    /// Source and depth below the row.
    tracks: Vec<(usize, f64)>,
}

/// Draws the graph; nothing if it has a cycle. Higher than `most` it continues in further columns,
/// where it can.
pub(super) fn draw(graph: &Graph, most: f64) -> Option<Drawing> {
    if graph.sizes.is_empty() {
        return Some(Drawing { fits: true, ..Drawing::default() });
    }
    let layered = graph.layered(&graph.spine())?;
    let x = places(graph, &layered);
    let ports = ports(&layered, &x);
    let rows = layered.rows.len();
    let heights: Vec<f64> = layered
        .rows
        .iter()
        .map(|row| {
            let items = row.iter().filter_map(|&v| layered.vertices[v].item);
            items.map(|item| graph.sizes[item].1).fold(0.0, f64::max)
        })
        .collect();
    let channels: Vec<Channel> =
        (1..rows).map(|row| channel(graph, &layered, &x, &ports, row - 1)).collect();
    let whole = heights.iter().sum::<f64>() + channels.iter().map(|c| c.height).sum::<f64>();
    let fits = whole <= most;
    let cuts = if fits { Vec::new() } else { cuts(&layered, &heights, &channels, most) };

    // Where each row begins, and how far its column is moved to the right.
    let (mut top, mut shift) = (vec![0.0; rows], vec![0.0; rows]);
    let (mut bottoms, mut gutters) = (Vec::new(), Vec::new());
    let head = if cuts.is_empty() { 0.0 } else { TURN };
    let (mut first, mut left) = (0, 0.0);
    for last in cuts.iter().copied().chain([rows - 1]) {
        let extent = |side: f64| {
            let vertices = (first..=last).flat_map(|row| layered.rows[row].iter());
            vertices.map(move |&v| (v, side))
        };
        let low = extent(-0.5).map(|(v, side)| x[v] + side * layered.vertices[v].width);
        let high = extent(0.5).map(|(v, side)| x[v] + side * layered.vertices[v].width);
        let (low, high) =
            (low.fold(f64::INFINITY, f64::min), high.fold(f64::NEG_INFINITY, f64::max));
        let mut y = head;
        for row in first..=last {
            (top[row], shift[row]) = (y, left - low);
            y += heights[row];
            bottoms.push(y);
            if row < last {
                y += channels[row].height;
            }
        }
        left += high - low;
        gutters.push(left + GUTTER / 2.0);
        left += GUTTER;
        first = last + 1;
    }
    let width = left - GUTTER;
    let foot = if cuts.is_empty() { 0.0 } else { TURN };
    let height = bottoms.iter().copied().fold(0.0, f64::max) + foot;

    let boxes: Vec<Area> = (0..graph.sizes.len())
        .map(|item| {
            let (width, height) = graph.sizes[item];
            let row = layered.vertices[item].layer;
            let y = top[row] + (heights[row] - height) / 2.0;
            Area { x: x[item] + shift[row] - width / 2.0, y, width, height }
        })
        .collect();
    let mut port = 0;
    let routes = layered.chains.iter().zip(&layered.level).map(|(chain, &level)| {
        let (from, to) = (boxes[chain[0]], boxes[chain[chain.len() - 1]]);
        if level {
            let y = from.y + from.height / 2.0;
            return vec![(from.right(), y), (to.x, y)];
        }
        let mut way = vec![(x[chain[0]] + shift[layered.vertices[chain[0]].layer], from.bottom())];
        for pair in chain.windows(2) {
            let row = layered.vertices[pair[0]].layer;
            let end = ports[port] + shift[row + 1];
            port += 1;
            let start = way[way.len() - 1].0;
            if let Some(number) = cuts.iter().position(|&cut| cut == row) {
                let (low, high) = (bottoms[row] + TURN * 0.75, top[row + 1] - TURN * 0.9);
                let aside = gutters[number];
                way.extend([(start, low), (aside, low), (aside, high), (end, high)]);
            } else if (start - end).abs() >= 0.05 {
                let track = channels[row].tracks.iter().find(|(source, _)| *source == pair[0]);
                let depth = track.map_or(channels[row].height / 2.0, |(_, depth)| *depth);
                let y = bottoms[row] + depth;
                way.extend([(start, y), (end, y)]);
            }
        }
        let last = way[way.len() - 1].0;
        way.push((last, to.y));
        way
    });
    let routes: Vec<Vec<(f64, f64)>> = routes.collect();
    Some(Drawing { fits, width, height, boxes, routes })
}

/// Where the line of each segment arrives, in the order of `Layered::segments`: lines to one box
/// arrive side by side.
fn ports(layered: &Layered, x: &[f64]) -> Vec<f64> {
    let segments = &layered.segments;
    let mut ports: Vec<f64> = segments.iter().map(|&(_, to)| x[to]).collect();
    for v in 0..layered.vertices.len() {
        let mut arriving: Vec<usize> =
            (0..segments.len()).filter(|&segment| segments[segment].1 == v).collect();
        if arriving.len() < 2 {
            continue;
        }
        arriving.sort_by(|&a, &b| x[segments[a].0].total_cmp(&x[segments[b].0]));
        let room = (layered.vertices[v].width - 16.0).max(0.0);
        let step = (room / arriving.len() as f64).min(24.0);
        // One that comes from straight above arrives in the middle.
        let straight = |&segment: &usize| (x[segments[segment].0] - x[v]).abs() < 0.5;
        let middle = arriving.iter().position(straight);
        let center = match middle {
            Some(place) => place as f64,
            None => (arriving.len() - 1) as f64 / 2.0,
        };
        let reach = center.max((arriving.len() - 1) as f64 - center);
        let step = if reach > 0.0 { step.min(room / 2.0 / reach) } else { step };
        for (place, &segment) in arriving.iter().enumerate() {
            ports[segment] = x[v] + (place as f64 - center) * step;
        }
    }
    ports
}

/// The tracks between a row and the next.
fn channel(graph: &Graph, layered: &Layered, x: &[f64], ports: &[f64], row: usize) -> Channel {
    let mut above = layered.rows[row].iter().filter_map(|&v| layered.vertices[v].item);
    let quiet = above.all(|item| graph.quiet.get(item).copied().unwrap_or(false));
    let room = if quiet { QUIET_ROOM } else { LABEL_ROOM };
    let mut nets: Vec<Net> = Vec::new();
    for (segment, &(from, _)) in layered.segments.iter().enumerate() {
        if layered.vertices[from].layer != row {
            continue;
        }
        match nets.iter_mut().find(|net| net.source == from) {
            Some(net) => net.to.push(ports[segment]),
            None => nets.push(Net { source: from, from: x[from], to: vec![ports[segment]] }),
        }
    }
    nets.retain(|net| !net.is_straight());
    if nets.is_empty() {
        return Channel { height: room + 7.0, tracks: Vec::new() };
    }
    // An order with few crossings: as long as an exchange of neighbors helps, it is made.
    nets.sort_by(|a, b| a.low().total_cmp(&b.low()));
    for _ in 0..nets.len() {
        let mut better = false;
        for at in 1..nets.len() {
            if nets[at].above(&nets[at - 1]) < nets[at - 1].above(&nets[at]) {
                nets.swap(at - 1, at);
                better = true;
            }
        }
        if !better {
            break;
        }
    }
    let mut track: Vec<usize> = Vec::with_capacity(nets.len());
    for (at, net) in nets.iter().enumerate() {
        let above = nets[..at].iter().zip(&track).filter(|(other, _)| other.overlaps(net));
        track.push(above.map(|(_, &track)| track + 1).max().unwrap_or(0));
    }
    let most = track.iter().copied().max().unwrap_or(0);
    let tracks = nets.iter().zip(&track);
    Channel {
        height: room + TRACK * most as f64 + HEAD_ROOM,
        tracks: tracks.map(|(net, &track)| (net.source, room + TRACK * track as f64)).collect(),
    }
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

    fn check(graph: &Graph, drawing: &Drawing) {
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
            let graph = Graph { sizes, edges, quiet: Vec::new() };
            let drawing = draw(&graph, most).expect("edges lead upwards");
            check(&graph, &drawing);
        }
    }

    #[test]
    fn a_long_chain_continues_in_columns() {
        let edges = (1..40).map(|i| (i - 1, i)).collect();
        let graph = Graph { sizes: vec![(100.0, 30.0); 40], edges, quiet: vec![] };
        let drawing = draw(&graph, 600.0).unwrap();
        check(&graph, &drawing);
        assert!(drawing.height < 650.0 && drawing.width > 500.0, "{drawing:?}");
        let short = draw(&graph, 1e6).unwrap();
        assert_eq!(short.width, 100.0);
    }

    #[test]
    fn a_comb_lies_flat() {
        let edges = vec![(0, 1), (1, 2), (0, 3), (1, 4), (2, 5), (3, 6), (4, 6), (5, 6)];
        let graph = Graph { sizes: vec![(100.0, 30.0); 7], edges, quiet: vec![] };
        let drawing = draw(&graph, 600.0).unwrap();
        check(&graph, &drawing);
        assert_eq!(drawing.boxes[0].y, drawing.boxes[2].y);
        assert_eq!(drawing.routes[0].len(), 2);
    }
}
