//! The structure of a network: chains of boxes, and branches side by side.
//!
//! A box that is connected, upward or downward, with every other box is a link of the chain. The
//! boxes between two links fall into branches without edges between them, and each branch is a chain
//! again (a series-parallel decomposition). A skip connection does not change the structure.

/// Boxes and the edges between them.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    /// Width and height of each box.
    pub(super) sizes: Vec<(f64, f64)>,
    /// From one box to another.
    pub(super) edges: Vec<(usize, usize)>,
}

/// Parts from top to bottom.
pub(super) type Chain = Vec<Part>;

/// One part of a chain.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Box(usize),
    /// Chains side by side.
    Branches(Vec<Chain>),
    /// Chains side by side whose first boxes lead from one to the next.
    Comb(Vec<Chain>),
}

/// The shortest row of first boxes that is drawn as a comb.
const FEWEST_TEETH: usize = 3;

impl Graph {
    /// The whole graph as one chain; `None` if it has a cycle.
    pub(super) fn chain(&self) -> Option<Chain> {
        let order = self.topological_order()?;
        let mut reaches = vec![vec![false; order.len()]; order.len()];
        for &v in order.iter().rev() {
            for &(_, to) in self.edges.iter().filter(|edge| edge.0 == v) {
                let further = reaches[to].clone();
                reaches[v].iter_mut().zip(further).for_each(|(here, there)| *here |= there);
                reaches[v][to] = true;
            }
        }
        Some(self.chain_of(&order, &reaches))
    }

    /// The boxes in an order in which every edge leads forward; `None` if there is a cycle.
    fn topological_order(&self) -> Option<Vec<usize>> {
        let n = self.sizes.len();
        let mut open = vec![0; n];
        self.edges.iter().for_each(|&(_, to)| open[to] += 1);
        let mut order: Vec<usize> = (0..n).filter(|&v| open[v] == 0).collect();
        let mut at = 0;
        while let Some(&v) = order.get(at) {
            for &(_, to) in self.edges.iter().filter(|edge| edge.0 == v) {
                open[to] -= 1;
                if open[to] == 0 {
                    order.push(to);
                }
            }
            at += 1;
        }
        (order.len() == n).then_some(order)
    }

    /// These boxes, which are in topological order, as a chain.
    fn chain_of(&self, boxes: &[usize], reaches: &[Vec<bool>]) -> Chain {
        let is_link = |v: &usize| {
            boxes.iter().all(|&other| other == *v || reaches[other][*v] || reaches[*v][other])
        };
        let links: Vec<usize> = boxes.iter().copied().filter(is_link).collect();
        let mut chain = Vec::new();
        for (i, between) in boxes.split(|v| links.contains(v)).enumerate() {
            let branches = self.components(between);
            match branches.len() {
                0 => {}
                // Branches that are entangled: one below the other, with lines that pass by.
                1 => chain.extend(between.iter().map(|&v| Part::Box(v))),
                _ => {
                    let branches = branches.iter().map(|branch| self.chain_of(branch, reaches));
                    self.push_branches(&mut chain, branches.collect());
                }
            }
            chain.extend(links.get(i).map(|&link| Part::Box(link)));
        }
        chain
    }

    /// The connected components of these boxes.
    fn components(&self, boxes: &[usize]) -> Vec<Vec<usize>> {
        let mut rest = boxes.to_vec();
        let mut components = Vec::new();
        while !rest.is_empty() {
            let mut reached = vec![rest[0]];
            let mut at = 0;
            while at < reached.len() {
                let v = reached[at];
                let near = self.edges.iter().filter_map(|&(from, to)| match v {
                    _ if v == from => Some(to),
                    _ if v == to => Some(from),
                    _ => None,
                });
                let new: Vec<usize> =
                    near.filter(|w| rest.contains(w) && !reached.contains(w)).collect();
                reached.extend(new);
                at += 1;
            }
            components.push(rest.iter().copied().filter(|v| reached.contains(v)).collect());
            rest.retain(|v| !reached.contains(v));
        }
        components
    }

    /// Adds branches to a chain: as a comb, together with the box above them, if they are one.
    fn push_branches(&self, chain: &mut Chain, mut branches: Vec<Chain>) {
        if let Some(&Part::Box(head)) = chain.last() {
            let teeth = teeth(head, &branches);
            if teeth.len() >= FEWEST_TEETH && self.is_comb(&teeth) {
                *chain.last_mut().expect("just seen") = Part::Comb(teeth);
                return;
            }
        }
        if let [first, second] = &branches[..]
            && boxes(first).len() < boxes(second).len()
        {
            branches.reverse();
        }
        chain.push(Part::Branches(branches));
    }

    /// Whether these chains are connected only by edges from each first box to the next one.
    fn is_comb(&self, teeth: &[Chain]) -> bool {
        let inside: Vec<Vec<usize>> = teeth.iter().map(|tooth| boxes(tooth)).collect();
        let tooth = |v| inside.iter().position(|tooth| tooth.contains(&v));
        self.edges.iter().all(|&(from, to)| match (tooth(from), tooth(to)) {
            (Some(a), Some(b)) if a != b => {
                b == a + 1 && from == inside[a][0] && to == inside[b][0]
            }
            _ => true,
        })
    }
}

/// All boxes of a chain, from top to bottom.
pub(super) fn boxes(chain: &[Part]) -> Vec<usize> {
    let of_part = |part: &Part| match part {
        Part::Box(v) => vec![*v],
        Part::Branches(chains) | Part::Comb(chains) => {
            chains.iter().flat_map(|chain| boxes(chain)).collect()
        }
    };
    chain.iter().flat_map(of_part).collect()
}

/// The first boxes of each comb.
pub(super) fn comb_heads(chain: &[Part]) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    for part in chain {
        let (Part::Branches(chains) | Part::Comb(chains)) = part else { continue };
        found.extend(chains.iter().flat_map(|chain| comb_heads(chain)));
        if let Part::Comb(teeth) = part {
            found.push(teeth.iter().map(|tooth| boxes(tooth)[0]).collect());
        }
    }
    found
}

/// The chains that hang on a row of boxes which begins with `head`, above these branches.
fn teeth(head: usize, branches: &[Chain]) -> Vec<Chain> {
    let [first, second] = branches else { return Vec::new() };
    let rows = [(first, second), (second, first)].into_iter().filter_map(|(tail, next)| {
        let further = match &next[..] {
            [Part::Comb(teeth)] => teeth.clone(),
            [Part::Box(next_head), Part::Branches(branches)] if branches.len() == 2 => {
                teeth(*next_head, branches)
            }
            [Part::Box(_), ..] => vec![next.clone()],
            _ => return None,
        };
        let tooth = std::iter::once(Part::Box(head)).chain(tail.iter().cloned()).collect();
        Some(std::iter::once(tooth).chain(further).collect::<Vec<Chain>>())
    });
    // Of two rows that are equally long, the one whose last tooth is longer.
    rows.max_by_key(|row| (row.len(), row.last().map_or(0, |tooth| boxes(tooth).len())))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Part::{Box, Branches, Comb};

    fn chain(n: usize, edges: &[(usize, usize)]) -> Option<Chain> {
        Graph { sizes: vec![(100.0, 30.0); n], edges: edges.to_vec() }.chain()
    }

    #[test]
    fn a_skip_leaves_a_chain_a_chain() {
        let found = chain(4, &[(0, 1), (1, 2), (0, 3), (2, 3)]).unwrap();
        assert_eq!(found, [Box(0), Box(1), Box(2), Box(3)]);
    }

    #[test]
    fn branches_stand_between_a_fork_and_a_merge_with_the_longer_of_two_first() {
        let found = chain(5, &[(0, 1), (0, 2), (2, 3), (1, 4), (3, 4)]).unwrap();
        assert_eq!(found, [Box(0), Branches(vec![vec![Box(2), Box(3)], vec![Box(1)]]), Box(4)]);
    }

    #[test]
    fn branches_that_are_entangled_become_a_chain() {
        let found = chain(4, &[(0, 2), (0, 3), (1, 2), (1, 3)]).unwrap();
        assert_eq!(found, [Box(0), Box(1), Box(2), Box(3)]);
    }

    #[test]
    fn a_row_of_branches_that_meet_is_a_comb() {
        let edges = [(0, 1), (1, 2), (0, 3), (1, 4), (2, 5), (3, 6), (4, 6), (5, 6)];
        let teeth = (0..3).map(|i| vec![Box(i), Box(i + 3)]).collect();
        assert_eq!(chain(7, &edges).unwrap(), [Comb(teeth), Box(6)]);
    }

    #[test]
    fn a_cycle_is_found() {
        assert!(chain(3, &[(0, 1), (1, 2), (2, 0)]).is_none());
    }
}
