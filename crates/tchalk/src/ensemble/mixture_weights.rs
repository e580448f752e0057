//! The weights of a weighted mean of probabilities.

use ndarray::Array2;

/// Lower probabilities are taken for this one.
const MIN_PROBABILITY: f64 = 1e-12;
const MAX_STEPS: usize = 1000;

/// The weights that maximize the likelihood of the labels, by expectation maximization: each member's
/// share of the probability of every label, averaged, is its new weight. The likelihood grows in every
/// step and is concave, so there is one maximum and no step size to choose.
pub(super) fn fit(members: &[Array2<f32>], labels: &[usize]) -> Vec<f64> {
    let of_labels: Vec<Vec<f64>> = members
        .iter()
        .map(|one| {
            let of = labels.iter().enumerate().map(|(i, &label)| f64::from(one[[i, label]]));
            of.map(|p| p.max(MIN_PROBABILITY)).collect()
        })
        .collect();
    let mut weights = vec![1.0 / members.len() as f64; members.len()];
    for _ in 0..MAX_STEPS {
        let mut shares = vec![0.0; members.len()];
        for i in 0..labels.len() {
            let mean: f64 = weights.iter().zip(&of_labels).map(|(weight, p)| weight * p[i]).sum();
            for ((share, weight), p) in shares.iter_mut().zip(&weights).zip(&of_labels) {
                *share += weight * p[i] / mean;
            }
        }
        let new: Vec<f64> = shares.iter().map(|share| share / labels.len() as f64).collect();
        let change = new.iter().zip(&weights).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        weights = new;
        if change < 1e-7 {
            break;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(of_label: &[f32]) -> Array2<f32> {
        Array2::from_shape_fn((of_label.len(), 2), |(i, class)| {
            if class == 0 { of_label[i] } else { 1.0 - of_label[i] }
        })
    }

    #[test]
    fn good_members_get_weight_and_random_ones_do_not() {
        let weights = fit(&[member(&[0.9; 10]), member(&[0.5; 10])], &[0; 10]);
        assert!(weights[0] > 0.999, "{weights:?}");
    }

    #[test]
    fn members_with_different_strengths_share_the_weight() {
        let (a, b) = (member(&[0.99, 0.99, 0.01]), member(&[0.01, 0.01, 0.99]));
        let weights = fit(&[a, b], &[0; 3]);
        // The maximum of 2 ln(0.01 + 0.98 w) + ln(0.99 - 0.98 w).
        let best = (2.0 * 0.99 - 0.01) / (3.0 * 0.98);
        assert!((weights[0] - best).abs() < 1e-4, "{weights:?}, not {best}");
    }
}
