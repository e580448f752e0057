//! The built-in digits: a network learns them, and a straight line does not.

use tchalk::prelude::*;

fn compiled(layers: Sequential) -> Model {
    let model = layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu).unwrap();
    model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    model
}

#[test]
fn a_small_cnn_reads_the_strokes_and_a_linear_classifier_does_not() {
    runtime::seed(42);
    let strokes = datasets::strokes().unwrap();
    let train = strokes.train.to_tensors(Device::Cpu);
    let test = strokes.test.to_tensors(Device::Cpu);
    let cnn = compiled(
        Sequential::new()
            .input_shape([1, 28, 28])
            .add(Conv2d::new(16, 3))
            .add(Relu)
            .add(MaxPool2d::new(2))
            .add(Conv2d::new(32, 3))
            .add(Relu)
            .add(MaxPool2d::new(2))
            .add(Flatten)
            .add(Dense::new(64))
            .add(Relu),
    );
    cnn.fit(&train, Fit::new().epochs(6)).unwrap();
    let accuracy = cnn.evaluate(&test).unwrap().accuracy;
    assert!(accuracy > 0.95, "CNN: {accuracy}");
    let line = compiled(Sequential::new().input_shape([1, 28, 28]).add(Flatten));
    line.fit(&train, Fit::new().epochs(20)).unwrap();
    let accuracy = line.evaluate(&test).unwrap().accuracy;
    assert!(accuracy < 0.95, "linear: {accuracy}");
    eprintln!("linear {accuracy}");
}
