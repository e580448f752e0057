//! What a network draws from the seed, and what not.
//!
//! The seed and libtorch's generator belong to the whole process, so these tests run one at a time,
//! and in a process without others.

#[path = "common/alone.rs"]
mod alone;

use alone::alone;
use tchalk::prelude::*;

fn small() -> Model {
    let layers = Sequential::new().input_shape([2, 6, 6]).add(Conv2d::new(2, 3)).add(Relu);
    layers.add(Flatten).add(Dense::new(3)).add(Softmax).build(Device::Cpu).unwrap()
}

#[test]
fn sequential_and_functional_build_the_same_network() {
    let _guard = alone();
    runtime::seed(3);
    let sequential = Sequential::new()
        .input_shape([3, 8, 8])
        .add(Conv2d::new(4, 3))
        .add(Relu)
        .add(Flatten)
        .add(Dense::new(5))
        .build(Device::Cpu)
        .unwrap();
    runtime::seed(3);
    let input = Input::new("input", [3, 8, 8]);
    let x = Relu.call(&Conv2d::new(4, 3).call(&input).unwrap()).unwrap();
    let x = Dense::new(5).call(&Flatten.call(&x).unwrap()).unwrap();
    let functional = Model::new("same", &input, &x, Device::Cpu).unwrap();
    assert_eq!(sequential.weight_names(), functional.weight_names());
    let x = Tensor::ones([2, 3, 8, 8], (Kind::Float, Device::Cpu));
    assert_eq!(sequential.call(&x).unwrap(), functional.call(&x).unwrap());
}

#[test]
fn a_loaded_network_draws_nothing_from_the_seed() {
    let _guard = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    runtime::seed(5);
    small().save(&path).unwrap();
    let first = small().weight("dense.weight").unwrap();
    runtime::seed(5);
    let _ = small();
    Model::load(&path, Device::Cpu).unwrap();
    assert_eq!(small().weight("dense.weight").unwrap(), first);
}
