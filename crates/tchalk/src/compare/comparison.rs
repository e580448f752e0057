//! Where several networks give different answers for the same images.

use super::combine::check_same_images;
use super::{Difference, McNemar};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::text::thousands;
use crate::train::{Note, Predictions};
use ndarray::Array2;

/// The answers of two or more networks for the same images.
///
/// Labels are not needed to see where networks differ; with labels it also says which one is better.
#[derive(Clone)]
pub struct Comparison {
    pub(super) names: Vec<String>,
    /// The predicted class of each network for each image.
    pub(super) answers: Vec<Vec<usize>>,
    pub(super) labels: Option<Vec<usize>>,
    pub(super) class_names: Vec<String>,
    pub(super) images: Images,
    /// Whether the last network is an ensemble of the others.
    has_ensemble: bool,
    /// What the indices of images are called, and with what number they begin.
    pub(super) numbering: (&'static str, usize),
    pub(super) notes: Vec<Note>,
}

/// Where the images are.
#[derive(Clone)]
pub(crate) enum Images {
    Predicted(Predictions),
    Split(Split),
    Unknown,
}

impl Predictions {
    /// These predictions beside another network's, for the same images.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::shapes()?.test.take(20).to_tensors(Device::Cpu);
    /// let always = |class| ndarray::Array2::from_shape_fn((20, 10), |(_, c)| {
    ///     if c == class { 1.0 } else { 0.0 }
    /// });
    /// let first = Predictions::from_probabilities(always(0), &test)?;
    /// let second = Predictions::from_probabilities(always(1), &test)?;
    /// let comparison = first.compare(&second)?.names(&["always circle", "always ring"]);
    /// assert_eq!(comparison.differing().len(), 20);
    /// println!("p = {:.3}", comparison.mcnemar(0, 1)?.p_value());
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there are no images, or they are not the same.
    pub fn compare(&self, other: &Predictions) -> Result<Comparison> {
        let names = ["the first", "the second"].map(String::from).to_vec();
        Comparison::of_predictions("Predictions::compare", names, &[self, other])
    }
}

impl Comparison {
    pub(crate) fn of_predictions(
        op: &str,
        names: Vec<String>,
        all: &[&Predictions],
    ) -> Result<Comparison> {
        check_same_images(op, all)?;
        let first = all[0];
        let labels = first.labels().map(|_| first.require_labels(op)).transpose()?;
        let answers = all.iter().map(|one| one.classes()).collect();
        let images = Images::Predicted(first.clone());
        Ok(Comparison {
            labels,
            ..Comparison::of_answers(names, answers, first.class_names(), images)
        })
    }

    /// Answers without labels, as many for each network.
    pub(crate) fn of_answers(
        names: Vec<String>,
        answers: Vec<Vec<usize>>,
        class_names: Vec<String>,
        images: Images,
    ) -> Comparison {
        Comparison {
            names,
            answers,
            labels: None,
            class_names,
            images,
            has_ensemble: false,
            numbering: ("image", 0),
            notes: Vec::new(),
        }
    }

    /// The same, whose last network is an ensemble of the others.
    pub(crate) fn of_ensemble(self, notes: Vec<Note>) -> Comparison {
        Comparison { has_ensemble: true, notes, ..self }
    }

    /// The same with another name and beginning for the numbers of the images.
    pub(crate) fn numbered(self, name: &'static str, first: usize) -> Comparison {
        Comparison { numbering: (name, first), ..self }
    }

    /// Names for the networks, in their order; those without a new name keep theirs.
    pub fn names(mut self, names: &[impl AsRef<str>]) -> Comparison {
        for (name, new) in self.names.iter_mut().zip(names) {
            *name = new.as_ref().to_owned();
        }
        self
    }

    /// The images that the answers are for, where the networks' predictions do not come with them:
    /// `digits.test` for submissions read from files.
    ///
    /// # Errors
    ///
    /// If there are not as many images as answers.
    pub fn images(mut self, images: &Split) -> Result<Comparison> {
        if images.len() != self.len() {
            let expected = format!("{} images", thousands(self.len()));
            let got = format!("{} of {}", thousands(images.len()), images.name());
            return Err(Error::invalid("Comparison::images", expected, got, ""));
        }
        self.images = Images::Split(images.clone());
        Ok(self)
    }

    /// The number of images.
    pub(super) fn len(&self) -> usize {
        self.answers[0].len()
    }

    /// The answers of all networks for one image, as class indices in the order of the networks.
    ///
    /// # Errors
    ///
    /// If there is no image of that index.
    pub fn answers(&self, image: usize) -> Result<Vec<usize>> {
        if image >= self.len() {
            let expected = format!("an index below {}", self.len());
            return Err(Error::invalid("Comparison::answers", expected, image.to_string(), ""));
        }
        Ok(self.answers_for(image))
    }

    pub(super) fn answers_for(&self, image: usize) -> Vec<usize> {
        self.answers.iter().map(|answers| answers[image]).collect()
    }

    /// How many different answers there are for an image.
    pub(super) fn distinct(&self, image: usize) -> usize {
        let mut answers = self.answers_for(image);
        answers.sort_unstable();
        answers.dedup();
        answers.len()
    }

    /// The indices of the images on which not all networks agree: those with the most different
    /// answers first, then in the order of the set.
    pub fn differing(&self) -> Vec<usize> {
        let mut images: Vec<usize> = (0..self.len()).filter(|&i| self.distinct(i) > 1).collect();
        images.sort_by_cached_key(|&i| std::cmp::Reverse(self.distinct(i)));
        images
    }

    /// On what fraction of the images each two networks differ: `[networks, networks]`, 0 to 1.
    pub fn disagreement(&self) -> Array2<f64> {
        let networks = self.names.len();
        Array2::from_shape_fn((networks, networks), |(a, b)| {
            let pairs = self.answers[a].iter().zip(&self.answers[b]);
            pairs.filter(|(a, b)| a != b).count() as f64 / self.len() as f64
        })
    }

    /// The accuracy of each network, in their order; `None` without labels.
    pub fn accuracies(&self) -> Option<Vec<f64>> {
        let correct = self.correct()?;
        let count = |one: &Vec<bool>| one.iter().filter(|&&correct| correct).count();
        Some(correct.iter().map(|one| count(one) as f64 / self.len() as f64).collect())
    }

    /// Whether each network is right about each image.
    pub(super) fn correct(&self) -> Option<Vec<Vec<bool>>> {
        let labels = self.labels.as_ref()?;
        let correct =
            |answers: &Vec<usize>| answers.iter().zip(labels).map(|(a, b)| a == b).collect();
        Some(self.answers.iter().map(correct).collect())
    }

    /// McNemar's test of two networks, counted from 0.
    ///
    /// # Errors
    ///
    /// If there are no labels, or no network of such a number.
    pub fn mcnemar(&self, first: usize, second: usize) -> Result<McNemar> {
        const OP: &str = "Comparison::mcnemar";
        let Some(correct) = self.correct() else {
            return Err(Error::invalid(OP, "a set with labels", "one without", ""));
        };
        match (correct.get(first), correct.get(second)) {
            (Some(first), Some(second)) => Ok(McNemar::from_correct(first, second)),
            _ => {
                let expected = format!("networks from 0 to {}", correct.len() - 1);
                Err(Error::invalid(OP, expected, format!("{first} and {second}"), ""))
            }
        }
    }

    /// The ensemble's accuracy minus that of its best member. The best member is chosen on the same
    /// images, which favors it.
    ///
    /// # Errors
    ///
    /// If there are no labels, or this is no comparison of an ensemble with its members.
    pub fn gain(&self) -> Result<Difference> {
        const OP: &str = "Comparison::gain";
        if !self.has_ensemble {
            let hint = "Ensemble::compare(&set) compares an ensemble with its members.";
            return Err(Error::invalid(OP, "an ensemble", "networks only", hint));
        }
        match self.best_member() {
            Some(best) => Ok(self.mcnemar(self.names.len() - 1, best)?.difference()),
            None => Err(Error::invalid(OP, "a set with labels", "one without", "")),
        }
    }

    /// The member with the highest accuracy; the first of equals.
    pub(super) fn best_member(&self) -> Option<usize> {
        let accuracies = self.accuracies()?;
        let members = 0..self.names.len() - 1;
        members.rev().max_by(|&a, &b| accuracies[a].total_cmp(&accuracies[b]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::{LABELS, three};
    use crate::evaluate::testing::certain_predictions;

    #[test]
    fn two_networks_are_compared_image_by_image() {
        let a = certain_predictions(&LABELS, &[0, 0, 1, 1, 1, 1], 3);
        let b = certain_predictions(&LABELS, &[0, 1, 0, 2, 1, 0], 3);
        let comparison = a.compare(&b).unwrap();
        let expected = McNemar { examples: 6, both_correct: 2, only_first: 2, only_second: 1 };
        assert_eq!(comparison.mcnemar(0, 1).unwrap(), expected);
        assert_eq!(comparison.differing(), [1, 2, 3, 5], "also where both are wrong");
        assert_eq!(comparison.accuracies(), Some(vec![4.0 / 6.0, 0.5]));
        assert!(comparison.gain().is_err() && comparison.mcnemar(0, 2).is_err());
    }

    #[test]
    fn several_networks_are_compared_in_pairs() {
        let comparison = three();
        let disagreement = comparison.disagreement();
        assert_eq!((disagreement[[0, 1]], disagreement[[1, 1]]), (4.0 / 6.0, 0.0));
        assert_eq!(disagreement[[0, 2]], disagreement[[2, 0]]);
        assert_eq!(comparison.differing(), [3, 1, 2, 5], "three answers come first");
        assert_eq!(comparison.answers(3).unwrap(), [1, 2, 0]);
        assert!(comparison.answers(6).is_err());
    }

    #[test]
    fn the_gain_is_over_the_best_member() {
        let comparison = three().of_ensemble(Vec::new());
        assert_eq!(comparison.best_member(), Some(0));
        let gain = comparison.mcnemar(2, 0).unwrap().difference();
        assert_eq!(comparison.gain().unwrap(), gain);
    }

    #[test]
    fn answers_without_labels_are_compared_too() {
        let digits = (0..10).map(|digit| digit.to_string()).collect();
        let names = ["a", "b"].map(String::from).to_vec();
        let answers = vec![vec![4, 4], vec![9, 4]];
        let comparison = Comparison::of_answers(names, answers, digits, Images::Unknown);
        assert_eq!(comparison.differing(), [0]);
        assert!(comparison.accuracies().is_none() && comparison.mcnemar(0, 1).is_err());
    }
}
