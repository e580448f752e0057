//! Explanations are those of plain PyTorch with the same weights.
//!
//! The reference values were written by `tests/reference/explain.py`.

use ndarray::Array2;
use std::collections::HashMap;
use tchalk::prelude::*;

fn reference() -> HashMap<String, Tensor> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/explain.safetensors");
    Tensor::read_safetensors(path).unwrap().into_iter().collect()
}

/// The network of `explain.py`, as it is or inside another one.
fn network(values: &HashMap<String, Tensor>, nested: bool) -> Model {
    let base = Sequential::new()
        .input_shape([3, 12, 12])
        .add(Conv2d::new(4, 3))
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(6, 3))
        .add(Relu);
    let (layers, prefix) = match nested {
        true => {
            let base = base.name("base").build(Device::Cpu).unwrap();
            (Sequential::new().input_shape([3, 12, 12]).add(&base), "base/")
        }
        false => (base, ""),
    };
    let model = layers.add(Flatten).add(Dense::new(5)).add(Softmax).build(Device::Cpu).unwrap();
    for name in ["conv2d", "conv2d_1", "dense"] {
        for kind in ["weight", "bias"] {
            let prefix = if name == "dense" { "" } else { prefix };
            let value = &values[&format!("{name}.{kind}")];
            model.set_weight(&format!("{prefix}{name}.{kind}"), value).unwrap();
        }
    }
    model
}

fn assert_close(ours: &[f32], theirs: &Tensor, what: &str) {
    let theirs: Vec<f32> = Vec::try_from(theirs.contiguous().view(-1)).unwrap();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().map(|value| value.abs()).fold(0.0, f32::max);
    assert!(largest > 0.0, "{what}: nothing to compare");
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a - b).abs() < 1e-4 * largest, "{what}: {a} and {b}");
    }
}

fn flat(map: &Array2<f32>) -> Vec<f32> {
    map.iter().copied().collect()
}

#[test]
fn maps_of_all_classes_are_pytorch_s_also_in_a_nested_model() {
    let values = reference();
    let x = values["x"].get(0);
    for (nested, layer) in [(false, "conv2d_1"), (true, "base/conv2d_1")] {
        let cam = explain::grad_cam(&network(&values, nested), layer, &x).unwrap();
        let ours: Vec<f32> = cam.maps().iter().copied().collect();
        assert_close(&ours, &values["grad_cam"], layer);
    }
}

#[test]
fn gradients_are_pytorch_s() {
    let values = reference();
    let (model, x) = (network(&values, false), values["x"].get(0));
    let saliency = explain::saliency(&model, &x, 1).unwrap();
    assert_close(&flat(&saliency.map()), &values["saliency"], "saliency");
    let integrated = explain::integrated_gradients(&model, &x, 2).unwrap();
    assert_close(&flat(&integrated.map()), &values["integrated_gradients"], "integrated gradients");
}

#[test]
fn the_same_seed_finds_the_same_responses() {
    let model = network(&reference(), true);
    let found = || {
        runtime::seed(9);
        explain::responses(&model, "base/conv2d_1").unwrap()
    };
    assert_eq!(found().images(), found().images());
    assert!(found().improved() >= 0.95, "{:?}", found());
}
