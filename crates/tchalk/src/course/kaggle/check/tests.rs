use super::*;
use crate::data::Split;
use crate::layers::{Dense, Flatten, Softmax};
use crate::model::Sequential;
use crate::runtime::Budget;
use crate::train::{Fit, Loss, Predictions, Sgd};
use ndarray::Array2;
use std::sync::LazyLock;
use tch::Device;

/// Forty images to be guessed, with 4,000 known ones.
static DIGITS: LazyLock<Dataset> = LazyLock::new(|| {
    let strokes = crate::datasets::strokes().unwrap();
    let test = strokes.test.take(40);
    let test = Split::new("test", test.images(), vec![], test.class_names()).unwrap();
    Dataset::new("digits", "drawn", strokes.train.take(4_000), test)
});

/// Forty digits in turns.
fn answers() -> Vec<usize> {
    (0..40).map(|image| (image + 1) % 10).collect()
}

fn check(labels: Vec<usize>) -> SubmissionCheck {
    Submission::from_labels(labels).unwrap().check(&DIGITS).unwrap()
}

fn found(check: &SubmissionCheck, severity: Severity, finding: Finding) -> bool {
    println!("{check:?}\n");
    check.findings().contains(&(severity, finding))
}

#[test]
fn a_right_submission_is_ready_in_these_words() {
    let check = check(answers());
    assert!(check.passes() && check.is_ready());
    assert_eq!(
        format!("{check:?}"),
        "40 answers\n\
         ✔ rows: 40, one for each image: ImageId goes from 1 to 40\n\
         ✔ answers: each digit occurs; the most frequent one is 9, with 10.0 %\n\
         Everything is right: it can be sent."
    );
    let html = check.content().as_html().unwrap();
    assert!(html.contains("<table") && html.contains("✔") && html.contains("40 answers"));
}

#[test]
fn a_wrong_number_of_rows_is_found() {
    for labels in [answers()[1..].to_vec(), [answers(), vec![3]].concat()] {
        let check = check(labels);
        assert!(!check.passes() && !check.is_ready());
        assert!(found(&check, Severity::Problem, Finding::WrongNumberOfRows));
    }
}

#[test]
fn rows_that_a_budget_left_out_are_no_mistake() {
    let submission = Submission::from_labels(vec![1; 1_000]).unwrap();
    assert_eq!(submission.left_out_by(28_000, Budget::Ci), Some("ci".into()));
    assert_eq!(submission.left_out_by(28_000, Budget::Class), None);
    assert_eq!(submission.left_out_by(28_000, Budget::Full), None);
    assert_eq!(submission.left_out_by(1_000, Budget::Ci), None);
}

#[test]
fn answers_that_hardly_differ_are_found() {
    let strokes = crate::datasets::strokes().unwrap();
    let digits = Dataset::new("d", "", strokes.train.clone(), strokes.test.clone());
    let checked = |label: &dyn Fn(usize) -> usize| {
        let submission = Submission::from_labels((0..1_000).map(label).collect()).unwrap();
        submission.check(&digits).unwrap()
    };
    assert!(found(&checked(&|_| 0), Severity::Problem, Finding::SampleSubmission));
    assert!(found(&checked(&|_| 4), Severity::Problem, Finding::OneDigit));
    let nearly = checked(&|i| if i % 20 == 0 { 1 } else { 7 });
    assert!(found(&nearly, Severity::Problem, Finding::OneDigit));
    assert!(found(&checked(&|i| i % 9), Severity::Advice, Finding::MissingDigits));
    assert!(found(&checked(&|i| i % 10), Severity::Good, Finding::AllDigits));
}

/// Predictions that are sure of the last digit of each image's index.
fn predictions(split: &Split) -> Predictions {
    let rows = Array2::from_shape_fn(
        (split.len(), 10),
        |(row, class)| {
            if row % 10 == class { 1.0 } else { 0.0 }
        },
    );
    Predictions::from_probabilities(rows, &split.to_tensors(Device::Cpu)).unwrap()
}

#[test]
fn answers_for_other_images_are_found() {
    let of = |predictions: &Predictions| Submission::new(predictions).unwrap();
    let checked = |split: &Split| of(&predictions(split)).check(&DIGITS).unwrap();
    assert!(found(&checked(&DIGITS.test), Severity::Good, Finding::ImagesInOrder));
    assert!(found(&checked(&DIGITS.train.take(40)), Severity::Advice, Finding::OtherImages));
    let mixed = of(&predictions(&DIGITS.test.shuffle()));
    let check = mixed.clone().check(&DIGITS).unwrap();
    assert!(found(&check, Severity::Problem, Finding::ImagesMixed));
    assert!(mixed.mixed().is_some(), "submit will know");
    // Standardized images cannot be recognized.
    let x = DIGITS.test.to_tensors(Device::Cpu).x() * 3.0 - 1.0;
    let y = tch::Tensor::zeros([40], (tch::Kind::Int64, Device::Cpu));
    let names: Vec<String> = DIGITS.class_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let set = crate::data::TensorSet::new(&x, &y, &names).unwrap();
    let rows = predictions(&DIGITS.test).probabilities();
    let standardized = of(&Predictions::from_probabilities(rows, &set).unwrap());
    let check = standardized.check(&DIGITS).unwrap();
    assert!(check.passes() && found(&check, Severity::Advice, Finding::OtherImages));
}

#[test]
fn a_network_that_was_trained_on_the_images_is_found() {
    let labeled = DIGITS.train.take(40);
    let test = Split::new("test", labeled.images(), vec![], labeled.class_names()).unwrap();
    let digits = Dataset::new("d", "", DIGITS.train.clone(), test);
    let layers = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
    let model = layers.add(Softmax).build(Device::Cpu).unwrap();
    model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy).unwrap();
    let checked = || {
        let answers = model.predict(&digits.test.to_tensors(Device::Cpu)).unwrap();
        Submission::new(&answers).unwrap().check(&digits).unwrap()
    };
    assert!(!checked().has(Finding::TrainedOn));
    model.fit(&labeled.to_tensors(Device::Cpu), Fit::new().budget(Budget::Full)).unwrap();
    assert!(found(&checked(), Severity::Advice, Finding::TrainedOn));
}

#[test]
fn a_hardly_trained_network_may_give_one_answer() {
    let strokes = crate::datasets::strokes().unwrap();
    let train = strokes.train.take(1_100).to_tensors(Device::Cpu);
    let layers = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
    let model = layers.add(Softmax).build(Device::Cpu).unwrap();
    model.compile(Sgd::new(0.0), Loss::CategoricalCrossEntropy).unwrap();
    let bias: Vec<f32> = (0..10).map(|class| if class == 3 { 90.0 } else { 0.0 }).collect();
    model.set_weight("dense.bias", &tch::Tensor::from_slice(&bias)).unwrap();
    let line = |budget| {
        model.fit(&train, Fit::new().batch_size(100).budget(budget)).unwrap();
        let answers = model.predict(&strokes.test.take(60).to_tensors(Device::Cpu)).unwrap();
        let submission = Submission::new(&answers).unwrap();
        submission.lines(60).pop().unwrap()
    };
    let severity = |line: Line| (line.severity, line.finding);
    assert_eq!(severity(line(Budget::Full)), (Severity::Problem, Finding::OneDigit));
    assert_eq!(severity(line(Budget::Ci)), (Severity::Info, Finding::OneDigit));
}

#[test]
fn a_substitute_for_kaggle_s_images_is_no_mistake() {
    let test = Split::new(
        "digit-recognizer test, made from strokes",
        DIGITS.test.images(),
        vec![],
        DIGITS.test.class_names(),
    );
    let digits = Dataset::new("digit-recognizer", "", DIGITS.train.clone(), test.unwrap());
    let check = Submission::from_labels(answers()).unwrap().check(&digits).unwrap();
    assert!(check.passes() && !check.is_ready());
    assert!(found(&check, Severity::Info, Finding::NotKagglesImages));
    assert!(format!("{check:?}").contains("lacks 28,000 rows instead of 40, and Kaggle's own"));
}

#[test]
fn an_estimate_says_where_the_score_will_lie() {
    let rows = predictions(&DIGITS.test).probabilities();
    let labels: Vec<usize> = (0..40).map(|i| if i < 2 { 9 } else { i % 10 }).collect();
    let evaluation = Evaluation::from_probabilities(&rows, &labels, vec![]);
    let check = check(answers()).estimate(&evaluation);
    let (low, score, high) = check.expected_score().unwrap();
    assert!((score - 0.95).abs() < 1e-12 && low < 0.84 && high > 0.98, "{low} {high}");
    assert!(found(&check, Severity::Good, Finding::ExpectedScore));
    let notes = vec![Note::ChosenOnThisSet];
    let check = check.estimate(&Evaluation::from_probabilities(&rows, &labels, notes));
    let findings = check.findings();
    let expected: Vec<_> = findings.iter().filter(|it| it.1 == Finding::ExpectedScore).collect();
    assert_eq!(expected, [&(Severity::Advice, Finding::ExpectedScore)], "the last one holds");
}

#[test]
fn another_submission_is_compared() {
    let of = |labels: Vec<usize>| Submission::from_labels(labels).unwrap();
    let mut other = answers();
    other[6] = 1;
    let check = check(answers()).against(&of(other)).against(&of(answers())).against(&of(vec![1]));
    assert!(found(&check, Severity::Good, Finding::OtherAnswers));
    assert!(found(&check, Severity::Advice, Finding::SameAnswers));
    assert!(found(&check, Severity::Advice, Finding::NotComparable));
    assert!(format!("{check:?}").contains("1 of 40 answers differ"));
}
