//! Training on several devices, tested with replicas on the CPU: the results are those of one device.
//!
//! Interrupts, seed and libtorch's generator belong to the whole process, so these tests run one at
//! a time.

#[path = "common/alone.rs"]
mod alone;
#[path = "common/hungry.rs"]
mod hungry;
#[path = "common/mirror.rs"]
mod mirror;
#[path = "common/shapes.rs"]
mod shapes;

use alone::alone;
use hungry::Hungry;
use mirror::Mirror;
use shapes::sets;
use std::sync::{Arc, Mutex};
use tchalk::prelude::*;
use tchalk::runtime::interrupt;
use tchalk::train::{Callback, CallbackResult, Note, Optimizer, Run, StoppedAt};

const TWO: [Device; 2] = [Device::Cpu; 2];
const THREE: [Device; 3] = [Device::Cpu; 3];

fn built(layers: Sequential) -> Model {
    runtime::seed(3);
    layers.build(Device::Cpu).unwrap()
}

/// A small CNN, always with the same weights.
fn cnn() -> Model {
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(6, 3)).add(Relu);
    let layers = layers.add(MaxPool2d::new(2)).add(Conv2d::new(8, 3)).add(Relu);
    built(layers.add(MaxPool2d::new(4)).add(Flatten).add(Dense::new(10)).add(Softmax))
}

/// A classifier on a frozen base that has dropout in it, which does nothing there.
fn transfer() -> Model {
    let base = Sequential::new().input_shape([3, 32, 32]).name("base").add(Conv2d::new(8, 3));
    let base = built(base.add(Relu).add(Dropout::new(0.5)).add(MaxPool2d::new(4)));
    base.freeze();
    let layers = Sequential::new().add(&base).add(Flatten).add(Dense::new(16)).add(Relu);
    built(layers.add(Dense::new(10)).add(Softmax))
}

fn with_dropout() -> Model {
    let layers = Sequential::new().input_shape([3, 32, 32]).add(MaxPool2d::new(4)).add(Flatten);
    let layers = layers.add(Dense::new(32)).add(Relu).add(Dropout::new(0.5));
    built(layers.add(Dense::new(10)).add(Softmax))
}

fn with_batch_norm() -> Model {
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(4, 3));
    let layers = layers.add(BatchNorm2d::new().momentum(0.5)).add(Relu).add(MaxPool2d::new(4));
    built(layers.add(Flatten).add(Dense::new(10)).add(Softmax))
}

/// Trains from one and the same seed.
fn fitted(
    model: &Model,
    optimizer: impl Optimizer + 'static,
    train: &TensorSet,
    how: Fit,
) -> History {
    let weights: Vec<f64> = (0..10).map(|class| 0.5 + f64::from(class) / 5.0).collect();
    let loss = Loss::categorical_cross_entropy().label_smoothing(0.1).class_weights(weights);
    model.compile(optimizer, loss).unwrap();
    runtime::seed(4);
    model.fit(train, how).unwrap()
}

/// How far the weights of two networks are apart at most: the length of the difference of a weight
/// tensor, against its own.
fn apart(one: &Model, other: &Model) -> f64 {
    let distance = |name: &String| {
        let (a, b) = (one.weight(name).unwrap(), other.weight(name).unwrap());
        let length = a.norm().double_value(&[]);
        (a - b).norm().double_value(&[]) / length.max(1e-3)
    };
    one.weight_names().iter().map(distance).fold(0.0, f64::max)
}

fn assert_alike(one: &History, other: &History) {
    assert_eq!(one.len(), other.len());
    for (a, b) in one.epochs().iter().zip(other.epochs()) {
        assert!((a.loss - b.loss).abs() < 1e-6, "{a:?} {b:?}");
        assert_eq!((a.accuracy, a.val_accuracy), (b.accuracy, b.val_accuracy));
        assert!((a.value("f1").unwrap() - b.value("f1").unwrap()).abs() < 1e-12);
    }
}

#[test]
fn gradients_of_the_parts_add_up_to_those_of_the_batch() {
    let _guard = alone();
    // With a learning rate of 1 the step is the gradient.
    for examples in [32, 31, 2, 1] {
        let (train, _) = sets(examples, 1);
        let (one, several, before) = (cnn(), cnn(), cnn());
        fitted(&one, Sgd::new(1.0), &train, Fit::new());
        fitted(&several, Sgd::new(1.0), &train, Fit::new().devices(THREE));
        for name in before.weight_names() {
            let step = |model: &Model| before.weight(&name).unwrap() - model.weight(&name).unwrap();
            let (a, b) = (step(&one), step(&several));
            let size = a.abs().max().double_value(&[]);
            let distance = (a - b).abs().max().double_value(&[]);
            // Sums over places and differences of weights, each with last digits of its own.
            let weight = before.weight(&name).unwrap().abs().max().double_value(&[]);
            assert!(
                size > 1e-4 && distance < 1e-6 * size.max(weight).max(1.0),
                "{name}: {distance:e} of {size}"
            );
        }
    }
}

#[test]
fn the_weights_are_those_of_one_device() {
    let _guard = alone();
    // The last of four batches is a single example: one replica for it, and two with nothing to do.
    let (train, test) = sets(49, 20);
    let fit = || Fit::new().epochs(3).batch_size(16).validation(&test).metrics([Metric::F1]);
    for devices in [&TWO[..], &THREE[..]] {
        let (one, several) = (cnn(), cnn());
        let optimizer = || Sgd::new(0.02).momentum(0.9).weight_decay(1e-3).global_clip_norm(1.0);
        let expected = fitted(&one, optimizer(), &train, fit());
        let history = fitted(&several, optimizer(), &train, fit().devices(devices));
        assert_alike(&expected, &history);
        let distance = apart(&one, &several);
        assert!(distance < 1e-6, "{distance:e}");
        assert!(apart(&cnn(), &several) > 1e-2, "it has learned");
    }
    let history = fitted(&cnn(), Sgd::new(0.02), &train, fit().devices(TWO));
    assert_eq!(history.notes(), [Note::Replicas { devices: vec!["cpu".into(); 2] }]);
    let history = fitted(&cnn(), Sgd::new(0.02), &train, fit().devices([Device::Cpu]));
    assert!(history.notes().is_empty(), "one device is nothing to speak of: {history:?}");
}

#[test]
fn cached_features_do_not_change_the_weights() {
    let _guard = alone();
    let (train, test) = sets(50, 20);
    let fit = || Fit::new().epochs(3).batch_size(16).validation(&test).metrics([Metric::F1]);
    for fit in
        [|fit: Fit| fit, |fit: Fit| fit.feature_cache_bytes(0), |fit: Fit| fit.augment(Mirror)]
            .map(|with| move || with(fit()))
    {
        let (one, several) = (transfer(), transfer());
        let expected = fitted(&one, Sgd::new(0.05), &train, fit());
        let history = fitted(&several, Sgd::new(0.05), &train, fit().devices(TWO));
        assert_alike(&expected, &history);
        assert_eq!(expected.notes(), history.notes()[1..]);
        let distance = apart(&one, &several);
        assert!(distance < 1e-6, "{distance:e}");
    }
}

#[test]
fn two_runs_with_one_seed_are_equal_and_parts_have_their_own_dropout() {
    let _guard = alone();
    let (train, _) = sets(70, 10);
    let run = |devices: &[Device]| {
        let model = with_dropout();
        let how = Fit::new().epochs(2).batch_size(20).devices(devices);
        let history = fitted(&model, Adam::new(1e-2), &train, how);
        (history.values("loss").unwrap(), model)
    };
    let ((first, one), (second, again), (alone, other)) = (run(&TWO), run(&TWO), run(&TWO[..1]));
    assert_eq!(first, second);
    assert_eq!(apart(&one, &again), 0.0);
    assert_ne!(first, alone, "not the values that one device leaves out");
    assert!(apart(&one, &other) > 1e-4);
    // Two equal halves, of one example each: were their draws alike, so were their losses.
    let x = train.x().narrow(0, 0, 1).expand([2, -1, -1, -1], false).contiguous();
    let y = train.labels().unwrap().narrow(0, 0, 1).expand([2], false).contiguous();
    let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let pair = TensorSet::new(&x, &y, &names).unwrap();
    let loss = |set: &TensorSet, devices: &[Device]| {
        let history = fitted(&with_dropout(), Sgd::new(0.0), set, Fit::new().devices(devices));
        history.last().unwrap().loss
    };
    assert!((loss(&pair, &TWO) - loss(&pair.first(1), &TWO[..1])).abs() > 1e-4);
}

#[test]
fn running_averages_are_the_mean_over_the_parts() {
    let _guard = alone();
    let (train, _) = sets(31, 10);
    let (one, several) = (with_batch_norm(), with_batch_norm());
    fitted(&one, Sgd::new(0.0), &train, Fit::new());
    fitted(&several, Sgd::new(0.0), &train, Fit::new().devices(THREE));
    let of = |model: &Model, kept: &str| model.weight(&format!("batch_norm2d.{kept}")).unwrap();
    let alike =
        |kept: &str, within: f64| of(&one, kept).allclose(&of(&several, kept), within, 1e-6, false);
    assert!(alike("running_mean", 1e-5), "means of parts average to that of the whole");
    assert!(alike("running_var", 0.1) && !alike("running_var", 1e-6), "variances only nearly");
    // What is kept serves as well as one device's when the network is used.
    let (train, _) = sets(200, 10);
    let loss = |devices: &[Device]| {
        let model = with_batch_norm();
        let fit = Fit::new().epochs(6).batch_size(30).devices(devices);
        let history = fitted(&model, Adam::new(1e-2), &train, fit);
        let losses = history.values("loss").unwrap();
        assert!(losses[5] < 0.8 * losses[0], "{losses:?}");
        model.evaluate(&train).unwrap().loss
    };
    let (one, two) = (loss(&TWO[..1]), loss(&TWO));
    assert!((one / two).ln().abs() < 0.25, "{one} {two}");
}

/// Freezes a layer, sets it free again, and changes a weight of a frozen one, between steps.
#[derive(Debug)]
struct Meddling;

impl Callback for Meddling {
    fn on_batch_end(&mut self, run: &mut Run) -> CallbackResult {
        let model = run.model();
        match (run.epoch(), run.step()) {
            (1, 1) => model.freeze_at("conv2d")?,
            (2, 1) => model.unfreeze_at("conv2d")?,
            (2, 2) => {
                model.set_weight("dense.bias", &Tensor::ones([10], (Kind::Float, Device::Cpu)))?
            }
            (2, 3) => run.set_learning_rate(run.learning_rate() / 2.0)?,
            _ => {}
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        if run.epoch() == 1 {
            let kernel = run.model().weight("conv2d.weight")?;
            run.model().set_weight("conv2d.weight", &(kernel * 1.5))?;
        }
        Ok(())
    }
}

#[test]
fn replicas_follow_what_callbacks_do_to_the_network() {
    let _guard = alone();
    let (train, test) = sets(64, 20);
    let (one, several) = (cnn(), cnn());
    let fit = || {
        let fit = Fit::new().epochs(3).batch_size(16).validation(&test).metrics([Metric::F1]);
        fit.callback(Meddling).callback(MovingAverage::new(0.9))
    };
    let expected = fitted(&one, Sgd::new(0.02), &train, fit());
    let history = fitted(&several, Sgd::new(0.02), &train, fit().devices(TWO));
    assert_eq!((expected.stop_reason(), history.stop_reason()), (None, None));
    assert_alike(&expected, &history);
    let distance = apart(&one, &several);
    assert!(distance < 1e-6, "{distance:e}");
}

/// Interrupts the training in the second epoch.
#[derive(Debug)]
struct Stopping;

impl Callback for Stopping {
    fn on_batch_end(&mut self, run: &mut Run) -> CallbackResult {
        if (run.epoch(), run.step()) == (2, 2) {
            interrupt::request();
        }
        Ok(())
    }
}

#[test]
fn an_interrupt_keeps_the_history_and_the_weights() {
    let _guard = alone();
    let (train, _) = sets(64, 10);
    let model = cnn();
    let fit = Fit::new().epochs(5).batch_size(16).devices(TWO);
    let history = fitted(&model, Sgd::new(0.02), &train, fit.callback(Stopping));
    interrupt::clear();
    assert_eq!(history.len(), 1);
    let interrupted = Note::Stopped { at: StoppedAt::InEpoch(2), reason: None };
    assert_eq!(history.stop_reason(), Some(interrupted));
    assert_eq!(model.history(), history);
    assert!(apart(&cnn(), &model) > 1e-3, "six steps are kept");
    assert_eq!(model.fit(&train, Fit::new().devices(TWO)).unwrap().len(), 1, "it can go on");
}

#[test]
fn a_resumed_training_is_equal() {
    let _guard = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let (train, _) = sets(70, 10);
    let fit = |epochs| Fit::new().epochs(epochs).batch_size(20).devices(TWO);
    let (unbroken, broken, resumed) = (with_dropout(), with_dropout(), with_dropout());
    fitted(&unbroken, Adam::new(1e-2), &train, fit(4));
    fitted(&broken, Adam::new(1e-2), &train, fit(2).callback(Checkpoint::new(&path)));
    let history = fitted(&resumed, Adam::new(1e-2), &train, fit(4).resume(&path));
    assert_eq!(history.len(), 4);
    assert_eq!(apart(&unbroken, &resumed), 0.0);
}

#[test]
fn unusable_devices_are_refused_before_training() {
    let _guard = alone();
    let (train, _) = sets(20, 10);
    let model = cnn();
    model.compile(Sgd::new(0.1), Loss::CategoricalCrossEntropy).unwrap();
    let error = |devices: Vec<Device>| {
        model.fit(&train, Fit::new().devices(devices)).unwrap_err().to_string()
    };
    let message = error(Vec::new());
    assert!(
        message.starts_with("Fit::devices: expected at least one device, got none"),
        "{message}"
    );
    assert!(message.contains("runtime::devices()"), "{message}");
    let message = error(vec![Device::Cpu, Device::Cuda(99)]);
    assert!(
        message.contains("got Cuda(99)") && message.contains("runtime::devices()"),
        "{message}"
    );
    if let gpu @ Device::Cuda(_) = Device::cuda_if_available() {
        let message = error(vec![gpu, Device::Cpu]);
        assert!(message.contains("expected Cpu first, where the network is"), "{message}");
    }
    assert_eq!(apart(&model, &cnn()), 0.0);
    let fit = Fit::new().batch_size(1).devices(THREE);
    let notes = model.fit(&train, fit).unwrap().notes();
    assert!(notes.contains(&Note::IdleReplicas { batch_size: 1, replicas: 3 }), "{notes:?}");
}

#[test]
fn an_error_names_the_replica_and_model_and_history_stay() {
    let _guard = alone();
    let (train, _) = sets(64, 10);
    // Two steps an epoch, two parts a step: the eighth part is the second of the second epoch's end.
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Hungry::at(8));
    let model = built(layers.add(Dense::new(10)).add(Softmax));
    let kept = Arc::new(Mutex::new(Vec::new()));
    #[derive(Debug)]
    struct Keeping(Arc<Mutex<Vec<Tensor>>>);
    impl Callback for Keeping {
        fn on_batch_end(&mut self, run: &mut Run) -> CallbackResult {
            self.0.lock().unwrap().push(run.model().weight("dense.weight")?);
            Ok(())
        }
    }
    model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy).unwrap();
    let fit = Fit::new().epochs(3).devices(TWO).callback(Keeping(kept.clone()));
    let message = model.fit(&train, fit).unwrap_err().to_string();
    assert!(message.contains("Try a smaller batch_size"), "{message}");
    assert!(message.ends_with("(replica 2 of 2, on cpu)"), "{message}");
    assert_eq!(model.history().len(), 1);
    let kept = kept.lock().unwrap();
    assert_eq!((kept.len(), &model.weight("dense.weight").unwrap()), (3, &kept[2]));
    drop(kept);
    assert_eq!(model.fit(&train, Fit::new().devices(TWO)).unwrap().len(), 1, "it can go on");
}

#[test]
fn a_diverged_loss_is_an_error_with_replicas_too() {
    let _guard = alone();
    let (train, _) = sets(64, 10);
    let model = cnn();
    model.compile(Sgd::new(1e12), Loss::CategoricalCrossEntropy).unwrap();
    let fit = Fit::new().epochs(5).batch_size(8).devices(TWO);
    let error = model.fit(&train, fit).unwrap_err().to_string();
    assert!(error.contains("smaller learning rate"), "{error}");
    assert!(error.contains("from before training"), "{error}");
    assert_eq!(apart(&model, &cnn()), 0.0);
}
