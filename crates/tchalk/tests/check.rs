//! Wrong answers to the exercise, as people give them: each gets its own finding. And good answers of
//! several kinds, which get no false alarm.
//!
//! What a network learns depends on the seed, which belongs to the whole process: one test at a time.

#[path = "common/alone.rs"]
mod alone;

use alone::alone;
use tchalk::Result;
use tchalk::check::Finding::*;
use tchalk::check::{Checklist, Finding, Severity};
use tchalk::prelude::*;

fn digits(count: usize) -> (TensorSet, TensorSet) {
    let strokes = datasets::strokes().unwrap();
    let train = strokes.train.take(count).to_tensors(Device::Cpu);
    (train, strokes.test.take(300).to_tensors(Device::Cpu))
}

fn build(layers: Sequential) -> Model {
    layers.build(Device::Cpu).unwrap()
}

fn start() -> Sequential {
    Sequential::new().input_shape([1, 28, 28])
}

/// A small network that learns quickly.
fn quick() -> Model {
    let layers = start().add(AveragePool2d::new(2)).add(Flatten).add(Dense::new(64)).add(Relu);
    build(layers.add(Dense::new(10)).add(Softmax))
}

fn trained(model: &Model, rate: f64, train: &TensorSet, how: Fit) -> History {
    model.compile(Sgd::new(rate), Loss::CategoricalCrossEntropy).unwrap();
    model.fit(train, how.batch_size(50).budget(Budget::Full)).unwrap()
}

/// The list holds exactly these problems.
fn has_problems(list: &Checklist, problems: &[Finding]) {
    println!("{list:?}\n");
    assert_eq!(list.problems(), problems);
}

/// The list holds no problem, and this advice.
fn advises(list: &Checklist, finding: Finding) {
    println!("{list:?}\n");
    assert!(list.passes() && list.advice().contains(&finding));
}

#[test]
fn a_network_that_is_too_small() {
    let _guard = alone();
    let (set, _) = digits(20);
    let one = build(start().add(Flatten).add(Dense::new(10)).add(Softmax));
    has_problems(&check::model(&one, &set), &[SingleLayer]);
    let narrow = start().add(Flatten).add(Dense::new(4)).add(Relu).add(Dense::new(10)).add(Softmax);
    has_problems(&check::model(&build(narrow), &set), &[Bottleneck]);
    let few = start().add(Flatten).add(Dense::new(16)).add(Relu).add(Dense::new(10)).add(Softmax);
    has_problems(&check::model(&build(few), &set), &[TooFewUnits]);
    let tiny = start().add(Conv2d::new(4, 3)).add(Relu).add(GlobalAveragePool2d);
    let tiny = check::model(&build(tiny.add(Dense::new(10)).add(Softmax)), &set);
    has_problems(&tiny, &[TooFewParameters]);
    assert!(tiny.has(SmallReceptiveField));
}

#[test]
fn a_missing_softmax() {
    let _guard = alone();
    let (set, _) = digits(20);
    let model = build(start().add(Flatten).add(Dense::new(128)).add(Relu).add(Dense::new(10)));
    advises(&check::model(&model, &set), NoSoftmax);
    assert!(model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).is_err());
    has_problems(&check::compiled(&model), &[NotCompiled]);
    let loss = Loss::categorical_cross_entropy().from_logits();
    model.compile(Adam::new(1e-3), loss).unwrap();
    assert!(check::model(&model, &set).passes() && check::compiled(&model).passes());
    assert!(check::model(&model, &set).has(EndsInLogits));
    let loss = Loss::categorical_cross_entropy().from_probabilities();
    model.compile(Adam::new(1e-3), loss).unwrap();
    has_problems(&check::model(&model, &set), &[NoSoftmax]);
}

#[test]
fn a_wrong_number_of_classes() {
    let _guard = alone();
    let (set, _) = digits(20);
    for units in [9, 1, 784] {
        let layers = start().add(Flatten).add(Dense::new(128)).add(Relu);
        let model = build(layers.add(Dense::new(units)).add(Softmax));
        has_problems(&check::model(&model, &set), &[WrongNumberOfClasses]);
    }
    let block = build(start().add(Conv2d::new(10, 3)).add(Relu));
    assert!(check::model(&block, &set).problems().contains(&OutputIsABlock));
}

#[test]
fn no_activation_anywhere() {
    let _guard = alone();
    let (set, _) = digits(20);
    let layers = start().add(Conv2d::new(16, 3)).add(Conv2d::new(16, 3)).add(MaxPool2d::new(2));
    let layers = layers.add(Flatten).add(Dense::new(64)).add(Dense::new(10)).add(Softmax);
    has_problems(&check::model(&build(layers), &set), &[NoActivations]);
    let layers = start().add(Conv2d::new(16, 3)).add(Conv2d::new(16, 3)).add(Relu);
    let layers = layers.add(MaxPool2d::new(2)).add(Flatten).add(Dense::new(10)).add(Softmax);
    advises(&check::model(&build(layers), &set), MissingActivation);
}

#[test]
fn a_wrong_input_shape() {
    let _guard = alone();
    let (set, _) = digits(20);
    for (shape, finding) in [
        (&[28, 28, 1][..], ChannelsLast),
        (&[3, 28, 28], WrongChannels),
        (&[784], InputIsARow),
        (&[1, 32, 32], WrongInputShape),
    ] {
        let layers = Sequential::new().input_shape(shape).add(Flatten).add(Dense::new(128));
        let model = build(layers.add(Relu).add(Dense::new(10)).add(Softmax));
        has_problems(&check::model(&model, &set), &[finding]);
    }
}

#[test]
fn a_learning_rate_of_1() {
    let _guard = alone();
    let (train, test) = digits(500);
    let model = quick();
    model.compile(RmsProp::new(1.0), Loss::CategoricalCrossEntropy).unwrap();
    has_problems(&check::compiled(&model), &[LargeLearningRate]);
    let how = Fit::new().epochs(3).batch_size(50).validation(&test).budget(Budget::Full);
    let problems = check::training(&model.fit(&train, how).unwrap()).problems();
    let too_large = [LossRose, LossNotFinite, LargeFirstLoss, GuessesWithLargeLearningRate];
    assert!(problems.iter().any(|problem| too_large.contains(problem)), "{problems:?}");
    assert!(!check::score(&model.evaluate(&test).unwrap()).passes());
}

#[test]
fn a_learning_rate_of_a_ten_millionth() {
    let _guard = alone();
    let (train, test) = digits(500);
    let model = quick();
    let history = trained(&model, 1e-7, &train, Fit::new().epochs(3).validation(&test));
    has_problems(&check::compiled(&model), &[SmallLearningRate]);
    has_problems(&check::training(&history), &[GuessesWithSmallLearningRate]);
    assert!(!check::score(&model.evaluate(&test).unwrap()).passes());
}

#[test]
fn not_compiled_and_not_trained() {
    let _guard = alone();
    has_problems(&check::compiled(&quick()), &[NotCompiled]);
    has_problems(&check::training(&quick().history()), &[NoEpochs]);
}

#[test]
fn a_single_epoch_and_no_validation() {
    let _guard = alone();
    let (train, _) = digits(1000);
    let list = check::training(&trained(&quick(), 0.1, &train, Fit::new()));
    advises(&list, MoreEpochs);
    advises(&list, NoValidation);
}

#[test]
fn validation_on_the_training_images() {
    let _guard = alone();
    let (train, test) = digits(500);
    let model = quick();
    let history = trained(&model, 0.1, &train, Fit::new().epochs(3).validation(&train));
    has_problems(&check::training(&history), &[ValidationLeak]);
    has_problems(&check::validation(&model, &train), &[TrainedOn]);
    assert!(check::score(&model.evaluate(&train).unwrap()).problems().contains(&TrainedOn));
    let list = check::validation(&model, &test);
    advises(&list, TestSet);
    assert!(list.has(NewImages));
}

#[test]
fn heavy_over_fitting() {
    let _guard = alone();
    let (train, test) = digits(60);
    let layers = start().add(Flatten).add(Dense::new(256)).add(Relu).add(Dense::new(10));
    let model = build(layers.add(Softmax));
    model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    let how = Fit::new().epochs(30).batch_size(10).validation(&test).budget(Budget::Full);
    has_problems(&check::training(&model.fit(&train, how).unwrap()), &[Overfits]);
}

#[test]
fn labels_that_belong_to_other_images() {
    let _guard = alone();
    let strokes = datasets::strokes().unwrap();
    let part = strokes.train.take(200);
    let mut labels = part.labels();
    labels.rotate_left(7);
    let mixed = Split::new("mixed", part.images(), labels, part.class_names()).unwrap();
    let test = strokes.test.take(300).to_tensors(Device::Cpu);
    let layers = start().add(Flatten).add(Dense::new(256)).add(Relu).add(Dense::new(10));
    let model = build(layers.add(Softmax));
    model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    let how = Fit::new().epochs(20).batch_size(20).validation(&test).budget(Budget::Full);
    let history = model.fit(&mixed.to_tensors(Device::Cpu), how).unwrap();
    has_problems(&check::training(&history), &[MemorizedLabels]);
}

#[test]
fn the_same_answer_to_everything() {
    let _guard = alone();
    let (_, test) = digits(20);
    let model = quick();
    model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    let bias: Vec<f32> = (0..10).map(|class| if class == 3 { 90.0 } else { 0.0 }).collect();
    model.set_weight("dense_1.bias", &Tensor::from_slice(&bias)).unwrap();
    has_problems(&check::score(&model.evaluate(&test).unwrap()), &[ConstantAnswer]);
}

#[test]
fn a_sigmoid_where_a_softmax_should_be() {
    let _guard = alone();
    let (set, _) = digits(20);
    let layers = || start().add(Flatten).add(Dense::new(128)).add(Relu).add(Dense::new(10));
    let model = build(layers().add(Sigmoid));
    advises(&check::model(&model, &set), EndsInSigmoid);
    let error = model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).unwrap_err();
    assert!(error.to_string().contains("a network that ends in Softmax, got Sigmoid"), "{error}");
    let forced = Loss::categorical_cross_entropy().from_probabilities();
    model.compile(Adam::new(1e-3), forced).unwrap();
    has_problems(&check::compiled(&model), &[LossNeedsProbabilities]);
    has_problems(&check::model(&model, &set), &[EndsInSigmoid]);
    let between = build(layers().add(Sigmoid).add(Softmax));
    has_problems(&check::model(&between, &set), &[LimitedLogits]);
    let twice = build(layers().add(Softmax).add(Softmax));
    has_problems(&check::model(&twice, &set), &[TwoSoftmaxes]);
}

#[test]
fn another_loss_than_the_categorical_one() {
    let _guard = alone();
    let (set, _) = digits(20);
    let model = quick();
    model.compile(Adam::new(1e-3), Loss::BinaryCrossEntropy).unwrap();
    has_problems(&check::compiled(&model), &[BinaryLossWithSoftmax]);
    model.compile(Adam::new(1e-3), Loss::MeanSquaredError).unwrap();
    advises(&check::compiled(&model), SlowLoss);
    let layers = start().add(Flatten).add(Dense::new(128)).add(Relu).add(Dense::new(10));
    let model = build(layers.add(Sigmoid));
    model.compile(Adam::new(1e-3), Loss::BinaryCrossEntropy).unwrap();
    advises(&check::compiled(&model), BinaryLoss);
    advises(&check::model(&model, &set), EndsInSigmoid);
}

#[test]
fn nothing_to_learn_and_far_too_much() {
    let _guard = alone();
    let (set, _) = digits(20);
    let model = quick();
    model.freeze();
    has_problems(&check::model(&model, &set), &[AllFrozen]);
    let layers = start().add(Flatten).add(Dense::new(8_000)).add(Relu).add(Dense::new(12_000));
    let model = build(layers.add(Relu).add(Dense::new(10)).add(Softmax));
    has_problems(&check::model(&model, &set), &[FarTooLarge]);
}

/// The network that the tutorial builds, for digits.
fn convolutional() -> Result<Model> {
    start()
        .add(Conv2d::new(32, 3).padding(Padding::Same))
        .add(Relu)
        .add(Conv2d::new(32, 3))
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Dropout::new(0.25))
        .add(Flatten)
        .add(Dense::new(128))
        .add(Relu)
        .add(Dropout::new(0.5))
        .add(Dense::new(10))
        .add(Softmax)
        .build(Device::Cpu)
}

/// Batch normalization between a convolution and its activation, activations inside layers, one dense
/// layer.
fn fully_convolutional() -> Result<Model> {
    start()
        .add(Conv2d::new(16, 3))
        .add(BatchNorm2d::new())
        .add(Gelu::new())
        .add(Conv2d::new(32, 3).activation(Relu))
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(64, 3).activation(LeakyRelu::new()))
        .add(GlobalAveragePool2d)
        .add(Dense::new(10).activation(Softmax))
        .build(Device::Cpu)
}

fn residual() -> Result<Model> {
    let input = Input::new("digit", [1, 28, 28]);
    let stem = Conv2d::new(16, 3).padding(Padding::Same).call(&input)?;
    let stem = MaxPool2d::new(2).call(&Relu.call(&stem)?)?;
    let x = Relu.call(&Conv2d::new(16, 3).padding(Padding::Same).call(&stem)?)?;
    let x = Conv2d::new(16, 3).padding(Padding::Same).call(&x)?;
    let x = Relu.call(&Add::new().call(&[&x, &stem])?)?;
    let x = Dense::new(10).call(&Flatten.call(&x)?)?;
    Model::new("residual", &input, &Softmax.call(&x)?, Device::Cpu)
}

#[test]
fn good_answers_of_many_kinds_get_no_false_alarm() {
    let _guard = alone();
    let (set, _) = digits(20);
    let dense =
        start().add(Flatten).add(Dense::new(256)).add(Tanh).add(Dense::new(128)).add(Elu::new());
    let dense = build(dense.add(Dropout::new(0.3)).add(Dense::new(10)).add(Softmax));
    let good = [
        (Convolutional, convolutional().unwrap()),
        (Convolutional, fully_convolutional().unwrap()),
        (Convolutional, residual().unwrap()),
        (FullyConnected, dense),
    ];
    for (kind, model) in good {
        let list = check::model(&model, &set);
        assert!(list.passes() && list.advice().is_empty(), "{list:?}");
        assert!(list.has(kind), "{list:?}");
        model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
        let list = check::compiled(&model);
        assert!(list.passes() && list.advice().is_empty(), "{list:?}");
    }
}

#[test]
fn a_good_training_is_told_so() {
    let _guard = alone();
    let (train, _) = digits(2_000);
    let model = quick();
    model.compile(Adam::new(2e-3), Loss::CategoricalCrossEntropy).unwrap();
    let how = Fit::new().epochs(6).batch_size(50).validation_split(0.1).budget(Budget::Full);
    let list = check::training(&model.fit(&train, how).unwrap());
    println!("{list:?}");
    assert!(list.passes(), "{list:?}");
    for finding in [Learned, NewValidation] {
        assert!(list.findings().contains(&(Severity::Good, finding)), "{list:?}");
    }
}
