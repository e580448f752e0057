//! Checks of predictions before they are evaluated.

use crate::error::{Error, Result};
use crate::train::Predictions;
use ndarray::Array2;

/// How much the sum of a row may differ from 1.
const SUM_TOLERANCE: f32 = 1e-3;

/// The probabilities, once each row is not negative and sums to 1.
pub(crate) fn checked_probabilities(op: &str, predictions: &Predictions) -> Result<Array2<f32>> {
    let rows = predictions.probabilities();
    let is_wrong = |row: &ndarray::ArrayView1<'_, f32>| {
        row.iter().any(|&p| p < 0.0) || (row.sum() - 1.0).abs() > SUM_TOLERANCE
    };
    match rows.rows().into_iter().find(is_wrong) {
        None => Ok(rows),
        Some(row) => Err(Error::invalid(
            op,
            "probabilities that sum to 1",
            format!("outputs that sum to {}", row.sum()),
            "Try Softmax as the last layer.",
        )),
    }
}

/// Refuses predictions without images.
pub(crate) fn check_not_empty(op: &str, predictions: &Predictions) -> Result<()> {
    match predictions.is_empty() {
        true => Err(Error::invalid(op, "at least one image", "none", "")),
        false => Ok(()),
    }
}

/// The labels of at least one image.
pub(crate) fn labels_of(op: &str, predictions: &Predictions) -> Result<Vec<usize>> {
    let labels = predictions.require_labels(op)?;
    check_not_empty(op, predictions)?;
    Ok(labels)
}
