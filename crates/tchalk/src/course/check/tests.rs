//! Networks as people build them, with what is found.

use super::Finding::{self, *};
use crate::course::checklist::Severity::{self, Advice, Good, Problem};
use crate::prelude::*;

fn digits() -> TensorSet {
    crate::datasets::strokes().unwrap().train.take(20).to_tensors(Device::Cpu)
}

fn start() -> Sequential {
    Sequential::new().input_shape([1, 28, 28])
}

fn build(layers: Sequential) -> Model {
    layers.build(Device::Cpu).unwrap()
}

fn dense(units: &[usize]) -> Sequential {
    units.iter().fold(start().add(Flatten), |layers, &n| layers.add(Dense::new(n)).add(Relu))
}

/// Whether this was found in the network, as grave as this.
fn found(model: &Model, severity: Severity, finding: Finding) -> bool {
    let list = check::model(model, &digits());
    println!("{list:?}\n");
    list.findings().contains(&(severity, finding))
}

#[test]
fn activations_inside_layers_are_seen_before_a_softmax() {
    let twice = build(dense(&[128]).add(Dense::new(10).activation(Softmax)).add(Softmax));
    assert!(found(&twice, Problem, TwoSoftmaxes));
    let with = |last: Dense| build(dense(&[128]).add(last).add(Softmax));
    assert!(found(&with(Dense::new(10).activation(Relu)), Advice, NegativeLogitsCutOff));
    assert!(found(&with(Dense::new(10).activation(Sigmoid)), Problem, LimitedLogits));
    assert!(found(&with(Dense::new(10).activation(Tanh)), Problem, LimitedLogits));
    // As the output itself it is as good as a layer of its own.
    let once =
        check::model(&build(dense(&[128]).add(Dense::new(10).activation(Softmax))), &digits());
    assert!(once.passes() && once.advice().is_empty(), "{once:?}");
}

#[test]
fn a_pyramid_is_as_large_as_its_widest_layer() {
    let with = |units: &[usize]| build(dense(units).add(Dense::new(10)).add(Softmax));
    for units in [&[512, 256, 64][..], &[512, 128, 16]] {
        assert!(found(&with(units), Good, SizeFits));
    }
    assert!(found(&with(&[16]), Problem, TooFewUnits));
    assert!(found(&with(&[64, 32]), Advice, FewUnits));
    assert!(found(&with(&[512, 4]), Problem, Bottleneck));
}

#[test]
fn an_average_of_softmaxes_is_a_good_end() {
    let input = Input::new("digit", [1, 28, 28]);
    let flat = Flatten.call(&input).unwrap();
    let head = || Softmax.call(&Dense::new(10).call(&flat).unwrap()).unwrap();
    let mean = Average::new().call(&[&head(), &head()]).unwrap();
    let model = Model::new("heads", &input, &mean, Device::Cpu).unwrap();
    assert!(found(&model, Good, AveragesSoftmaxes));
    let list = check::model(&model, &digits());
    assert!(list.has(SingleLayer), "heads are not hidden layers: {list:?}");
    let loss = Loss::categorical_cross_entropy().from_probabilities();
    model.compile(Adam::new(1e-3), loss).unwrap();
    assert!(found(&model, Good, AveragesSoftmaxes));
}

#[test]
fn dropout_goes_before_the_last_dense() {
    let layers = dense(&[128]).add(Dense::new(10)).add(Softmax).add(Dropout::new(0.5));
    assert_eq!(check::model(&build(layers), &digits()).problems(), [DropsAnswers]);
    let strong =
        |rate| build(dense(&[128]).add(Dropout::new(rate)).add(Dense::new(10)).add(Softmax));
    assert!(found(&strong(0.8), Advice, StrongDropout));
    assert!(found(&strong(0.9), Problem, StrongDropout));
}

#[test]
fn pixels_are_not_scaled_twice() {
    let layers = |scale| {
        let layers = start().add(Rescale::new(scale)).add(Conv2d::new(16, 3)).add(Relu);
        build(layers.add(Flatten).add(Dense::new(10)).add(Softmax))
    };
    assert!(found(&layers(1.0 / 255.0), Advice, PixelsScaledTwice));
    assert!(!found(&layers(2.0), Advice, PixelsScaledTwice));
    // Where they are still bytes, that is what it takes.
    let x = Tensor::full([4, 1, 28, 28], 255.0, (Kind::Float, Device::Cpu));
    let y = Tensor::zeros([4], (Kind::Int64, Device::Cpu));
    let bytes = TensorSet::new(&x, &y, &["a"; 10]).unwrap();
    assert!(!check::model(&layers(1.0 / 255.0), &bytes).has(PixelsScaledTwice));
}

/// How a list reads.
#[test]
fn the_list_in_words() {
    let layers = start().add(Conv2d::new(16, 3)).add(Conv2d::new(16, 3)).add(Flatten);
    let list = check::model(&build(layers.add(Dense::new(9)).add(Softmax)), &digits());
    assert_eq!(
        format!("{list:?}"),
        "✔ input: it takes images [1, 28, 28].\n\
         ✘ output: it answers with 9 numbers, but there are 10 classes, and each needs one. Let the \
         last Dense be Dense::new(10).\n\
         ✔ end: Softmax: probabilities that add up to 1.\n\
         ✘ activations: there is no activation between its 3 layers of weights, and a sum of sums is \
         only a sum: together they can do hardly more than one of them. Add Relu after each Conv2d \
         and each Dense but the last.\n\
         ✔ kind: convolutional: 2 layers with 32 kernels in all. It finds a pattern wherever it is.\n\
         ✔ size: 85,433 parameters: a good size for this task.\n\
         your network: 2 things to fix. Begin with the first ✘."
    );
}
