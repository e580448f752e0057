//! Answers of three networks for six images.

use super::Comparison;
use crate::evaluate::testing::certain_predictions;

pub(super) const LABELS: [usize; 6] = [0, 0, 0, 0, 1, 1];

pub(super) fn three() -> Comparison {
    let answers = [[0, 0, 1, 1, 1, 1], [0, 1, 0, 2, 1, 0], [0, 0, 1, 0, 1, 0]];
    let all = answers.map(|answers| certain_predictions(&LABELS, &answers, 3));
    let names = ["a", "b", "c"].map(String::from).to_vec();
    Comparison::of_predictions("test", names, &all.each_ref()).unwrap()
}
