//! The answers themselves: digits, as often as they should be, and for these images.

use super::{Line, Mark};
use crate::course::kaggle::Submission;
use crate::course::kaggle::balance::{Balance, Verdict};
use crate::course::kaggle::submission::Cell;
use crate::data::Split;
use crate::text::thousands;
use crate::train::Predictions;
use std::collections::HashMap;

const LABELS: &str = "Label";
const BALANCE: &str = "each digit's share";
const ORDER: &str = "images";
const KNOWN: &str = "new images";
/// So many images are looked for among those to be guessed.
const LOOKED_AT: usize = 40;

/// The line about the second column.
pub(super) fn labels(submission: &Submission) -> Line {
    let wrong = |text: String| Line::new(Mark::Wrong, LABELS, text);
    if submission.is_empty() {
        return wrong("there are none.".into());
    }
    let faults = submission
        .rows
        .iter()
        .enumerate()
        .filter(|(_, row)| !matches!(row.label, Cell::Whole(0..=9)));
    let faults: Vec<_> = faults.collect();
    let Some((place, row)) = faults.first() else {
        return Line::new(Mark::Right, LABELS, "whole numbers from 0 to 9");
    };
    let row_number = place + 1;
    let others = match faults.len() {
        1 => String::new(),
        count => format!(" ({} rows like this)", thousands(count)),
    };
    let texts = faults.iter().filter_map(|(_, row)| match &row.label {
        Cell::Other(text) => text.parse::<f64>().ok(),
        Cell::Whole(_) => None,
    });
    let numbers: Vec<f64> = texts.collect();
    wrong(match &row.label {
        Cell::Whole(10) if submission.rows.iter().all(|row| row.label != Cell::Whole(0)) => {
            "they go from 1 to 10: were the classes numbered from 1? The label is the digit itself, 0 \
             for a zero."
                .into()
        }
        Cell::Whole(label) => {
            format!("row {row_number} has {label}{others}. The digits are 0 to 9.")
        }
        Cell::Other(text) if text.is_empty() => {
            format!("row {row_number} has none{others}. Each image needs an answer.")
        }
        Cell::Other(text) if text.eq_ignore_ascii_case("nan") => format!(
            "row {row_number} has {text}{others}: an answer was not a number. Look for rows that were \
             joined by number and found no partner, or for a loss that became NaN."
        ),
        Cell::Other(text) if numbers.iter().any(|number| number.fract() != 0.0) => format!(
            "row {row_number} has {text}{others}: that looks like a probability. The label is the \
             class with the largest one (predictions.classes(), or argmax), not how sure the \
             network is."
        ),
        Cell::Other(text) if text.parse::<f64>().is_ok() => format!(
            "row {row_number} has {text}{others}: a digit is written without a point. Turn the \
             answers into whole numbers first (astype(int) in Python)."
        ),
        Cell::Other(text) => format!(
            "row {row_number} has {text:?}{others}, which is no number: the label is a digit, 0 to 9."
        ),
    })
}

/// A line where all answers are nearly the same.
pub(super) fn one_digit(submission: &Submission) -> Option<Line> {
    let counts = submission.counts();
    let all: usize = counts.iter().sum();
    let (digit, &most) = counts.iter().enumerate().max_by_key(|(_, count)| **count)?;
    if submission.len() < 50 || (most as f64) < 0.9 * all as f64 || all < submission.len() / 2 {
        return None;
    }
    let text = match (digit, most == all) {
        (0, true) => "every answer is 0: this is the sample submission itself, which scores about \
                      0.1. Put your network's answers in its place."
            .into(),
        (digit, true) => format!("every answer is {digit}; about a tenth of that can be right."),
        (digit, false) => format!(
            "nearly all answers are {digit} ({:.1} %): the network sees no difference between the \
             images. Were they divided by 255 as in the training, and is it the trained network?",
            100.0 * most as f64 / all as f64
        ),
    };
    if let Some(budget) = submission.predictions.as_ref().and_then(Predictions::shortened_by) {
        let budget = budget.name();
        let text = format!("{text} The budget {budget} left only a little of the training.");
        return Some(Line::new(Mark::Note, BALANCE, text));
    }
    Some(Line::new(Mark::Wrong, BALANCE, text))
}

/// A line where the network has learned from the images that it answers for.
pub(super) fn known(submission: &Submission) -> Option<Line> {
    let notes = submission.predictions.as_ref()?.leakage_notes();
    let note = notes.iter().find(|note| note.is_leak())?;
    let text = format!(
        "{note}. The score would say little about the network: answer with one that has learned from \
         digits.train alone."
    );
    Some(Line::new(Mark::Odd, KNOWN, text))
}

/// How often each digit is the answer, beside how often it is among the known images.
pub(super) fn balance(submission: &Submission, known: &[usize]) -> Option<Line> {
    let counts = submission.counts();
    let mut of_known = [0; 10];
    known.iter().filter(|&&label| label < 10).for_each(|&label| of_known[label] += 1);
    if known.is_empty() || counts.iter().sum::<usize>() < submission.len().max(1) / 2 {
        return None;
    }
    let balance = Balance::new(counts, of_known);
    let least_wrong = format!(
        "If the digits are as frequent among these images as in the training set, at least {:.1} % \
         of the answers are wrong.",
        100.0 * balance.least_wrong()
    );
    let (mark, text) = match balance.verdict() {
        // That has a line of its own where there are rows enough.
        Verdict::OneDigit(..) if submission.len() >= 50 => return None,
        Verdict::OneDigit(digit, share) => {
            (Mark::Odd, format!("nearly all answers are {digit} ({:.0} %)", 100.0 * share))
        }
        Verdict::Missing(digits) => {
            let names: Vec<String> = digits.iter().map(usize::to_string).collect();
            let names = names.join(" and ");
            let text = format!(
                "{names} is never the answer. {least_wrong} Does the network know \
                                all ten classes, and are they in the order 0 to 9?"
            );
            (Mark::Odd, text)
        }
        Verdict::Off(digit, share, usual) => {
            let text = format!(
                "{digit} is the answer in {:.1} % of the rows, and {:.1} % of the training set. \
                 {least_wrong} Look at the confusion matrix of held-out images.",
                100.0 * share,
                100.0 * usual
            );
            (Mark::Odd, text)
        }
        Verdict::Even => {
            let (digit, points) = balance.widest();
            let text = format!(
                "as in the training set; furthest off is {digit}, by {points:+.1} percentage points"
            );
            (Mark::Right, text)
        }
    };
    Some(Line::new(mark, BALANCE, text))
}

/// Whether the answers are for the images to be guessed, in their order, where that can be told.
pub(super) fn order(submission: &Submission, test: &Split) -> Option<Line> {
    let predictions = submission.predictions.as_ref()?;
    let (shown, test_images) = (submission.len().min(test.len()), test.images());
    let step = (shown / LOOKED_AT).max(1);
    let places: Vec<usize> = (0..shown).step_by(step).take(LOOKED_AT).collect();
    let images = predictions.images(&places).ok()?;
    let mut at: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for (place, image) in test_images.outer_iter().enumerate() {
        at.entry(image.iter().copied().collect()).or_default().push(place);
    }
    let (mut same, mut elsewhere) = (0, None);
    for (&place, image) in places.iter().zip(&images) {
        match at.get(&image.iter().copied().collect::<Vec<u8>>()) {
            Some(found) if found.contains(&place) => same += 1,
            Some(found) => elsewhere = elsewhere.or(Some((place, found[0]))),
            None => {}
        }
    }
    let (predicted, wanted) = (predictions.set_name(), test.name());
    if same < places.len() && predicted != wanted && predictions.labels().is_some() {
        let text = format!(
            "these are answers for {predicted}, whose labels are known. Wanted are answers for \
             {wanted}, which is digits.test."
        );
        return Some(Line::new(Mark::Odd, ORDER, text));
    }
    if let Some((place, found)) = elsewhere {
        let text = format!(
            "answer {} is for the image that is number {} in digits.test: the images were mixed \
             before they were predicted. Predict digits.test as it is.",
            place + 1,
            found + 1
        );
        return Some(Line::new(Mark::Wrong, ORDER, text));
    }
    // Images that were standardized first cannot be recognized.
    (same > 0).then(|| {
        let text = format!("the answers are for {wanted}, in its order");
        Line::new(Mark::Right, ORDER, text)
    })
}
