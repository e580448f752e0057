//! What is drawn from the seed, and what not.
//!
//! The seed and libtorch's generator belong to the whole process, so these tests run one at a time,
//! and in a process without others.

#[path = "common/alone.rs"]
mod alone;

use alone::alone;
use tchalk::layers::Mode;
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

#[test]
fn the_same_seed_draws_the_same_map() {
    let _guard = alone();
    let points = Pca::new(10).fit_transform(&datasets::shapes().unwrap().train.take(150)).unwrap();
    let map = |seed: u64| {
        runtime::seed(seed);
        Tsne::new(2).perplexity(5.0).iterations(60).fit(&points).unwrap().points()
    };
    assert_eq!(map(5), map(5));
    assert_ne!(map(5), map(6));
}

#[test]
fn the_same_seed_finds_the_same_images() {
    let _guard = alone();
    runtime::seed(3);
    let layers = Sequential::new().input_shape([3, 12, 12]).add(Conv2d::new(4, 3)).add(Relu);
    let layers = layers.add(Flatten).add(Dense::new(5)).add(Softmax);
    let model = layers.build(Device::Cpu).unwrap();
    let found = |seed: u64| {
        runtime::seed(seed);
        explain::activation_maximization(&model, "conv2d").unwrap().images()
    };
    assert_eq!(found(9), found(9));
    assert_ne!(found(9), found(8));
}

#[test]
fn the_same_seed_leaves_out_the_same() {
    let _guard = alone();
    let x = Tensor::ones([1_000], (Kind::Float, Device::Cpu));
    let dropped = |seed: i64| {
        tch::manual_seed(seed);
        Dropout::new(0.3).forward(&x, &[], Mode::Training)
    };
    assert_eq!(dropped(5), dropped(5));
    assert_ne!(dropped(5), dropped(6));
}

#[test]
fn augmentation_leaves_libtorch_s_generator_alone() {
    let _guard = alone();
    let any = (Kind::Float, Device::Cpu);
    let everything = Augmentation::new()
        .random_flip()
        .random_crop(2)
        .random_rotation(20.0)
        .random_shift(0.1)
        .random_zoom(0.2)
        .random_brightness(0.2)
        .random_contrast(0.3)
        .random_erasing(3);
    tch::manual_seed(3);
    let expected = Tensor::rand([4], any);
    tch::manual_seed(3);
    let _ = everything.apply(&Tensor::zeros([6, 3, 8, 9], any), 1).unwrap();
    assert_eq!(Tensor::rand([4], any), expected);
}
