//! Which classes are taken for which.

use super::checks::labels_of;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{BarPanel, Figure, MatrixPanel, Panel, figure_content};
use crate::table::Table;
use crate::text::thousands;
use crate::train::Predictions;
use ndarray::Array2;

/// With more classes the matrix is drawn smaller, and the worst pairs are written beside it.
const FEW_CLASSES: usize = 30;
const MAX_PAIRS: usize = 18;

/// How often each class was taken for each: a row for the truth, a column for what was said.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    name: String,
    class_names: Vec<String>,
    counts: Array2<usize>,
}

/// One class taken for another.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfusedPair {
    /// What it is.
    pub truth: String,
    /// What it was taken for.
    pub predicted: String,
    /// How often.
    pub count: usize,
    /// Which part of the images of that class.
    pub fraction: f64,
}

/// The classes most often taken for one another.
#[derive(Clone, PartialEq)]
pub struct ConfusedPairs {
    pairs: Vec<ConfusedPair>,
}

impl Predictions {
    /// How often each class was taken for each.
    ///
    /// # Errors
    ///
    /// If there are no images, or the set has no labels.
    pub fn confusion_matrix(&self) -> Result<ConfusionMatrix> {
        self.count_confusions("Predictions::confusion_matrix")
    }

    fn count_confusions(&self, op: &str) -> Result<ConfusionMatrix> {
        let truth = labels_of(op, self)?;
        let classes = self.class_names();
        let mut counts = Array2::zeros((classes.len(), classes.len()));
        for (truth, said) in truth.into_iter().zip(self.classes()) {
            counts[[truth, said]] += 1;
        }
        Ok(ConfusionMatrix { name: self.set_name(), class_names: classes, counts })
    }

    /// The `count` pairs of classes of which one was most often taken for the other; the first in
    /// the order of the classes, where several are equal.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::shapes()?.test.take(20).to_tensors(Device::Cpu);
    /// let always_a_circle = ndarray::Array2::from_shape_fn((20, 10), |(_, class)| {
    ///     if class == 0 { 1.0 } else { 0.0 }
    /// });
    /// let worst = Predictions::from_probabilities(always_a_circle, &test)?.most_confused(3)?;
    /// assert_eq!(worst.pairs()[0].said, "circle");
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
    /// The counts `[classes, classes]`: the row is the truth, the column what was said.
    pub fn counts(&self) -> Array2<usize> {
        self.counts.clone()
    }

    /// The counts as parts of their rows, 0 to 1; a class that does not occur has a row of zeros.
    pub fn fractions(&self) -> Array2<f64> {
        let sums = self.counts.sum_axis(ndarray::Axis(1));
        Array2::from_shape_fn(self.counts.dim(), |(row, column)| match sums[row] {
            0 => 0.0,
            sum => self.counts[[row, column]] as f64 / sum as f64,
        })
    }

    /// The names of the classes, in the order of rows and columns.
    pub fn class_names(&self) -> Vec<String> {
        self.class_names.clone()
    }

    /// The part on the diagonal, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.counts.diag().sum() as f64 / self.counts.sum() as f64
    }

    /// The `count` pairs of classes of which one was most often taken for the other.
    pub fn most_confused(&self, count: usize) -> ConfusedPairs {
        let fractions = self.fractions();
        let off = self.counts.indexed_iter().filter(|&((a, b), &n)| a != b && n > 0);
        let mut pairs: Vec<ConfusedPair> = off
            .map(|((truth, said), &count)| ConfusedPair {
                truth: self.class_names[truth].clone(),
                predicted: self.class_names[said].clone(),
                count,
                fraction: fractions[[truth, said]],
            })
            .collect();
        // The sort keeps the order of equals.
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        pairs.truncate(count);
        ConfusedPairs { pairs }
    }

    /// The matrix, drawn: counts, and their parts of the row. With many classes colors stand for
    /// numbers, and the pairs that are confused most are written beside them.
    ///
    /// # Errors
    ///
    /// None for a matrix that [`Predictions::confusion_matrix`] made.
    pub fn figure(&self) -> Result<Figure> {
        let axes = ("what it is", "what was said");
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
            panels.push(BarPanel::new("most confused: truth → said").bars(bars).into());
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

/// The counts with their classes; of many classes the worst pairs.
impl std::fmt::Debug for ConfusionMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = thousands(self.counts.sum());
        let right = 100.0 * self.accuracy();
        writeln!(f, "{}: {right:.1} % of {all} right; a row for each truth", self.name)?;
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
        let table = Table::new(["it is", "it was taken for", "how often", "of its class"]);
        let table = table.rows(rows).align_right(2).align_right(3);
        if self.pairs.is_empty() { table.footer("No class was taken for another.") } else { table }
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
    /// A matrix of other counts, for whoever has counted elsewhere: `counts` `[classes, classes]`,
    /// a row for each truth.
    ///
    /// # Errors
    ///
    /// If there are no counts, or not a name for each row and column.
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
    fn counts_and_fractions_are_those_of_the_rows() {
        let matrix =
            certain_predictions(&[0, 0, 0, 1, 1], &[0, 1, 1, 1, 0], 3).confusion_matrix().unwrap();
        assert_eq!(matrix.counts(), array![[1, 2, 0], [1, 1, 0], [0, 0, 0]]);
        let fractions = matrix.fractions();
        assert_eq!(fractions.row(1).to_vec(), [0.5, 0.5, 0.0]);
        assert_eq!(fractions.row(2).sum(), 0.0, "a class that does not occur");
        assert_eq!(matrix.accuracy(), 0.4);
    }

    #[test]
    fn equal_probabilities_are_the_first_class() {
        let ties = predictions_of_rows(&[1, 0], &[&[0.5, 0.5], &[0.5, 0.5]]);
        assert_eq!(ties.confusion_matrix().unwrap().counts(), array![[1, 0], [1, 0]]);
    }

    #[test]
    fn the_most_confused_come_first_and_equals_keep_their_order() {
        let predictions = certain_predictions(&[0, 0, 1, 2, 2], &[1, 1, 0, 0, 1], 3);
        let pairs = predictions.most_confused(3).unwrap().pairs();
        let found: Vec<(&str, &str, usize)> =
            pairs.iter().map(|p| (p.truth.as_str(), p.predicted.as_str(), p.count)).collect();
        let expected =
            [("class 0", "class 1", 2), ("class 1", "class 0", 1), ("class 2", "class 0", 1)];
        assert_eq!(found, expected);
        assert_eq!(pairs[0].fraction, 1.0);
        let none = certain_predictions(&[0, 1], &[0, 1], 2).most_confused(3).unwrap();
        assert!(format!("{none:?}").contains("No class was taken for another"));
    }

    #[test]
    fn one_class_and_a_hundred_are_drawn_and_told() {
        for classes in [1, 10, 100] {
            let truth: Vec<usize> = (0..500).map(|i| i % classes).collect();
            let said: Vec<usize> = (0..500).map(|i| (i * i) % classes).collect();
            let matrix = certain_predictions(&truth, &said, classes).confusion_matrix().unwrap();
            assert!(matrix.figure().unwrap().overlaps().is_empty(), "{classes}");
            assert!(format!("{matrix:?}").contains("a row for each truth"));
        }
    }
}
