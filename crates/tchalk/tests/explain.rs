//! Explanations are those of plain PyTorch with the same weights.
//!
//! The reference values were written by `tests/reference/explain.py`.
//!
//! Gradient ascent depends on the seed, which belongs to the whole process, so these tests run one at a
//! time.

#[path = "common/alone.rs"]
mod alone;
#[path = "common/bundle.rs"]
mod bundle;
#[path = "common/reference.rs"]
mod reference;

use alone::alone;
use bundle::bundle;
use ndarray::Array2;
use reference::reference;
use std::collections::HashMap;
use tchalk::prelude::*;

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
fn grad_cam_is_pytorch_s_also_in_a_nested_model() {
    let values = reference("explain");
    let x = values["x"].get(0);
    for (nested, layer) in [(false, "conv2d_1"), (true, "base/conv2d_1")] {
        let cam = explain::grad_cam(&network(&values, nested), layer, &x).unwrap();
        let ours: Vec<f32> = cam.maps().iter().copied().collect();
        assert_close(&ours, &values["grad_cam"], layer);
    }
}

#[test]
fn gradients_are_pytorch_s() {
    let values = reference("explain");
    let (model, x) = (network(&values, false), values["x"].get(0));
    let saliency = explain::saliency(&model, &x, 1).unwrap();
    assert_close(&flat(&saliency.map()), &values["saliency"], "saliency");
    let integrated = explain::integrated_gradients(&model, &x, 2).unwrap();
    assert_close(&flat(&integrated.map()), &values["integrated_gradients"], "integrated gradients");
}

#[test]
fn activation_maximization_works_in_a_nested_model() {
    let _guard = alone();
    let model = network(&reference("explain"), true);
    let found = explain::activation_maximization(&model, "base/conv2d_1").unwrap();
    assert!(found.improved() >= 0.95, "{found:?}");
}

/// The fraction of a layer's images that activate their kernel more than noise. The figure has every image
/// and is not too large.
fn improved(model: &Model, layer: &str, kernels: usize) -> f64 {
    let kernels: Vec<usize> = (0..kernels).collect();
    let found = explain::ActivationMaximization::new(layer).kernels(&kernels).run(model).unwrap();
    let size = found.figure().unwrap().to_svg(&tchalk::plot::Theme::light()).len();
    eprintln!("{found:?}; {size} bytes");
    assert_eq!(found.images().size()[0], kernels.len() as i64);
    assert!(size < 300_000, "{layer}: {size} bytes");
    found.improved()
}

#[test]
fn activation_maximization_improves_the_kernels_of_a_published_network() {
    let _guard = alone();
    const FILE: &str = "weights/squeezenet1_0_deepcompression.safetensors";
    let Some(folder) = bundle(&[FILE]) else { return };
    let weights = Weights::file(folder.join(FILE));
    let net = applications::squeezenet1_0().weights(weights).input_shape([3, 64, 64]);
    let net = net.build(Device::Cpu).unwrap();
    assert!(improved(&net, "features.0", 96) >= 0.95);
    assert!(improved(&net, "features.3.squeeze", 16) >= 0.95);
}

#[test]
fn activation_maximization_improves_the_kernels_of_a_trained_network() {
    let _guard = alone();
    runtime::seed(3);
    let block = |layers: Sequential, filters| {
        let layers = layers.add(Conv2d::new(filters, 3).activation(Relu));
        layers.add(MaxPool2d::new(2))
    };
    let layers = block(block(Sequential::new().input_shape([3, 32, 32]), 16), 32);
    let layers = layers.add(Flatten).add(Dense::new(10)).add(Softmax);
    let model = layers.build(Device::Cpu).unwrap();
    model.compile(RmsProp::new(2e-3), Loss::CategoricalCrossEntropy).unwrap();
    let train = datasets::shapes().unwrap().train.take(600).to_tensors(Device::Cpu);
    model.fit(&train, Fit::new().epochs(2).batch_size(32)).unwrap();
    for (layer, kernels) in [("conv2d", 16), ("conv2d_1", 32)] {
        assert!(improved(&model, layer, kernels) >= 0.95, "{layer} of {model:?}");
    }
}
