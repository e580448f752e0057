//! Training on the built-in shapes: that it learns, repeats itself, stops, and says what is wrong.
//!
//! The stop button and the seed belong to the whole process, so these tests run one at a time.

use std::sync::{Mutex, MutexGuard};
use tchalk::prelude::*;
use tchalk::runtime::interrupt;
use tchalk::train::Optimizer;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    runtime::seed(42);
    guard
}

fn sets(train: usize, test: usize) -> (TensorSet, TensorSet) {
    let shapes = datasets::shapes().unwrap();
    (
        shapes.train.take(train).to_tensors(Device::Cpu),
        shapes.test.take(test).to_tensors(Device::Cpu),
    )
}

fn small_cnn() -> Model {
    Sequential::new()
        .input_shape([3, 32, 32])
        .add(Conv2d::new(16, 3))
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(32, 3))
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(64, 3))
        .add(Relu)
        .add(Flatten)
        .add(Dropout::new(0.3))
        .add(Dense::new(10))
        .add(Softmax)
        .build(Device::Cpu)
        .unwrap()
}

fn linear() -> Model {
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    layers.add(Softmax).build(Device::Cpu).unwrap()
}

fn compiled(model: Model, optimizer: impl Optimizer + 'static) -> Model {
    model.compile(optimizer, Loss::CategoricalCrossEntropy).unwrap();
    model
}

#[test]
fn a_small_cnn_learns_the_shapes_and_a_linear_classifier_does_not() {
    let _guard = alone();
    let (train, test) = sets(5_000, 1_000);
    let cnn = compiled(small_cnn(), RmsProp::new(1e-3));
    cnn.fit(&train, Fit::new().epochs(15)).unwrap();
    let accuracy = cnn.evaluate(&test).unwrap().accuracy;
    assert!(accuracy > 0.9, "CNN: {accuracy}");
    let line = compiled(linear(), Sgd::new(0.01));
    line.fit(&train, Fit::new().epochs(30)).unwrap();
    let accuracy = line.evaluate(&test).unwrap().accuracy;
    assert!(accuracy < 0.6, "linear: {accuracy}");
}

#[test]
fn two_runs_from_one_seed_agree_bit_for_bit() {
    let _guard = alone();
    let (train, test) = sets(300, 100);
    let run = || {
        runtime::seed(7);
        let model = compiled(small_cnn(), RmsProp::new(1e-3));
        let history = model.fit(&train, Fit::new().epochs(2).validation(&test)).unwrap();
        let losses: Vec<(f64, Option<f64>)> =
            history.epochs().iter().map(|e| (e.loss, e.val_loss)).collect();
        (losses, model.weight("dense.weight").unwrap())
    };
    let ((first, weight), (second, again)) = (run(), run());
    assert_eq!(first, second);
    assert_eq!(weight, again);
}

#[test]
fn training_again_goes_on_and_compiling_keeps_the_weights() {
    let _guard = alone();
    let (train, _) = sets(500, 10);
    let model = compiled(linear(), Sgd::new(0.01));
    let first = model.fit(&train, Fit::new().epochs(3)).unwrap().last().unwrap().loss;
    let model = compiled(model, Sgd::new(0.01));
    let second = model.fit(&train, Fit::new().epochs(3)).unwrap().last().unwrap().loss;
    assert!(second < first, "{second} after {first}");
}

#[test]
fn stop_keeps_the_weights_and_the_next_cell_trains_again() {
    let _guard = alone();
    let (train, _) = sets(200, 10);
    let model = compiled(linear(), Sgd::new(0.01));
    interrupt::request();
    let history = model.fit(&train, Fit::new().epochs(5)).unwrap();
    assert!(history.is_empty(), "nothing was finished");
    assert!(format!("{history:?}").contains("the weights are kept"), "{history:?}");
    assert!(model.evaluate(&train).unwrap_err().to_string().contains("interrupted"));
    interrupt::clear();
    assert_eq!(model.fit(&train, Fit::new().epochs(2)).unwrap().len(), 2);
}

#[test]
fn a_loss_that_runs_away_is_told() {
    let _guard = alone();
    let (train, _) = sets(200, 10);
    let model = compiled(small_cnn(), Sgd::new(1e12));
    let error = model.fit(&train, Fit::new().epochs(5)).unwrap_err().to_string();
    assert!(error.contains("smaller learning rate"), "{error}");
}

#[test]
fn what_does_not_fit_is_told_before_anything_runs() {
    let _guard = alone();
    let (train, _) = sets(50, 10);
    let grey =
        Sequential::new().input_shape([1, 32, 32]).add(Flatten).add(Dense::new(10)).add(Softmax);
    let grey = grey.build(Device::Cpu).unwrap();
    let error = |model: &Model| model.fit(&train, Fit::new()).unwrap_err().to_string();
    assert!(error(&grey).contains("model.compile("), "{}", error(&grey));
    let grey = compiled(grey, Sgd::new(0.1));
    let message = error(&grey);
    assert!(message.contains("expected examples [1, 32, 32], got [3, 32, 32]"), "{message}");
    assert!(message.contains("1 for grey pictures, 3 for colour"), "{message}");

    let narrow =
        Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(4)).add(Softmax);
    let narrow = compiled(narrow.build(Device::Cpu).unwrap(), Sgd::new(0.1));
    assert!(error(&narrow).contains("one unit for each class"), "{}", error(&narrow));

    let open = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    let open = open.build(Device::Cpu).unwrap();
    let refused =
        open.compile(Sgd::new(0.1), Loss::CategoricalCrossEntropy).unwrap_err().to_string();
    assert!(refused.contains("ends in Softmax, got Dense::new(10)"), "{refused}");
    let refused = linear().compile(Sgd::new(-1.0), Loss::CategoricalCrossEntropy).unwrap_err();
    assert!(refused.to_string().contains("a learning rate of 0 or more, got -1"));
    let fit = Fit::new().batch_size(0);
    assert!(compiled(linear(), Sgd::new(0.1)).fit(&train, fit).is_err());
}

#[test]
fn predictions_agree_with_the_evaluation() {
    let _guard = alone();
    let (train, test) = sets(500, 200);
    let model = compiled(linear(), Sgd::new(0.01));
    model.fit(&train, Fit::new().epochs(3)).unwrap();
    let (evaluation, predictions) = (model.evaluate(&test).unwrap(), model.predict(&test).unwrap());
    assert_eq!(predictions.fraction_right().unwrap(), evaluation.accuracy);
    let rows = predictions.probabilities();
    assert!(rows.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-5));
    let figure = predictions.image_grid(2, 5).unwrap();
    assert!(figure.description().contains("10 pictures"), "{figure:?}");
    assert!(predictions.image_grid(0, 5).is_err());
}
