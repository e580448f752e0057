//! What several networks said about the same images, as one.

use super::checked_probabilities;
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::train::{Evaluation, Predictions};
use ndarray::{Array2, concatenate};
use tch::Tensor;

impl Predictions {
    /// Loss and accuracy of these answers, with nothing computed anew. The loss is the cross-entropy.
    ///
    /// # Errors
    ///
    /// If there are no images, no labels, or the outputs are no probabilities.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// # let test = datasets::shapes()?.test.take(100).to_tensors(Device::Cpu);
    /// # let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    /// # let model = layers.add(Softmax).build(Device::Cpu)?;
    /// let predictions = model.predict(&test)?;
    /// assert_eq!(Some(predictions.evaluate()?.accuracy), predictions.accuracy());
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn evaluate(&self) -> Result<Evaluation> {
        const OP: &str = "Predictions::evaluate";
        let truth = super::labels_of(OP, self)?;
        Ok(Evaluation::from_probabilities(&checked_probabilities(OP, self)?, &truth, Vec::new()))
    }

    /// The mean of what several networks said about the same images.
    ///
    /// # Errors
    ///
    /// If there are none, or they are not about the same images.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::shapes()?.test.take(4).to_tensors(Device::Cpu);
    /// let sure = ndarray::Array2::from_shape_fn((4, 2), |(_, c)| [0.9, 0.1][c]);
    /// let unsure = ndarray::Array2::from_shape_fn((4, 2), |(_, c)| [0.3, 0.7][c]);
    /// let sure = Predictions::from_probabilities(sure, &test)?;
    /// let unsure = Predictions::from_probabilities(unsure, &test)?;
    /// assert_eq!(Predictions::average(&[&sure, &unsure])?.classes(), [0, 0, 0, 0]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn average(all: &[&Predictions]) -> Result<Predictions> {
        let rows = same_images("Predictions::average", all)?;
        let sum = rows[1..].iter().fold(rows[0].clone(), |sum, row| sum + row);
        Ok(all[0].with_probabilities(sum / rows.len() as f32))
    }

    /// The class that most of several networks name for each image; where several classes have as
    /// many votes, the one that gets more probability from all together. The probabilities are the
    /// shares of the votes.
    ///
    /// # Errors
    ///
    /// As for [`Predictions::average`].
    pub fn vote(all: &[&Predictions]) -> Result<Predictions> {
        let rows = same_images("Predictions::vote", all)?;
        Ok(all[0].with_probabilities(crate::ensemble::vote_shares(&rows)))
    }

    /// What several networks said, side by side, as examples `[images, networks × classes]` with the
    /// right classes: for a small network to learn from whom to believe when.
    ///
    /// # Errors
    ///
    /// As for [`Predictions::average`], or if there are no labels.
    pub fn stacking_features(all: &[&Predictions]) -> Result<TensorSet> {
        const OP: &str = "Predictions::stacking_features";
        let rows = same_images(OP, all)?;
        let truth: Vec<i64> =
            all[0].require_labels(OP)?.iter().map(|&label| label as i64).collect();
        let views: Vec<_> = rows.iter().map(Array2::view).collect();
        let table = concatenate(ndarray::Axis(1), &views).expect("as many rows each");
        let numbers: Vec<f32> = table.iter().copied().collect();
        let x = Tensor::from_slice(&numbers).view([table.nrows() as i64, table.ncols() as i64]);
        let names = all[0].class_names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        TensorSet::new(&x, &Tensor::from_slice(&truth), &names)
    }
}

/// The probabilities of each, once all are about the same images.
fn same_images(op: &str, all: &[&Predictions]) -> Result<Vec<Array2<f32>>> {
    let Some(first) = all.first() else {
        return Err(Error::invalid(op, "at least one network's answers", "none", "Try &[&a, &b]."));
    };
    super::check_not_empty(op, first)?;
    let told = |one: &Predictions| {
        let (images, classes) = one.probabilities().dim();
        format!("{images} images of {} and {classes} classes", one.set_name())
    };
    for other in all {
        if told(other) != told(first) || other.labels() != first.labels() {
            let hint = "Let all networks predict the same set.";
            return Err(Error::invalid(op, told(first), told(other), hint));
        }
    }
    all.iter().map(|one| checked_probabilities(op, one)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{certain_predictions, predictions_of_rows};
    use super::*;

    #[test]
    fn two_against_one_win_a_vote_and_may_lose_an_average() {
        let (a, b) = (
            predictions_of_rows(&[0], &[&[0.95, 0.05]]),
            predictions_of_rows(&[0], &[&[0.4, 0.6]]),
        );
        assert_eq!(Predictions::vote(&[&a, &b, &b]).unwrap().classes(), [1]);
        assert_eq!(Predictions::average(&[&a, &b, &b]).unwrap().classes(), [0]);
        assert_eq!(Predictions::average(&[&a, &b]).unwrap().evaluate().unwrap().accuracy, 1.0);
    }

    #[test]
    fn answers_side_by_side_are_examples() {
        let (a, b) = (
            certain_predictions(&[0, 1, 2], &[0, 1, 1], 3),
            certain_predictions(&[0, 1, 2], &[2, 1, 2], 3),
        );
        let set = Predictions::stacking_features(&[&a, &b]).unwrap();
        assert_eq!((set.x().size(), set.len()), (vec![3, 6], 3));
        let first = Vec::<f32>::try_from(set.x().get(0)).unwrap();
        assert_eq!(first, [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn other_images_are_refused() {
        let (a, b) = (
            certain_predictions(&[0, 1], &[0, 1], 2),
            certain_predictions(&[0, 1, 1], &[0, 1, 1], 2),
        );
        let error = Predictions::average(&[&a, &b]).unwrap_err().to_string();
        assert!(error.contains("expected 2 images"), "{error}");
        assert!(Predictions::vote(&[]).is_err());
    }
}
