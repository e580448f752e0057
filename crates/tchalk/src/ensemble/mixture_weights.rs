//! How much each member should count.

use ndarray::Array2;

/// The weights of a mixture under which the right classes are most probable.
///
/// Expectation maximization for the weights alone: each member takes its share of the responsibility
/// for every right answer, and the shares are its new weight. The likelihood rises at every step, and
/// it has one maximum (it is concave), so no step size has to be chosen.
pub(super) fn fit(members: &[Array2<f32>], labels: &[usize]) -> Vec<f64> {
    let said: Vec<Vec<f64>> = members
        .iter()
        .map(|one| {
            let of = labels.iter().enumerate().map(|(i, &label)| f64::from(one[[i, label]]));
            of.map(|p| p.max(1e-12)).collect()
        })
        .collect();
    let mut weights = vec![1.0 / members.len() as f64; members.len()];
    for _ in 0..1000 {
        let mut shares = vec![0.0; members.len()];
        for i in 0..labels.len() {
            let all: f64 = weights.iter().zip(&said).map(|(weight, said)| weight * said[i]).sum();
            for ((share, weight), said) in shares.iter_mut().zip(&weights).zip(&said) {
                *share += weight * said[i] / all;
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

    fn said(of_right: &[f32]) -> Array2<f32> {
        Array2::from_shape_fn((of_right.len(), 2), |(i, class)| {
            if class == 0 { of_right[i] } else { 1.0 - of_right[i] }
        })
    }

    #[test]
    fn who_knows_counts_and_who_guesses_does_not() {
        let weights = fit(&[said(&[0.9; 10]), said(&[0.5; 10])], &[0; 10]);
        assert!(weights[0] > 0.999, "{weights:?}");
    }

    #[test]
    fn two_who_complete_each_other_share() {
        let (a, b) = (said(&[0.99, 0.99, 0.01]), said(&[0.01, 0.01, 0.99]));
        let weights = fit(&[a, b], &[0; 3]);
        // The maximum of 2 ln(0.01 + 0.98 w) + ln(0.99 - 0.98 w).
        let best = (2.0 * 0.99 - 0.01) / (3.0 * 0.98);
        assert!((weights[0] - best).abs() < 1e-4, "{weights:?}, not {best}");
    }
}
