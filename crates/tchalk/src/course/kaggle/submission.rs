//! Answers for the competition: a number and a digit for each image.

use super::form::{self, Form};
use crate::compare::{Comparison, Images};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::files::path_of;
use crate::plot::{BarPanel, Figure};
use crate::table::Table;
use crate::text::thousands;
use crate::train::Predictions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// So many rows are shown where nobody says how many.
const SHOWN: usize = 5;

/// What a cell of a file holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// A whole number.
    Whole(i64),
    /// Anything else, as it stands there.
    Other(String),
}

impl Cell {
    pub(super) fn of(text: &str) -> Cell {
        match text.parse() {
            Ok(number) => Cell::Whole(number),
            Err(_) => Cell::Other(text.chars().take(30).collect()),
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cell::Whole(number) => number.fmt(f),
            Cell::Other(text) => f.pad(text),
        }
    }
}

/// A row of a file: the image's number and its digit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) id: Cell,
    pub(super) label: Cell,
}

/// Answers for the competition: a row `ImageId,Label` for each image, numbered from 1.
///
/// On the page it is its first rows, and how often it says each digit.
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
    pub(super) form: Form,
    pub(super) rows: Arc<Vec<Row>>,
    /// What was predicted, where it came from a network.
    pub(super) predictions: Option<Predictions>,
    /// The file it was read from.
    pub(super) path: Option<PathBuf>,
    /// That the answers are for other places, if a check has found that out. Shared by all copies.
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
        let mut submission = Submission::of(OP, predictions.classes())?;
        submission.name = format!("answers for {}", predictions.set_name());
        submission.predictions = Some(predictions.clone());
        Ok(submission)
    }

    /// A digit for each image, in the order of `test.csv`.
    ///
    /// # Errors
    ///
    /// If there are none, or one is no digit.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let submission = Submission::from_labels(vec![2, 0, 9])?;
    /// assert_eq!(submission.labels(), Some(vec![2, 0, 9]));
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
        if let Some(place) = labels.iter().position(|&label| label > 9) {
            let got = format!("{} at place {place}", labels[place]);
            return Err(Error::invalid(op, "digits from 0 to 9", got, ""));
        }
        let row = |(place, label): (usize, usize)| Row {
            id: Cell::Whole(place as i64 + 1),
            label: Cell::Whole(label as i64),
        };
        let rows: Vec<Row> = labels.into_iter().enumerate().map(row).collect();
        let name = format!("{} answers", thousands(rows.len()));
        Ok(Submission {
            form: Form::own(),
            rows: Arc::new(rows),
            predictions: None,
            path: None,
            mixed: Arc::default(),
            name,
        })
    }

    /// What is in a file, however it was made. Its faults are no errors: [`Submission::check`] names
    /// them.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is empty, or is no text at all.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let path = std::env::temp_dir().join("tchalk-by-hand.csv");
    /// std::fs::write(&path, "ImageId,Label\n1,7\n2,3.0\n")?;
    /// let submission = Submission::read(&path)?;
    /// assert_eq!(submission.len(), 2);
    /// assert_eq!(submission.labels(), None, "3.0 is no whole number");
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Submission> {
        let path = &path_of(path);
        let (form, rows) = form::read(path)?;
        let name = crate::files::file_name(path);
        let path = Some(path.to_owned());
        Ok(Submission {
            form,
            rows: Arc::new(rows),
            predictions: None,
            path,
            mixed: Arc::default(),
            name,
        })
    }

    /// The same under another name.
    pub(super) fn named(mut self, name: impl Into<String>) -> Submission {
        self.name = name.into();
        self
    }

    /// Remembers whether a check has found the images mixed up.
    pub(super) fn remember_mixed(&self, mixed: Option<String>) {
        *self.mixed.lock().unwrap_or_else(PoisonError::into_inner) = mixed;
    }

    /// What a check has found of mixed-up images.
    pub(super) fn mixed(&self) -> Option<String> {
        self.mixed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What it is called: where the answers came from, or the file's name.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// The digits in the order of the images; nothing where a row is faulty, or an image has no row
    /// or two.
    pub fn labels(&self) -> Option<Vec<usize>> {
        let mut labels = vec![None; self.len()];
        for row in self.rows.iter() {
            let (Cell::Whole(id), Cell::Whole(label @ 0..=9)) = (&row.id, &row.label) else {
                return None;
            };
            let place = usize::try_from(*id).ok()?.checked_sub(1)?;
            if labels.get_mut(place)?.replace(*label as usize).is_some() {
                return None;
            }
        }
        labels.into_iter().collect()
    }

    /// The digits, or what to do about a file that has others.
    pub(super) fn sound_labels(&self, op: &str) -> Result<Vec<usize>> {
        self.labels().ok_or_else(|| {
            let hint = "submission.check(&digits)? names its faults.";
            let expected = "a digit for each image, numbered from 1";
            Error::invalid(op, expected, format!("the faulty {}", self.name), hint)
        })
    }

    /// The first `rows` rows.
    pub fn table(&self, rows: usize) -> Table {
        let shown = self.rows.iter().take(rows);
        let table = Table::new(["ImageId", "Label"])
            .rows(shown.map(|row| [row.id.to_string(), row.label.to_string()]));
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
        let cells = |submission: &Submission, place: usize| match submission.rows.get(place) {
            Some(row) => (row.id.to_string(), row.label.to_string()),
            None => ("–".into(), "–".into()),
        };
        let shown = rows.min(self.len().max(other.len()));
        let table =
            Table::new(["ImageId", "Label", "ImageId", "Label"]).rows((0..shown).map(|i| {
                let ((id, label), (other_id, other_label)) = (cells(self, i), cells(other, i));
                [id, label, other_id, other_label]
            }));
        (0..4).fold(table, Table::align_right).footer(format!(
            "left: {} ({} rows); right: {} ({} rows)",
            self.name,
            thousands(self.len()),
            other.name,
            thousands(other.len())
        ))
    }

    /// How often it says each digit.
    pub(super) fn counts(&self) -> [usize; 10] {
        let mut counts = [0; 10];
        for row in self.rows.iter() {
            if let Cell::Whole(label @ 0..=9) = row.label {
                counts[label as usize] += 1;
            }
        }
        counts
    }

    /// How often it says each digit, as bars.
    ///
    /// # Errors
    ///
    /// If there are no rows.
    pub fn label_counts(&self) -> Result<Figure> {
        if self.is_empty() {
            let op = "Submission::label_counts";
            return Err(Error::invalid(op, "a row", "none", "The file ends after its first line."));
        }
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
    /// If one of them has faults, or they do not have the same number of rows.
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
        const OP: &str = "Submission::compare";
        let answers = vec![self.sound_labels(OP)?, other.sound_labels(OP)?];
        if self.len() != other.len() {
            let rows = |submission: &Submission| format!("{} answers", submission.len());
            let hint = "Both must be for the same images.";
            return Err(Error::invalid(OP, rows(self), rows(other), hint));
        }
        let names = ["the first", "the second"].map(String::from).to_vec();
        let digits = (0..10).map(|digit| digit.to_string()).collect();
        let predictions = self.predictions.as_ref().or(other.predictions.as_ref());
        let images = predictions.cloned().map_or(Images::Unknown, Images::Predicted);
        Ok(Comparison::of_answers(names, answers, digits, images).numbered("ImageId", 1))
    }
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = self.counts().map(|count| thousands(count));
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
    use crate::course::kaggle::testing::read;

    #[test]
    fn labels_go_by_the_image_s_number() {
        assert_eq!(read("ImageId,Label\n2,5\n1,4\n").labels(), Some(vec![4, 5]));
        for faulty in ["0,4\n1,5", "1,4\n1,5", "1,4\n3,5", "1,4\n2,12", "1,4\n2,", "1,4\n2,x"] {
            let submission = read(&format!("ImageId,Label\n{faulty}\n"));
            assert_eq!(submission.labels(), None, "{faulty}");
            let error = submission.compare(&submission).unwrap_err().to_string();
            assert!(error.contains("check(&digits)"), "{error}");
        }
    }

    #[test]
    fn submissions_are_compared_by_image_id() {
        let mixed = read("ImageId,Label\n3,3\n1,1\n2,7\n");
        let answers = |labels: &[usize]| Submission::from_labels(labels.to_vec()).unwrap();
        let comparison = answers(&[1, 2, 3]).compare(&mixed).unwrap();
        assert_eq!(comparison.differing(), [1]);
        let row = format!("{:?}", comparison.answer_table(5));
        assert!(row.split_whitespace().rev().take(3).eq(["7", "2", "2"]), "{row}");
        assert!(comparison.image_grid(2, 5).is_err(), "files have no images");
        assert!(mixed.compare(&answers(&[1])).is_err());
    }

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
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let refuse = |labels| Submission::from_labels(labels).unwrap_err().to_string();
        assert!(refuse(vec![]).contains("an answer for each image, got none"));
        assert!(refuse(vec![1, 12]).contains("digits from 0 to 9, got 12 at place 1"));
    }
}
