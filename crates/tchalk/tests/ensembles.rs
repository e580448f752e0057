//! Ensembles of trained networks, on the built-in shapes.

#[path = "common/refused.rs"]
mod refused;

use refused::{assert_invalid, refused};
use std::sync::OnceLock;
use tchalk::prelude::*;

fn sets() -> (TensorSet, TensorSet, TensorSet) {
    let shapes = datasets::shapes().unwrap();
    let train = shapes.train.take(1_500).to_tensors(Device::Cpu);
    let x = shapes.test.to_tensors(Device::Cpu);
    let names: Vec<String> = shapes.class_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let part = |from: i64, count: i64| {
        let y = x.labels().unwrap().narrow(0, from, count);
        TensorSet::new(&x.x().narrow(0, from, count), &y, &names).unwrap()
    };
    (train, part(0, 300), part(300, 700))
}

fn member(filters: usize) -> Model {
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(filters, 3).stride(2));
    let layers = layers.add(Relu).add(MaxPool2d::new(2)).add(Flatten);
    layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu).unwrap()
}

/// Three small networks, trained a little, one of them less than the others.
fn members() -> [Model; 3] {
    static MADE: OnceLock<[Model; 3]> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let (train, ..) = sets();
        [(8, 3), (6, 3), (4, 1)].map(|(filters, epochs)| {
            let model = member(filters);
            model.compile(RmsProp::new(2e-3), Loss::CategoricalCrossEntropy).unwrap();
            model.fit(&train, Fit::new().epochs(epochs)).unwrap();
            model
        })
    });
    made.clone()
}

#[test]
fn an_average_is_the_average() {
    let [a, b, c] = members();
    let (_, _, test) = sets();
    let ensemble = Ensemble::average(&[&a, &b, &c]).unwrap();
    let said = ensemble.predict(&test).unwrap().probabilities();
    let mean = [&a, &b, &c].map(|m| m.predict(&test).unwrap().probabilities());
    let mean = (&mean[0] + &mean[1] + &mean[2]) / 3.0;
    assert!(said.iter().zip(&mean).all(|(a, b)| (a - b).abs() < 1e-6));
    let evaluation = ensemble.evaluate(&test).unwrap();
    assert_eq!(evaluation.examples, 700);
    let predictions = ensemble.predict(&test).unwrap();
    assert_eq!(predictions.accuracy().unwrap(), evaluation.accuracy);
    assert_eq!(ensemble.members(), ["sequential #1", "sequential #2", "sequential #3"]);
}

#[test]
fn an_ensemble_of_one_network_is_that_network() {
    let [a, ..] = members();
    let (_, _, test) = sets();
    let alone = a.evaluate(&test).unwrap();
    let flat = |model: &Model| model.predict(&test).unwrap().probabilities();
    for ensemble in [Ensemble::average(&[&a]).unwrap(), Ensemble::average_logits(&[&a]).unwrap()] {
        let together = ensemble.evaluate(&test).unwrap();
        assert_eq!(together.accuracy, alone.accuracy);
        assert!((together.loss - alone.loss).abs() < 1e-5, "{together:?} and {alone:?}");
        let said = ensemble.predict(&test).unwrap().probabilities();
        assert!(said.iter().zip(&flat(&a)).all(|(a, b)| (a - b).abs() < 1e-6));
    }
    let gain = Ensemble::average(&[&a]).unwrap().compare(&test).unwrap().gain().unwrap();
    assert_eq!((gain.accuracy, gain.is_significant()), (0.0, false));
    assert!(Ensemble::vote(&[&a]).unwrap().evaluate(&test).unwrap().accuracy == alone.accuracy);
}

#[test]
fn fitted_weights_are_no_worse_on_what_they_were_fitted_to() {
    let [a, b, c] = members();
    let (_, validation, test) = sets();
    let loss = |ensemble: &Ensemble, set: &TensorSet| ensemble.evaluate(set).unwrap().loss;
    let weighted = Ensemble::weighted(&[&a, &b, &c], &validation).unwrap();
    let average = Ensemble::average(&[&a, &b, &c]).unwrap();
    let weights = weighted.weights();
    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-6 && weights.iter().all(|&w| w >= 0.0));
    assert!(loss(&weighted, &validation) <= loss(&average, &validation) + 1e-6);
    for model in [&a, &b, &c] {
        let alone = Ensemble::average(&[model]).unwrap();
        assert!(loss(&weighted, &validation) <= loss(&alone, &validation) + 1e-6);
    }
    assert!(loss(&weighted, &test).is_finite());
    assert!(format!("{weighted:?}").contains(" %)"), "{weighted:?}");
}

#[test]
fn an_ensemble_is_compared_with_its_members() {
    let [a, b, c] = members();
    let (_, _, test) = sets();
    let ensemble = Ensemble::average(&[&a, &b, &c]).unwrap();
    let comparison = ensemble.compare(&test).unwrap();
    let classes = [&a, &b, &c].map(|m| m.predict(&test).unwrap().classes());
    let disagreement = comparison.disagreement();
    assert_eq!(disagreement.dim(), (4, 4), "the members and the ensemble");
    let count = classes[0].iter().zip(&classes[2]).filter(|(a, c)| a != c).count();
    assert_eq!(disagreement[[0, 2]], count as f64 / 700.0);
    let first = comparison.differing()[0];
    let answers = comparison.answers(first).unwrap();
    assert_eq!(answers[..3], [classes[0][first], classes[1][first], classes[2][first]]);
    assert!(answers.iter().any(|answer| answer != &answers[0]));
    let figure = comparison.image_grid(2, 5).unwrap();
    assert!(figure.description().contains("10 images"), "{figure:?}");
    let same = Ensemble::average(&[&a, &a]).unwrap().compare(&test).unwrap();
    assert!(same.differing().is_empty() && same.image_grid(1, 1).is_err());
}

#[test]
fn the_gain_is_that_over_the_best_member() {
    let [a, b, c] = members();
    let (_, _, test) = sets();
    for ensemble in [
        Ensemble::average(&[&a, &b, &c]).unwrap(),
        Ensemble::average_logits(&[&a, &b, &c]).unwrap(),
        Ensemble::vote(&[&a, &b, &c]).unwrap(),
    ] {
        let comparison = ensemble.compare(&test).unwrap();
        let mut accuracies = comparison.accuracies().unwrap();
        assert_eq!(accuracies[0], a.evaluate(&test).unwrap().accuracy);
        let together = accuracies.pop().unwrap();
        assert_eq!(together, ensemble.evaluate(&test).unwrap().accuracy);
        let best = accuracies.into_iter().fold(0.0, f64::max);
        assert!((together - best - comparison.gain().unwrap().accuracy).abs() < 1e-12);
    }
}

#[test]
fn augmentations_of_one_network_are_members() {
    let [a, ..] = members();
    let (_, _, test) = sets();
    let plain = Ensemble::test_time_augmentation(&a, &[TestTimeAugmentation::Identity]).unwrap();
    assert_eq!(plain.evaluate(&test).unwrap().accuracy, a.evaluate(&test).unwrap().accuracy);
    let flipped = TensorSet::new(
        &test.x().flip([3]),
        &test.labels().unwrap(),
        &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    )
    .unwrap();
    let mirror = Ensemble::test_time_augmentation(&a, &[TestTimeAugmentation::HorizontalFlip])
        .unwrap()
        .predict(&test)
        .unwrap();
    assert_eq!(mirror.classes(), a.predict(&flipped).unwrap().classes());
    let shifts = Ensemble::test_time_augmentation(&a, &TestTimeAugmentation::shifts(1)).unwrap();
    assert_eq!(shifts.members()[4], "shift by (0, -1)");
    assert_eq!(shifts.compare(&test).unwrap().accuracies().unwrap().len(), 6);
    assert_invalid(
        Ensemble::test_time_augmentation(&a, &[]),
        "Ensemble::test_time_augmentation",
        "none",
    );
    assert!(
        refused(Ensemble::test_time_augmentation(&a, &[TestTimeAugmentation::Shift(40, 0)]))
            .contains("less than 32")
    );
}

#[test]
fn members_that_do_not_fit_together_are_refused() {
    let [a, ..] = members();
    let (_, _, test) = sets();
    assert_invalid(Ensemble::average(&[]), "Ensemble::average", "none");
    let open = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    let open = open.build(Device::Cpu).unwrap();
    assert!(refused(Ensemble::vote(&[&a, &open])).contains("which ends in Dense::new(10)"));
    let narrow = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(4));
    let narrow = narrow.add(Softmax).build(Device::Cpu).unwrap();
    let message = refused(Ensemble::average(&[&a, &narrow]));
    assert!(message.contains("from [3, 32, 32] to [10], as the first"), "{message}");
    let gray = Sequential::new().input_shape([1, 32, 32]).add(Flatten).add(Dense::new(10));
    let gray = Ensemble::average(&[&gray.add(Softmax).build(Device::Cpu).unwrap()]).unwrap();
    assert!(refused(gray.predict(&test)).contains("1 for gray images"));
}
