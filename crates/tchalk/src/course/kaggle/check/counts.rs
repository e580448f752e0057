//! How many rows there are.

use super::{Line, Mark};
use crate::course::kaggle::Submission;
use crate::runtime::Budget;
use crate::text::thousands;
use tch::Device;

const WHAT: &str = "rows";

/// The line about the number of rows, if there are to be `expected`.
pub(super) fn rows(submission: &Submission, expected: usize) -> Line {
    let n = submission.len();
    let (have, want) = (thousands(n), thousands(expected));
    if n == expected {
        return Line::new(Mark::Right, WHAT, format!("{have}, one for each image"));
    }
    let budget = Budget::current().ok();
    if let Some(budget) = budget.and_then(|budget| capped(submission, expected, budget)) {
        let text = format!(
            "{have} of {want}: the budget {budget} predicts only the first ones. Set \
             TCHALK_BUDGET=full and predict again before you send it."
        );
        return Line::new(Mark::Note, WHAT, text);
    }
    let hint = match n.abs_diff(expected) {
        1 if n < expected && submission.form.header.is_none() => {
            "One is missing: was the first one taken for the names of the columns, and left out?"
        }
        1 if n < expected => {
            "One is missing: was the first one taken for the names of the columns when the file was \
             read, or did a loop end one too early?"
        }
        1 => "There is one too many: does a row come twice, or is the header repeated?",
        _ if n == 42_000 => "42,000 are the images of train.csv: predict digits.test.",
        _ if n == 10_000 => "10,000 are the test images of MNIST: predict digits.test.",
        _ if n < expected => {
            "Are these all batches? The last one may be smaller, and has to be predicted, too; a \
             file may be cut off when the disk is full."
        }
        _ => "Were answers added to an older file instead of replacing it?",
    };
    Line::new(Mark::Wrong, WHAT, format!("{have} where {want} are wanted. {hint}"))
}

/// The budget that left out rows, if one did.
pub(in crate::course::kaggle) fn capped(
    submission: &Submission,
    expected: usize,
    budget: Budget,
) -> Option<String> {
    let left = budget.evaluation_examples(expected, Device::Cpu);
    (left < expected && submission.len() == left).then(|| budget.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_budget_left_out_is_no_mistake() {
        let submission = Submission::from_labels(vec![1; 1_000]).unwrap();
        assert_eq!(capped(&submission, 28_000, Budget::Ci), Some("ci".into()));
        assert_eq!(capped(&submission, 28_000, Budget::Class), None);
        assert_eq!(capped(&submission, 28_000, Budget::Full), None);
        assert_eq!(capped(&submission, 1_000, Budget::Ci), None);
    }
}
