//! Ensembles that train their members, on the built-in shapes.

#[path = "common/alone.rs"]
mod alone;
#[path = "common/refused.rs"]
mod refused;
#[path = "common/shapes.rs"]
mod shapes;

use alone::alone;
use refused::{assert_invalid, refused};
use shapes::sets;
use tchalk::Error;
use tchalk::prelude::*;
use tchalk::train::{Callback, CallbackResult, Run};
use tchalk::train::{Note, Shortened};

/// A small network for pooled images, compiled with this learning rate.
fn network(pool: usize, learning_rate: f64) -> Model {
    let layers = Sequential::new().input_shape([3, 32, 32]).add(MaxPool2d::new(pool));
    let layers = layers.add(Flatten).add(Dense::new(10)).add(Softmax);
    let model = layers.build(Device::Cpu).unwrap();
    model.compile(RmsProp::new(learning_rate), Loss::CategoricalCrossEntropy).unwrap();
    model
}

fn weights(model: &Model) -> Vec<f32> {
    let weight = model.weight("dense.weight").unwrap().contiguous().view(-1);
    Vec::<f32>::try_from(weight).unwrap()
}

/// Interrupts when the training of this number begins, counted from 1.
#[derive(Debug)]
struct InterruptTraining(usize);

impl Callback for InterruptTraining {
    fn on_train_begin(&mut self, _run: &mut Run) -> CallbackResult {
        self.0 -= 1;
        if self.0 == 0 {
            runtime::interrupt::request();
        }
        Ok(())
    }
}

#[test]
fn members_differ_and_the_same_seed_gives_the_same_members() {
    let _alone = alone();
    let (train, test) = sets(300, 200);
    let run = || {
        runtime::seed(7);
        let model = network(4, 1e-3);
        let before = weights(&model);
        let ensemble = Ensemble::train(&model, 3, &train, Fit::new().epochs(2)).unwrap();
        assert_eq!(weights(&model), before, "the reader's own network is not trained");
        assert!(model.history().is_empty());
        ensemble
    };
    let ensemble = run();
    assert_eq!(ensemble.members(), ["sequential #1", "sequential #2", "sequential #3"]);
    let models = ensemble.models();
    assert_ne!(weights(&models[0]), weights(&models[1]));
    assert!(ensemble.compare(&test).unwrap().disagreement()[[0, 1]] > 0.0);
    let histories = ensemble.histories();
    assert_eq!(histories.iter().map(History::len).collect::<Vec<_>>(), [2, 2, 2]);
    assert!(histories[1].notes().contains(&"member 2 of 3".into()), "{:?}", histories[1]);
    assert!(ensemble.plot().unwrap().description().contains("sequential #3"));
    assert!(Ensemble::average(&[&models[0]]).unwrap().plot().is_err());
    let again = run();
    let said = |ensemble: &Ensemble| ensemble.predict(&test).unwrap().probabilities();
    assert_eq!(said(&again), said(&ensemble));
    let notes = ensemble.evaluate(&train).unwrap().notes();
    assert!(notes[0].is_leak(), "{notes:?}");
    assert!(ensemble.evaluate(&test).unwrap().notes().is_empty());
}

#[test]
fn every_member_keeps_the_frozen_weights() {
    let _alone = alone();
    let (train, _) = sets(100, 10);
    let base = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(4, 3).stride(4));
    let base = base.name("base").build(Device::Cpu).unwrap();
    base.freeze();
    let model = Sequential::new().add(&base).add(Flatten).add(Dense::new(10)).add(Softmax);
    let model = model.build(Device::Cpu).unwrap();
    model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    let ensemble = Ensemble::train(&model, 2, &train, Fit::new()).unwrap();
    for member in ensemble.models() {
        let weight = |model: &Model| model.weight("base/conv2d.weight").unwrap();
        assert_eq!(weight(&member), weight(&model));
        assert_ne!(weights(&member), weights(&model));
    }
}

#[test]
fn snapshots_are_taken_at_low_learning_rates() {
    let _alone = alone();
    let (train, test) = sets(300, 200);
    let model = network(4, 1e-3);
    let ensemble = Ensemble::snapshots(&model, 3, &train, Fit::new().epochs(6)).unwrap();
    assert_eq!(ensemble.members(), ["snapshot 1", "snapshot 2", "snapshot 3"]);
    let histories = ensemble.histories();
    let numbers = |history: &History| history.epochs().iter().map(|e| e.number).collect::<Vec<_>>();
    assert_eq!(histories.iter().map(numbers).collect::<Vec<_>>(), [[1, 2], [3, 4], [5, 6]]);
    for history in &histories {
        let rates = history.values("rate").unwrap();
        assert!(rates[1] < 0.1 * rates[0] && rates[1] < 1e-4, "{rates:?}");
    }
    // Each cycle continues where the one before it ended.
    assert!(histories[1].epochs()[0].loss < histories[0].epochs()[0].loss);
    let models = ensemble.models();
    assert_ne!(weights(&models[0]), weights(&models[1]));
    assert!(ensemble.compare(&test).unwrap().gain().is_ok());
    let notes = ensemble.evaluate(&train).unwrap().notes();
    assert!(notes[0].is_leak(), "{notes:?}");
    let message = refused(Ensemble::snapshots(&model, 4, &train, Fit::new().epochs(6)));
    assert!(
        message.contains("6 epochs for 4 cycles") && message.contains(".epochs(8)"),
        "{message}"
    );
    let how = Fit::new().epochs(4).schedule(Schedule::cosine());
    assert_invalid(Ensemble::snapshots(&model, 2, &train, how), "Ensemble::snapshots", "");
    assert_invalid(Ensemble::snapshots(&model, 0, &train, Fit::new()), "Ensemble::snapshots", "0");
}

#[test]
fn a_useless_member_does_not_harm_a_stack() {
    let _alone = alone();
    runtime::seed(3);
    let (train, test) = sets(800, 500);
    // The second never learns anything.
    let (good, useless) = (network(2, 1e-3), network(16, 0.0));
    let how = Fit::new().epochs(40);
    let stack = Ensemble::stacked(&[&good, &useless], 4, &train, how).unwrap();
    let weights = stack.weights();
    assert!(weights[0] > 0.3 && weights[1].abs() < 0.5 * weights[0], "{weights:?}");
    let comparison = stack.compare(&test).unwrap();
    eprintln!("{stack:?}\n{comparison:?}");
    let accuracies = comparison.accuracies().unwrap();
    let alone = accuracies[0];
    assert!(alone > 0.18, "the good member is far above chance: {alone}");
    assert!(accuracies[2] >= alone - 0.03, "{comparison:?}");
    let one = Ensemble::average(&[&stack.models()[0]]).unwrap().evaluate(&test).unwrap();
    let all = stack.evaluate(&test).unwrap();
    assert!(all.loss <= one.loss + 0.02, "{all:?} and {one:?}");
    let average: Vec<Model> = stack.models();
    let average = Ensemble::average(&[&average[0], &average[1]]).unwrap();
    assert!(all.loss < average.evaluate(&test).unwrap().loss);
    assert_eq!(stack.predict(&test).unwrap().accuracy().unwrap(), all.accuracy);
    let text = format!("{stack:?}");
    assert!(text.starts_with("stack of 2 members: sequential #1 ("), "{text}");
}

#[test]
fn the_same_seed_gives_the_same_stack() {
    let _alone = alone();
    let (train, test) = sets(120, 60);
    let said = || {
        runtime::seed(11);
        let models = [network(8, 1e-3), network(16, 1e-3)];
        let stack = Ensemble::stacked(&[&models[0], &models[1]], 3, &train, Fit::new().epochs(2));
        stack.unwrap().predict(&test).unwrap().probabilities()
    };
    assert_eq!(said(), said());
}

#[test]
fn a_stack_fitted_on_training_examples_has_a_note() {
    let _alone = alone();
    let (train, test) = sets(300, 300);
    let models = [network(4, 1e-3), network(8, 1e-3)];
    for model in &models {
        model.fit(&train, Fit::new().epochs(3)).unwrap();
    }
    let both = [&models[0], &models[1]];
    let honest = Ensemble::stacked_on(&both, &test).unwrap();
    assert!(honest.notes().is_empty(), "{honest:?}");
    let again = honest.evaluate(&test).unwrap().notes();
    assert_eq!(again[0], Note::FittedOnThisSet);
    for flattered in
        [Ensemble::stacked_on(&both, &train), Ensemble::weighted(&both, &train.first(50))]
    {
        let flattered = flattered.unwrap();
        let notes = flattered.notes();
        let leaks = |note: &Note| matches!(note, Note::FittedOnMembersExamples { member, .. } if member == "sequential #2");
        assert!(notes.len() == 2 && leaks(&notes[1]), "{notes:?}");
        assert!(format!("{flattered:?}").contains(&notes[1].to_string()));
    }
}

#[test]
fn an_interrupt_keeps_the_finished_members() {
    let _alone = alone();
    let (train, test) = sets(120, 60);
    let models = [network(8, 1e-3), network(16, 1e-3)];
    let both = [&models[0], &models[1]];
    let stopping = |training| Fit::new().epochs(2).callback(InterruptTraining(training));
    let kept = |ensemble: tchalk::Result<Ensemble>| {
        runtime::interrupt::clear();
        let ensemble = ensemble.unwrap();
        let notes = ensemble.notes();
        assert!(matches!(notes[..], [Note::UnfinishedMembers { reason: None, .. }]), "{notes:?}");
        assert_eq!(ensemble.predict(&test).unwrap().len(), 60);
        assert!(format!("{ensemble:?}").contains(&notes[0].to_string()));
        (ensemble.members().len(), ensemble.histories().len())
    };
    assert_eq!(kept(Ensemble::train(&models[0], 3, &train, stopping(3))), (2, 2));
    assert_eq!(kept(Ensemble::snapshots(&models[0], 2, &train, stopping(2))), (1, 1));
    // Two folds and all examples make three trainings a member.
    assert_eq!(kept(Ensemble::stacked(&both, 2, &train, stopping(5))), (1, 1));
    for training in 1..=3 {
        let error = Ensemble::stacked(&both, 2, &train, stopping(training)).unwrap_err();
        runtime::interrupt::clear();
        assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    }
}

#[test]
fn the_members_share_a_budget() {
    let _alone = alone();
    let (train, _) = sets(2_000, 10);
    let how = Fit::new().epochs(10).budget(runtime::Budget::Ci);
    let ensemble = Ensemble::train(&network(8, 1e-3), 2, &train, how).unwrap();
    let to = Shortened::EachTraining { trainings: 2, examples: 500, all_examples: 2_000 };
    assert_eq!(ensemble.notes(), [Note::Shortened { budget: runtime::Budget::Ci, to }]);
    assert_eq!(ensemble.histories()[1].len(), 2);
    assert_eq!(ensemble.evaluate(&train.first(501)).unwrap().notes().len(), 1);
}

#[test]
fn wrong_arguments_are_refused() {
    let _alone = alone();
    let (train, _) = sets(40, 10);
    let model = network(8, 1e-3);
    let fit = || Fit::new().epochs(1);
    assert_invalid(Ensemble::train(&model, 0, &train, fit()), "Ensemble::train", "0");
    let message = refused(Ensemble::train(&model, 2, &train, fit().resume("there")));
    assert!(message.contains("got Fit::resume"), "{message}");
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    let open = layers.add(Softmax).build(Device::Cpu).unwrap();
    assert_invalid(Ensemble::train(&open, 2, &train, fit()), "Ensemble::train", "compiled");
    assert_invalid(Ensemble::snapshots(&open, 1, &train, fit()), "Ensemble::snapshots", "compiled");
    let both = [&model, &open];
    assert_invalid(Ensemble::stacked(&both, 2, &train, fit()), "Ensemble::stacked", "compiled");
    assert_invalid(Ensemble::stacked(&[], 2, &train, fit()), "Ensemble::stacked", "none");
    for folds in [0, 1, 41] {
        let message = refused(Ensemble::stacked(&[&model], folds, &train, fit()));
        assert!(message.contains("2 to 40 folds"), "{message}");
    }
    let unlabeled = datasets::shapes().unwrap().train.take(40);
    let images = unlabeled.images();
    let unlabeled = Split::new("nameless", images, Vec::new(), unlabeled.class_names()).unwrap();
    let unlabeled = unlabeled.to_tensors(Device::Cpu);
    assert_invalid(Ensemble::train(&model, 2, &unlabeled, fit()), "Model::fit", "labels");
    let one = [&model];
    assert_invalid(Ensemble::stacked(&one, 2, &unlabeled, fit()), "Ensemble::stacked", "labels");
    assert_invalid(Ensemble::stacked_on(&one, &unlabeled), "Ensemble::stacked_on", "labels");
    model.freeze();
    assert_invalid(Ensemble::train(&model, 2, &train, fit()), "Model::fit", "frozen");
}
