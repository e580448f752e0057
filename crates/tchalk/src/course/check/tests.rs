//! Networks as people build them, with what is said of them.

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

fn said(model: &Model) -> String {
    let text = format!("{:?}", check::model(model, &digits()));
    println!("{text}\n");
    text
}

#[test]
fn activations_inside_of_layers_are_seen_before_a_softmax() {
    let twice = build(dense(&[128]).add(Dense::new(10).activation(Softmax)).add(Softmax));
    assert!(said(&twice).contains("✘ softmax: there are two Softmaxes in a row"));
    let with = |last: Dense| said(&build(dense(&[128]).add(last).add(Softmax)));
    assert!(with(Dense::new(10).activation(Relu)).contains("! scores: Relu stands between"));
    assert!(with(Dense::new(10).activation(Sigmoid)).contains("✘ scores: a bend stands"));
    assert!(with(Dense::new(10).activation(Tanh)).contains("✘ scores: a bend stands"));
    // As the output itself it is as good as a layer of its own.
    let once = said(&build(dense(&[128]).add(Dense::new(10).activation(Softmax))));
    assert!(!once.contains('✘') && !once.contains('!'), "{once}");
}

#[test]
fn a_pyramid_is_as_large_as_its_widest_layer() {
    let with = |units: &[usize]| said(&build(dense(units).add(Dense::new(10)).add(Softmax)));
    for units in [&[512, 256, 64][..], &[512, 128, 16]] {
        assert!(with(units).contains("✔ size"));
    }
    assert!(with(&[16]).contains("✘ size: a hidden layer of 16"));
    assert!(with(&[64, 32]).contains("! size") && with(&[512, 4]).contains("through 4 numbers"));
}

#[test]
fn an_average_of_softmaxes_is_a_good_end() {
    let input = Input::new("digit", [1, 28, 28]);
    let flat = Flatten.call(&input).unwrap();
    let head = || Softmax.call(&Dense::new(10).call(&flat).unwrap()).unwrap();
    let mean = Average::new().call(&[&head(), &head()]).unwrap();
    let model = Model::new("heads", &input, &mean, Device::Cpu).unwrap();
    let before = said(&model);
    assert!(
        before.contains("✔ end: the mean of several softmaxes") && !before.contains("✘ softmax")
    );
    assert!(before.contains("a single layer"), "heads are not hidden layers: {before}");
    let loss = Loss::categorical_cross_entropy().from_probabilities();
    model.compile(Adam::new(1e-3), loss).unwrap();
    assert!(said(&model).contains("✔ end: the mean of several softmaxes"));
}

#[test]
fn dropout_goes_before_the_last_dense() {
    let layers = dense(&[128]).add(Dense::new(10)).add(Softmax).add(Dropout::new(0.5));
    let text = said(&build(layers));
    assert!(text.contains("Dropout goes before the last Dense") && !text.contains("✘ softmax"));
    let strong = |rate| {
        let layers = dense(&[128]).add(Dropout::new(rate)).add(Dense::new(10)).add(Softmax);
        said(&build(layers))
    };
    assert!(strong(0.8).contains("! dropout") && strong(0.9).contains("✘ dropout"));
}

#[test]
fn pixels_that_are_small_already_are_not_made_smaller() {
    let layers = |scale| {
        let layers = start().add(Rescale::new(scale)).add(Conv2d::new(16, 3)).add(Relu);
        build(layers.add(Flatten).add(Dense::new(10)).add(Softmax))
    };
    assert!(
        said(&layers(1.0 / 255.0)).contains("! pixels: the pixels lie between 0 and 1 already")
    );
    assert!(!said(&layers(2.0)).contains("pixels:"));
    // Where they are bytes still, that is what it takes.
    let x = Tensor::full([4, 1, 28, 28], 255.0, (Kind::Float, Device::Cpu));
    let y = Tensor::zeros([4], (Kind::Int64, Device::Cpu));
    let bytes = TensorSet::new(&x, &y, &["a"; 10]).unwrap();
    let text = format!("{:?}", check::model(&layers(1.0 / 255.0), &bytes));
    assert!(!text.contains("pixels:"), "{text}");
}
