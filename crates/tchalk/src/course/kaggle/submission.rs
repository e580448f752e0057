//! Answers for the competition: a digit for each image.

use crate::compare::{Comparison, Images};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{BarPanel, Figure};
use crate::table::Table;
use crate::text::thousands;
use crate::train::Predictions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The number of rows that a submission shows by default.
const SHOWN: usize = 5;

/// Answers for the competition: a row `ImageId,Label` for each image, numbered from 1.
///
/// On the page it is its first rows, and how often each digit is the answer.
///
/// ```
/// use tchalk::prelude::*;
/// let digits = datasets::strokes()?;
/// let test = digits.test.take(20).to_tensors(Device::Cpu);
/// let model = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
/// let model = model.add(Softmax).build(Device::Cpu)?;
/// let submission = Submission::new(&model.predict(&test)?)?;
/// assert_eq!(submission.len(), 20);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Clone)]
pub struct Submission {
    labels: Arc<Vec<usize>>,
    /// The predictions that the answers are from.
    pub(super) predictions: Option<Predictions>,
    /// The file that the answers were read from.
    pub(super) path: Option<PathBuf>,
    /// Why the answers are for other images, if a check has found that out. Shared by all copies.
    mixed: Arc<Mutex<Option<String>>>,
    name: String,
}

impl Submission {
    /// A network's answers for the images of `digits.test`, in its order.
    ///
    /// # Errors
    ///
    /// If there are none, or there are more than ten classes.
    pub fn new(predictions: &Predictions) -> Result<Submission> {
        const OP: &str = "Submission::new";
        let classes = predictions.probabilities().ncols();
        if classes > 10 {
            let hint = "The competition knows the digits 0 to 9.";
            return Err(Error::invalid(OP, "ten classes", classes.to_string(), hint));
        }
        let submission = Submission::of(OP, predictions.classes())?;
        let name = format!("answers for {}", predictions.set_name());
        Ok(Submission { predictions: Some(predictions.clone()), name, ..submission })
    }

    /// A digit for each image, in the order of `test.csv`.
    ///
    /// # Errors
    ///
    /// If there are none, or one is not a digit.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let submission = Submission::from_labels(vec![2, 0, 9])?;
    /// assert_eq!(submission.labels(), [2, 0, 9]);
    /// assert!(Submission::from_labels(vec![10]).is_err());
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn from_labels(labels: Vec<usize>) -> Result<Submission> {
        Submission::of("Submission::from_labels", labels)
    }

    fn of(op: &str, labels: Vec<usize>) -> Result<Submission> {
        if labels.is_empty() {
            return Err(Error::invalid(op, "an answer for each image", "none", ""));
        }
        if let Some(row) = labels.iter().position(|&label| label > 9) {
            let got = format!("{} for image {}", labels[row], row + 1);
            return Err(Error::invalid(op, "digits from 0 to 9", got, ""));
        }
        Ok(Submission {
            name: format!("{} answers", thousands(labels.len())),
            labels: Arc::new(labels),
            predictions: None,
            path: None,
            mixed: Arc::default(),
        })
    }

    /// The same under another name.
    pub(super) fn named(mut self, name: impl Into<String>) -> Submission {
        self.name = name.into();
        self
    }

    /// The same with the file that it was read from.
    pub(super) fn with_path(mut self, path: &Path) -> Submission {
        self.path = Some(path.to_owned());
        self
    }

    /// Keeps in mind whether a check has found the images mixed.
    pub(super) fn set_mixed(&self, mixed: Option<String>) {
        *self.mixed.lock().unwrap_or_else(PoisonError::into_inner) = mixed;
    }

    /// What a check has found of mixed images.
    pub(super) fn mixed(&self) -> Option<String> {
        self.mixed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Its name: what the answers are for, or the file's name.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// The digits, in the order of the images.
    pub fn labels(&self) -> Vec<usize> {
        self.labels.to_vec()
    }

    /// The first `rows` rows.
    pub fn table(&self, rows: usize) -> Table {
        let shown = (0..rows.min(self.len())).map(|row| self.cells(row));
        let table = Table::new(["ImageId", "Label"]).rows(shown);
        let size = format!("{} rows of {}", thousands(self.len()), self.name);
        table.align_right(0).align_right(1).footer(match rows < self.len() {
            true => format!("the first {} of {size}", thousands(rows)),
            false => size,
        })
    }

    /// The first `rows` rows beside those of another, the sample for example.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let (mine, sample) = (Submission::from_labels(vec![7, 2])?, Submission::from_labels(vec![0, 0])?);
    /// assert!(format!("{:?}", mine.beside(&sample, 1)).contains("1      7        1      0"));
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn beside(&self, other: &Submission, rows: usize) -> Table {
        let shown = 0..rows.min(self.len().max(other.len()));
        let rows = shown.map(|row| {
            let ([id, label], [other_id, other_label]) = (self.cells(row), other.cells(row));
            [id, label, other_id, other_label]
        });
        let table = Table::new(["ImageId", "Label", "ImageId", "Label"]).rows(rows);
        (0..4).fold(table, Table::align_right).footer(format!(
            "left: {} ({} rows); right: {} ({} rows)",
            self.name,
            thousands(self.len()),
            other.name,
            thousands(other.len())
        ))
    }

    fn cells(&self, row: usize) -> [String; 2] {
        match self.labels.get(row) {
            Some(label) => [(row + 1).to_string(), label.to_string()],
            None => ["–".into(), "–".into()],
        }
    }

    /// How often each digit is the answer.
    pub(super) fn counts(&self) -> [usize; 10] {
        let mut counts = [0; 10];
        self.labels.iter().for_each(|&label| counts[label] += 1);
        counts
    }

    /// How often each digit is the answer, as bars.
    ///
    /// # Errors
    ///
    /// None today: a submission has rows.
    pub fn label_counts(&self) -> Result<Figure> {
        let bars = self.counts().into_iter().enumerate();
        let bars = bars.map(|(digit, count)| (digit.to_string(), count as f64));
        let panel = BarPanel::new("how often each digit is the answer").bars(bars);
        Ok(Figure::grid(vec![panel.into()], 1)?.title(self.name.clone()))
    }

    /// This submission beside another one: on which images their answers differ. For submissions from
    /// files, [`Comparison::images`] adds the images.
    ///
    /// # Errors
    ///
    /// If they do not have the same number of rows.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::strokes()?.test.take(30);
    /// let answer = |digit| Submission::from_labels(vec![digit; 30]);
    /// let comparison = answer(4)?.compare(&answer(9)?)?.images(&test)?;
    /// assert_eq!(comparison.differing().len(), 30);
    /// comparison.names(&["my network", "yours"]).image_grid(2, 5)?;
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn compare(&self, other: &Submission) -> Result<Comparison> {
        if self.len() != other.len() {
            let rows = |submission: &Submission| format!("{} answers", submission.len());
            let hint = "Both must be for the same images.";
            return Err(Error::invalid("Submission::compare", rows(self), rows(other), hint));
        }
        let answers = vec![self.labels(), other.labels()];
        let names = ["the first", "the second"].map(String::from).to_vec();
        let digits = (0..10).map(|digit| digit.to_string()).collect();
        let predictions = self.predictions.as_ref().or(other.predictions.as_ref());
        let images = predictions.cloned().map_or(Images::Unknown, Images::Predicted);
        Ok(Comparison::of_answers(names, answers, digits, images).numbered("ImageId", 1))
    }
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = self.counts().map(thousands);
        let counts = counts.iter().enumerate().map(|(digit, count)| format!("{digit}: {count}"));
        let counts: Vec<String> = counts.collect();
        write!(f, "{:?}\nhow often each digit: {}", self.table(SHOWN), counts.join(", "))
    }
}

impl Show for Submission {
    fn content(&self) -> Content {
        let html = self.table(SHOWN).content().as_html().unwrap_or_default();
        let bars = self.label_counts().ok().and_then(|figure| figure.content().as_html());
        Content::html(format!("{self:?}"), html + &bars.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_its_first_rows_and_counts() {
        let submission = Submission::from_labels((0..30).map(|i| i % 3).collect()).unwrap();
        let text = format!("{submission:?}");
        assert!(text.contains("the first 5 of 30 rows of 30 answers"), "{text}");
        assert!(text.ends_with("0: 10, 1: 10, 2: 10, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0"));
        let html = submission.content().as_html().unwrap();
        assert!(html.contains("<table") && html.contains("<svg"));
        let short = Submission::from_labels(vec![1]).unwrap();
        assert!(format!("{:?}", short.beside(&submission, 9)).contains("–"));
        assert!(short.compare(&submission).is_err());
    }

    #[test]
    fn what_is_not_an_answer_is_refused() {
        let refused = |labels| Submission::from_labels(labels).unwrap_err().to_string();
        assert!(refused(vec![]).contains("got none"));
        assert!(refused(vec![1, 12]).contains("got 12 for image 2"));
    }
}
