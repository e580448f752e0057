//! The confusion matrix: which classes are confused with which.

use super::checks::labels_of;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{BarPanel, Figure, MatrixPanel, Panel, figure_content};
use crate::table::Table;
use crate::text::thousands;
use crate::train::Predictions;
use ndarray::Array2;

/// With more classes the matrix is drawn smaller, and the most confused pairs are listed beside it.
const FEW_CLASSES: usize = 30;
const MAX_PAIRS: usize = 18;

/// How often each class was predicted for each: a row for each true class, a column for each predicted one.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    name: String,
    class_names: Vec<String>,
    counts: Array2<usize>,
}

/// A class that was confused with another.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfusedPair {
    /// The true class.
    pub truth: String,
    /// The predicted class.
    pub predicted: String,
    /// How often this happened.
    pub count: usize,
    /// The fraction of the true class's images.
    pub fraction: f64,
}

/// The pairs of classes that were confused most often.
#[derive(Clone, PartialEq)]
pub struct ConfusedPairs {
    pairs: Vec<ConfusedPair>,
}

impl Predictions {
    /// How often each class was predicted for each.
    ///
    /// # Errors
    ///
    /// If there are no images, or the set has no labels.
    pub fn confusion_matrix(&self) -> Result<ConfusionMatrix> {
        self.count_confusions("Predictions::confusion_matrix")
    }

    fn count_confusions(&self, op: &str) -> Result<ConfusionMatrix> {
        let labels = labels_of(op, self)?;
        let classes = self.class_names();
        let mut counts = Array2::zeros((classes.len(), classes.len()));
        for (label, predicted) in labels.into_iter().zip(self.classes()) {
            counts[[label, predicted]] += 1;
        }
        Ok(ConfusionMatrix { name: self.set_name(), class_names: classes, counts })
    }

    /// The `count` pairs of classes that were confused most often; equal pairs in the order of the classes.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::shapes()?.test.take(20).to_tensors(Device::Cpu);
    /// let always_circle = ndarray::Array2::from_shape_fn((20, 10), |(_, class)| {
    ///     if class == 0 { 1.0 } else { 0.0 }
    /// });
    /// let worst = Predictions::from_probabilities(always_circle, &test)?.most_confused(3)?;
    /// assert_eq!(worst.pairs()[0].predicted, "circle");
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there are no images, or the set has no labels.
    pub fn most_confused(&self, count: usize) -> Result<ConfusedPairs> {
        Ok(self.count_confusions("Predictions::most_confused")?.most_confused(count))
    }
}

impl ConfusionMatrix {
    /// The counts `[classes, classes]`: a row for each true class, a column for each predicted one.
    pub fn counts(&self) -> Array2<usize> {
        self.counts.clone()
    }

    /// The counts as fractions of their rows, 0 to 1; a class without images has a row of zeros.
    pub fn fractions(&self) -> Array2<f64> {
        let sums = self.counts.sum_axis(ndarray::Axis(1));
        Array2::from_shape_fn(self.counts.dim(), |(row, column)| match sums[row] {
            0 => 0.0,
            sum => self.counts[[row, column]] as f64 / sum as f64,
        })
    }

    /// The class names, in the order of the rows and columns.
    pub fn class_names(&self) -> Vec<String> {
        self.class_names.clone()
    }

    /// The fraction on the diagonal, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.counts.diag().sum() as f64 / self.counts.sum() as f64
    }

    /// The `count` pairs of classes that were confused most often.
    pub fn most_confused(&self, count: usize) -> ConfusedPairs {
        let fractions = self.fractions();
        let off = self.counts.indexed_iter().filter(|&((a, b), &n)| a != b && n > 0);
        let mut pairs: Vec<ConfusedPair> = off
            .map(|((truth, predicted), &count)| ConfusedPair {
                truth: self.class_names[truth].clone(),
                predicted: self.class_names[predicted].clone(),
                count,
                fraction: fractions[[truth, predicted]],
            })
            .collect();
        // The sort is stable.
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        pairs.truncate(count);
        ConfusedPairs { pairs }
    }

    /// The matrix with its counts, colored by the fractions of the rows. With many classes there are only
    /// colors, and the most confused pairs are listed beside them.
    ///
    /// # Errors
    ///
    /// None for a result of [`Predictions::confusion_matrix`].
    pub fn figure(&self) -> Result<Figure> {
        let axes = ("true class", "predicted class");
        let many = self.class_names.len() > FEW_CLASSES;
        let percent = format!("{:.1} % right", 100.0 * self.accuracy());
        let all = thousands(self.counts.sum());
        let (title, names, counts) =
            (format!("{all} images"), self.class_names.clone(), self.counts.clone());
        let mut panels: Vec<Panel> = vec![MatrixPanel::new(&title, axes, names, counts).into()];
        if many {
            let pairs = self.most_confused(MAX_PAIRS).pairs.into_iter();
            let bars = pairs
                .map(|pair| (format!("{} → {}", pair.truth, pair.predicted), pair.count as f64));
            panels.push(BarPanel::new("most confused: true → predicted").bars(bars).into());
        }
        let columns = panels.len();
        Ok(Figure::grid(panels, columns)?.title(format!("{}: {percent}", self.name)))
    }
}

impl Show for ConfusionMatrix {
    fn content(&self) -> Content {
        figure_content(format!("{self:?}"), self.figure())
    }
}

/// The counts with their classes; with many classes the most confused pairs.
impl std::fmt::Debug for ConfusionMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = thousands(self.counts.sum());
        let right = 100.0 * self.accuracy();
        writeln!(f, "{}: {right:.1} % of {all} right; a row for each true class", self.name)?;
        if self.class_names.len() > FEW_CLASSES {
            return write!(f, "{:?}", self.most_confused(MAX_PAIRS));
        }
        let names = self.class_names.iter().map(|name| name.chars().count());
        let numbers = self.counts.iter().map(|count| count.to_string().len());
        let (name_width, width) = (names.max().unwrap_or(0), numbers.max().unwrap_or(0));
        for (row, name) in self.counts.rows().into_iter().zip(&self.class_names) {
            let counts: Vec<String> = row.iter().map(|count| format!("{count:>width$}")).collect();
            writeln!(f, "{name:>name_width$}  {}", counts.join(" "))?;
        }
        Ok(())
    }
}

impl ConfusedPairs {
    /// The pairs, the most frequent first.
    pub fn pairs(&self) -> Vec<ConfusedPair> {
        self.pairs.clone()
    }

    /// The pairs as a table.
    pub fn table(&self) -> Table {
        let rows = self.pairs.iter().map(|pair| {
            let part = format!("{:.1} %", 100.0 * pair.fraction);
            [pair.truth.clone(), pair.predicted.clone(), thousands(pair.count), part]
        });
        let table = Table::new(["true class", "predicted class", "count", "of its class"]);
        let table = table.rows(rows).align_right(2).align_right(3);
        if self.pairs.is_empty() { table.footer("No classes were confused.") } else { table }
    }
}

impl Show for ConfusedPairs {
    fn content(&self) -> Content {
        self.table().content()
    }
}

impl std::fmt::Debug for ConfusedPairs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.table())
    }
}

impl ConfusionMatrix {
    /// A matrix of counts `[classes, classes]` from elsewhere, with a row for each true class.
    ///
    /// # Errors
    ///
    /// If there are no counts, or there is not one name for each row and column.
    pub fn new(
        name: impl Into<String>,
        classes: Vec<String>,
        counts: Array2<usize>,
    ) -> Result<ConfusionMatrix> {
        let n = classes.len();
        if counts.dim() != (n, n) || counts.sum() == 0 {
            let got = format!("{:?} and {} images", counts.dim(), counts.sum());
            let expected = format!("[{n}, {n}] for {n} classes, and at least one image");
            return Err(Error::invalid("ConfusionMatrix::new", expected, got, ""));
        }
        Ok(ConfusionMatrix { name: name.into(), class_names: classes, counts })
    }
}

#[cfg(test)]
mod tests {
    use crate::evaluate::testing::{certain_predictions, predictions_of_rows};
    use ndarray::array;

    #[test]
    fn counts_and_fractions_belong_to_rows() {
        let matrix =
            certain_predictions(&[0, 0, 0, 1, 1], &[0, 1, 1, 1, 0], 3).confusion_matrix().unwrap();
        assert_eq!(matrix.counts(), array![[1, 2, 0], [1, 1, 0], [0, 0, 0]]);
        let fractions = matrix.fractions();
        assert_eq!(fractions.row(1).to_vec(), [0.5, 0.5, 0.0]);
        assert_eq!(fractions.row(2).sum(), 0.0, "a class that does not occur");
        assert_eq!(matrix.accuracy(), 0.4);
    }

    #[test]
    fn of_equal_probabilities_the_first_class_is_predicted() {
        let ties = predictions_of_rows(&[1, 0], &[&[0.5, 0.5], &[0.5, 0.5]]);
        assert_eq!(ties.confusion_matrix().unwrap().counts(), array![[1, 0], [1, 0]]);
    }

    #[test]
    fn the_most_confused_pairs_come_first_and_equal_pairs_keep_their_order() {
        let predictions = certain_predictions(&[0, 0, 1, 2, 2], &[1, 1, 0, 0, 1], 3);
        let pairs = predictions.most_confused(3).unwrap().pairs();
        let found: Vec<(&str, &str, usize)> =
            pairs.iter().map(|p| (p.truth.as_str(), p.predicted.as_str(), p.count)).collect();
        let expected =
            [("class 0", "class 1", 2), ("class 1", "class 0", 1), ("class 2", "class 0", 1)];
        assert_eq!(found, expected);
        assert_eq!(pairs[0].fraction, 1.0);
        let none = certain_predictions(&[0, 1], &[0, 1], 2).most_confused(3).unwrap();
        assert!(format!("{none:?}").contains("No classes were confused"));
    }

    #[test]
    fn one_class_and_a_hundred_classes_are_drawn() {
        for classes in [1, 10, 100] {
            let labels: Vec<usize> = (0..500).map(|i| i % classes).collect();
            let predicted: Vec<usize> = (0..500).map(|i| (i * i) % classes).collect();
            let matrix =
                certain_predictions(&labels, &predicted, classes).confusion_matrix().unwrap();
            assert!(matrix.figure().unwrap().overlaps().is_empty(), "{classes}");
            assert!(format!("{matrix:?}").contains("a row for each true class"));
        }
    }
}
