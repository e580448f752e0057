//! t-SNE: a map on which similar examples lie close together.

use super::affinities::{Affinities, affinities};
use super::barnes_hut::Tree;
use super::neighbors::nearest;
use super::observations::{Rows, rows_of};
use super::spectrum::{self, ComponentCount};
use super::{Embedding, Observations};
use crate::error::{Error, Result};
use crate::runtime::progress::Progress;
use crate::runtime::{Budget, interrupt, seed};
use ndarray::Array2;
use tch::{Device, Kind, no_grad};

/// Draws a map on which examples that are similar lie close together: t-distributed stochastic
/// neighbor embedding (van der Maaten and Hinton, 2008).
///
/// Among many dimensions, each example regards some others as neighbors. The map starts as the first
/// principal components, very small; then, in a thousand small steps, neighbors pull each other
/// closer and all points push each other apart. Distances between far-away groups on such a map mean
/// little, and so do its axes; who is whose neighbor means a lot.
///
/// The parameters' defaults are scikit-learn's. The same seed draws the same map.
///
/// ```
/// use tchalk::prelude::*;
/// let points = Pca::new(10).fit_transform(&datasets::shapes()?.train.take(120))?;
/// let map = Tsne::new(2).perplexity(10.0).iterations(60).fit(&points)?;
/// assert_eq!(map.points().shape(), [120, 2]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Tsne {
    dimensions: usize,
    perplexity: f64,
    learning_rate: Option<f64>,
    iterations: usize,
    early_exaggeration: f64,
    /// The current one where none was chosen.
    budget: Option<Budget>,
}

/// The steps at the beginning in which neighbors pull harder.
const EARLY_ITERATIONS: usize = 250;
/// The momentum in those steps and after.
const MOMENTUM: [f32; 2] = [0.5, 0.8];
/// The spread of the first points.
const INITIAL_SPREAD: f32 = 1e-4;
/// Up to so many points the final divergence is summed over all pairs.
const MAX_EXACT_POINTS: usize = 20_000;

impl Tsne {
    /// A map in 2 or 3 dimensions.
    pub fn new(dimensions: usize) -> Tsne {
        Tsne {
            dimensions,
            perplexity: 30.0,
            learning_rate: None,
            iterations: 1000,
            early_exaggeration: 12.0,
            budget: None,
        }
    }

    /// How many neighbors each example regards, in effect; 30, and usually 5 to 50.
    pub fn perplexity(mut self, perplexity: f64) -> Tsne {
        self.perplexity = perplexity;
        self
    }

    /// How far the points move in a step. By itself: the number of examples over 48, at least 50.
    pub fn learning_rate(mut self, rate: f64) -> Tsne {
        self.learning_rate = Some(rate);
        self
    }

    /// How many steps; 1,000.
    pub fn iterations(mut self, iterations: usize) -> Tsne {
        self.iterations = iterations;
        self
    }

    /// How many times harder neighbors pull in the first 250 steps; 12.
    pub fn early_exaggeration(mut self, factor: f64) -> Tsne {
        self.early_exaggeration = factor;
        self
    }

    /// Another budget than the [current one](Budget::current).
    pub fn budget(mut self, budget: Budget) -> Tsne {
        self.budget = Some(budget);
        self
    }

    /// Draws the map. Pressing stop ends it after the current step: the map is returned as it is
    /// then, and says so.
    ///
    /// Images can be given as they are; it is quicker, and often clearer, to bring them down to
    /// some dozens of dimensions first, with [`Pca`](super::Pca).
    ///
    /// # Errors
    ///
    /// If the dimensions are not 2 or 3, there are not more examples than three times the
    /// perplexity, a parameter is out of range, the numbers are not finite, or the reader presses
    /// stop before the first step.
    pub fn fit(&self, examples: &impl Observations) -> Result<Embedding> {
        let op = format!("Tsne::new({})", self.dimensions);
        self.fit_rows(&op, rows_of(&op, examples, 2)?)
    }

    /// Not generic, so that it is compiled, optimized, with the library: a notebook's cells are not.
    fn fit_rows(&self, op: &str, rows: Rows) -> Result<Embedding> {
        self.check(op, rows.len())?;
        match self.dimensions {
            2 => self.run::<2>(op, rows),
            _ => self.run::<3>(op, rows),
        }
    }

    fn check(&self, op: &str, n: usize) -> Result<()> {
        let refuse =
            |expected: &str, got: String, hint: &str| Err(Error::invalid(op, expected, got, hint));
        if !matches!(self.dimensions, 2 | 3) {
            return refuse("2 or 3 dimensions", self.dimensions.to_string(), "");
        }
        if !(self.perplexity >= 1.0 && 3.0 * self.perplexity < n as f64) {
            return refuse(
                "a perplexity of at least 1, and more than three times as many examples",
                format!("perplexity {} and {n} examples", self.perplexity),
                "5 to 50 is usual; take a smaller one for few examples.",
            );
        }
        let rate = self.learning_rate.unwrap_or(1.0);
        if !(rate > 0.0 && rate.is_finite()) {
            return refuse("a learning rate above 0", rate.to_string(), "");
        }
        if !(self.early_exaggeration >= 1.0 && self.early_exaggeration.is_finite()) {
            return refuse(
                "an early exaggeration of at least 1",
                self.early_exaggeration.to_string(),
                "",
            );
        }
        Ok(())
    }

    fn run<const D: usize>(&self, op: &str, rows: Rows) -> Result<Embedding> {
        let n = rows.len();
        let mut map = Map::<D>::new(start(&rows, op)?);
        let neighbors = nearest(&rows, (3.0 * self.perplexity) as usize + 1, op)?;
        let p = affinities(&neighbors, self.perplexity);
        drop(neighbors);
        let rate =
            self.learning_rate.unwrap_or((n as f64 / self.early_exaggeration / 4.0).max(50.0));
        let budget = self.budget.map_or_else(Budget::current, Ok)?;
        let iterations = budget.embedding_iterations(self.iterations);
        let mut note = String::new();
        if iterations < self.iterations {
            note =
                format!("budget {}: {iterations} of {} iterations", budget.name(), self.iterations);
        }
        let mut progress = Progress::of("t-SNE", "iterations", iterations);
        for step in 0..iterations {
            if interrupt::requested() {
                note = format!("stopped after {step} of {iterations} iterations");
                break;
            }
            let early = step < EARLY_ITERATIONS;
            let pull = if early { self.early_exaggeration } else { 1.0 };
            map.step(&p, pull as f32, rate as f32, MOMENTUM[usize::from(!early)]);
            let divergence = || format!("  divergence {:.3}", map.divergence(&p, map.q_sum));
            progress.done_with(step + 1, divergence);
        }
        if !map.points.iter().flatten().all(|x| x.is_finite()) {
            let hint = "Take a smaller one, or none: it is chosen by the number of examples.";
            return Err(Error::invalid(
                op,
                "a learning rate that converges",
                rate.to_string(),
                hint,
            ));
        }
        let divergence =
            map.divergence(&p, if n <= MAX_EXACT_POINTS { map.exact_sum() } else { map.q_sum });
        progress.finish(&format!("Kullback-Leibler divergence {divergence:.3}"));
        let points = Array2::from_shape_fn((n, D), |(i, k)| map.points[i][k]);
        Ok(Embedding::of(points, rows.metadata)
            .named("t-SNE")
            .with_note(note)
            .with_divergence(divergence))
    }
}

/// The first principal components, very small, with a trace of chance that keeps equal examples
/// apart.
fn start<const D: usize>(rows: &Rows, op: &str) -> Result<Vec<[f32; D]>> {
    let (n, k) = (rows.len(), D.min(rows.width()));
    let numbers = no_grad(|| -> Result<Vec<f32>> {
        let found = spectrum::leading_components(rows, ComponentCount::Number(k), op)?;
        let all = rows.chunk(0, n) * rows.scale - &found.mean;
        let coordinates = all.matmul(&found.components.tr());
        let spread = found.variances[0].sqrt();
        let spread = if spread > 0.0 { spread } else { 1.0 };
        let coordinates = (coordinates / spread).to_device(Device::Cpu).to_kind(Kind::Float);
        Ok(Vec::try_from(coordinates.contiguous().view(-1))?)
    })?;
    let mut rng = seed::rng("tsne");
    let mut chance = || 0.02 * (seed::unit(&mut rng) - 0.5);
    let coordinate = |i: usize, axis: usize| if axis < k { numbers[i * k + axis] } else { 0.0 };
    Ok((0..n)
        .map(|i| std::array::from_fn(|axis| INITIAL_SPREAD * (coordinate(i, axis) + chance())))
        .collect())
}

/// The points on their way.
struct Map<const D: usize> {
    points: Vec<[f32; D]>,
    velocity: Vec<[f32; D]>,
    gains: Vec<[f32; D]>,
    tree: Tree<D>,
    /// Pull, push, and share of `q_sum` of each point, in the order of the tree.
    forces: Vec<([f32; D], [f32; D], f32)>,
    /// The sum of `1 / (1 + distance²)` over all pairs, before the last step.
    q_sum: f64,
    threads: usize,
}

impl<const D: usize> Map<D> {
    fn new(points: Vec<[f32; D]>) -> Map<D> {
        let n = points.len();
        Map {
            points,
            velocity: vec![[0.0; D]; n],
            gains: vec![[1.0; D]; n],
            tree: Tree::new(),
            forces: vec![([0.0; D], [0.0; D], 0.0); n],
            q_sum: 1.0,
            threads: std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(n.div_ceil(500)),
        }
    }

    /// One step downhill: with momentum, and for each coordinate a gain that grows while it keeps
    /// its direction (Jacobs, 1988).
    fn step(&mut self, p: &Affinities, pull: f32, rate: f32, momentum: f32) {
        self.tree.rebuild(&self.points);
        let (tree, points) = (&self.tree, &self.points);
        let each = self.forces.len().div_ceil(self.threads);
        // What each point feels does not depend on how the points are shared out.
        std::thread::scope(|scope| {
            for (part, forces) in self.forces.chunks_mut(each).enumerate() {
                scope.spawn(move || {
                    for (i, force) in forces.iter_mut().enumerate() {
                        let index = part * each + i;
                        let (push, sum) = tree.repulsion(index);
                        let attraction = attraction(points, p, tree.order[index] as usize);
                        *force = (attraction, push, sum);
                    }
                });
            }
        });
        self.q_sum = self.forces.iter().map(|force| f64::from(force.2)).sum();
        let norm = (1.0 / self.q_sum) as f32;
        for (&i, (attraction, push, _)) in self.tree.order.iter().zip(&self.forces) {
            let i = i as usize;
            for k in 0..D {
                let gradient = 4.0 * (pull * attraction[k] - push[k] * norm);
                let (velocity, gain) = (&mut self.velocity[i][k], &mut self.gains[i][k]);
                let turned = *velocity * gradient >= 0.0;
                *gain = if turned { (*gain * 0.8).max(0.01) } else { *gain + 0.2 };
                *velocity = momentum * *velocity - rate * *gain * gradient;
                self.points[i][k] += *velocity;
            }
        }
    }

    /// The Kullback-Leibler divergence of the map from the affinities, where `q_sum` is the sum of
    /// `1 / (1 + distance²)` over all pairs.
    fn divergence(&self, p: &Affinities, q_sum: f64) -> f64 {
        let mut sum = 0.0;
        for (i, range) in p.starts.windows(2).enumerate() {
            for at in range[0]..range[1] {
                let value = f64::from(p.values[at]);
                if value > 0.0 {
                    let square = square(&self.points[i], &self.points[p.columns[at] as usize]);
                    sum += value * (value * (1.0 + f64::from(square)) * q_sum).ln();
                }
            }
        }
        sum
    }

    /// That sum, over all pairs.
    fn exact_sum(&self) -> f64 {
        let row = |point: &[f32; D]| {
            let q = |other: &[f32; D]| 1.0 / (1.0 + square(point, other));
            self.points.iter().map(|other| f64::from(q(other))).sum::<f64>()
        };
        self.points.iter().map(row).sum::<f64>() - self.points.len() as f64
    }
}

/// How point `i` is drawn to those that it regards as neighbors.
fn attraction<const D: usize>(points: &[[f32; D]], p: &Affinities, i: usize) -> [f32; D] {
    let point = points[i];
    let mut force = [0.0; D];
    let range = p.starts[i]..p.starts[i + 1];
    for (&column, &value) in p.columns[range.clone()].iter().zip(&p.values[range]) {
        let other = &points[column as usize];
        let weight = value / (1.0 + square(&point, other));
        for k in 0..D {
            force[k] += weight * (point[k] - other[k]);
        }
    }
    force
}

fn square<const D: usize>(a: &[f32; D], b: &[f32; D]) -> f32 {
    (0..D).map(|k| (a[k] - b[k]) * (a[k] - b[k])).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three heaps of points in five dimensions, far apart.
    fn heaps(each: usize) -> Embedding {
        let mut rng = seed::rng("heaps");
        let points = Array2::from_shape_fn((3 * each, 5), |(i, k)| {
            seed::unit(&mut rng) + if k == i / each { 10.0 } else { 0.0 }
        });
        let labels = (0..3 * each).map(|i| i / each).collect();
        Embedding::new(points, labels, ["a", "b", "c"].map(str::to_owned).to_vec()).unwrap()
    }

    #[test]
    fn heaps_stay_apart_in_two_and_three_dimensions() {
        for dimensions in [2, 3] {
            let tsne = Tsne::new(dimensions).perplexity(10.0).iterations(500).budget(Budget::Full);
            let map = tsne.fit(&heaps(40)).unwrap();
            assert_eq!(map.dimensions(), dimensions);
            assert!(map.purity(5).unwrap() > 0.99, "{:?}", map.purity(5));
            assert_eq!(map.labels()[119], 2);
        }
    }

    #[test]
    fn equal_examples_are_drawn_all_the_same() {
        let points = Array2::from_elem((50, 4), 1.5f32);
        let map = Tsne::new(2).perplexity(5.0).iterations(50).fit(&points).unwrap();
        assert!(map.points().iter().all(|x| x.is_finite()));
    }

    #[test]
    fn mistakes_are_told() {
        let refused = |tsne: Tsne| tsne.fit(&heaps(10)).unwrap_err().to_string();
        assert!(refused(Tsne::new(4)).contains("2 or 3 dimensions"));
        assert!(refused(Tsne::new(2)).contains("perplexity 30 and 30 examples"));
        assert!(refused(Tsne::new(2).perplexity(5.0).learning_rate(-1.0)).contains("above 0"));
        let run_away = refused(Tsne::new(2).perplexity(5.0).learning_rate(1e30));
        assert!(run_away.contains("smaller one"), "{run_away}");
    }
}
