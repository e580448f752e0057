//! Training on the built-in shapes: it learns, repeats itself, can be interrupted, and reports errors.
//!
//! The stop button and the seed belong to the whole process, so these tests run one at a time.

#[path = "common/alone.rs"]
mod alone;
#[path = "common/hungry.rs"]
mod hungry;
#[path = "common/shapes.rs"]
mod shapes;

use alone::alone;
use hungry::Hungry;
use shapes::sets;
use tchalk::Error;
use tchalk::prelude::*;
use tchalk::runtime::interrupt;
use tchalk::train::{Note, Optimizer, Shortened, Slots, StoppedAt};

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
    cnn.fit(&train, Fit::new().epochs(15).budget(Budget::Full)).unwrap();
    let accuracy = cnn.evaluate(&test).unwrap().accuracy;
    assert!(accuracy > 0.9, "CNN: {accuracy}");
    let line = compiled(linear(), Sgd::new(0.01));
    line.fit(&train, Fit::new().epochs(30).budget(Budget::Full)).unwrap();
    let accuracy = line.evaluate(&test).unwrap().accuracy;
    assert!(accuracy < 0.6, "linear: {accuracy}");
}

#[test]
fn two_runs_with_one_seed_are_equal() {
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
fn training_again_continues_and_compiling_keeps_the_weights() {
    let _guard = alone();
    let (train, _) = sets(500, 10);
    let model = compiled(linear(), Sgd::new(0.01));
    let first = model.fit(&train, Fit::new().epochs(3)).unwrap().last().unwrap().loss;
    let model = compiled(model, Sgd::new(0.01));
    let second = model.fit(&train, Fit::new().epochs(3)).unwrap().last().unwrap().loss;
    assert!(second < first, "{second} after {first}");
}

#[test]
fn an_interrupt_keeps_the_weights_and_the_next_cell_trains_again() {
    let _guard = alone();
    let (train, _) = sets(200, 10);
    let model = compiled(linear(), Sgd::new(0.01));
    interrupt::request();
    let history = model.fit(&train, Fit::new().epochs(5)).unwrap();
    assert!(history.is_empty(), "nothing was finished");
    let interrupted = Note::Stopped { at: StoppedAt::InEpoch(1), reason: None };
    assert_eq!(history.stop_reason(), Some(interrupted));
    assert!(model.evaluate(&train).unwrap_err().to_string().contains("interrupted"));
    interrupt::clear();
    assert_eq!(model.fit(&train, Fit::new().epochs(2)).unwrap().len(), 2);
}

#[test]
fn a_diverged_loss_is_an_error_and_model_and_history_stay() {
    let _guard = alone();
    let (train, _) = sets(200, 10);
    let model = compiled(small_cnn(), Sgd::new(1e12));
    let before = model.weight("dense.weight").unwrap();
    let error = model.fit(&train, Fit::new().epochs(5)).unwrap_err();
    assert!(matches!(&error, Error::Invalid { got, .. } if got.contains("NaN")), "{error}");
    assert_eq!(model.weight("dense.weight").unwrap(), before);
    assert!(model.history().is_empty());

    fn explode(epoch: usize, rate: f64) -> f64 {
        if epoch < 2 { rate } else { 1e12 }
    }
    let model = compiled(small_cnn(), RmsProp::new(1e-3));
    let fit = Fit::new().epochs(5).schedule(Schedule::function(explode));
    let error = model.fit(&train, fit).unwrap_err().to_string();
    assert!(error.contains("in epoch 3") && error.contains("those after epoch 2"), "{error}");
    assert_eq!(model.history().len(), 2);
    assert!(model.evaluate(&train).unwrap().loss.is_finite());
    model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    assert_eq!(model.fit(&train, Fit::new()).unwrap().len(), 1, "it can go on");
}

#[test]
fn a_lack_of_memory_is_an_error_and_model_and_history_stay() {
    let _guard = alone();
    let (train, _) = sets(64, 10);
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Hungry::at(4));
    let model = layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu).unwrap();
    let model = compiled(model, Sgd::new(0.01));
    let error = model.fit(&train, Fit::new().epochs(3)).unwrap_err().to_string();
    assert!(error.starts_with("Model::fit: libtorch says: ") && !error.contains('\n'), "{error}");
    assert!(error.ends_with(". Try a smaller batch_size."), "{error}");
    assert_eq!(model.history().len(), 1);
    assert!(model.evaluate(&train).unwrap().loss.is_finite());
    assert_eq!(model.fit(&train, Fit::new()).unwrap().len(), 1, "it can go on");
}

#[test]
fn odd_options_are_noted() {
    let _guard = alone();
    let (train, _) = sets(20, 10);
    let notes = |model: &Model, fit: Fit| model.fit(&train, fit).unwrap().notes();
    let model = compiled(linear(), Sgd::new(0.0));
    let before = model.weight("dense.weight").unwrap();
    let one_step = Note::OneStepEpochs { batch_size: 32, examples: 20 };
    assert_eq!(notes(&model, Fit::new()), [one_step, Note::ZeroLearningRate]);
    assert_eq!(model.weight("dense.weight").unwrap(), before);
    let leak = Note::Leak { validation: true, leaked: 5, examples: 5 };
    assert!(notes(&model, Fit::new().validation(&train.first(5))).contains(&leak));
    let to = Shortened::Training {
        epochs: 2,
        planned_epochs: 9,
        examples: 20,
        all_examples: 20,
        seconds: None,
    };
    let shortened = Note::Shortened { budget: Budget::Ci, to };
    assert!(notes(&model, Fit::new().budget(Budget::Ci).epochs(9)).contains(&shortened));
}

#[test]
fn a_budget_does_not_change_a_short_training() {
    let _guard = alone();
    let (train, test) = sets(40, 10);
    let trained = |budget| {
        runtime::seed(42);
        let model = compiled(linear(), Sgd::new(0.1));
        let how = Fit::new().epochs(20).budget(budget).schedule(Schedule::cosine());
        let history = model.fit(&train, how.validation(&test)).unwrap();
        assert_eq!((history.len(), history.notes()), (20, vec![]));
        model.weight("dense.weight").unwrap()
    };
    assert_eq!(trained(Budget::Class), trained(Budget::Full));
}

#[test]
fn sets_that_do_not_match_are_refused() {
    let _guard = alone();
    let (train, test) = sets(20, 10);
    let model = compiled(linear(), Sgd::new(0.1));
    let error = |set: &TensorSet, fit: Fit| model.fit(set, fit).unwrap_err().to_string();
    let empty = error(&train.first(0), Fit::new());
    assert!(empty.contains("at least one example, got an empty set"), "{empty}");
    let empty = error(&train, Fit::new().validation(&test.first(0)));
    assert!(empty.contains("Fit::validation: expected at least one"), "{empty}");
    let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let others = TensorSet::new(&test.x(), &test.labels().unwrap(), &names).unwrap();
    let message = error(&train, Fit::new().validation(&others));
    assert!(message.contains("the same classes, in the same order"), "{message}");
    let wrong = TensorSet::new(&test.x(), &(test.labels().unwrap() - 9), &names).unwrap();
    let message = error(&wrong, Fit::new());
    assert!(message.contains("labels from 0 to 9, got label -9"), "{message}");
    let both = Fit::new().validation(&test).validation_split(0.2);
    assert!(error(&train, both).contains("one validation set"));
    assert!(error(&train, Fit::new().validation_split(1.0)).contains("below 1"));
    assert!(error(&train, Fit::new().validation_split(0.01)).contains("on each side"));
    assert!(error(&train, Fit::new().schedule(Schedule::step(0, 0.5))).contains("Schedule::step"));
    model.freeze();
    assert!(error(&train, Fit::new()).contains("unfreeze()"));
    let parts = linear()
        .compile(Sgd::new(0.1).learning_rate_at("vgg16", 0.1), Loss::CategoricalCrossEntropy);
    assert!(parts.unwrap_err().to_string().contains("learning_rate_at(\"vgg16\", 0.1)"));
}

#[test]
fn finding_a_learning_rate_changes_nothing() {
    let _guard = alone();
    let (train, _) = sets(300, 10);
    let model = compiled(small_cnn(), RmsProp::new(1e-3));
    let before = model.weight("dense.weight").unwrap();
    let curve = model.find_learning_rate(&train, LearningRateFinder::new().steps(60)).unwrap();
    assert_eq!(model.weight("dense.weight").unwrap(), before);
    let rate = curve.suggestion().unwrap();
    assert!((1e-6..0.1).contains(&rate), "{curve:?}");
    assert!(curve.plot().unwrap().description().contains("falls fastest"), "{curve:?}");
    // The optimizer state has not changed, either.
    let other = compiled(small_cnn(), RmsProp::new(1e-3));
    for name in model.weight_names() {
        other.set_weight(&name, &model.weight(&name).unwrap()).unwrap();
    }
    let loss = |model: &Model| {
        runtime::seed(5);
        model.fit(&train, Fit::new()).unwrap().last().unwrap().loss
    };
    assert_eq!(loss(&model), loss(&other));
    assert!(model.find_learning_rate(&train, LearningRateFinder::new().steps(1)).is_err());
}

#[test]
fn the_slots_of_frozen_weights_survive_the_learning_rate_finder() {
    let _guard = alone();
    let (train, _) = sets(100, 10);
    let [searched, other] = [(), ()].map(|()| {
        runtime::seed(8);
        let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(8));
        let model = layers.add(Relu).add(Dense::new(10)).add(Softmax).build(Device::Cpu);
        compiled(model.unwrap(), Adam::new(1e-3))
    });
    let fit = |model: &Model| {
        runtime::seed(5);
        model.fit(&train, Fit::new()).unwrap();
        model.weight("dense.weight").unwrap()
    };
    assert_eq!(fit(&searched), fit(&other));
    searched.freeze_at("dense").unwrap();
    searched.find_learning_rate(&train, LearningRateFinder::new().steps(10)).unwrap();
    searched.unfreeze_at("dense").unwrap();
    assert_eq!(fit(&searched), fit(&other));
}

/// Makes libtorch fail after a few steps.
#[derive(Debug)]
struct Refused;

impl Optimizer for Refused {
    fn learning_rate(&self) -> f64 {
        0.1
    }
    fn update(&self, weight: &Tensor, gradient: &Tensor, memory: &mut Slots, rate: f64) {
        let mut weight = weight.shallow_clone();
        weight -= gradient * rate;
        if memory.updates() == 3 {
            let _ = weight.view([0]);
        }
    }
}

#[test]
fn an_error_in_the_learning_rate_finder_leaves_the_weights() {
    let _guard = alone();
    let (train, _) = sets(100, 10);
    let model = compiled(linear(), Refused);
    let before = model.weight("dense.weight").unwrap();
    let error =
        model.find_learning_rate(&train, LearningRateFinder::new()).unwrap_err().to_string();
    assert!(error.starts_with("Model::find_learning_rate: libtorch says: shape '[0]'"), "{error}");
    assert_eq!(model.weight("dense.weight").unwrap(), before);
    // The optimizer was refused where no gradients are kept; training keeps them again.
    assert_eq!(model.fit(&train, Fit::new().batch_size(64)).unwrap().len(), 1);
}

#[test]
fn one_output_has_two_classes() {
    let _guard = alone();
    let (train, _) = sets(400, 10);
    // Is the image's first channel brighter than its last, on average?
    let bright =
        |at: i64| train.x().narrow(1, at, 1).mean_dim(&[1i64, 2, 3][..], false, Kind::Float);
    let y = bright(0).gt_tensor(&bright(2)).to_kind(Kind::Int64);
    let set = TensorSet::new(&train.x(), &y, &["blue", "red"]).unwrap();
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(1));
    let model = layers.build(Device::Cpu).unwrap();
    let loss = Loss::binary_cross_entropy();
    assert!(model.compile(Adam::new(1e-3), loss.clone()).is_err());
    model.compile(Adam::new(1e-3), loss.from_logits()).unwrap();
    let fit = Fit::new().epochs(10).metrics([Metric::F1]).shuffle(false);
    let history = model.fit(&set, fit).unwrap();
    let evaluation = model.evaluate(&set).unwrap();
    assert!(evaluation.accuracy > 0.9, "{evaluation:?}");
    assert!((evaluation.metric(Metric::F1) - evaluation.accuracy).abs() < 0.05);
    assert!(history.last().unwrap().value("f1").is_some());
    let predictions = model.predict(&set).unwrap();
    assert_eq!(predictions.accuracy().unwrap(), evaluation.accuracy);
    assert!(predictions.probabilities().rows().into_iter().all(|r| (r.sum() - 1.0).abs() < 1e-5));
}

#[test]
fn a_difference_is_clear_or_chance() {
    let _guard = alone();
    let (train, _) = sets(200, 10);
    let good = compiled(linear(), RmsProp::new(1e-3));
    good.fit(&train, Fit::new().epochs(20)).unwrap();
    let fresh = compiled(linear(), Sgd::new(0.01));
    let (good, fresh) = (good.evaluate(&train).unwrap(), fresh.evaluate(&train).unwrap());
    assert!(good.difference(&fresh).is_significant(), "{:?}", good.difference(&fresh));
    assert!(!good.difference(&good).is_significant());
    let (low, high) = good.accuracy_interval();
    assert!(low < good.accuracy && good.accuracy < high && high - low < 0.13);
    let (low, high) = good.loss_interval();
    assert!(low < good.loss && good.loss < high);
}

#[test]
fn networks_that_do_not_fit_are_refused_before_training() {
    let _guard = alone();
    let (train, _) = sets(50, 10);
    let gray =
        Sequential::new().input_shape([1, 32, 32]).add(Flatten).add(Dense::new(10)).add(Softmax);
    let gray = gray.build(Device::Cpu).unwrap();
    let error = |model: &Model| model.fit(&train, Fit::new()).unwrap_err().to_string();
    assert!(error(&gray).contains("model.compile("), "{}", error(&gray));
    let gray = compiled(gray, Sgd::new(0.1));
    let message = error(&gray);
    assert!(message.contains("expected examples [1, 32, 32], got [3, 32, 32]"), "{message}");
    assert!(message.contains("1 for gray images, 3 for color"), "{message}");

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
    assert_eq!(predictions.accuracy().unwrap(), evaluation.accuracy);
    let rows = predictions.probabilities();
    assert!(rows.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-5));
    let figure = predictions.image_grid(2, 5).unwrap();
    assert!(figure.description().contains("10 images"), "{figure:?}");
    assert!(predictions.image_grid(0, 5).is_err());
}
