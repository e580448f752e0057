//! The first half of a layered drawing: which box stands in which row, and in which order.
//!
//! The method is Sugiyama's (*Methods for Visual Understanding of Hierarchical System Structures*,
//! 1981). A box stands below everything that leads to it; an edge over several rows gets a place of
//! its own in each row between, so that it never has to pass through a box; then the rows are sorted
//! so that few edges cross.

/// Boxes and the edges between them, without cycles.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    /// Width and height of each box.
    pub(super) sizes: Vec<(f64, f64)>,
    /// From one box to another.
    pub(super) edges: Vec<(usize, usize)>,
    /// Boxes below which nothing is written, so that less room will do; may be empty.
    pub(super) quiet: Vec<bool>,
}

/// A place in a row: for a box, or for an edge that passes.
#[derive(Debug, Clone)]
pub(super) struct Vertex {
    pub(super) layer: usize,
    pub(super) width: f64,
    /// The box that stands here.
    pub(super) item: Option<usize>,
}

/// Boxes in rows.
#[derive(Debug, Clone)]
pub(super) struct Layered {
    /// The boxes first, in the graph's order, then the places of passing edges.
    pub(super) vertices: Vec<Vertex>,
    /// For each edge of the graph the places it goes through, both ends included.
    pub(super) chains: Vec<Vec<usize>>,
    /// The rows from top to bottom, each from left to right.
    pub(super) rows: Vec<Vec<usize>>,
    /// Edges between neighbors in one row.
    pub(super) level: Vec<bool>,
    /// Neighboring places on all other edges, from top to bottom.
    pub(super) segments: Vec<(usize, usize)>,
}

/// The room that a passing edge takes.
pub(super) const LANE: f64 = 8.0;
const SWEEPS: usize = 12;

impl Graph {
    /// The boxes in an order in which every edge leads forwards; nothing if there is a cycle.
    pub(super) fn sorted(&self) -> Option<Vec<usize>> {
        let n = self.sizes.len();
        let mut open = vec![0; n];
        self.edges.iter().for_each(|&(_, to)| open[to] += 1);
        let mut order: Vec<usize> = (0..n).filter(|&v| open[v] == 0).collect();
        let mut at = 0;
        while at < order.len() {
            for &(from, to) in &self.edges {
                if from == order[at] {
                    open[to] -= 1;
                    if open[to] == 0 {
                        order.push(to);
                    }
                }
            }
            at += 1;
        }
        (order.len() == n).then_some(order)
    }

    fn following(&self, v: usize) -> Vec<usize> {
        self.edges.iter().filter(|edge| edge.0 == v).map(|edge| edge.1).collect()
    }

    fn preceding(&self, v: usize) -> Vec<usize> {
        self.edges.iter().filter(|edge| edge.1 == v).map(|edge| edge.0).collect()
    }

    /// A row of at least three boxes, each leading to the next, from each of which a branch of its
    /// own leads to one box where all of them meet: a comb reads best with its back lying flat.
    pub(super) fn spine(&self) -> Vec<usize> {
        let n = self.sizes.len();
        if self.sorted().is_none() {
            return Vec::new();
        }
        let best = (0..n).map(|merge| {
            let mut taps: Vec<usize> = Vec::new();
            for mut v in self.preceding(merge) {
                let mut steps = 0;
                // Up the branch, as long as nothing else joins or leaves.
                while self.following(v).len() == 1 && self.preceding(v).len() == 1 {
                    v = self.preceding(v)[0];
                    steps += 1;
                }
                if steps == 0 {
                    return Vec::new();
                }
                taps.push(v);
            }
            // The last branch hangs on the last box, which leads nowhere else, so the walk above
            // went past it: it ends at the tap before, a second time.
            let mut row: Vec<usize> = Vec::new();
            let Some(&first) =
                taps.iter().find(|&&tap| !self.preceding(tap).iter().any(|p| taps.contains(p)))
            else {
                return Vec::new();
            };
            row.push(first);
            loop {
                let last = row[row.len() - 1];
                let next = self.following(last).into_iter().filter(|v| taps.contains(v));
                match next.collect::<Vec<_>>()[..] {
                    [next] if !row.contains(&next) => row.push(next),
                    _ => break,
                }
            }
            let last = row[row.len() - 1];
            if taps.iter().filter(|&&tap| tap == last).count() == 2 {
                // Of the two ways down from the last tap, the longer one has the last box of the back.
                let ways = self.following(last).into_iter().map(|first| {
                    let (mut v, mut steps) = (first, 0);
                    while let [next] = self.following(v)[..] {
                        (v, steps) = (next, steps + 1);
                        if v == merge {
                            break;
                        }
                    }
                    (steps, first)
                });
                let mut ways: Vec<(usize, usize)> = ways.collect();
                ways.sort_unstable();
                if let [(short, _), (long, first)] = ways[..]
                    && long > short
                {
                    row.push(first);
                }
            }
            if row.len() < 3 || row.len() + 1 < taps.len() { Vec::new() } else { row }
        });
        best.max_by_key(Vec::len).unwrap_or_default()
    }

    /// The boxes in rows. The boxes of `spine` stand in one row.
    pub(super) fn layered(&self, spine: &[usize]) -> Option<Layered> {
        let order = self.sorted()?;
        let n = self.sizes.len();
        let on_spine = |&(from, to): &(usize, usize)| {
            spine.windows(2).any(|pair| pair[0] == from && pair[1] == to)
        };
        let mut layer = vec![0usize; n];
        for &v in &order {
            for edge in self.edges.iter().filter(|edge| edge.0 == v) {
                let step = usize::from(!on_spine(edge));
                layer[edge.1] = layer[edge.1].max(layer[v] + step);
            }
        }
        // The back of a comb lies in one row, or there is none.
        if spine.iter().any(|&v| layer[v] != layer[spine[0]]) {
            return self.layered(&[]);
        }
        // What begins late stands where it is needed.
        for v in 0..n {
            if self.preceding(v).is_empty() {
                let next = self.following(v).into_iter().map(|to| layer[to]).min();
                layer[v] = next.map_or(layer[v], |next| next.saturating_sub(1).max(layer[v]));
            }
        }
        let mut vertices: Vec<Vertex> = (0..n)
            .map(|v| Vertex { layer: layer[v], width: self.sizes[v].0, item: Some(v) })
            .collect();
        let mut chains = Vec::with_capacity(self.edges.len());
        for &(from, to) in &self.edges {
            let mut chain = vec![from];
            for between in layer[from] + 1..layer[to] {
                chain.push(vertices.len());
                vertices.push(Vertex { layer: between, width: LANE, item: None });
            }
            chain.push(to);
            chains.push(chain);
        }
        let level: Vec<bool> = self.edges.iter().map(|&(a, b)| layer[a] == layer[b]).collect();
        let down = chains.iter().zip(&level).filter(|(_, level)| !**level);
        let pairs = down.flat_map(|(chain, _)| chain.windows(2).map(|pair| (pair[0], pair[1])));
        let segments = pairs.collect();
        let mut layered = Layered { vertices, chains, rows: Vec::new(), level, segments };
        layered.first_order(&order);
        layered.sort_rows(spine);
        let neighbors = |a: usize, b: usize| {
            let row = &layered.rows[layered.vertices[a].layer];
            row.windows(2).any(|pair| pair == [a, b])
        };
        let fits = self.edges.iter().zip(&layered.level);
        match fits.filter(|(_, level)| **level).all(|(&(a, b), _)| neighbors(a, b)) {
            true => Some(layered),
            false => self.layered(&[]),
        }
    }
}

impl Layered {
    /// How many rows lie on the longest way down from each vertex.
    pub(super) fn depths(&self) -> Vec<usize> {
        let mut depth = vec![0; self.vertices.len()];
        let mut segments = self.segments.clone();
        segments.sort_by_key(|&(from, _)| std::cmp::Reverse(self.vertices[from].layer));
        for (from, to) in segments {
            depth[from] = depth[from].max(depth[to] + 1);
        }
        depth
    }

    /// Rows as a walk finds them that goes down the longest way first: what only passes comes to
    /// stand on the right.
    fn first_order(&mut self, order: &[usize]) {
        let rows = self.vertices.iter().map(|vertex| vertex.layer + 1).max().unwrap_or(0);
        self.rows = vec![Vec::new(); rows];
        let depth = self.depths();
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); self.vertices.len()];
        for (chain, &level) in self.chains.iter().zip(&self.level) {
            for pair in chain.windows(2) {
                if level {
                    next[pair[0]].insert(0, pair[1]);
                } else {
                    next[pair[0]].push(pair[1]);
                }
            }
        }
        for (v, next) in next.iter_mut().enumerate() {
            let layer = self.vertices[v].layer;
            next.sort_by_key(|&to| {
                let below = self.vertices[to].layer > layer;
                let passing = self.vertices[to].item.is_none();
                (below, passing, std::cmp::Reverse(depth[to]))
            });
        }
        let mut seen = vec![false; self.vertices.len()];
        for &start in order {
            let mut stack = vec![start];
            while let Some(v) = stack.pop() {
                if std::mem::replace(&mut seen[v], true) {
                    continue;
                }
                self.rows[self.vertices[v].layer].push(v);
                stack.extend(next[v].iter().rev());
            }
        }
    }

    /// Sorts each row by the middle of its neighbors in the row before, down and up, and keeps the
    /// order with the fewest crossings.
    fn sort_rows(&mut self, spine: &[usize]) {
        let (mut up, mut down) =
            (vec![Vec::new(); self.vertices.len()], vec![Vec::new(); self.vertices.len()]);
        for &(from, to) in &self.segments {
            down[from].push(to);
            up[to].push(from);
        }
        let fixed = spine.first().map(|&v| self.vertices[v].layer);
        let mut best = (self.crossings(&down), self.rows.clone());
        for sweep in 0..SWEEPS {
            if best.0 == 0 {
                break;
            }
            let count = self.rows.len();
            let downwards = sweep % 2 == 0;
            for step in 1..count {
                let row = if downwards { step } else { count - 1 - step };
                if Some(row) == fixed {
                    continue;
                }
                let from = if downwards { row - 1 } else { row + 1 };
                let place = self.places(from);
                let near = if downwards { &up } else { &down };
                let old = self.places(row);
                let middle = |v: usize| match near[v].is_empty() {
                    true => old[v] as f64,
                    false => {
                        near[v].iter().map(|&n: &usize| place[n] as f64).sum::<f64>()
                            / near[v].len() as f64
                    }
                };
                let mut sorted = self.rows[row].clone();
                sorted.sort_by(|&a, &b| middle(a).total_cmp(&middle(b)));
                self.rows[row] = sorted;
            }
            self.exchange(&up, &down, fixed);
            let crossings = self.crossings(&down);
            if crossings < best.0 {
                best = (crossings, self.rows.clone());
            }
        }
        self.rows = best.1;
    }

    /// Exchanges neighbors where that takes crossings away.
    fn exchange(&mut self, up: &[Vec<usize>], down: &[Vec<usize>], fixed: Option<usize>) {
        for row in 0..self.rows.len() {
            if Some(row) == fixed {
                continue;
            }
            let above = row.checked_sub(1).map(|row| self.places(row)).unwrap_or_default();
            let below = (row + 1 < self.rows.len()).then(|| self.places(row + 1));
            let below = below.unwrap_or_default();
            let crossed = |a: usize, b: usize| {
                let pairs = |near: &[Vec<usize>], place: &[usize]| {
                    near[a]
                        .iter()
                        .map(|&p| near[b].iter().filter(|&&q| place[q] < place[p]).count())
                        .sum::<usize>()
                };
                pairs(up, &above) + pairs(down, &below)
            };
            for at in 1..self.rows[row].len() {
                let (a, b) = (self.rows[row][at - 1], self.rows[row][at]);
                if crossed(b, a) < crossed(a, b) {
                    self.rows[row].swap(at - 1, at);
                }
            }
        }
    }

    /// Where each vertex of a row stands in it; by vertex.
    fn places(&self, row: usize) -> Vec<usize> {
        let mut places = vec![0; self.vertices.len()];
        self.rows[row].iter().enumerate().for_each(|(place, &v)| places[v] = place);
        places
    }

    fn crossings(&self, down: &[Vec<usize>]) -> usize {
        (1..self.rows.len())
            .map(|row| {
                let place = self.places(row);
                let ends: Vec<usize> = self.rows[row - 1]
                    .iter()
                    .flat_map(|&v| {
                        let mut ends: Vec<usize> = down[v].iter().map(|&to| place[to]).collect();
                        ends.sort_unstable();
                        ends
                    })
                    .collect();
                let later = |i: usize| ends[i + 1..].iter().filter(|&&end| end < ends[i]).count();
                (0..ends.len()).map(later).sum::<usize>()
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::plot::diagram) fn graph(n: usize, edges: &[(usize, usize)]) -> Graph {
        Graph { sizes: vec![(100.0, 30.0); n], edges: edges.to_vec(), quiet: Vec::new() }
    }

    #[test]
    fn a_box_stands_below_all_that_lead_to_it() {
        let layered = graph(4, &[(0, 1), (1, 2), (0, 3), (2, 3)]).layered(&[]).unwrap();
        let rows: Vec<usize> = layered.vertices[..4].iter().map(|v| v.layer).collect();
        assert_eq!(rows, [0, 1, 2, 3]);
        assert_eq!(layered.chains[2].len(), 4, "the long edge has a place in both rows between");
        assert_eq!(layered.rows[1], [1, 4], "and passes on the right");
    }

    #[test]
    fn rows_are_sorted_so_that_nothing_crosses() {
        let layered = graph(6, &[(0, 1), (0, 2), (1, 4), (2, 3), (3, 5), (4, 5)]);
        let layered = layered.layered(&[]).unwrap();
        let place = |v| layered.rows[2].iter().position(|&w| w == v).unwrap();
        let above = |v| layered.rows[1].iter().position(|&w| w == v).unwrap();
        assert_eq!(place(4) < place(3), above(1) < above(2));
    }

    #[test]
    fn a_cycle_is_found() {
        assert!(graph(3, &[(0, 1), (1, 2), (2, 0)]).layered(&[]).is_none());
    }

    #[test]
    fn branches_that_meet_make_a_comb() {
        // 0 to 2 in a row, each with a branch to 6.
        let edges = [(0, 1), (1, 2), (0, 3), (1, 4), (2, 5), (3, 6), (4, 6), (5, 6)];
        let comb = graph(7, &edges);
        assert_eq!(comb.spine(), [0, 1, 2]);
        let layered = comb.layered(&[0, 1, 2]).unwrap();
        assert_eq!(layered.rows[0], [0, 1, 2]);
        assert_eq!(layered.rows[1], [3, 4, 5]);
        // A chain with skips has no back.
        assert!(graph(5, &[(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4)]).spine().is_empty());
    }
}
