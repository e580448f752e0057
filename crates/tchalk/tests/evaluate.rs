//! Classification report, confusion matrix and top-k accuracy compared with scikit-learn's.
//!
//! `tests/reference/evaluate.py` writes the reference values.

use ndarray::{Array2, Array4};
use serde_json::Value;
use tchalk::evaluate::ClassScore;
use tchalk::prelude::*;

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/evaluate.json");
    let text = std::fs::read_to_string(path).unwrap();
    let Value::Array(cases) = serde_json::from_str(&text).unwrap() else { panic!("a list") };
    assert_eq!(cases.len(), 5, "the file holds all cases");
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn predictions(case: &Value) -> Predictions {
    let labels: Vec<usize> = numbers(&case["truth"]).iter().map(|&label| label as usize).collect();
    let rows: Vec<Vec<f64>> =
        case["probabilities"].as_array().unwrap().iter().map(numbers).collect();
    let classes = rows[0].len();
    let values = rows.concat().into_iter().map(|p| p as f32).collect();
    let probabilities = Array2::from_shape_vec((rows.len(), classes), values).unwrap();
    let names = (0..classes).map(|class| class.to_string()).collect();
    let images = Array4::zeros((rows.len(), 2, 2, 1));
    let set = Split::new("reference", images, labels, names).unwrap().to_tensors(Device::Cpu);
    Predictions::from_probabilities(probabilities, &set).unwrap()
}

/// Scores are ratios of the same counts: only the last digit of a mean may differ.
fn assert_scores(score: &ClassScore, expected: &Value, what: &str) {
    let pairs = [
        (score.precision, &expected["precision"]),
        (score.recall, &expected["recall"]),
        (score.f1, &expected["f1-score"]),
        (score.support as f64, &expected["support"]),
    ];
    for (ours, theirs) in pairs {
        let theirs = theirs.as_f64().unwrap();
        assert!((ours - theirs).abs() < 1e-14, "{what}: {score:?} {expected}");
    }
}

#[test]
fn the_matrix_is_scikit_learn_s() {
    for case in cases() {
        let counts = predictions(&case).confusion_matrix().unwrap().counts();
        let expected: Vec<f64> =
            case["matrix"].as_array().unwrap().iter().flat_map(numbers).collect();
        let ours: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        assert_eq!(ours, expected, "{}", case["name"]);
    }
}

#[test]
fn the_report_is_scikit_learn_s() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let report = predictions(&case).classification_report().unwrap();
        let expected = case["classes"].as_object().unwrap();
        for class in report.classes() {
            match expected.get(&class.class) {
                Some(expected) => assert_scores(&class, expected, name),
                None => assert_eq!(class.support + class.predicted, 0, "{name}: {class:?}"),
            }
        }
        assert_scores(&report.macro_average(), &case["macro"], name);
        assert_scores(&report.weighted_average(), &case["weighted"], name);
        assert_eq!(report.accuracy(), case["accuracy"].as_f64().unwrap(), "{name}");
    }
}

#[test]
fn top_k_is_scikit_learn_s() {
    for case in cases() {
        for (k, expected) in case["top"].as_object().unwrap() {
            let ours = predictions(&case).top_k(k.parse().unwrap()).unwrap();
            let expected = expected.as_f64().unwrap();
            assert!((ours - expected).abs() < 1e-12, "{} top {k}: {ours}", case["name"]);
        }
    }
}

#[test]
fn the_calibration_error_is_that_of_its_definition() {
    for case in cases() {
        let predictions = predictions(&case);
        let calibration = predictions.calibration_in(15).unwrap();
        // From the definition, bin by bin.
        let (rows, predicted) = (predictions.probabilities(), predictions.classes());
        let labels = predictions.labels().unwrap();
        let n = predicted.len() as f64;
        let mut error = 0.0;
        for bin in 0..15 {
            let (low, high) = (f64::from(bin) / 15.0, f64::from(bin + 1) / 15.0);
            let inside: Vec<usize> = (0..predicted.len())
                .filter(|&i| {
                    let confidence = f64::from(rows[[i, predicted[i]]]);
                    low < confidence && confidence <= high
                })
                .collect();
            if inside.is_empty() {
                continue;
            }
            let count = inside.len() as f64;
            let confidence: f64 =
                inside.iter().map(|&i| f64::from(rows[[i, predicted[i]]])).sum::<f64>() / count;
            let accuracy =
                inside.iter().filter(|&&i| predicted[i] == labels[i]).count() as f64 / count;
            error += count / n * (accuracy - confidence).abs();
        }
        let ours = calibration.error();
        assert!((ours - error).abs() < 1e-9, "{}: {ours} {error}", case["name"]);
    }
}
