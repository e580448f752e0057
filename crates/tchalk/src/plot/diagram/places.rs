//! The second half of a layered drawing: where each place of a row is from left to right.
//!
//! Places that belong under one another (the longest way through the network, the lane of a passing
//! edge) are tied into columns that move as one, as in Brandes and Köpf's *Fast and Simple
//! Horizontal Coordinate Assignment* (2001). The columns are then pushed as near to their neighbors
//! as the others let them.

use super::layers::{Graph, LANE, Layered};

/// Between two boxes.
const APART: f64 = 26.0;
/// Beside a passing edge.
const BESIDE: f64 = 9.0;
const SWEEPS: usize = 60;

/// The middle of every vertex, from left to right; the leftmost box or lane begins at 0.
pub(super) fn places(graph: &Graph, layered: &Layered) -> Vec<f64> {
    let n = layered.vertices.len();
    let (forks, merges) = (balanced_forks(graph, layered), balanced_merges(graph, layered));
    let column = columns(layered, &forks, &merges);
    let count = column.iter().max().map_or(0, |last| last + 1);
    let half = |v: usize| layered.vertices[v].width / 2.0;
    let gap = |a: usize, b: usize| {
        let lanes = [a, b].iter().filter(|&&v| layered.vertices[v].item.is_none()).count();
        let room = match lanes {
            0 => APART,
            1 => BESIDE + LANE / 2.0,
            _ => 2.0,
        };
        half(a) + half(b) + room
    };
    let mut bounds: Vec<(usize, usize, f64)> = Vec::new();
    for row in &layered.rows {
        bounds.extend(row.windows(2).map(|p| (column[p[0]], column[p[1]], gap(p[0], p[1]))));
    }
    // As far left as possible, to begin with.
    let mut x = vec![0.0f64; count];
    for _ in 0..count.max(1) {
        let mut moved = false;
        for &(left, right, room) in &bounds {
            if x[right] < x[left] + room - 1e-9 {
                x[right] = x[left] + room;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let mut pulls: Vec<Vec<Pull>> = vec![Vec::new(); count];
    for &(from, to) in &layered.segments {
        if column[from] == column[to] {
            continue;
        }
        if !forks[from] {
            pulls[column[from]].push(Pull { to: vec![column[to]], weight: 1.0 });
        }
        if !merges[to] {
            pulls[column[to]].push(Pull { to: vec![column[from]], weight: 1.0 });
        }
    }
    for v in 0..n {
        let ends = |down: bool| {
            let here = |&&(from, to): &&(usize, usize)| if down { from == v } else { to == v };
            let segments = layered.segments.iter().filter(here);
            segments.map(|&(from, to)| column[if down { to } else { from }]).collect::<Vec<_>>()
        };
        if forks[v] {
            pulls[column[v]].push(Pull { to: ends(true), weight: 20.0 });
        }
        if merges[v] {
            pulls[column[v]].push(Pull { to: ends(false), weight: 20.0 });
        }
    }
    for sweep in 0..SWEEPS {
        for step in 0..count {
            let c = if sweep % 2 == 0 { step } else { count - 1 - step };
            let weight: f64 = pulls[c].iter().map(|pull| pull.weight).sum();
            if weight == 0.0 {
                continue;
            }
            let wanted =
                pulls[c].iter().map(|pull| pull.weight * pull.middle(&x)).sum::<f64>() / weight;
            let low = bounds.iter().filter(|bound| bound.1 == c).map(|&(l, _, room)| x[l] + room);
            let high = bounds.iter().filter(|bound| bound.0 == c).map(|&(_, r, room)| x[r] - room);
            let low = low.fold(f64::NEG_INFINITY, f64::max);
            let high = high.fold(f64::INFINITY, f64::min);
            x[c] = wanted.min(high).max(low);
        }
    }
    let left = (0..n).map(|v| x[column[v]] - half(v)).fold(f64::INFINITY, f64::min);
    (0..n).map(|v| x[column[v]] - left).collect()
}

/// What draws a column to the side.
#[derive(Debug, Clone)]
struct Pull {
    to: Vec<usize>,
    weight: f64,
}

impl Pull {
    /// The middle between the outermost.
    fn middle(&self, x: &[f64]) -> f64 {
        let low = self.to.iter().map(|&c| x[c]).fold(f64::INFINITY, f64::min);
        let high = self.to.iter().map(|&c| x[c]).fold(f64::NEG_INFINITY, f64::max);
        (low + high) / 2.0
    }
}

/// Which column each vertex belongs to.
fn columns(layered: &Layered, forks: &[bool], merges: &[bool]) -> Vec<usize> {
    let n = layered.vertices.len();
    let mut place = vec![0; n];
    for row in &layered.rows {
        row.iter().enumerate().for_each(|(at, &v)| place[v] = at);
    }
    let below = layered.depths();
    let mut above = vec![0; n];
    let mut segments = layered.segments.clone();
    segments.sort_by_key(|&(from, _)| layered.vertices[from].layer);
    for &(from, to) in &segments {
        above[to] = above[to].max(above[from] + 1);
    }
    let boxes = |(from, to): (usize, usize)| {
        [from, to].iter().filter(|&&v| layered.vertices[v].item.is_some()).count()
    };
    segments.retain(|&(from, to)| !forks[from] && !merges[to]);
    // Lanes first, then what lies on the longest way; where the ways are equally long, the left.
    segments.sort_by_key(|&(from, to)| {
        let class = [0, 2, 1][boxes((from, to))];
        (class, std::cmp::Reverse(above[from] + below[to]), place[from] + place[to])
    });
    let (mut next, mut last) = (vec![None; n], vec![None; n]);
    let mut tied: Vec<Vec<(usize, usize)>> = vec![Vec::new(); layered.rows.len()];
    for (from, to) in segments {
        let row = layered.vertices[from].layer;
        let (p, q) = (place[from], place[to]);
        let free = next[from].is_none() && last[to].is_none();
        let crosses = |&(a, b): &(usize, usize)| (a < p) != (b < q) || a == p || b == q;
        if free && !tied[row].iter().any(crosses) {
            next[from] = Some(to);
            last[to] = Some(from);
            tied[row].push((p, q));
        }
    }
    let mut column = vec![usize::MAX; n];
    let mut count = 0;
    for row in &layered.rows {
        for &v in row {
            column[v] = match last[v] {
                Some(above) => column[above],
                None => {
                    count += 1;
                    count - 1
                }
            };
        }
    }
    column
}

/// Boxes that stand over the middle of what they lead to: all ways lead to boxes, and on to one box
/// where they meet; two ways only if they are equally long, for else one of them is a detour.
fn balanced_forks(graph: &Graph, layered: &Layered) -> Vec<bool> {
    balanced(graph, layered, true)
}

/// The same for boxes where ways meet.
fn balanced_merges(graph: &Graph, layered: &Layered) -> Vec<bool> {
    balanced(graph, layered, false)
}

fn balanced(graph: &Graph, layered: &Layered, forks: bool) -> Vec<bool> {
    let n = graph.sizes.len();
    let (mut next, mut last) = (vec![Vec::new(); n], vec![Vec::new(); n]);
    for (&(from, to), &level) in graph.edges.iter().zip(&layered.level) {
        if !level {
            next[from].push(to);
            last[to].push(from);
        }
    }
    if !forks {
        std::mem::swap(&mut next, &mut last);
    }
    let mut result = vec![false; layered.vertices.len()];
    for v in 0..n {
        // Along each way until something joins or leaves.
        let ways: Vec<(usize, usize)> = next[v]
            .iter()
            .map(|&first| {
                let (mut at, mut boxes) = (first, 0);
                while next[at].len() == 1 && last[at].len() == 1 {
                    at = next[at][0];
                    boxes += 1;
                }
                (at, boxes)
            })
            .collect();
        let all_long = ways.iter().all(|&(_, boxes)| boxes > 0);
        result[v] = match ways[..] {
            [] | [_] => false,
            [a, b] => all_long && a == b || (forks && ends_apart(&ways, &next)),
            _ => all_long,
        };
    }
    result
}

/// Whether every way ends in a box that leads nowhere: a network with several outputs.
fn ends_apart(ways: &[(usize, usize)], next: &[Vec<usize>]) -> bool {
    ways.iter().all(|&(end, _)| next[end].is_empty()) && ways[0].0 != ways[1].0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(n: usize, edges: &[(usize, usize)]) -> Vec<f64> {
        let graph =
            Graph { sizes: vec![(100.0, 30.0); n], edges: edges.to_vec(), quiet: Vec::new() };
        places(&graph, &graph.layered(&[]).unwrap())
    }

    #[test]
    fn a_chain_with_skips_is_straight() {
        let x = placed(7, &[(0, 1), (1, 2), (2, 3), (0, 3), (3, 4), (4, 5), (5, 6), (3, 6)]);
        assert!(x[..7].iter().all(|&place| (place - x[0]).abs() < 1e-6), "{x:?}");
        assert!(x[7..].iter().all(|&lane| lane > x[0] + 50.0), "{x:?}");
    }

    #[test]
    fn equal_branches_stand_on_both_sides() {
        let x = placed(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
        assert!((x[0] - (x[1] + x[2]) / 2.0).abs() < 0.5 && (x[0] - x[3]).abs() < 0.5, "{x:?}");
        assert!((x[1] - x[2]).abs() >= 100.0 + APART - 1e-6);
    }
}
