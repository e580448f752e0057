//! Files that version 0.1 wrote still load: a model with every kind of layer, and a checkpoint.

use std::collections::HashMap;
use std::path::PathBuf;
use tchalk::prelude::*;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files/0.1").join(name)
}

/// What version 0.1 computed with the network, and at the end of the whole training.
fn expected() -> HashMap<String, Tensor> {
    Tensor::read_safetensors(file("expected.safetensors")).unwrap().into_iter().collect()
}

/// The numbers that version 0.1 was given, too.
fn wave(shape: &[i64], step: f64) -> Tensor {
    let count = shape.iter().product::<i64>();
    let numbers = Tensor::arange(count, (Kind::Double, Device::Cpu)) * step;
    ((numbers.sin() + 1.0) * 0.5).to_kind(Kind::Float).view(shape)
}

fn assert_close(a: &Tensor, b: &Tensor, name: &str) {
    let difference = (a - b).abs().max().double_value(&[]);
    assert!(difference < 1e-5, "{name}: {difference}");
}

#[test]
fn a_model_with_every_layer_loads_and_gives_the_same_outputs() {
    let model = Model::load(file("every.safetensors"), Device::Cpu).unwrap();
    assert_eq!(model.name(), "every");
    assert!(model.trainable_count() < model.parameter_count(), "the base was saved frozen");
    let outputs = model.call(&wave(&[4, 3, 12, 12], 0.37)).unwrap();
    assert_close(&outputs, &expected()["answers"], "answers");
}

#[test]
fn a_training_resumes_from_an_old_checkpoint() {
    let x = wave(&[64, 1, 8, 8], 0.53);
    let y = Tensor::arange(64, (Kind::Int64, Device::Cpu)).remainder(4);
    let set = TensorSet::new(&x, &y, &["a", "b", "c", "d"]).unwrap();
    let layers = Sequential::new().input_shape([1, 8, 8]).add(Conv2d::new(3, 3)).add(Relu);
    let model = layers.add(Flatten).add(Dense::new(4)).add(Softmax).build(Device::Cpu).unwrap();
    model.compile(Adam::new(3e-3).weight_decay(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    let fit = Fit::new().epochs(5).batch_size(16).validation_split(0.25);
    let fit = fit.schedule(Schedule::cosine().warm_up(1)).metrics([Metric::F1]);
    let fit = fit.callback(MovingAverage::new(0.9)).callback(EarlyStopping::new(5));
    let plateau = ReduceOnPlateau::new(1).factor(0.5).monitor("loss").min_delta(0.5);
    let history = model.fit(&set, fit.callback(plateau).resume(file("checkpoint.safetensors")));
    let losses: Vec<f64> = history.unwrap().epochs().iter().map(|epoch| epoch.loss).collect();
    let expected = expected();
    assert_close(&Tensor::from_slice(&losses), &expected["losses"], "losses");
    for name in model.weight_names() {
        let trained = &expected[&format!("trained.{name}")];
        assert_close(&model.weight(&name).unwrap(), trained, &name);
    }
}
