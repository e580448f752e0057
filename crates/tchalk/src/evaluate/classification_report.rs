//! The classification report: precision, recall and F1 of each class.

use super::checks::labels_of;
use crate::display::{Content, Show};
use crate::error::Result;
use crate::table::Table;
use crate::text::thousands;
use crate::train::Predictions;

/// The scores of one class, or their mean over all classes; from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassScore {
    /// The name of the class.
    pub class: String,
    /// The fraction of the images predicted as this class that belong to it; 0 without such images.
    pub precision: f64,
    /// The fraction of this class's images that are predicted correctly; 0 without such images.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// The number of images of this class.
    pub support: usize,
    /// The number of images predicted as this class.
    pub predicted: usize,
}

/// Precision, recall and F1 of each class and on average, like scikit-learn's `classification_report`.
#[derive(Clone, PartialEq)]
pub struct ClassificationReport {
    name: String,
    classes: Vec<ClassScore>,
    accuracy: f64,
    macro_average: ClassScore,
    weighted_average: ClassScore,
}

impl Predictions {
    /// Precision, recall and F1 of each class, and their averages.
    ///
    /// # Errors
    ///
    /// If there are no images, or the set has no labels.
    pub fn classification_report(&self) -> Result<ClassificationReport> {
        const OP: &str = "Predictions::classification_report";
        let labels = labels_of(OP, self)?;
        let names = self.class_names();
        // Support, predictions and correct predictions of each class.
        let mut counts = vec![[0usize; 3]; names.len()];
        for (&label, predicted) in labels.iter().zip(self.classes()) {
            counts[label][0] += 1;
            counts[predicted][1] += 1;
            counts[label][2] += usize::from(label == predicted);
        }
        let ratio = |part: f64, all: usize| if all == 0 { 0.0 } else { part / all as f64 };
        let score = |(class, &[support, predicted, correct]): (String, &[usize; 3])| ClassScore {
            class,
            precision: ratio(correct as f64, predicted),
            recall: ratio(correct as f64, support),
            f1: ratio(2.0 * correct as f64, support + predicted),
            support,
            predicted,
        };
        let classes: Vec<ClassScore> = names.into_iter().zip(&counts).map(score).collect();
        let n = labels.len();
        let correct: usize = counts.iter().map(|count| count[2]).sum();
        // As in scikit-learn, classes that neither occur nor are predicted do not count.
        let seen = classes.iter().filter(|class| class.support + class.predicted > 0).count();
        let occurs = |class: &ClassScore| f64::from(u8::from(class.support + class.predicted > 0));
        Ok(ClassificationReport {
            name: self.set_name(),
            accuracy: correct as f64 / n as f64,
            macro_average: average("macro average", &classes, n, |c| occurs(c) / seen as f64),
            weighted_average: average("weighted average", &classes, n, |class| {
                class.support as f64 / n as f64
            }),
            classes,
        })
    }
}

fn average(
    name: &str,
    classes: &[ClassScore],
    support: usize,
    weight: impl Fn(&ClassScore) -> f64,
) -> ClassScore {
    let mean = |value: fn(&ClassScore) -> f64| {
        classes.iter().map(|class| weight(class) * value(class)).sum()
    };
    ClassScore {
        class: name.to_owned(),
        precision: mean(|class| class.precision),
        recall: mean(|class| class.recall),
        f1: mean(|class| class.f1),
        support,
        predicted: support,
    }
}

impl ClassificationReport {
    /// The scores of the classes, in their order.
    pub fn classes(&self) -> Vec<ClassScore> {
        self.classes.clone()
    }

    /// The scores of one class, by its name.
    pub fn class(&self, name: &str) -> Option<ClassScore> {
        self.classes.iter().find(|class| class.class == name).cloned()
    }

    /// The fraction of all images that are predicted correctly.
    pub fn accuracy(&self) -> f64 {
        self.accuracy
    }

    /// The unweighted mean over the classes that occur or are predicted.
    pub fn macro_average(&self) -> ClassScore {
        self.macro_average.clone()
    }

    /// The mean over the classes, weighted by their numbers of images.
    pub fn weighted_average(&self) -> ClassScore {
        self.weighted_average.clone()
    }

    /// The scores as a table.
    pub fn table(&self) -> Table {
        let row = |score: &ClassScore| {
            let number = |value: f64, defined: bool| match defined {
                true => format!("{value:.3}"),
                false => "–".into(),
            };
            [
                score.class.clone(),
                number(score.precision, score.predicted > 0),
                number(score.recall, score.support > 0),
                number(score.f1, score.support + score.predicted > 0),
                thousands(score.support),
            ]
        };
        let averages = [&self.macro_average, &self.weighted_average];
        let mut table = Table::new(["", "precision", "recall", "F1", "images"])
            .rows(self.classes.iter().chain(averages).map(row));
        for column in 1..5 {
            table = table.align_right(column);
        }
        let accuracy = 100.0 * self.accuracy;
        let n = thousands(self.macro_average.support);
        table = table.footer(format!("{}: {accuracy:.2} % of {n} right", self.name));
        let missing: Vec<&str> = self
            .classes
            .iter()
            .filter(|class| class.predicted == 0 && class.support > 0)
            .map(|class| class.class.as_str())
            .collect();
        match missing.is_empty() {
            true => table,
            false => table.footer(format!("never predicted: {}", missing.join(", "))),
        }
    }
}

impl Show for ClassificationReport {
    fn content(&self) -> Content {
        self.table().content()
    }
}

impl std::fmt::Debug for ClassificationReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.table())
    }
}

#[cfg(test)]
mod tests {
    use crate::evaluate::testing::certain_predictions;

    #[test]
    fn scores_by_hand() {
        // Class 0: two images found, one missed. Class 1: one found, one predicted wrongly.
        let report =
            certain_predictions(&[0, 0, 0, 1], &[0, 0, 1, 1], 2).classification_report().unwrap();
        let zero = report.class("class 0").unwrap();
        assert_eq!((zero.precision, zero.recall, zero.support), (1.0, 2.0 / 3.0, 3));
        assert!((zero.f1 - 0.8).abs() < 1e-12);
        assert_eq!(report.accuracy(), 0.75);
        assert!((report.macro_average().precision - 0.75).abs() < 1e-12);
        assert!((report.weighted_average().recall - 0.75).abs() < 1e-12);
    }

    #[test]
    fn classes_that_are_never_predicted_are_listed() {
        let report = certain_predictions(&[0, 1], &[0, 0], 4).classification_report().unwrap();
        let text = format!("{report:?}");
        assert!(text.contains("never predicted: class 1"), "{text}");
        assert!(text.contains("class 3                   –       –      –"), "{text}");
        assert!((report.macro_average().recall - 0.5).abs() < 1e-12, "of two classes, not four");
    }
}
