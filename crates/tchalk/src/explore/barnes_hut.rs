//! Repulsion among many points, with those far away taken together.
//!
//! Every point pushes every other one. Points that are far away are replaced by their center (Barnes
//! and Hut, 1986; for t-SNE van der Maaten, 2014), so that a step costs about `n log n`. The tree lies
//! in one list, parents before children, and each node knows where to go on if it is taken as a
//! whole: walking through it needs no stack.

/// A group of points counts as one if it is seen under a smaller angle than this (its width over
/// its distance).
const ANGLE: f32 = 0.35;
/// A group of at most so many points is not divided.
const LEAF: usize = 8;
/// How many bits of each coordinate tell points apart.
const BITS: u32 = 20;

/// A group of points.
#[derive(Debug, Clone, Copy)]
struct Node<const D: usize> {
    center: [f32; D],
    count: f32,
    /// The squared distance from which on the group counts as one.
    far: f32,
    /// The node that comes next if this one is done.
    next: u32,
    /// Its points, by index in the tree's order; none where it has been divided.
    first: u32,
    last: u32,
}

/// Points, sorted by where they are.
pub(super) struct Tree<const D: usize> {
    nodes: Vec<Node<D>>,
    /// The points in the order of the tree, and which ones they are.
    points: Vec<[f32; D]>,
    pub(super) order: Vec<u32>,
    codes: Vec<(u64, u32)>,
}

impl<const D: usize> Tree<D> {
    pub(super) fn new() -> Tree<D> {
        Tree { nodes: Vec::new(), points: Vec::new(), order: Vec::new(), codes: Vec::new() }
    }

    /// Sorts these points in, instead of the previous ones. They are finite.
    pub(super) fn rebuild(&mut self, points: &[[f32; D]]) {
        let (mut low, mut high) = ([f32::INFINITY; D], [f32::NEG_INFINITY; D]);
        for point in points {
            for k in 0..D {
                low[k] = low[k].min(point[k]);
                high[k] = high[k].max(point[k]);
            }
        }
        let side = (0..D).map(|k| high[k] - low[k]).fold(f32::MIN_POSITIVE, f32::max);
        let cells = ((1u32 << BITS) - 1) as f32;
        self.codes.clear();
        self.codes.extend(points.iter().enumerate().map(|(i, point)| {
            let mut code = 0;
            for k in 0..D {
                let cell = (cells * ((point[k] - low[k]) / side)) as u64;
                code |= spread::<D>(cell) << k;
            }
            (code, i as u32)
        }));
        self.codes.sort_unstable();
        self.order.clear();
        self.order.extend(self.codes.iter().map(|&(_, i)| i));
        self.points.clear();
        self.points.extend(self.order.iter().map(|&i| points[i as usize]));
        self.nodes.clear();
        self.divide(0, points.len(), BITS);
    }

    /// Adds the node of the points `first..last`, which agree in all bits above `level`, and all
    /// below it.
    fn divide(&mut self, first: usize, last: usize, mut level: u32) {
        let points = &self.points[first..last];
        let (mut low, mut high, mut sum) = ([f32::INFINITY; D], [f32::NEG_INFINITY; D], [0.0; D]);
        for point in points {
            for k in 0..D {
                low[k] = low[k].min(point[k]);
                high[k] = high[k].max(point[k]);
                sum[k] += point[k];
            }
        }
        let count = (last - first) as f32;
        let width = (0..D).map(|k| high[k] - low[k]).fold(0.0, f32::max);
        let at = self.nodes.len();
        let far = (width / ANGLE).powi(2);
        let center = sum.map(|sum| sum / count);
        let (first_u32, last_u32) = (first as u32, last as u32);
        let node = Node { center, count, far, next: 0, first: first_u32, last: last_u32 };
        self.nodes.push(node);
        // Levels at which all points fall into one part are skipped.
        let differ = self.codes[first].0 ^ self.codes[last - 1].0;
        while level > 0 && differ >> ((level - 1) * D as u32) == 0 {
            level -= 1;
        }
        if last - first > LEAF && level > 0 {
            self.nodes[at].last = first_u32;
            let shift = (level - 1) * D as u32;
            let mut start = first;
            while start < last {
                let part = self.codes[start].0 >> shift;
                let length = self.codes[start..last].partition_point(|c| c.0 >> shift == part);
                self.divide(start, start + length, level - 1);
                start += length;
            }
        }
        self.nodes[at].next = self.nodes.len() as u32;
    }

    /// What pushes the point at this index in the tree's order: with `q = 1 / (1 + distance²)` to
    /// every other point, the sum of `q² (point - other)`, and the sum of `q`.
    pub(super) fn repulsion(&self, index: usize) -> ([f32; D], f32) {
        let point = self.points[index];
        let (mut force, mut sum) = ([0.0; D], 0.0);
        let mut add = |other: &[f32; D], count: f32, square: f32| {
            let q = 1.0 / (1.0 + square);
            let weight = count * q;
            sum += weight;
            for k in 0..D {
                force[k] += weight * q * (point[k] - other[k]);
            }
        };
        let square = |other: &[f32; D]| {
            (0..D).map(|k| (point[k] - other[k]) * (point[k] - other[k])).sum::<f32>()
        };
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            let distance = square(&node.center);
            if distance > node.far {
                add(&node.center, node.count, distance);
                at = node.next as usize;
                continue;
            }
            for other in &self.points[node.first as usize..node.last as usize] {
                add(other, 1.0, square(other));
            }
            at += 1;
        }
        // The point has met itself: no force, and a `q` of 1. (A group is never taken as a whole by
        // its own points: they are not far enough from its center.)
        (force, sum - 1.0)
    }
}

/// Puts `D - 1` zeros between the bits.
fn spread<const D: usize>(bits: u64) -> u64 {
    (0..BITS).fold(0, |spread, bit| spread | ((bits >> bit & 1) << (bit * D as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn points<const D: usize>(n: usize) -> Vec<[f32; D]> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        (0..n)
            .map(|_| std::array::from_fn(|_| 40.0 * crate::runtime::seed::unit(&mut rng)))
            .collect()
    }

    fn exact<const D: usize>(points: &[[f32; D]], i: usize) -> ([f64; D], f64) {
        let (mut force, mut sum) = ([0.0; D], 0.0);
        for (_, other) in points.iter().enumerate().filter(|&(j, _)| j != i) {
            let difference: [f64; D] =
                std::array::from_fn(|k| f64::from(points[i][k]) - f64::from(other[k]));
            let q = 1.0 / (1.0 + difference.iter().map(|d| d * d).sum::<f64>());
            sum += q;
            (0..D).for_each(|k| force[k] += q * q * difference[k]);
        }
        (force, sum)
    }

    fn check<const D: usize>(points: &[[f32; D]], tolerance: f64) {
        let mut tree = Tree::new();
        tree.rebuild(points);
        let (mut wrong, mut all) = (0.0, 0.0);
        for index in 0..points.len() {
            let (force, sum) = tree.repulsion(index);
            let (right, right_sum) = exact(points, tree.order[index] as usize);
            assert!((f64::from(sum) / right_sum - 1.0).abs() < tolerance);
            for k in 0..D {
                wrong += (f64::from(force[k]) - right[k]).powi(2);
                all += right[k].powi(2);
            }
        }
        let wrong = (wrong / f64::max(all, 1e-12)).sqrt();
        assert!(wrong < tolerance, "{wrong}");
    }

    #[test]
    fn pushes_are_nearly_those_of_all_pairs() {
        check(&points::<2>(700), 0.03);
        check(&points::<3>(700), 0.03);
        // Few points are not divided: exact but for rounding.
        check(&points::<2>(8), 1e-4);
    }

    #[test]
    fn equal_points_do_not_divide_for_ever() {
        let mut same = vec![[1.0f32, 2.0]; 100];
        same.push([1.0, 3.0]);
        check(&same, 0.03);
        check(&[[5.0f32, 5.0]; 40], 1e-4);
    }
}
