//! The checklist that a submission goes through before it is sent.

mod answers;
mod counts;
mod ids;

pub(super) use counts::capped;

use super::Submission;
use super::digits::is_made;
use super::expectation::Expectation;
use super::form::HEADER;
use super::{COMPETITION, UNKNOWN};
use crate::course::check::checklist::{self, Line, Mark};
use crate::data::Dataset;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::text::thousands;
use crate::train::Evaluation;

/// A checklist: what is right about a submission (✔), what is odd (!), what is missing for Kaggle
/// though nobody made a mistake (–), and what is wrong (✘), each in a sentence.
///
/// ```
/// use tchalk::prelude::*;
/// let strokes = datasets::strokes()?;
/// let digits = Dataset::new("digits", "drawn", strokes.train, strokes.test);
/// let same = Submission::from_labels(vec![0; digits.test.len()])?;
/// let check = same.check(&digits)?;
/// assert!(!check.passes());
/// assert!(format!("{check:?}").contains("the sample submission itself"));
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Clone)]
pub struct SubmissionCheck {
    lines: Vec<Line>,
    expectation: Option<Expectation>,
    submission: Submission,
}

impl Submission {
    /// Looks at everything that can go wrong, before Kaggle does: header, number of rows, numbers of
    /// images, labels, how often each digit occurs, and whether the answers are for these images
    /// in this order. What is wrong is in the list, with what to do.
    ///
    /// Where the digits are not Kaggle's, it says what is missing for Kaggle; that is no fault of the
    /// file.
    ///
    /// # Errors
    ///
    /// If `digits.test` has no images.
    pub fn check(&self, digits: &Dataset) -> Result<SubmissionCheck> {
        if digits.test.is_empty() {
            let op = "Submission::check";
            return Err(Error::invalid(op, "digits.test with images", "none", ""));
        }
        let mut lines = self.lines(digits.test.len());
        lines.extend(answers::balance(self, &digits.train.labels()));
        let order = answers::order(self, &digits.test);
        let mixed = order.as_ref().filter(|line| line.mark == Mark::Wrong);
        self.remember_mixed(mixed.map(|line| line.text.clone()));
        lines.extend(order);
        lines.extend(answers::known(self));
        if is_made(digits) {
            lines.push(not_kaggles(digits));
        }
        Ok(SubmissionCheck { lines, expectation: None, submission: self.clone() })
    }

    /// What can be said about the file alone, if it is to have `expected` rows.
    pub(super) fn lines(&self, expected: usize) -> Vec<Line> {
        let mut lines = vec![header(self)];
        lines.extend(columns(self));
        lines.push(counts::rows(self, expected));
        lines.push(ids::line(self, expected));
        lines.push(answers::labels(self));
        lines.extend(answers::one_digit(self));
        lines
    }

    /// The first thing that is wrong with the file, if it is to have `expected` rows.
    pub(super) fn fault(&self, expected: usize) -> Option<String> {
        let lines = self.lines(expected).into_iter();
        let wrong = lines.filter(|line| line.mark == Mark::Wrong);
        wrong.map(|line| format!("{}: {}", line.what, line.text)).next()
    }
}

/// The first line of the file.
fn header(submission: &Submission) -> Line {
    let what = "header";
    let Some(header) = &submission.form.header else {
        let text = format!(
            "the first line is a row of numbers ({}). Write {HEADER} above it; without that Kaggle \
             takes the first answer for the names of the columns.",
            submission.form.first_row
        );
        return Line::new(Mark::Wrong, what, text);
    };
    let separator = submission.form.separator;
    let bare = header.replace('"', "");
    let names: Vec<&str> = bare.split(separator).map(str::trim).collect();
    let text = match &names[..] {
        ["ImageId", "Label"] if separator != ',' => format!(
            "the columns are right, but {} stands between them where a comma should. Some \
             spreadsheets write that in some countries: replace it throughout, or let \
             Submission::save_in write the file.",
            if separator == ';' { "a semicolon" } else { "a tab" }
        ),
        ["ImageId", "Label"] if header.contains('"') => {
            let text = format!("it is {header}, in quotes; the sample has {HEADER} without them.");
            return Line::new(Mark::Odd, what, text);
        }
        ["ImageId", "Label"] if submission.form.has_mark => {
            let text = "ImageId,Label, after three invisible bytes (a byte-order mark) by which Excel \
                        marks UTF-8. Some readers take them for a part of the first name: save as \
                        plain CSV, or let Submission::save_in write the file.";
            return Line::new(Mark::Odd, what, text);
        }
        ["ImageId", "Label"] => return Line::new(Mark::Right, what, HEADER),
        ["" | "Unnamed: 0" | "index", "ImageId", "Label"] => {
            "a column stands before ImageId, with the row numbers that pandas writes: use \
             to_csv(path, index=False)."
                .into()
        }
        ["Label", "ImageId"] => "ImageId has to come first, then Label: change the columns over, \
                                 the numbers with them."
            .into(),
        [first, second]
            if first.eq_ignore_ascii_case("imageid") && second.eq_ignore_ascii_case("label") =>
        {
            format!("it is {header}: write {HEADER}, with these capitals and without spaces.")
        }
        ["label", "pixel0", ..] | ["pixel0", ..] => {
            "these are the images (train.csv or test.csv), not answers: the file to hand in has \
             two columns, ImageId and Label."
                .into()
        }
        _ => format!("it is {header}, and has to be {HEADER}."),
    };
    Line::new(Mark::Wrong, what, text)
}

/// The cells of each row, where there is something to say.
fn columns(submission: &Submission) -> Option<Line> {
    let (form, what) = (&submission.form, "columns");
    if submission.is_empty() {
        return None;
    }
    if let Some((line, cells)) = form.ragged {
        let text = format!(
            "line {line} has {cells} cells and the first row {}. Was the file cut off while it was \
             written, or does a number have a comma in it?",
            form.columns
        );
        return Some(Line::new(Mark::Wrong, what, text));
    }
    let text = match form.columns {
        2 if form.has_quotes => {
            let text = "numbers stand in quotes, as texts. A reader of CSV files takes them for the \
                        same, but the sample has none: write numbers, not texts, or let \
                        Submission::save_in write the file.";
            return Some(Line::new(Mark::Odd, what, text));
        }
        2 => return None,
        1 => "there is one cell in a row. Each needs the image's number and the label: 1,7.".into(),
        10 | 11 => format!(
            "there are {} cells in a row: are these the ten probabilities of each image? The \
             label is the place of the largest one, counted from 0 (predictions.classes(), or \
             argmax).",
            form.columns
        ),
        more => format!("there are {more} cells in a row ({}), two are wanted.", form.first_row),
    };
    Some(Line::new(Mark::Wrong, what, text))
}

/// What is missing where the digits are not Kaggle's.
fn not_kaggles(digits: &Dataset) -> Line {
    let n = digits.test.len();
    let rows = match n == UNKNOWN {
        true => String::new(),
        false => {
            format!("{} rows instead of {}, and ", thousands(UNKNOWN), thousands(n))
        }
    };
    let text = format!(
        "for Kaggle this lacks {rows}Kaggle's own images: these answers are for digits that the \
         library put in their place. With credentials (kaggle::credentials() tells how) \
         kaggle::download() fetches the files of {COMPETITION}."
    );
    Line::new(Mark::Note, "Kaggle's images", text)
}

impl SubmissionCheck {
    /// Whether nothing is wrong (no ✘). What only Kaggle's own files would add does not count.
    pub fn passes(&self) -> bool {
        self.lines.iter().all(|line| line.mark != Mark::Wrong)
    }

    /// Whether it can be sent: nothing is wrong, and nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.passes() && self.lines.iter().all(|line| line.mark != Mark::Note)
    }

    /// Adds the score to expect: the accuracy on images that were held out from the training, and
    /// where the score will lie with 95 % confidence.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// # let strokes = datasets::strokes()?;
    /// # let (held_out, test) = (strokes.train.take(200), strokes.test.take(100));
    /// # let digits = Dataset::new("digits", "drawn", strokes.train, test);
    /// # let layers = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
    /// # let model = layers.add(Softmax).build(Device::Cpu)?;
    /// # model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
    /// let submission = Submission::new(&model.predict(&digits.test.to_tensors(Device::Cpu))?)?;
    /// let evaluation = model.evaluate(&held_out.to_tensors(Device::Cpu))?;
    /// let check = submission.check(&digits)?.estimate(&evaluation);
    /// let (low, score, high) = check.expected_score().unwrap();
    /// assert!(low <= score && score <= high);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn estimate(mut self, evaluation: &Evaluation) -> SubmissionCheck {
        let expected = Expectation::new(evaluation, self.submission.len());
        let mut text = format!(
            "{:.2} %, and with 95 % confidence between {:.2} and {:.2} %: {:.2} % of {} held-out \
             images were right. That holds for images of the same kind, and if none of the \
             held-out ones was used to train or to choose the network.",
            100.0 * expected.score,
            100.0 * expected.low,
            100.0 * expected.high,
            100.0 * evaluation.accuracy,
            thousands(evaluation.examples),
        );
        let notes = evaluation.notes();
        notes.iter().for_each(|note| text.push_str(&format!(" But: {note}.")));
        let mark = if notes.is_empty() { Mark::Right } else { Mark::Odd };
        self.lines.retain(|line| line.what != "score to expect");
        self.lines.push(Line::new(mark, "score to expect", text));
        self.expectation = Some(expected);
        self
    }

    /// The score to expect after [`SubmissionCheck::estimate`]: low, middle, high, fractions from 0 to 1.
    pub fn expected_score(&self) -> Option<(f64, f64, f64)> {
        self.expectation.map(|expected| (expected.low, expected.score, expected.high))
    }

    /// Adds how many answers differ from another submission's, an earlier one for example.
    pub fn against(mut self, other: &Submission) -> SubmissionCheck {
        let name = other.name();
        let line = match self.submission.compare(other) {
            Ok(comparison) if comparison.differing().is_empty() => {
                let text =
                    format!("every answer is that of {name}: Kaggle will give its score again.");
                Line::new(Mark::Odd, "compared", text)
            }
            Ok(comparison) => {
                let (count, all) = (comparison.differing().len(), self.submission.len());
                let text = format!(
                    "{} of {} answers differ from those of {name} ({:.2} %): the scores cannot be further \
                     apart than that.",
                    thousands(count),
                    thousands(all),
                    100.0 * count as f64 / all as f64
                );
                Line::new(Mark::Right, "compared", text)
            }
            Err(_) => {
                let text = format!(
                    "it cannot be compared with {name}: one of them has faults, or \
                                    they have not as many rows."
                );
                Line::new(Mark::Odd, "compared", text)
            }
        };
        self.lines.push(line);
        self
    }

    /// All in all.
    fn verdict(&self) -> String {
        let count = |mark| self.lines.iter().filter(|line| line.mark == mark).count();
        match (count(Mark::Wrong), count(Mark::Note), count(Mark::Odd)) {
            (0, 0, 0) => "Everything is right: it can be sent.".into(),
            (0, 0, _) => "It can be sent. Look at what is marked ! first.".into(),
            (0, _, _) => {
                "The file is as it should be; what is marked – is missing for Kaggle.".into()
            }
            (1, _, _) => "One thing is wrong (✘): mend it before it is sent.".into(),
            (wrong, _, _) => format!("{wrong} things are wrong (✘): begin with the first."),
        }
    }
}

/// The list as it looks in a terminal: a sentence a line.
impl std::fmt::Debug for SubmissionCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.submission.name())?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        f.write_str(&self.verdict())
    }
}

impl Show for SubmissionCheck {
    fn content(&self) -> Content {
        let name = self.submission.name();
        let table = checklist::table(["", "", &name], &self.lines, self.verdict());
        table.content_or(format!("{self:?}"))
    }
}

#[cfg(test)]
mod tests;
