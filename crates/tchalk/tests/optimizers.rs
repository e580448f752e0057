//! Optimizers, schedules and losses give PyTorch's and Keras's numbers.
//!
//! The reference values were written by `tests/reference/train.py`.

#[path = "common/reference.rs"]
mod reference;

use reference::reference;
use std::collections::HashMap;
use tchalk::prelude::*;
use tchalk::train::Optimizer;

const WEIGHTS: [&str; 4] = ["dense.weight", "dense.bias", "dense_1.weight", "dense_1.bias"];
/// As many as the script makes.
const STEPS: usize = 20;
/// Four of its steps are an epoch.
const PER_EPOCH: usize = 4;

/// The network of `train.py`, with its weights; it ends in Softmax where `softmax` says so, in scores
/// where not.
fn network(values: &HashMap<String, Tensor>, softmax: bool) -> Model {
    let layers = Sequential::new().input_shape([6]).add(Dense::new(9)).add(Relu);
    let layers = layers.add(Dense::new(4));
    let layers = if softmax { layers.add(Softmax) } else { layers };
    let model = layers.build(Device::Cpu).unwrap();
    for name in WEIGHTS {
        model.set_weight(name, &values[&format!("start.{name}")]).unwrap();
    }
    model
}

fn batch(values: &HashMap<String, Tensor>) -> TensorSet {
    TensorSet::new(&values["x"], &values["y"], &["a", "b", "c", "d"]).unwrap()
}

/// Twenty steps on the one batch, and how far each weight is then from the reference's.
fn assert_steps(case: &str, optimizer: impl Optimizer + 'static, fit: Fit) {
    let values = reference("train");
    let model = network(&values, true);
    model.compile(optimizer, Loss::CategoricalCrossEntropy).unwrap();
    model.fit(&batch(&values), fit.epochs(STEPS).batch_size(12)).unwrap();
    for name in WEIGHTS {
        let expected = &values[&format!("{case}.{name}")];
        let distance = (model.weight(name).unwrap() - expected).abs().max().double_value(&[]);
        assert!(distance < 1e-5, "{case} {name}: {distance:e}");
    }
}

fn assert_optimizer(case: &str, optimizer: impl Optimizer + 'static) {
    assert_steps(case, optimizer, Fit::new());
}

#[test]
fn twenty_steps_are_pytorch_s() {
    assert_optimizer("torch sgd", Sgd::new(0.1));
    assert_optimizer("torch momentum", Sgd::new(0.1).momentum(0.9));
    assert_optimizer("torch nesterov", Sgd::new(0.1).momentum(0.9).nesterov());
    // Without an epsilon to speak of, its place in the formula makes no difference.
    assert_optimizer("torch rmsprop", RmsProp::new(1e-2).epsilon(1e-20));
    assert_optimizer("torch adam", Adam::new(1e-2).epsilon(1e-12));
    assert_optimizer("torch adamw", AdamW::new(1e-2).epsilon(1e-12).weight_decay(0.1));
    assert_optimizer("torch parts", Sgd::new(0.1).learning_rate_at("dense", 0.1));
}

#[test]
fn clipping_is_pytorch_s() {
    assert_optimizer("torch global_clip_norm", Sgd::new(0.1).global_clip_norm(0.1));
    assert_optimizer("torch clip_norm", Sgd::new(0.1).clip_norm(0.1));
    assert_optimizer("torch clip_value", Sgd::new(0.1).clip_value(0.02));
    assert_optimizer("keras global_clip_norm", Adam::new(1e-2).global_clip_norm(0.1));
}

#[test]
fn twenty_steps_are_keras_s() {
    assert_optimizer("keras nesterov", Sgd::new(0.1).momentum(0.9).nesterov());
    assert_optimizer("keras decayed_sgd", Sgd::new(0.1).weight_decay(0.05));
    assert_optimizer("keras rmsprop", RmsProp::new(1e-2).decay(0.05));
    assert_optimizer("keras rmsprop_momentum", RmsProp::new(1e-2).momentum(0.5));
    assert_optimizer("keras adam", Adam::new(1e-2));
    assert_optimizer("keras adamw", AdamW::new(1e-2));
}

#[test]
fn a_walk_along_a_schedule_is_pytorch_s_and_keras_s() {
    let fit = || Fit::new().schedule(Schedule::cosine());
    assert_steps("torch cosine", Sgd::new(0.1), fit());
    assert_steps("keras cosine", Sgd::new(0.1).momentum(0.9), fit());
}

#[test]
fn the_rates_of_schedules_are_pytorch_s() {
    let values = reference("train");
    let cases = [
        ("step", Schedule::step(2, 0.1)),
        ("exponential", Schedule::exponential(0.7)),
        ("linear", Schedule::linear(0.2)),
        ("cosine", Schedule::cosine()),
        ("cycles", Schedule::cosine_cycles(2)),
        ("one_cycle", Schedule::one_cycle()),
        ("warm_up", Schedule::cosine().warm_up(2)),
    ];
    for (name, schedule) in cases {
        let rates = schedule.learning_rates(0.1, STEPS / PER_EPOCH, PER_EPOCH).unwrap();
        let expected = Vec::<f64>::try_from(&values[&format!("rates {name}")]).unwrap();
        for (rate, expected) in rates.iter().zip(&expected) {
            assert!((rate - expected).abs() < 1e-9, "{name}: {rates:?}, not {expected:?}");
        }
        assert_eq!(rates.len(), STEPS);
    }
}

#[test]
fn losses_are_pytorch_s_and_keras_s() {
    let values = reference("train");
    let weights = [0.5, 1.0, 2.0, 3.0];
    let categorical = Loss::categorical_cross_entropy;
    let binary = Loss::binary_cross_entropy;
    // The network ends in Softmax where the second value says so.
    let cases = [
        ("cross_entropy", true, categorical()),
        ("cross_entropy", false, categorical().from_logits()),
        ("smoothed", true, categorical().label_smoothing(0.1)),
        ("weighted", true, categorical().class_weights(weights)),
        ("probabilities", true, categorical().label_smoothing(0.1)),
        ("binary_logits", false, binary().from_logits()),
        ("binary", true, binary().label_smoothing(0.1)),
        ("squared", true, Loss::mean_squared_error()),
    ];
    for (name, softmax, loss) in cases {
        let model = network(&values, softmax);
        model.compile(Sgd::new(0.0), loss).unwrap();
        let found = model.evaluate(&batch(&values)).unwrap().loss;
        let expected = values[&format!("loss {name}")].double_value(&[]);
        assert!((found - expected).abs() < 1e-6, "{name}: {found}, not {expected}");
    }
}
