//! The checklist that a submission goes through before it is sent.

use super::competition::{COMPETITION, TEST_IMAGES};
use super::digits::is_made;
use super::expected_score::ExpectedScore;
use super::image_order::ImageOrder;
use super::submission::Submission;
use crate::course::checklist::{self, Line, Severity, Topic, topics};
use crate::course::finding::Finding;
use crate::data::Dataset;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::runtime::Budget;
use crate::text::{percent, thousands};
use crate::train::{Evaluation, Note, Predictions};
use tch::Device;

/// A checklist: what is right about a submission (✔), what is odd (!), what is missing for Kaggle
/// though nobody made a mistake (–), and what is wrong (✘), each in a sentence.
///
/// ```
/// use tchalk::prelude::*;
/// let strokes = datasets::strokes()?;
/// let digits = Dataset::new("digits", "drawn", strokes.train, strokes.test);
/// let same = Submission::from_labels(vec![0; digits.test.len()])?;
/// let check = same.check(&digits)?;
/// assert!(!check.passes() && check.has(check::Finding::SampleSubmission));
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Clone)]
pub struct SubmissionCheck {
    lines: Vec<Line>,
    expected: Option<ExpectedScore>,
    submission: Submission,
}

impl Submission {
    /// Looks at everything that can go wrong, before Kaggle does: the number of rows, how often each
    /// digit occurs, and whether the answers are for these images in this order. What is wrong is in
    /// the list, with what to do.
    ///
    /// Where the digits are not Kaggle's, it says what is missing for Kaggle; that is no fault of the
    /// submission.
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
        let images = AnsweredImages::of(self, digits);
        lines.extend(IMAGES.iter().filter_map(|topic| topic.line(&images)));
        let mixed = lines.iter().find(|line| line.finding == Finding::ImagesMixed);
        self.set_mixed(mixed.map(|line| line.text.clone()));
        Ok(SubmissionCheck { lines, expected: None, submission: self.clone() })
    }

    /// What can be said about the answers alone, for this many images.
    pub(super) fn lines(&self, images: usize) -> Vec<Line> {
        let answers = Answers::of(self, images);
        ANSWERS.iter().filter_map(|topic| topic.line(&answers)).collect()
    }

    /// The budget that left out answers for this many images.
    pub(super) fn left_out_by(&self, images: usize, budget: Budget) -> Option<String> {
        let left = budget.evaluation_examples(images, Device::Cpu);
        (left < images && self.len() == left).then(|| budget.name())
    }
}

/// The answers by themselves.
struct Answers {
    rows: usize,
    images: usize,
    /// The budget that left out rows, and the one that shortened the training.
    left_out_by: Option<String>,
    shortened_by: Option<String>,
    /// How often each digit is the answer, and the most frequent one.
    counts: [usize; 10],
    most_frequent: usize,
}

impl Answers {
    fn of(submission: &Submission, images: usize) -> Answers {
        let counts = submission.counts();
        let budget = Budget::current().ok();
        let shortened_by = submission.predictions.as_ref().and_then(Predictions::shortened_by);
        Answers {
            rows: submission.len(),
            images,
            left_out_by: budget.and_then(|budget| submission.left_out_by(images, budget)),
            shortened_by: shortened_by.map(|budget| budget.name()),
            counts,
            most_frequent: (0..10).max_by_key(|&digit| counts[digit]).unwrap_or(0),
        }
    }

    fn largest_share(&self) -> f64 {
        self.counts[self.most_frequent] as f64 / self.rows as f64
    }

    /// Whether all answers are nearly the same.
    fn are_constant(&self) -> bool {
        self.rows >= 50 && self.largest_share() >= 0.9
    }

    fn are_all_zero(&self) -> bool {
        self.rows >= 50 && self.counts[0] == self.rows
    }

    fn missing_digits(&self) -> Vec<String> {
        let missing = (0..10).filter(|&digit| self.counts[digit] == 0);
        missing.map(|digit| digit.to_string()).collect()
    }

    fn constant_text(&self) -> String {
        let digit = self.most_frequent;
        match self.largest_share() {
            1.0 => format!("every answer is {digit}; about a tenth of that can be right."),
            share => format!(
                "nearly all answers are {digit} ({}): the network sees no difference between the \
                 images. Were they divided by 255 as in the training, and is it the trained network?",
                percent(share, 1)
            ),
        }
    }
}

const ANSWERS: &[Topic<Answers>] = topics![|it: Answers|
    "rows" {
        Good RowsFit if it.rows == it.images => {
            let rows = thousands(it.rows);
            format!("{rows}, one for each image: ImageId goes from 1 to {rows}")
        };
        Info RowsLeftOut if it.left_out_by.is_some() =>
            format!("{} of {}: the budget {} predicts only the first ones. Set TCHALK_BUDGET=full \
                     and predict again before you send it.",
                thousands(it.rows), thousands(it.images), it.left_out_by.as_deref().unwrap_or_default());
        Problem WrongNumberOfRows => {
            let hint = match it.rows {
                42_000 => "42,000 are the images of train.csv: predict digits.test.",
                10_000 => "10,000 are the test images of MNIST: predict digits.test.",
                rows if rows < it.images => {
                    "Are these all batches? The last one may be smaller, and has to be \
                     predicted, too."
                }
                _ => "Predict digits.test alone, each image once.",
            };
            let (rows, images) = (thousands(it.rows), thousands(it.images));
            format!("expected {images}, one for each image, got {rows}. {hint}")
        };
    }
    "answers" {
        Info OneDigit if it.shortened_by.is_some() && it.are_constant() =>
            format!("{} The budget {} left only a little of the training.",
                it.constant_text(), it.shortened_by.as_deref().unwrap_or_default());
        Problem SampleSubmission if it.are_all_zero() =>
            "every answer is 0: this is the sample submission itself, which scores about 0.1. Put \
             your network's answers in its place.";
        Problem OneDigit if it.are_constant() => it.constant_text();
        // Among a few answers a digit may be missing by chance.
        Advice MissingDigits if it.rows >= 500 && !it.missing_digits().is_empty() => {
            let missing = it.missing_digits().join(" and ");
            format!(
                "{missing} is never the answer. Does the network know all ten classes, and \
                 are they in the order 0 to 9?"
            )
        };
        Good AllDigits if it.missing_digits().is_empty() => {
            let (digit, share) = (it.most_frequent, percent(it.largest_share(), 1));
            format!("each digit occurs; the most frequent one is {digit}, with {share}")
        };
    }
];

/// The images that the answers are for, beside those that Kaggle wants answers for.
struct AnsweredImages {
    order: Option<ImageOrder>,
    /// The name of the set that was predicted, and of the one to predict.
    predicted: String,
    wanted: String,
    leak: Option<Note>,
    /// How many images stand in for Kaggle's.
    made: Option<usize>,
}

impl AnsweredImages {
    fn of(submission: &Submission, digits: &Dataset) -> AnsweredImages {
        let predictions = submission.predictions.as_ref();
        let notes = predictions.map_or(Vec::new(), Predictions::leakage_notes);
        AnsweredImages {
            order: predictions.and_then(|it| ImageOrder::of(it, &digits.test)),
            predicted: predictions.map_or(String::new(), Predictions::set_name),
            wanted: digits.test.name(),
            leak: notes.into_iter().find(Note::is_leak),
            made: is_made(digits).then(|| digits.test.len()),
        }
    }

    fn rows_to_kaggle(&self) -> String {
        match self.made {
            Some(TEST_IMAGES) | None => String::new(),
            Some(made) => {
                format!("{} rows instead of {}, and ", thousands(TEST_IMAGES), thousands(made))
            }
        }
    }
}

const IMAGES: &[Topic<AnsweredImages>] = topics![|it: AnsweredImages|
    "images" {
        Advice OtherImages if matches!(it.order, Some(ImageOrder::OtherSet)) =>
            format!("these are answers for {}, whose labels are known. Wanted are answers for {}, \
                     which is digits.test.", it.predicted, it.wanted);
        Problem ImagesMixed if matches!(it.order, Some(ImageOrder::Mixed { .. })) => {
            let Some(ImageOrder::Mixed { answer, image }) = it.order else {
                return String::new();
            };
            format!(
                "answer {answer} is for the image that is number {image} in digits.test: \
                 the images were mixed before they were predicted. Predict digits.test as \
                 it is."
            )
        };
        Good ImagesInOrder if matches!(it.order, Some(ImageOrder::Same)) =>
            format!("the answers are for {}, in its order", it.wanted);
    }
    "new images" {
        Advice TrainedOn if it.leak.is_some() =>
            format!("{}. The score would say little about the network: answer with one that has \
                     learned from digits.train alone.",
                it.leak.as_ref().map_or(String::new(), Note::to_string));
    }
    "Kaggle's images" {
        Info NotKagglesImages if it.made.is_some() =>
            format!("for Kaggle this lacks {}Kaggle's own images: these answers are for digits \
                     that the library put in their place. With credentials (kaggle::credentials() \
                     tells how) kaggle::download() fetches the files of {COMPETITION}.",
                it.rows_to_kaggle());
    }
];

impl SubmissionCheck {
    /// Whether nothing is wrong (no ✘). What only Kaggle's own files would add does not count.
    pub fn passes(&self) -> bool {
        self.count(Severity::Problem) == 0
    }

    /// Whether it can be sent: nothing is wrong, and nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.passes() && self.count(Severity::Info) == 0
    }

    /// Whether this was found.
    pub fn has(&self, finding: Finding) -> bool {
        self.lines.iter().any(|line| line.finding == finding)
    }

    /// What was found, with how grave it is, line by line.
    pub fn findings(&self) -> Vec<(Severity, Finding)> {
        self.lines.iter().map(|line| (line.severity, line.finding)).collect()
    }

    fn count(&self, severity: Severity) -> usize {
        self.lines.iter().filter(|line| line.severity == severity).count()
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
        let expected = ExpectedScore::new(evaluation, self.submission.len());
        let mut text = format!(
            "{}, and with 95 % confidence between {:.2} and {}: {} of {} held-out images were \
             right. That holds for images of the same kind, and if none of the held-out ones was \
             used to train or to choose the network.",
            percent(expected.score, 2),
            100.0 * expected.low,
            percent(expected.high, 2),
            percent(evaluation.accuracy, 2),
            thousands(evaluation.examples),
        );
        let notes = evaluation.notes();
        notes.iter().for_each(|note| text.push_str(&format!(" But: {note}.")));
        let severity = if notes.is_empty() { Severity::Good } else { Severity::Advice };
        self.lines.retain(|line| line.finding != Finding::ExpectedScore);
        self.push(Finding::ExpectedScore, severity, "score to expect", text);
        self.expected = Some(expected);
        self
    }

    fn push(&mut self, finding: Finding, severity: Severity, topic: &'static str, text: String) {
        self.lines.push(Line { finding, severity, topic, text });
    }

    /// The score to expect after [`SubmissionCheck::estimate`]: low, middle, high, fractions from 0 to 1.
    pub fn expected_score(&self) -> Option<(f64, f64, f64)> {
        self.expected.map(|expected| (expected.low, expected.score, expected.high))
    }

    /// Adds how many answers differ from another submission's, an earlier one for example.
    pub fn against(mut self, other: &Submission) -> SubmissionCheck {
        let (name, rows) = (other.name(), self.submission.len());
        let differing = self.submission.compare(other).map(|it| it.differing().len());
        let (finding, severity, text) = match differing {
            Ok(0) => {
                let text =
                    format!("every answer is that of {name}: Kaggle will give its score again.");
                (Finding::SameAnswers, Severity::Advice, text)
            }
            Ok(count) => {
                let (share, count) = (percent(count as f64 / rows as f64, 2), thousands(count));
                let text = format!(
                    "{count} of {} answers differ from those of {name} ({share}): the scores cannot \
                     be further apart than that.",
                    thousands(rows)
                );
                (Finding::OtherAnswers, Severity::Good, text)
            }
            Err(_) => {
                let text = format!("{name} has {} answers, this one {}.", other.len(), rows);
                (Finding::NotComparable, Severity::Advice, text)
            }
        };
        self.push(finding, severity, "compared", text);
        self
    }

    /// The sentence below the list.
    fn verdict(&self) -> String {
        let counts = [Severity::Problem, Severity::Info, Severity::Advice].map(|it| self.count(it));
        match counts {
            [0, 0, 0] => "Everything is right: it can be sent.".into(),
            [0, 0, _] => "It can be sent. Look at what is marked ! first.".into(),
            [0, _, _] => "Nothing is wrong; what is marked – is missing for Kaggle.".into(),
            [1, _, _] => "One thing is wrong (✘): fix it before it is sent.".into(),
            [wrong, _, _] => format!("{wrong} things are wrong (✘): begin with the first."),
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
