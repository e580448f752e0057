use super::*;
use crate::course::kaggle::testing::read;
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
    let test = Split::new("test", test.images(), vec![], test.classes()).unwrap();
    Dataset::new("digits", "drawn", strokes.train.take(4_000), test)
});

/// A file as one would make it by hand: forty digits in turns, changed by `edit`.
fn made(edit: impl Fn(usize) -> String) -> String {
    let rows: Vec<String> = (1..=40).map(edit).collect();
    format!("ImageId,Label\n{}\n", rows.join("\n"))
}

fn right() -> String {
    made(|id| format!("{id},{}", id % 10))
}

fn check(text: &str) -> SubmissionCheck {
    read(text).check(&DIGITS).unwrap()
}

/// The lines with this mark.
fn marked(check: &SubmissionCheck, mark: Mark) -> String {
    let lines = check.lines.iter().filter(|line| line.mark == mark);
    lines.map(|line| format!("{}: {}\n", line.what, line.text)).collect()
}

#[test]
fn a_right_file_passes_in_all_its_forms() {
    for text in [right(), right().replace('\n', "\r\n"), right().trim_end().to_owned()] {
        let check = check(&text);
        assert!(check.passes() && check.is_ready(), "{check:?}");
        assert_eq!(marked(&check, Mark::Odd), "");
        let text = format!("{check:?}");
        assert!(text.contains("✔ rows: 40, one for each image"), "{text}");
        assert!(text.contains("✔ ImageId: 1 to 40, each once and in order"), "{text}");
        assert!(text.ends_with("Everything is right: it can be sent."), "{text}");
    }
}

/// What is wrong, and what would unstick its author.
#[test]
fn each_mistake_is_named_with_its_way_out() {
    let lines: Vec<String> = right().lines().map(str::to_owned).collect();
    let joined = |lines: &[String]| lines.join("\n");
    let probabilities = made(|id| format!("{id}{}", ",0.1".repeat(10)));
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("from 0", made(|id| format!("{},{}", id - 1, id % 10)), &["begin with 0", "add one"]),
        ("no header", joined(&lines[1..]), &["row of numbers (1,1)", "Write ImageId,Label above"]),
        ("wrong names", right().replace("ImageId,Label", "id,digit"), &["has to be ImageId,Label"]),
        ("small letters", right().replace("ImageId", "imageid"), &["with these capitals"]),
        (
            "swapped",
            right().replace("ImageId,Label", "Label,ImageId"),
            &["ImageId has to come first"],
        ),
        (
            "floats",
            made(|id| format!("{id},{}.0", id % 10)),
            &["row 1 has 1.0 (40 rows", "astype(int)"],
        ),
        (
            "probabilities",
            made(|id| format!("{id},0.93{id}")),
            &["looks like a probability", "argmax"],
        ),
        ("ten columns", probabilities, &["11 cells in a row", "argmax"]),
        ("one short", joined(&lines[..40]), &["39 where 40 are wanted", "One is missing"]),
        (
            "the first lost",
            format!("{}\n{}", lines[0], joined(&lines[2..])),
            &["begin with 2: the row of image 1"],
        ),
        ("one too many", format!("{}\n41,3", right().trim_end()), &["41 where 40", "no image 41"]),
        ("twice", right().replace("\n7,7", "\n6,7"), &["image 6 has more than one row"]),
        ("a gap", right().replace("\n40,0", "\n44,0"), &["no image 44"]),
        ("out of range", right().replace("\n7,7", "\n7,12"), &["row 7 has 12", "0 to 9"]),
        ("below zero", right().replace("\n7,7", "\n7,-1"), &["row 7 has -1"]),
        (
            "from 1 to 10",
            made(|id| format!("{id},{}", id % 10 + 1)),
            &["numbered from 1", "0 for a zero"],
        ),
        ("empty", right().replace("\n7,7", "\n7,"), &["row 7 has none", "needs an answer"]),
        ("nan", right().replace("\n7,7", "\n7,NaN"), &["row 7 has NaN", "not a number"]),
        ("words", right().replace("\n7,7", "\n7,seven"), &["\"seven\", which is no number"]),
        ("semicolons", right().replace(',', ";"), &["a semicolon stands", "Submission::save_in"]),
        ("tabs", right().replace(',', "\t"), &["a tab stands"]),
        (
            "an index",
            made(|id| format!("{},{id},1", id - 1)).replace("Im", ",Im"),
            &["index=False", "3 cells"],
        ),
        ("labels only", made(|id| (id % 10).to_string()), &["one cell in a row"]),
        ("cut off", format!("{}\n40", joined(&lines[..40])), &["line 41 has 1 cells", "cut off"]),
        (
            "a float id",
            made(|id| format!("{id}.0,{}", id % 10)),
            &["\"1.0\" is no whole number", "1, not 1.0"],
        ),
        ("no rows", "ImageId,Label\n".into(), &["0 where 40"]),
        ("train.csv", "label,pixel0\n1,0\n".into(), &["these are the images"]),
    ];
    for (name, text, wanted) in cases {
        let check = check(&text);
        assert!(!check.passes() && !check.is_ready(), "{name}: {check:?}");
        let wrong = marked(&check, Mark::Wrong);
        for words in wanted {
            assert!(wrong.contains(words), "{name}: {words:?} is not in:\n{wrong}");
        }
        assert!(format!("{check:?}").contains("wrong (✘)"), "{name}");
    }
}

#[test]
fn what_is_odd_passes_with_a_word() {
    let mut mixed: Vec<String> = right().lines().map(str::to_owned).collect();
    mixed.swap(3, 9);
    let cases = [
        (mixed.join("\n"), "row 3 is for image 9"),
        (format!("\u{feff}{}", right()), "byte-order mark"),
        (made(|id| format!("\"{id}\",\"{}\"", id % 10)), "numbers stand in quotes"),
        (right().replace("ImageId,Label", "\"ImageId\",\"Label\""), "in quotes"),
    ];
    for (text, words) in cases {
        let check = check(&text);
        assert!(check.passes(), "{check:?}");
        assert!(marked(&check, Mark::Odd).contains(words), "{words}: {check:?}");
        assert!(format!("{check:?}").ends_with("Look at what is marked ! first."));
    }
}

#[test]
fn answers_that_hardly_differ_are_told() {
    let strokes = crate::datasets::strokes().unwrap();
    let digits = Dataset::new("d", "", strokes.train.clone(), strokes.test.clone());
    let told = |label: &dyn Fn(usize) -> usize| {
        let submission = Submission::from_labels((0..1_000).map(label).collect()).unwrap();
        submission.check(&digits).unwrap()
    };
    let sample = told(&|_| 0);
    assert!(marked(&sample, Mark::Wrong).contains("the sample submission itself"), "{sample:?}");
    assert!(marked(&told(&|_| 4), Mark::Wrong).contains("every answer is 4"));
    let nearly = told(&|i| if i % 20 == 0 { 1 } else { 7 });
    assert!(marked(&nearly, Mark::Wrong).contains("nearly all answers are 7 (95.0 %)"));
    let never = told(&|i| i % 9);
    assert!(never.passes() && marked(&never, Mark::Odd).contains("9 is never the answer"));
    assert!(marked(&never, Mark::Odd).contains("10.0 % of the answers are wrong"), "{never:?}");
    let off = told(&|i| if i % 4 == 0 { 3 } else { i % 10 });
    assert!(marked(&off, Mark::Odd).contains("3 is the answer in"), "{off:?}");
    let even = told(&|i| i % 10);
    assert!(marked(&even, Mark::Right).contains("each digit's share: as in the training set"));
}

/// What is sure of the digit that is the image's place.
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
fn answers_for_other_images_are_found_out() {
    let checked =
        |split: &Split| Submission::new(&predictions(split)).unwrap().check(&DIGITS).unwrap();
    let mixed = Submission::new(&predictions(&DIGITS.test.shuffle())).unwrap();
    mixed.clone().check(&DIGITS).unwrap();
    assert!(mixed.mixed().is_some_and(|text| text.contains("were mixed")), "submit will know");
    let right = checked(&DIGITS.test);
    assert!(
        marked(&right, Mark::Right).contains("answers are for test, in its order"),
        "{right:?}"
    );
    let mixed = checked(&DIGITS.test.shuffle());
    assert!(marked(&mixed, Mark::Wrong).contains("the images were mixed"), "{mixed:?}");
    let known = checked(&DIGITS.train.take(40));
    assert!(marked(&known, Mark::Odd).contains("whose labels are known"), "{known:?}");
    // Standardized images cannot be recognized, and not blamed.
    let x = DIGITS.test.to_tensors(Device::Cpu).x() * 3.0 - 1.0;
    let y = tch::Tensor::zeros([40], (tch::Kind::Int64, Device::Cpu));
    let names: Vec<String> = DIGITS.classes();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let set = crate::data::TensorSet::new(&x, &y, &names).unwrap();
    let rows = predictions(&DIGITS.test).probabilities();
    let odd = Submission::new(&Predictions::from_probabilities(rows, &set).unwrap()).unwrap();
    let odd = odd.check(&DIGITS).unwrap();
    assert!(
        odd.passes() && marked(&odd, Mark::Odd).contains("answers for tensors, whose labels"),
        "{odd:?}"
    );
}

#[test]
fn a_network_that_knows_the_images_is_found_out() {
    let labeled = DIGITS.train.take(40);
    let test = Split::new("test", labeled.images(), vec![], labeled.classes()).unwrap();
    let digits = Dataset::new("d", "", DIGITS.train.clone(), test);
    let layers = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
    let model = layers.add(Softmax).build(Device::Cpu).unwrap();
    model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy).unwrap();
    let checked = || {
        let answers = model.predict(&digits.test.to_tensors(Device::Cpu)).unwrap();
        Submission::new(&answers).unwrap().check(&digits).unwrap()
    };
    assert!(!format!("{:?}", checked()).contains("trained on"));
    model.fit(&labeled.to_tensors(Device::Cpu), Fit::new().budget(Budget::Full)).unwrap();
    assert!(marked(&checked(), Mark::Odd).contains("new images: all examples were trained on"));
}

#[test]
fn one_answer_to_everything_is_a_budget_s_doing_where_there_is_one() {
    let strokes = crate::datasets::strokes().unwrap();
    let train = strokes.train.take(1_100).to_tensors(Device::Cpu);
    let layers = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
    let model = layers.add(Softmax).build(Device::Cpu).unwrap();
    model.compile(Sgd::new(0.0), Loss::CategoricalCrossEntropy).unwrap();
    let bias: Vec<f32> = (0..10).map(|class| if class == 3 { 90.0 } else { 0.0 }).collect();
    model.set_weight("dense.bias", &tch::Tensor::from_slice(&bias)).unwrap();
    let told = |budget| {
        model.fit(&train, Fit::new().batch_size(100).budget(budget)).unwrap();
        let answers = model.predict(&strokes.test.take(60).to_tensors(Device::Cpu)).unwrap();
        let submission = Submission::new(&answers).unwrap();
        submission.lines(60).pop().unwrap()
    };
    assert_eq!(told(Budget::Full).mark, Mark::Wrong);
    let line = told(Budget::Ci);
    assert!(line.mark == Mark::Note && line.text.contains("The budget ci left only"), "{line}");
}

#[test]
fn what_stands_in_for_kaggle_s_says_what_is_missing() {
    let test = Split::new(
        "digit-recognizer test, made from strokes",
        DIGITS.test.images(),
        vec![],
        DIGITS.test.classes(),
    );
    let digits = Dataset::new("digit-recognizer", "", DIGITS.train.clone(), test.unwrap());
    let check = read(&right()).check(&digits).unwrap();
    assert!(check.passes() && !check.is_ready(), "{check:?}");
    let missing = marked(&check, Mark::Note);
    assert!(missing.contains("lacks 28,000 rows instead of 40, and Kaggle's own"), "{missing}");
    assert!(format!("{check:?}").ends_with("what is marked – is missing for Kaggle."));
}

#[test]
fn an_estimate_says_where_the_score_will_lie() {
    let rows = predictions(&DIGITS.test).probabilities();
    let labels: Vec<usize> = (0..40).map(|i| if i < 2 { 9 } else { i % 10 }).collect();
    let evaluation = Evaluation::from_probabilities(&rows, &labels, vec![]);
    let check = check(&right()).estimate(&evaluation);
    let (low, score, high) = check.expected_score().unwrap();
    assert!((score - 0.95).abs() < 1e-12 && low < 0.84 && high > 0.98, "{low} {high}");
    assert!(marked(&check, Mark::Right).contains("score to expect: 95.00 %"), "{check:?}");
    let notes = vec!["the network was trained on these".into()];
    let check = check.estimate(&Evaluation::from_probabilities(&rows, &labels, notes));
    assert!(marked(&check, Mark::Odd).contains("But: the network was trained on these."));
    assert_eq!(format!("{check:?}").matches("score to expect").count(), 1, "the last one holds");
}

#[test]
fn another_submission_is_compared() {
    let other = read(&right().replace("\n7,7", "\n7,1"));
    let check = check(&right()).against(&other).against(&read(&right()));
    assert!(
        marked(&check, Mark::Right)
            .contains("1 of 40 answers differ from those of mine.csv (2.50 %)")
    );
    assert!(marked(&check, Mark::Odd).contains("every answer is that of mine.csv"));
    let check = check.against(&read("ImageId,Label\n1,x\n"));
    assert!(marked(&check, Mark::Odd).contains("cannot be compared"));
}

#[test]
fn it_is_a_table_on_the_page() {
    let html = check(&right()).content().as_html().unwrap();
    assert!(html.contains("<table") && html.contains("✔") && html.contains("mine.csv"));
}
