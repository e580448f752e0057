//! The numbers of the images: 1 to n, each once, in order.

use super::{Line, Mark};
use crate::course::kaggle::Submission;
use crate::course::kaggle::submission::Cell;
use crate::text::thousands;

const WHAT: &str = "ImageId";

/// The line about the first column, if there are to be `expected` images.
pub(super) fn line(submission: &Submission, expected: usize) -> Line {
    let wrong = |text: String| Line::new(Mark::Wrong, WHAT, text);
    // How many there should be is the affair of another line.
    let last = submission.len().min(expected);
    let mut ids = Vec::with_capacity(submission.len());
    for (place, row) in submission.rows.iter().enumerate() {
        match &row.id {
            Cell::Whole(id) => ids.push(*id),
            Cell::Other(text) if text.is_empty() => {
                return wrong(format!("row {} has no number of its image.", place + 1));
            }
            Cell::Other(text) => {
                let point = text.parse::<f64>().is_ok();
                let hint = if point { " Write whole numbers: 1, not 1.0." } else { "" };
                return wrong(format!("row {}: {text:?} is no whole number.{hint}", place + 1));
            }
        }
    }
    if ids.is_empty() {
        return wrong("there are no rows.".into());
    }
    let from = ids[0];
    if from == 0 && ids.iter().zip(0..).all(|(&id, place)| id == place) {
        return wrong(
            "they begin with 0, and Kaggle counts from 1: add one to each. (In Python, \
             range(1, n + 1); a row number counts from 0.)"
                .into(),
        );
    }
    if from > 1 && ids.iter().zip(from..).all(|(&id, place)| id == place) {
        return wrong(match from {
            2 => "they begin with 2: the row of image 1 is missing. Was it taken for the names of \
                  the columns?"
                .into(),
            42_001 => {
                "they begin with 42,001, as if test.csv went on where train.csv ends. Kaggle \
                       counts its images from 1."
                    .into()
            }
            from => {
                format!("they begin with {}, and have to begin with 1.", thousands(from))
            }
        });
    }
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        let count = sorted.windows(2).filter(|pair| pair[0] == pair[1]).count();
        return wrong(format!(
            "image {} has more than one row{}. Each image may have one answer.",
            twice[0],
            match count {
                1 => String::new(),
                count => format!(", and so on: {} rows too many", thousands(count)),
            }
        ));
    }
    let outside = |id: &&i64| !(1..=expected as i64).contains(*id);
    if let Some(id) = ids.iter().find(outside) {
        return wrong(format!(
            "there is no image {id}: they are numbered from 1 to {}.",
            thousands(expected)
        ));
    }
    // Each is different and within bounds: what is missing lies between.
    let missing = (1..=last as i64).find(|id| sorted.binary_search(id).is_err());
    if let Some(missing) = missing {
        return wrong(format!("image {missing} has no row."));
    }
    if ids != sorted {
        let place = ids.iter().zip(1..).position(|(&id, place)| id != place).unwrap_or(0);
        let text = format!(
            "each occurs once, but not in order: row {} is for image {}. Kaggle goes by the \
             number, so this is right only if the numbers went with their answers when the rows \
             were mixed.",
            place + 1,
            ids[place]
        );
        return Line::new(Mark::Odd, WHAT, text);
    }
    let text = format!("1 to {}, each once and in order", thousands(last));
    Line::new(Mark::Right, WHAT, text)
}
