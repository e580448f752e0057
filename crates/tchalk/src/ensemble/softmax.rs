//! The softmax of tables in memory.

use ndarray::{Array2, Axis};

/// The softmax of each row.
pub(super) fn softmax(mut logits: Array2<f32>) -> Array2<f32> {
    for mut row in logits.axis_iter_mut(Axis(0)) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.mapv_inplace(|logit| (logit - largest).exp());
        let sum = row.sum();
        row /= sum;
    }
    logits
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn large_logits_do_not_overflow() {
        let rows = softmax(array![[1000.0f32, 999.0], [-1000.0, -1000.0]]);
        assert!((rows[[0, 0]] - 0.731_058_6).abs() < 1e-6);
        assert_eq!(rows[[1, 1]], 0.5);
    }
}
