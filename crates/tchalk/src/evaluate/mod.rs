//! How good are the answers: what [`Predictions`] say when they are looked at closely.
//!
//! One question a file: which classes are taken for which ([`ConfusionMatrix`]), how good each class
//! is ([`Report`]), whether the probabilities can be believed ([`Calibration`]), where two networks
//! differ ([`Comparison`]), how many networks compare ([`Scoreboard`]), whether what others
//! claim holds here ([`Claim`]), and the images themselves: with bars, and the worst ones.
//!
//! ```
//! use tchalk::prelude::*;
//! let test = datasets::shapes()?.test.take(50).to_tensors(Device::Cpu);
//! let model = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
//! let model = model.add(Softmax).build(Device::Cpu)?;
//! let predictions = model.predict(&test)?;
//! let matrix = predictions.confusion_matrix()?;
//! assert_eq!(matrix.counts().sum(), 50);
//! assert_eq!(predictions.report()?.accuracy(), predictions.accuracy().unwrap());
//! # Ok::<(), tchalk::Error>(())
//! ```

mod calibration;
mod claims;
mod classification_report;
mod comparison;
mod confusion_matrix;
mod images;
mod scoreboard;
mod together;

pub use calibration::{Calibration, CalibrationBin};
pub use claims::Claim;
pub use classification_report::{ClassScore, ClassificationReport};
pub use comparison::Comparison;
pub use confusion_matrix::{ConfusedPair, ConfusedPairs, ConfusionMatrix};
pub use scoreboard::Scoreboard;

use crate::error::{Error, Result};
use crate::train::Predictions;
use ndarray::Array2;

/// How far the sum of a row may be from 1.
const SUM_TOLERANCE: f32 = 1e-3;

/// The probabilities, or the error that says that they are none.
fn checked_probabilities(op: &str, predictions: &Predictions) -> Result<Array2<f32>> {
    let rows = predictions.probabilities();
    let is_wrong = |row: &ndarray::ArrayView1<'_, f32>| {
        row.iter().any(|&p| p < 0.0) || (row.sum() - 1.0).abs() > SUM_TOLERANCE
    };
    match rows.rows().into_iter().find(is_wrong) {
        None => Ok(rows),
        Some(row) => Err(Error::invalid(
            op,
            "probabilities, which add up to 1",
            format!("outputs that add up to {}", row.sum()),
            "Try Softmax as the last layer.",
        )),
    }
}

/// Refuses predictions for no images.
fn check_not_empty(op: &str, predictions: &Predictions) -> Result<()> {
    match predictions.is_empty() {
        true => Err(Error::invalid(op, "at least one image", "none", "")),
        false => Ok(()),
    }
}

/// The right classes of at least one image, or the error that says what is missing.
fn labels_of(op: &str, predictions: &Predictions) -> Result<Vec<usize>> {
    let truth = predictions.require_labels(op)?;
    check_not_empty(op, predictions)?;
    Ok(truth)
}

#[cfg(test)]
mod testing {
    use crate::data::{Split, TensorSet};
    use crate::train::Predictions;
    use ndarray::{Array2, Array4};
    use tch::Device;

    /// A set of little images with these labels; none where there are no labels.
    pub(super) fn set(images: usize, labels: Vec<usize>, classes: usize) -> TensorSet {
        let images = Array4::from_shape_fn((images, 8, 8, 3), |(n, y, x, c)| {
            (n * 31 + y * 16 + x * 8 + c * 50) as u8
        });
        let names = (0..classes).map(|class| format!("class {class}")).collect();
        Split::new("little images", images, labels, names).unwrap().to_tensors(Device::Cpu)
    }

    /// Predictions that are sure of these classes.
    pub(super) fn certain_predictions(
        truth: &[usize],
        said: &[usize],
        classes: usize,
    ) -> Predictions {
        let rows = Array2::from_shape_fn((said.len(), classes), |(row, class)| {
            if said[row] == class { 1.0 } else { 0.0 }
        });
        Predictions::from_probabilities(rows, &set(said.len(), truth.to_vec(), classes)).unwrap()
    }

    /// Predictions with these probabilities, row by row.
    pub(super) fn predictions_of_rows(truth: &[usize], rows: &[&[f32]]) -> Predictions {
        let all: Vec<f32> = rows.concat();
        let table = Array2::from_shape_vec((rows.len(), rows[0].len()), all).unwrap();
        Predictions::from_probabilities(table, &set(rows.len(), truth.to_vec(), rows[0].len()))
            .unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{predictions_of_rows, set};
    use crate::train::Predictions;
    use ndarray::Array2;

    #[test]
    fn without_labels_everything_says_so() {
        let table = Array2::from_elem((3, 2), 0.5);
        let blind = Predictions::from_probabilities(table, &set(3, Vec::new(), 2)).unwrap();
        let messages = [
            blind.confusion_matrix().unwrap_err(),
            blind.classification_report().unwrap_err(),
            blind.calibration().unwrap_err(),
            blind.top_losses(3).unwrap_err(),
            blind.most_confused(3).unwrap_err(),
            blind.compare(&blind).unwrap_err(),
            blind.top_k(1).unwrap_err(),
            blind.wrong().unwrap_err(),
        ];
        for message in messages {
            let message = message.to_string();
            assert!(message.contains("expected a set with labels, got one without"), "{message}");
        }
        assert!(blind.probability_bars(3).is_ok(), "bars need no labels");
    }

    #[test]
    fn scores_are_not_taken_for_probabilities() {
        let scores = predictions_of_rows(&[0, 1], &[&[2.0, -1.0], &[3.0, 4.0]]);
        assert!(scores.calibration().unwrap_err().to_string().contains("Softmax"));
        assert!(scores.top_losses(1).unwrap_err().to_string().contains("add up to 1"));
        assert!(scores.classification_report().is_ok(), "the largest is the largest");
    }

    #[test]
    fn labels_without_a_class_are_refused() {
        let x = tch::Tensor::zeros([2, 3, 8, 8], (tch::Kind::Float, tch::Device::Cpu));
        for label in [5i64, -1] {
            let y = tch::Tensor::from_slice(&[0, label]);
            let set = crate::data::TensorSet::new(&x, &y, &["a", "b"]).unwrap();
            let predictions =
                Predictions::from_probabilities(Array2::from_elem((2, 2), 0.5), &set).unwrap();
            let message = predictions.classification_report().unwrap_err().to_string();
            assert!(message.contains(&format!("got label {label}")), "{message}");
        }
    }
}
