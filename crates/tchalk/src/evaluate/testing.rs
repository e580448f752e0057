//! Small sets and predictions for tests.

use crate::data::{Split, TensorSet};
use crate::train::Predictions;
use ndarray::{Array2, Array4};
use tch::Device;

/// A set of small images; without labels if `labels` is empty.
pub(crate) fn set(images: usize, labels: Vec<usize>, classes: usize) -> TensorSet {
    let images = Array4::from_shape_fn((images, 8, 8, 3), |(n, y, x, c)| {
        (n * 31 + y * 16 + x * 8 + c * 50) as u8
    });
    let names = (0..classes).map(|class| format!("class {class}")).collect();
    Split::new("small images", images, labels, names).unwrap().to_tensors(Device::Cpu)
}

/// Predictions with probability 1 for these classes.
pub(crate) fn certain_predictions(
    labels: &[usize],
    predicted: &[usize],
    classes: usize,
) -> Predictions {
    let rows = Array2::from_shape_fn((predicted.len(), classes), |(row, class)| {
        if predicted[row] == class { 1.0 } else { 0.0 }
    });
    Predictions::from_probabilities(rows, &set(predicted.len(), labels.to_vec(), classes)).unwrap()
}

/// Predictions with these probabilities, row by row.
pub(crate) fn predictions_of_rows(labels: &[usize], rows: &[&[f32]]) -> Predictions {
    let all: Vec<f32> = rows.concat();
    let table = Array2::from_shape_vec((rows.len(), rows[0].len()), all).unwrap();
    Predictions::from_probabilities(table, &set(rows.len(), labels.to_vec(), rows[0].len()))
        .unwrap()
}
