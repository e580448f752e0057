//! Whether answers are for the images to be guessed, in their order.

use crate::data::Split;
use crate::train::Predictions;
use std::collections::HashMap;

/// This many of the images are looked for.
const SAMPLE: usize = 40;

/// What the predicted images are, beside those of a split.
#[derive(Debug, PartialEq)]
pub(super) enum ImageOrder {
    /// They are the same, in the same order.
    Same,
    /// They are the same, in another order.
    Mixed {
        /// The number of an answer, from 1.
        answer: usize,
        /// The number of its image in the split, from 1.
        image: usize,
    },
    /// They are of another set, whose labels are known.
    OtherSet,
}

impl ImageOrder {
    /// `None` where it cannot be told: images that were standardized first are not recognized.
    pub(super) fn of(predictions: &Predictions, test: &Split) -> Option<ImageOrder> {
        let count = predictions.classes().len().min(test.len());
        let rows: Vec<usize> = (0..count).step_by((count / SAMPLE).max(1)).take(SAMPLE).collect();
        let images = predictions.images(&rows).ok()?;
        let test_images = test.images();
        let mut rows_of: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (row, image) in test_images.outer_iter().enumerate() {
            rows_of.entry(image.iter().copied().collect()).or_default().push(row);
        }
        let (mut same, mut mixed) = (0, None);
        for (&row, image) in rows.iter().zip(&images) {
            match rows_of.get(&image.iter().copied().collect::<Vec<u8>>()) {
                Some(found) if found.contains(&row) => same += 1,
                Some(found) => {
                    let elsewhere = ImageOrder::Mixed { answer: row + 1, image: found[0] + 1 };
                    mixed = mixed.or(Some(elsewhere));
                }
                None => {}
            }
        }
        let is_other = predictions.set_name() != test.name() && predictions.labels().is_some();
        match same < rows.len() && is_other {
            true => Some(ImageOrder::OtherSet),
            false => mixed.or((same > 0).then_some(ImageOrder::Same)),
        }
    }
}
