//! Wrong answers to the exercise, as people give them: each gets a message that would help its author
//! on. And good answers of several kinds, which get no false alarm.
//!
//! What a network learns hangs on the seed, which belongs to the whole process: one test at a time.

#[path = "common/alone.rs"]
mod alone;

use alone::alone;
use tchalk::Result;
use tchalk::check::Checklist;
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

/// The list names a thing to mend, in these words.
fn mends(list: &Checklist, words: &[&str]) {
    let text = format!("{list:?}");
    println!("{text}\n");
    assert!(!list.passes(), "{text}");
    let problems = list.problems().join("\n");
    for word in words {
        assert!(problems.contains(word), "{word:?} is missing:\n{text}");
    }
}

fn advises(list: &Checklist, words: &str) {
    println!("{list:?}\n");
    assert!(list.passes(), "{list:?}");
    assert!(list.advice().join("\n").contains(words), "{words:?} is missing:\n{list:?}");
}

#[test]
fn a_model_that_is_too_small() {
    let _guard = alone();
    let (set, _) = digits(20);
    let one = build(start().add(Flatten).add(Dense::new(10)).add(Softmax));
    mends(&check::model(&one, &set), &["92 %", "Dense::new(128)", "convolutions"]);
    let narrow = start().add(Flatten).add(Dense::new(4)).add(Relu).add(Dense::new(10)).add(Softmax);
    mends(&check::model(&build(narrow), &set), &["pass through 4 numbers", "64"]);
    let few = start().add(Flatten).add(Dense::new(16)).add(Relu).add(Dense::new(10)).add(Softmax);
    mends(&check::model(&build(few), &set), &["16 units is too small for 98 %"]);
    let tiny = start().add(Conv2d::new(4, 3)).add(Relu).add(GlobalAveragePool2d);
    let tiny = build(tiny.add(Dense::new(10)).add(Softmax));
    mends(&check::model(&tiny, &set), &["too few for 98 %"]);
    assert!(check::model(&tiny, &set).advice()[0].contains("sees only 3 × 3 pixels"));
}

#[test]
fn a_missing_softmax() {
    let _guard = alone();
    let (set, _) = digits(20);
    let model = build(start().add(Flatten).add(Dense::new(128)).add(Relu).add(Dense::new(10)));
    let list = check::model(&model, &set);
    advises(&list, "Add Softmax as the last layer; or keep the scores");
    advises(&list, "Loss::categorical_cross_entropy().from_logits()");
    assert!(model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).is_err());
    mends(&check::compiled(&model), &["not compiled yet", "that error says"]);
    let loss = Loss::categorical_cross_entropy().from_logits();
    model.compile(Adam::new(1e-3), loss).unwrap();
    assert!(check::model(&model, &set).passes() && check::compiled(&model).passes());
    let loss = Loss::categorical_cross_entropy().from_probabilities();
    model.compile(Adam::new(1e-3), loss).unwrap();
    mends(&check::model(&model, &set), &["its answers are scores, not probabilities"]);
}

#[test]
fn a_wrong_number_of_classes() {
    let _guard = alone();
    let (set, _) = digits(20);
    let with = |units| {
        let layers = start().add(Flatten).add(Dense::new(128)).add(Relu);
        build(layers.add(Dense::new(units)).add(Softmax))
    };
    mends(
        &check::model(&with(9), &set),
        &["9 numbers, but there are 10 classes", "Dense::new(10)"],
    );
    mends(&check::model(&with(1), &set), &["1 number, but there are 10 classes"]);
    mends(&check::model(&with(784), &set), &["784 numbers"]);
    let block = build(start().add(Conv2d::new(10, 3)).add(Relu));
    mends(&check::model(&block, &set), &["a block [10, 26, 26]", "Flatten"]);
}

#[test]
fn no_activation_anywhere() {
    let _guard = alone();
    let (set, _) = digits(20);
    let layers = start().add(Conv2d::new(16, 3)).add(Conv2d::new(16, 3)).add(MaxPool2d::new(2));
    let layers = layers.add(Flatten).add(Dense::new(64)).add(Dense::new(10)).add(Softmax);
    let list = check::model(&build(layers), &set);
    mends(&list, &["apart from the pooling, nothing bends", "4 layers", "Add Relu"]);
    let layers = start().add(Conv2d::new(16, 3)).add(Conv2d::new(16, 3)).add(Relu);
    let layers = layers.add(MaxPool2d::new(2)).add(Flatten).add(Dense::new(10)).add(Softmax);
    advises(&check::model(&build(layers), &set), "nothing bends between conv2d and conv2d_1");
}

#[test]
fn a_wrong_input_shape() {
    let _guard = alone();
    let (set, _) = digits(20);
    let ends = |layers: Sequential| {
        let layers = layers.add(Flatten).add(Dense::new(128)).add(Relu);
        check::model(&build(layers.add(Dense::new(10)).add(Softmax)), &set)
    };
    let shape = |shape: &[usize]| Sequential::new().input_shape(shape);
    mends(&ends(shape(&[28, 28, 1])), &["the channels come first", "input_shape([1, 28, 28])"]);
    mends(&ends(shape(&[3, 28, 28])), &["gray images have one"]);
    mends(&ends(shape(&[784])), &["a row of 784 numbers", "let Flatten be the first layer"]);
    mends(&ends(shape(&[1, 32, 32])), &["the images are [1, 28, 28]"]);
}

#[test]
fn a_learning_rate_of_1() {
    let _guard = alone();
    let (train, test) = digits(500);
    let model = quick();
    model.compile(RmsProp::new(1.0), Loss::CategoricalCrossEntropy).unwrap();
    mends(&check::compiled(&model), &["RmsProp with a learning rate of 1", "Try 1e-3"]);
    let how = Fit::new().epochs(3).batch_size(50).validation(&test).budget(Budget::Full);
    let history = model.fit(&train, how).unwrap();
    mends(&check::training(&history), &["too large"]);
    mends(&check::score(&model.evaluate(&test).unwrap()), &[]);
}

#[test]
fn a_learning_rate_of_a_ten_millionth() {
    let _guard = alone();
    let (train, test) = digits(500);
    let model = quick();
    let history = trained(&model, 1e-7, &train, Fit::new().epochs(3).validation(&test));
    mends(&check::compiled(&model), &["1e-7", "hardly have moved", "Try 0.05"]);
    mends(&check::training(&history), &["no better than guessing", "try 0.05"]);
    mends(&check::score(&model.evaluate(&test).unwrap()), &[]);
}

#[test]
fn not_compiled_and_not_trained() {
    let _guard = alone();
    mends(&check::compiled(&quick()), &["not compiled yet", "model.compile(RmsProp::new(1e-3)"]);
    mends(&check::training(&quick().history()), &["no epoch was finished", "Run fit"]);
}

#[test]
fn a_single_epoch_and_no_validation() {
    let _guard = alone();
    let (train, _) = digits(1000);
    let list = check::training(&trained(&quick(), 0.1, &train, Fit::new()));
    advises(&list, "one epoch, and it has just begun");
    advises(&list, "nobody can tell what was understood");
}

#[test]
fn validation_on_the_training_images() {
    let _guard = alone();
    let (train, test) = digits(500);
    let model = quick();
    let history = trained(&model, 0.1, &train, Fit::new().epochs(3).validation(&train));
    mends(&check::training(&history), &["all validation examples were trained on", "split(0.1)"]);
    mends(&check::validation(&model, &train), &["all examples were trained on"]);
    mends(&check::score(&model.evaluate(&train).unwrap()), &["held back from training"]);
    let list = check::validation(&model, &test);
    advises(&list, "Hold 10 % of the training set back");
    assert!(format!("{list:?}").contains("✔ new images: none of them"), "{list:?}");
}

#[test]
fn heavy_over_fitting() {
    let _guard = alone();
    let (train, test) = digits(60);
    let layers = start().add(Flatten).add(Dense::new(256)).add(Relu).add(Dense::new(10));
    let model = build(layers.add(Softmax));
    model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    let how = Fit::new().epochs(30).batch_size(10).validation(&test).budget(Budget::Full);
    let history = model.fit(&train, how).unwrap();
    mends(&check::training(&history), &["a gap of", "learns by heart", "EarlyStopping", "Dropout"]);
}

#[test]
fn labels_that_belong_to_other_images() {
    let _guard = alone();
    let strokes = datasets::strokes().unwrap();
    let part = strokes.train.take(200);
    let mut labels = part.labels();
    labels.rotate_left(7);
    let mixed = Split::new("mixed", part.images(), labels, part.classes()).unwrap();
    let test = strokes.test.take(300).to_tensors(Device::Cpu);
    let layers = start().add(Flatten).add(Dense::new(256)).add(Relu).add(Dense::new(10));
    let model = build(layers.add(Softmax));
    model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    let how = Fit::new().epochs(20).batch_size(20).validation(&test).budget(Budget::Full);
    let history = model.fit(&mixed.to_tensors(Device::Cpu), how).unwrap();
    mends(&check::training(&history), &["Do the labels still belong to the images?"]);
}

#[test]
fn the_same_answer_to_everything() {
    let _guard = alone();
    let (_, test) = digits(20);
    let model = quick();
    model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    let bias: Vec<f32> = (0..10).map(|class| if class == 3 { 90.0 } else { 0.0 }).collect();
    model.set_weight("dense_1.bias", &Tensor::from_slice(&bias)).unwrap();
    let list = check::score(&model.evaluate(&test).unwrap());
    mends(&list, &["it answers 3 to 100 % of all images", "learning rate"]);
}

#[test]
fn a_sigmoid_where_a_softmax_should_be() {
    let _guard = alone();
    let (set, _) = digits(20);
    let layers = || start().add(Flatten).add(Dense::new(128)).add(Relu).add(Dense::new(10));
    let model = build(layers().add(Sigmoid));
    advises(&check::model(&model, &set), "or keep Sigmoid, and compile with Loss::BinaryCross");
    let error = model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).unwrap_err();
    assert!(error.to_string().contains("a network that ends in Softmax, got Sigmoid"), "{error}");
    let forced = Loss::categorical_cross_entropy().from_probabilities();
    model.compile(Adam::new(1e-3), forced).unwrap();
    mends(
        &check::compiled(&model),
        &["probabilities that add up to 1", "End the network in Softmax"],
    );
    mends(&check::model(&model, &set), &["ends in Sigmoid", "should be Softmax"]);
    let between = build(layers().add(Sigmoid).add(Softmax));
    mends(&check::model(&between, &set), &["between the last Dense and Softmax"]);
    let twice = build(layers().add(Softmax).add(Softmax));
    mends(&check::model(&twice, &set), &["two Softmaxes in a row"]);
}

#[test]
fn another_loss_than_the_categorical_one() {
    let _guard = alone();
    let (set, _) = digits(20);
    let model = quick();
    model.compile(Adam::new(1e-3), Loss::BinaryCrossEntropy).unwrap();
    mends(&check::compiled(&model), &["a question of its own", "Loss::CategoricalCrossEntropy"]);
    model.compile(Adam::new(1e-3), Loss::MeanSquaredError).unwrap();
    advises(&check::compiled(&model), "hardly minds a confident mistake");
    let layers = start().add(Flatten).add(Dense::new(128)).add(Relu).add(Dense::new(10));
    let model = build(layers.add(Sigmoid));
    model.compile(Adam::new(1e-3), Loss::BinaryCrossEntropy).unwrap();
    advises(&check::compiled(&model), "ten separate questions");
    advises(&check::model(&model, &set), "ten separate questions");
}

#[test]
fn nothing_to_learn_and_far_too_much() {
    let _guard = alone();
    let (set, _) = digits(20);
    let model = quick();
    model.freeze();
    mends(&check::model(&model, &set), &["frozen", "unfreeze()"]);
    let layers = start().add(Flatten).add(Dense::new(8_000)).add(Relu).add(Dense::new(12_000));
    let model = build(layers.add(Relu).add(Dense::new(10)).add(Softmax));
    mends(&check::model(&model, &set), &["out of all proportion"]);
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

/// Batch normalization between a convolution and its bend, bends inside layers, no dense layer but one.
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
        ("convolutional", convolutional().unwrap()),
        ("kernels", fully_convolutional().unwrap()),
        ("skip connections", residual().unwrap()),
        ("dense", dense),
    ];
    for (credit, model) in good {
        let list = check::model(&model, &set);
        assert!(list.passes() && list.advice().is_empty(), "{list:?}");
        assert!(format!("{list:?}").contains(credit), "{list:?}");
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
    assert!(
        format!("{list:?}").contains("✔ learning") && format!("{list:?}").contains("✔ validation")
    );
}
