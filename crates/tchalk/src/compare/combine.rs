//! One prediction from the predictions of several networks.

use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::evaluate::{check_not_empty, checked_probabilities};
use crate::train::{Predictions, argmax};
use ndarray::{Array2, Axis, concatenate};
use tch::Tensor;

impl Predictions {
    /// The mean probabilities of several networks for the same images.
    ///
    /// # Errors
    ///
    /// If there are no predictions, they are not for the same images, or not probabilities.
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
        let rows = probabilities_of_all("Predictions::average", all)?;
        let sum = rows[1..].iter().fold(rows[0].clone(), |sum, row| sum + row);
        Ok(all[0].with_probabilities(sum / rows.len() as f32))
    }

    /// The class that most networks predict for each image. The mean probability decides between
    /// classes with equally many votes. The probabilities of the result are the shares of the votes.
    ///
    /// # Errors
    ///
    /// As for [`Predictions::average`].
    pub fn vote(all: &[&Predictions]) -> Result<Predictions> {
        let rows = probabilities_of_all("Predictions::vote", all)?;
        Ok(all[0].with_probabilities(vote_shares(&rows)))
    }

    /// The probabilities of several networks as the features of a new set: `[images, networks ×
    /// classes]`, with the same labels. A small network can learn from them which network to trust
    /// (stacking).
    ///
    /// # Errors
    ///
    /// As for [`Predictions::average`], or if there are no labels.
    pub fn stacking_features(all: &[&Predictions]) -> Result<TensorSet> {
        const OP: &str = "Predictions::stacking_features";
        let rows = probabilities_of_all(OP, all)?;
        let labels: Vec<i64> =
            all[0].require_labels(OP)?.iter().map(|&label| label as i64).collect();
        let views: Vec<_> = rows.iter().map(Array2::view).collect();
        let table = concatenate(Axis(1), &views).expect("the same number of rows");
        let values: Vec<f32> = table.iter().copied().collect();
        let x = Tensor::from_slice(&values).view([table.nrows() as i64, table.ncols() as i64]);
        let names = all[0].class_names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        TensorSet::new(&x, &Tensor::from_slice(&labels), &names)
    }
}

/// The probabilities of each network, once all are for the same images.
fn probabilities_of_all(op: &str, all: &[&Predictions]) -> Result<Vec<Array2<f32>>> {
    check_same_images(op, all)?;
    all.iter().map(|one| checked_probabilities(op, one)).collect()
}

/// Refuses predictions that are not for the same images and classes.
pub(super) fn check_same_images(op: &str, all: &[&Predictions]) -> Result<()> {
    let Some(first) = all.first() else {
        return Err(Error::invalid(op, "predictions of at least one network", "none", ""));
    };
    check_not_empty(op, first)?;
    let described = |one: &Predictions| {
        let (images, classes) = one.probabilities().dim();
        format!("{images} images of {} and {classes} classes", one.set_name())
    };
    let is_other =
        |one: &&&Predictions| described(one) != described(first) || one.labels() != first.labels();
    match all.iter().find(is_other) {
        None => Ok(()),
        Some(other) => {
            let hint = "Let all networks predict the same set.";
            Err(Error::invalid(op, described(first), described(other), hint))
        }
    }
}

/// The share of the votes for each class. Among classes with equally many votes, the one with the
/// highest mean probability gets slightly more.
pub(crate) fn vote_shares(members: &[Array2<f32>]) -> Array2<f32> {
    let count = members.len() as f32;
    let mut shares = Array2::<f32>::zeros(members[0].dim());
    let mut means = shares.clone();
    for member in members {
        for (i, row) in member.rows().into_iter().enumerate() {
            shares[[i, argmax(row.iter().copied())]] += 1.0 / count;
        }
        means.scaled_add(1.0 / count, member);
    }
    // Less than half the smallest difference between two shares, so only ties are decided.
    let weight = 0.25 / count;
    shares * (1.0 - weight) + means * weight
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::testing::{certain_predictions, predictions_of_rows};
    use ndarray::array;

    #[test]
    fn a_vote_and_an_average_may_differ() {
        let a = predictions_of_rows(&[0], &[&[0.95, 0.05]]);
        let b = predictions_of_rows(&[0], &[&[0.4, 0.6]]);
        assert_eq!(Predictions::vote(&[&a, &b, &b]).unwrap().classes(), [1]);
        assert_eq!(Predictions::average(&[&a, &b, &b]).unwrap().classes(), [0]);
        assert_eq!(Predictions::average(&[&a, &b]).unwrap().evaluate().unwrap().accuracy, 1.0);
    }

    #[test]
    fn the_mean_probability_decides_a_tied_vote() {
        let tied = [array![[0.9f32, 0.1, 0.0]], array![[0.0, 0.4, 0.6]]];
        let shares = vote_shares(&tied);
        assert!(shares[[0, 0]] > shares[[0, 2]] && shares[[0, 2]] > shares[[0, 1]]);
        assert!((shares.sum() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn stacking_features_are_the_probabilities_of_all_networks() {
        let a = certain_predictions(&[0, 1, 2], &[0, 1, 1], 3);
        let b = certain_predictions(&[0, 1, 2], &[2, 1, 2], 3);
        let set = Predictions::stacking_features(&[&a, &b]).unwrap();
        assert_eq!((set.x().size(), set.len()), (vec![3, 6], 3));
        let first = Vec::<f32>::try_from(set.x().get(0)).unwrap();
        assert_eq!(first, [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn predictions_for_other_images_are_refused() {
        let a = certain_predictions(&[0, 1], &[0, 1], 2);
        let b = certain_predictions(&[0, 1, 1], &[0, 1, 1], 2);
        let error = Predictions::average(&[&a, &b]).unwrap_err().to_string();
        assert!(error.contains("expected 2 images of"), "{error}");
        assert!(Predictions::vote(&[]).is_err() && a.compare(&b).is_err());
    }
}
