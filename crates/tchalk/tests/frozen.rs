//! The cached features of frozen layers do not change the results.
//!
//! The seed belongs to the whole process, so these tests run one at a time.

#[path = "common/alone.rs"]
mod alone;
#[path = "common/mirror.rs"]
mod mirror;
#[path = "common/shapes.rs"]
mod shapes;

use alone::alone;
use mirror::Mirror;
use shapes::sets;
use tchalk::prelude::*;
use tchalk::train::Note;

/// A classifier on a frozen base with dropout and pooling in it; always the same weights.
fn transfer() -> Model {
    runtime::seed(3);
    let base = Sequential::new().input_shape([3, 32, 32]).name("base").add(Conv2d::new(8, 3));
    let base = base.add(Relu).add(Dropout::new(0.5)).add(MaxPool2d::new(2)).build(Device::Cpu);
    let base = base.unwrap();
    base.freeze();
    let layers = Sequential::new().add(&base).add(Flatten).add(Dense::new(16)).add(Relu);
    let model = layers.add(Dropout::new(0.3)).add(Dense::new(10)).add(Softmax);
    let model = model.build(Device::Cpu).unwrap();
    model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    model
}

/// Trains from one and the same seed.
fn fitted(model: &Model, train: &TensorSet, how: Fit) -> History {
    runtime::seed(4);
    model.fit(train, how).unwrap()
}

fn assert_alike(one: &History, other: &History, within: f64) {
    for (a, b) in one.epochs().iter().zip(other.epochs()) {
        assert!((a.loss - b.loss).abs() < within, "{a:?} {b:?}");
        let (a, b) = (a.val_loss.unwrap(), b.val_loss.unwrap());
        assert!((a - b).abs() < within, "{a} {b}");
    }
}

#[test]
fn cached_features_give_the_same_results() {
    let _guard = alone();
    let (train, test) = sets(200, 70);
    let fit = || Fit::new().epochs(3).batch_size(32).validation(&test);
    let (short, long, half) = (transfer(), transfer(), transfer());
    let once = fitted(&short, &train, fit());
    let Note::FeaturesCached { layers, half_precision: false, .. } = &once.notes()[0] else {
        panic!("{once:?}")
    };
    assert_eq!(layers, "flatten");
    let every = fitted(&long, &train, fit().feature_cache_bytes(0));
    assert_eq!(every.notes(), [Note::FeaturesTooLarge { bytes: 972_000, limit: 0 }]);
    assert_alike(&once, &every, 1e-5);
    let (a, b) = (short.weight("dense.weight").unwrap(), long.weight("dense.weight").unwrap());
    assert!((a - b).abs().max().double_value(&[]) < 1e-5);
    // Too little memory for 32 bits a number, enough for 16.
    let halved = fitted(&half, &train, fit().feature_cache_bytes(1_000_000));
    let halved_note = &halved.notes()[0];
    assert!(matches!(halved_note, Note::FeaturesCached { half_precision: true, .. }));
    assert_alike(&once, &halved, 1e-2);
}

#[test]
fn augmented_images_run_through_the_frozen_layers_in_every_epoch() {
    let _guard = alone();
    let (train, test) = sets(100, 30);
    let fit = || Fit::new().epochs(2).validation(&test);
    let (augmented, plain) = (transfer(), transfer());
    let history = fitted(&augmented, &train, fit().augment(Mirror));
    assert!(history.notes().contains(&Note::FeaturesAugmented), "{history:?}");
    let as_names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    let names: Vec<&str> = as_names.iter().map(String::as_str).collect();
    let set = |x: &Tensor, y: &Tensor| TensorSet::new(x, y, &names).unwrap();
    let mirrored = set(&train.x().flip([3]), &train.labels().unwrap());
    let test = set(&test.x(), &test.labels().unwrap());
    let by_hand = fitted(&plain, &mirrored, Fit::new().epochs(2).validation(&test));
    assert_alike(&history, &by_hand, 1e-5);
}

#[test]
fn a_frozen_branch_is_cached() {
    let _guard = alone();
    let (train, test) = sets(60, 20);
    let base = |frozen: bool| {
        runtime::seed(3);
        let input = Input::new("image", [3, 32, 32]);
        let first = Conv2d::new(4, 3).named("one").call(&input).unwrap();
        let second = MaxPool2d::new(4).call(&first).unwrap();
        let small = MaxPool2d::new(8).call(&input).unwrap();
        let all = Concatenate::new()
            .call(&[Flatten.call(&second).unwrap(), Flatten.call(&small).unwrap()])
            .unwrap();
        let out = Softmax.call(&Dense::new(10).call(&all).unwrap()).unwrap();
        let model = Model::new("skip", &input, &out, Device::Cpu).unwrap();
        model.freeze_at("one").unwrap();
        model.compile(Sgd::new(0.05), Loss::CategoricalCrossEntropy).unwrap();
        let fit = Fit::new().epochs(2).validation(&test);
        fitted(&model, &train, if frozen { fit } else { fit.feature_cache_bytes(0) })
    };
    assert_alike(&base(true), &base(false), 1e-5);
}
