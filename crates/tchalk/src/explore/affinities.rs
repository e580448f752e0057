//! How much each example regards each other one as a neighbor: t-SNE's `P`.

use super::neighbors::Neighbors;

/// A symmetric, sparse matrix whose entries add up to 1.
pub(super) struct Affinities {
    /// Where each row begins among the entries; one more than there are rows.
    pub(super) starts: Vec<usize>,
    pub(super) columns: Vec<u32>,
    pub(super) values: Vec<f32>,
}

/// Each example's neighbors count by a bell curve around it, whose width is set so that in effect
/// `perplexity` of them count; then the views of both sides are averaged.
pub(super) fn affinities(neighbors: &Neighbors, perplexity: f64) -> Affinities {
    let each = neighbors.count;
    let n = neighbors.indices.len() / each;
    // A row's own view, by column; then what others see in it, which comes out by column by itself.
    let mut own: Vec<Vec<(u32, f64)>> = Vec::with_capacity(n);
    let mut others: Vec<Vec<(u32, f64)>> = vec![Vec::new(); n];
    for i in 0..n {
        let range = i * each..(i + 1) * each;
        let weights = gaussian_weights(&neighbors.squared_distances[range.clone()], perplexity);
        let indices = neighbors.indices[range].iter().map(|&index| index as u32);
        let mut row: Vec<(u32, f64)> = indices.zip(weights).collect();
        row.sort_unstable_by_key(|&(column, _)| column);
        row.iter().for_each(|&(column, weight)| others[column as usize].push((i as u32, weight)));
        own.push(row);
    }
    let (mut starts, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for (own, others) in own.iter().zip(&others) {
        let (mut a, mut b) = (own.iter().peekable(), others.iter().peekable());
        loop {
            let column = match (a.peek(), b.peek()) {
                (Some(a), Some(b)) => a.0.min(b.0),
                (Some(one), None) | (None, Some(one)) => one.0,
                (None, None) => break,
            };
            let mut weight = 0.0;
            for side in [&mut a, &mut b] {
                weight += side.next_if(|entry| entry.0 == column).map_or(0.0, |entry| entry.1);
            }
            columns.push(column);
            values.push((weight / (2 * n) as f64) as f32);
        }
        starts.push(columns.len());
    }
    Affinities { starts, columns, values }
}

/// Weights that add up to 1 and fall off with the squared distance, so that their entropy is that of
/// `perplexity` equal ones.
fn gaussian_weights(squares: &[f32], perplexity: f64) -> Vec<f64> {
    let target = perplexity.min(squares.len() as f64).ln();
    // Only differences of distances matter.
    let nearest = squares.iter().copied().fold(f32::INFINITY, f32::min);
    let squares: Vec<f64> = squares.iter().map(|square| f64::from(square - nearest)).collect();
    let mean = squares.iter().sum::<f64>() / squares.len() as f64;
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut beta = if mean > 0.0 { 1.0 / mean } else { 1.0 };
    let mut weights = vec![0.0; squares.len()];
    for _ in 0..100 {
        let (mut sum, mut moment) = (0.0, 0.0);
        for (weight, square) in weights.iter_mut().zip(&squares) {
            *weight = (-beta * square).exp();
            sum += *weight;
            moment += *weight * square;
        }
        weights.iter_mut().for_each(|weight| *weight /= sum);
        let excess = sum.ln() + beta * moment / sum - target;
        if excess.abs() < 1e-5 {
            break;
        }
        // Too many neighbors count: a narrower curve.
        if excess > 0.0 {
            low = beta;
            beta = if high.is_finite() { (beta + high) / 2.0 } else { beta * 2.0 };
        } else {
            high = beta;
            beta = (beta + low) / 2.0;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_makes_so_many_neighbors_count() {
        let squares: Vec<f32> = (1..=60).map(|i| (i * i) as f32).collect();
        for perplexity in [2.0, 10.0, 30.0] {
            let weights = gaussian_weights(&squares, perplexity);
            let entropy: f64 =
                weights.iter().map(|w| if *w > 0.0 { -w * w.ln() } else { 0.0 }).sum();
            assert!((entropy.exp() / perplexity - 1.0).abs() < 1e-4);
        }
        // Equal distances: all count alike.
        assert!(gaussian_weights(&[3.0; 5], 2.0).iter().all(|weight| (weight - 0.2).abs() < 1e-12));
    }

    #[test]
    fn both_sides_see_the_same_and_all_adds_up_to_one() {
        let indices = vec![1, 2, 0, 2, 1, 0, 2, 0];
        let squares = vec![1.0, 4.0, 1.0, 1.0, 1.0, 4.0, 5.0, 6.0];
        let p = affinities(&Neighbors { count: 2, indices, squared_distances: squares }, 1.5);
        let entry = |i: usize, j: u32| {
            let range = p.starts[i]..p.starts[i + 1];
            let at = p.columns[range.clone()].iter().position(|&column| column == j);
            at.map_or(0.0, |at| p.values[range.start + at])
        };
        for i in 0..4 {
            for j in 0..4 {
                assert_eq!(entry(i, j as u32), entry(j, i as u32));
            }
        }
        assert!(entry(0, 3) > 0.0, "3 regards 0 as a neighbor, though 0 does not regard 3");
        assert!((p.values.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
