//! The network's numbers are PyTorch's and Keras's.
//!
//! The reference values were written by the scripts in `tests/reference/`.

#[path = "common/reference.rs"]
mod reference;

use reference::reference;
use std::collections::HashMap;
use tchalk::prelude::*;
use tchalk::train::Optimizer;

const WEIGHTS: [&str; 6] = [
    "conv2d.weight",
    "conv2d.bias",
    "conv2d_1.weight",
    "conv2d_1.bias",
    "dense.weight",
    "dense.bias",
];

/// The largest difference between two tensors of one shape.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[])
}

/// The network of `cnn.py`, with its weights.
fn network(values: &HashMap<String, Tensor>) -> Model {
    let model = Sequential::new()
        .input_shape([3, 9, 10])
        .add(Conv2d::new(4, 3).padding(Padding::Same))
        .add(Relu)
        .add(Conv2d::new(5, 3))
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Flatten)
        .add(Dense::new(7))
        .add(Softmax)
        .build(Device::Cpu)
        .unwrap();
    for name in WEIGHTS {
        model.set_weight(name, &values[&format!("before.{name}")]).unwrap();
    }
    model
}

/// The network after some epochs of one batch each, and how they went.
fn trained(optimizer: impl Optimizer + 'static, steps: usize) -> (Model, History) {
    let values = reference("cnn");
    let set =
        TensorSet::new(&values["x"], &values["y"], &["a", "b", "c", "d", "e", "f", "g"]).unwrap();
    let model = network(&values);
    model.compile(optimizer, Loss::CategoricalCrossEntropy).unwrap();
    let history = model.fit(&set, Fit::new().epochs(steps).batch_size(6)).unwrap();
    (model, history)
}

fn assert_weights(model: &Model, prefix: &str) {
    let values = reference("cnn");
    for name in WEIGHTS {
        let distance = distance(&model.weight(name).unwrap(), &values[&format!("{prefix}.{name}")]);
        assert!(distance < 1e-5, "{prefix} {name}: {distance:e}");
    }
}

#[test]
fn probabilities_and_loss_are_pytorch_s() {
    let values = reference("cnn");
    let probabilities = network(&values).call(&values["x"]).unwrap();
    assert!(distance(&probabilities, &values["probabilities"]) < 1e-6);
    let (_, history) = trained(Sgd::new(0.0), 1);
    let loss = values["loss"].double_value(&[]);
    assert!((history.last().unwrap().loss - loss).abs() < 1e-6);
}

#[test]
fn gradients_are_pytorch_s() {
    // With a learning rate of 1, the step is the gradient.
    let values = reference("cnn");
    let (model, _) = trained(Sgd::new(1.0), 1);
    for name in WEIGHTS {
        let step = &values[&format!("before.{name}")] - model.weight(name).unwrap();
        let distance = distance(&step, &values[&format!("gradient.{name}")]);
        assert!(distance < 1e-6, "{name}: {distance:e}");
    }
}

#[test]
fn a_step_of_sgd_is_pytorch_s() {
    assert_weights(&trained(Sgd::new(0.1), 1).0, "sgd");
}

#[test]
fn five_steps_with_momentum_are_keras_s() {
    assert_weights(&trained(Sgd::new(0.05).momentum(0.9), 5).0, "momentum");
}

#[test]
fn five_steps_of_rmsprop_with_decay_are_keras_s() {
    assert_weights(&trained(RmsProp::new(1e-2).decay(0.1), 5).0, "rmsprop");
}

#[test]
fn windows_treat_edges_as_keras_does() {
    let values = reference("windows");
    let cases = values.keys().filter(|name| name.starts_with("conv ") || name.starts_with("pool "));
    let mut count = 0;
    for case in cases {
        let parts: Vec<&str> = case.split(' ').collect();
        let number = |at: usize| parts[at].parse::<usize>().unwrap();
        let (size, stride, height, width) = (number(1), number(2), number(4), number(5));
        let padding = if parts[3] == "same" { Padding::Same } else { Padding::Valid };
        let layers = Sequential::new().input_shape([3, height, width]);
        let model = match parts[0] {
            "conv" => layers.add(Conv2d::new(4, size).stride(stride).padding(padding)),
            _ => layers.add(MaxPool2d::new(size).stride(stride).padding(padding)),
        };
        let model = model.build(Device::Cpu).unwrap();
        if parts[0] == "conv" {
            model.set_weight("conv2d.weight", &values[&format!("kernel {size}")]).unwrap();
            model.set_weight("conv2d.bias", &values["bias"]).unwrap();
        }
        let output = model.call(&values[&format!("x {height} {width}")]).unwrap();
        assert_eq!(
            output.size()[1..],
            model.output_shape().iter().map(|&n| n as i64).collect::<Vec<_>>()
        );
        let distance = distance(&output, &values[case]);
        assert!(distance < 1e-5, "{case}: {distance:e}");
        count += 1;
    }
    assert_eq!(count, 96, "the file holds all cases");
}
