//! Networks of every form: branches, several inputs and outputs, layers used twice, models in models;
//! what is frozen, what an inner layer gives, and what a wrong network is told.

#[path = "common/refused.rs"]
mod refused;

use refused::{assert_invalid, refused};
use tchalk::prelude::*;

fn noise(shape: &[i64]) -> Tensor {
    Tensor::rand(shape, (Kind::Float, Device::Cpu))
}

fn close(a: &Tensor, b: &Tensor) -> bool {
    a.size() == b.size() && a.allclose(b, 1e-5, 1e-6, false)
}

/// Two convolutions with a pooling each, named as in Keras.
fn base() -> Model {
    Sequential::new()
        .name("base")
        .input_shape([3, 16, 16])
        .add_named("block1_conv1", Conv2d::new(4, 3).padding(Padding::Same))
        .add(Relu)
        .add(MaxPool2d::new(2).named("block1_pool"))
        .add(Conv2d::new(6, 3).padding(Padding::Same).named("block2_conv1"))
        .add(Dropout::new(0.5))
        .add_named("block2_pool", MaxPool2d::new(2))
        .build(Device::Cpu)
        .unwrap()
}

fn transfer(base: &Model) -> Model {
    let layers = Sequential::new().add(base).add(Flatten).add(Dense::new(8)).add(Relu);
    let layers = layers.add(Dropout::new(0.5)).add(Dense::new(3)).add(Softmax);
    layers.build(Device::Cpu).unwrap()
}

fn set(n: i64) -> TensorSet {
    let y = Tensor::arange(n, (Kind::Int64, Device::Cpu)).remainder(3);
    TensorSet::new(&noise(&[n, 3, 16, 16]), &y, &["a", "b", "c"]).unwrap()
}

#[test]
fn branches_meet_and_the_numbers_are_those_done_by_hand() {
    let input = Input::new("x", [2, 6, 6]);
    let a = Conv2d::new(3, 3).padding(Padding::Same).call(&input).unwrap();
    let b = Conv2d::new(3, 1).call(&input).unwrap();
    let sum = Add::new().call(&[&a, &b]).unwrap();
    let mean = Average::new().call(&[&a, &b, &sum]).unwrap();
    let both = Concatenate::new().call(&[sum.clone(), mean]).unwrap();
    assert_eq!(both.shape(), [6, 6, 6]);
    let model = Model::new("branches", &input, &both, Device::Cpu).unwrap();
    assert_eq!(
        model.layer_names(),
        ["conv2d", "conv2d_1", "add", "average", "concatenate"],
        "in the order of the calls"
    );
    let x = noise(&[2, 2, 6, 6]);
    let w = |name: &str| model.weight(name).unwrap();
    let a = x.conv2d(&w("conv2d.weight"), Some(&w("conv2d.bias")), [1, 1], [1, 1], [1, 1], 1);
    let b = x.conv2d(&w("conv2d_1.weight"), Some(&w("conv2d_1.bias")), [1, 1], [0, 0], [1, 1], 1);
    let sum = &a + &b;
    let mean = (&a + &b + &sum) / 3.0;
    assert!(close(&model.call(&x).unwrap(), &Tensor::cat(&[sum, mean], 1)));
}

#[test]
fn several_inputs_and_outputs() {
    let (left, right) = (Input::new("left", [4]), Input::new("right", [4]));
    let both = Concatenate::new().call(&[&left, &right]).unwrap();
    let first = Dense::new(2).named("first").call(&both).unwrap();
    let model = Model::new("pairs", &[&left, &right], &first, Device::Cpu).unwrap();
    assert_eq!(model.input_shapes(), [[4], [4]]);
    let (a, b) = (noise(&[5, 4]), noise(&[5, 4]));
    assert_eq!(model.call(&[&a, &b]).unwrap().size(), [5, 2]);
    assert_ne!(model.call(&[&a, &b]).unwrap(), model.call(&[&b, &a]).unwrap());
    let message = refused(model.call(&a));
    assert!(
        message.contains("expected 2 inputs, got 1") && message.contains("&[a, b]"),
        "{message}"
    );
    let message = refused(model.call(&[&a, &noise(&[3, 4])]));
    assert!(message.contains("the same number of examples, got 5 and 3"), "{message}");

    let input = Input::new("x", [8]);
    let hidden = Dense::new(4).call(&input).unwrap();
    let outputs = [Relu.call(&hidden).unwrap(), Softmax.call(&hidden).unwrap()];
    let model = Model::new("two", &input, &outputs, Device::Cpu).unwrap();
    let x = noise(&[2, 8]);
    let all = model.call_all(&x).unwrap();
    assert_eq!((all.len(), all[1].size()), (2, vec![2, 4]));
    assert!(refused(model.call(&x)).contains("call_all"));
    assert!(refused(model.call(&input)).contains("feature_extractor("));
    assert_invalid(model.evaluate(&set(3)), "Model::evaluate", "1 inputs and 2 outputs");
    let second = model.feature_extractor("softmax").unwrap();
    assert_eq!(second.call(&x).unwrap(), all[1]);
}

#[test]
fn a_layer_called_twice_shares_its_weights() {
    let (left, right) = (Input::new("left", [4]), Input::new("right", [4]));
    let shared = Dense::new(3);
    let (a, b) = (shared.call(&left).unwrap(), shared.call(&right).unwrap());
    let other = Dense::new(3).call(&left).unwrap();
    let sum = Add::new().call(&[a, b, other]).unwrap();
    let model = Model::new("twins", &[left, right], &sum, Device::Cpu).unwrap();
    assert_eq!(model.layer_names(), ["dense", "dense:2", "dense_1", "add"]);
    assert_eq!(model.parameter_count(), 2 * 15, "the shared layer counts once");
    assert_eq!(model.weight_names().len(), 4);
    assert_eq!(model.weight("dense:2.bias").unwrap(), model.weight("dense.bias").unwrap());
    let other = Model::new("again", &Input::new("x", [4]), &Input::new("x", [4]), Device::Cpu);
    assert!(refused(other).contains("unused"));
    // In another network, too, while the first one lives.
    let twin = Sequential::new().input_shape([4]).add(shared.clone()).build(Device::Cpu).unwrap();
    model.set_weight("dense.bias", &Tensor::from_slice(&[1f32, 2.0, 3.0])).unwrap();
    assert_eq!(twin.weight("dense.bias").unwrap(), Tensor::from_slice(&[1f32, 2.0, 3.0]));
    let message = refused(shared.call(&Input::new("wide", [9])));
    assert!(message.contains("Dense::new(3), used again") && message.contains("[9]"), "{message}");
}

#[test]
fn a_changed_clone_is_another_layer_and_a_copied_description_too() {
    let layer = Conv2d::new(2, 3);
    let input = Input::new("x", [1, 9, 9]);
    let a = layer.call(&input).unwrap();
    let b = layer.clone().stride(2).call(&input).unwrap();
    let b = Conv2d::new(2, 4).call(&b).unwrap();
    let a = Conv2d::new(2, 7).call(&a).unwrap();
    let model = Model::new("two", &input, &Add::new().call(&[a, b]).unwrap(), Device::Cpu).unwrap();
    assert_eq!(model.layer_names().iter().filter(|name| name.contains(':')).count(), 0);

    let description = Sequential::new().input_shape([4]).add(Dense::new(3));
    let copies: Vec<Model> =
        (0..2).map(|_| description.clone().build(Device::Cpu).unwrap()).collect();
    let original = description.build(Device::Cpu).unwrap();
    let weight = |model: &Model| model.weight("dense.weight").unwrap();
    assert_ne!(weight(&copies[0]), weight(&copies[1]), "fresh weights for each");
    original.freeze();
    assert_eq!(copies[0].trainable_count(), 15);
}

#[test]
fn a_model_is_a_layer_in_another_one_to_any_depth() {
    let base = base();
    let model = transfer(&base);
    assert_eq!(model.layer_names()[..3], ["base", "flatten", "dense"]);
    assert_eq!(model.weight_names()[0], "base/block1_conv1.weight");
    let outer = Sequential::new().add(&model).build(Device::Cpu).unwrap();
    assert_eq!(outer.weight_names()[0], "sequential/base/block1_conv1.weight");
    assert_eq!(outer.conv_layers()[1], "sequential/base/block2_conv1");
    base.set_weight("block2_conv1.bias", &Tensor::ones([6], (Kind::Float, Device::Cpu))).unwrap();
    let seen = outer.weight("sequential/base/block2_conv1.bias").unwrap();
    assert_eq!(seen.double_value(&[3]), 1.0);
    let x = noise(&[2, 3, 16, 16]);
    assert_eq!(outer.call(&x).unwrap(), model.call(&x).unwrap());
}

#[test]
fn a_model_used_twice_runs_twice_and_learns_once() {
    let input = Input::new("image", [3, 16, 16]);
    let base = base();
    let (a, b) = (base.call(&input).unwrap(), base.call(&input).unwrap());
    let x = Flatten.call(&Add::new().call(&[a, b]).unwrap()).unwrap();
    let x = Softmax.call(&Dense::new(3).call(&x).unwrap()).unwrap();
    let model = Model::new("twice", &input, &x, Device::Cpu).unwrap();
    assert_eq!(model.layer_names()[..2], ["base", "base:2"]);
    let x = noise(&[2, 3, 16, 16]);
    let maps = model.activations(&["base", "base:2", "add"], &x).unwrap();
    assert_eq!(maps[0], maps[1]);
    assert_eq!(maps[2], &maps[0] * 2.0);
    model.compile(Sgd::new(0.1), Loss::CategoricalCrossEntropy).unwrap();
    let before = base.weight("block1_conv1.weight").unwrap();
    model.fit(&set(12), Fit::new()).unwrap();
    assert_ne!(before, base.weight("block1_conv1.weight").unwrap());
}

#[test]
fn frozen_layers_keep_their_weights_and_run_as_in_use() {
    let base = base();
    let model = transfer(&base);
    base.freeze();
    assert_eq!(base.trainable_count(), 0);
    assert_eq!(model.trainable_count(), (6 * 16 * 8 + 8) + (8 * 3 + 3));
    let before = base.weight("block1_conv1.weight").unwrap();
    model.compile(RmsProp::new(1e-2), Loss::CategoricalCrossEntropy).unwrap();
    model.fit(&set(12), Fit::new().epochs(2)).unwrap();
    assert_eq!(before, base.weight("block1_conv1.weight").unwrap());
    model.unfreeze();
    assert_eq!(model.trainable_count(), model.parameter_count());
}

#[test]
fn dropout_in_a_frozen_part_does_nothing() {
    let base = base();
    let model = transfer(&base);
    let set = set(12);
    model.compile(Sgd::new(0.0), Loss::CategoricalCrossEntropy).unwrap();
    let loss = |model: &Model| {
        let history = model.fit(&set, Fit::new().batch_size(12)).unwrap();
        (history.last().unwrap().loss, model.evaluate(&set).unwrap().loss)
    };
    let (training, used) = loss(&model);
    assert!((training - used).abs() > 1e-6, "dropout is at work: {training} and {used}");
    model.freeze();
    model.unfreeze_at("dense_1").unwrap();
    model.compile(Sgd::new(0.0), Loss::CategoricalCrossEntropy).unwrap();
    let (training, used) = loss(&model);
    assert!((training - used).abs() < 1e-6, "{training} and {used}");
}

#[test]
fn freezing_up_to_a_layer_leaves_the_rest_free() {
    let base = base();
    let model = transfer(&base);
    model.freeze_until("base/block1_pool").unwrap();
    let first = 3 * 4 * 9 + 4;
    assert_eq!(model.parameter_count() - model.trainable_count(), first);
    model.freeze_at("base").unwrap();
    assert_eq!(base.trainable_count(), 0);
    let message = refused(model.freeze_until("block2_pool"));
    assert!(message.contains("There is \"base/block2_pool\""), "{message}");
    let message = refused(model.freeze_at("nothing"));
    assert!(message.contains("layer_paths()"), "{message}");
}

#[test]
fn layers_may_be_frozen_and_freed_between_trainings() {
    let model = transfer(&base());
    let set = set(6);
    model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    model.fit(&set, Fit::new()).unwrap();
    model.freeze_at("base").unwrap();
    let before = model.weight("base/block1_conv1.weight").unwrap();
    model.fit(&set, Fit::new()).unwrap();
    assert_eq!(model.weight("base/block1_conv1.weight").unwrap(), before);
    model.unfreeze();
    model.fit(&set, Fit::new()).unwrap();
    assert_ne!(model.weight("base/block1_conv1.weight").unwrap(), before);
    model.freeze();
    assert!(refused(model.fit(&set, Fit::new())).contains("unfreeze()"));
}

#[test]
fn inner_layers_can_be_asked_and_cut_off() {
    let base = base();
    let model = transfer(&base);
    let x = noise(&[2, 3, 16, 16]);
    let maps = model.activations(&["base/block2_pool", "base/block1_pool", "dense"], &x).unwrap();
    let sizes: Vec<Vec<i64>> = maps.iter().map(Tensor::size).collect();
    assert_eq!(sizes, [vec![2, 6, 4, 4], vec![2, 4, 8, 8], vec![2, 8]]);
    let part = model.feature_extractor("base/block1_pool").unwrap();
    assert_eq!(part.weight_names()[0], "base/block1_conv1.weight");
    assert_eq!(part.call(&x).unwrap(), maps[1]);
    assert_eq!(part.parameter_count(), 112);
    part.freeze();
    assert_eq!(base.trainable_count(), base.parameter_count() - 112, "the flag is shared");
    assert_eq!(base.feature_extractor("block2_pool").unwrap().call(&x).unwrap(), maps[0]);
    assert_invalid(
        model.feature_extractor("base/block9"),
        "Model::feature_extractor(\"base/block9\")",
        "",
    );
    assert!(refused(model.activations(&["dense"], &noise(&[3, 16, 16]))).contains("unsqueeze(0)"));
}

#[test]
fn a_split_at_the_poolings_puts_together_again() {
    let base = base();
    for model in [base.clone(), transfer(&base)] {
        let parts = model.split_at_pools().unwrap();
        assert_eq!(parts.len(), 2);
        let x = noise(&[2, 3, 16, 16]);
        let through = parts.iter().fold(x.shallow_clone(), |x, part| part.call(&x).unwrap());
        assert_eq!(through, base.call(&x).unwrap());
        assert_eq!(parts[1].layer_names()[0], "block2_conv1");
    }
    // A branch around the first pooling leaves only the second one.
    let input = Input::new("x", [2, 8, 8]);
    let pooled = MaxPool2d::new(2).call(&input).unwrap();
    let around = Conv2d::new(2, 2).stride(2).call(&input).unwrap();
    let sum = MaxPool2d::new(2).call(&Add::new().call(&[pooled, around]).unwrap()).unwrap();
    let model = Model::new("around", &input, &sum, Device::Cpu).unwrap();
    let parts = model.split_at_pools().unwrap();
    assert_eq!(parts.len(), 1);
    let x = noise(&[1, 2, 8, 8]);
    assert_eq!(parts[0].call(&x).unwrap(), model.call(&x).unwrap());
    let none = Sequential::new().input_shape([4]).add(Dense::new(2)).build(Device::Cpu).unwrap();
    assert_invalid(none.split_at_pools(), "Model::split_at_pools", "none");
}

#[test]
fn five_branches_off_one_base_share_it() {
    let base = base();
    base.freeze();
    let input = Input::new("image", [3, 16, 16]);
    let mut x = input.clone();
    let mut branches = vec![Flatten.call(&input).unwrap()];
    for part in base.split_at_pools().unwrap() {
        x = part.call(&x).unwrap();
        branches.push(Flatten.call(&x).unwrap());
    }
    let all = Concatenate::new().call(&branches).unwrap();
    let scores = Softmax.call(&Dense::new(3).call(&all).unwrap()).unwrap();
    let model = Model::new("skip", &input, &scores, Device::Cpu).unwrap();
    assert_eq!(model.layer_names()[1], "base_block1_pool");
    assert_eq!(model.trainable_count(), (768 + 256 + 96) * 3 + 3);
    model.compile(Sgd::new(0.1), Loss::CategoricalCrossEntropy).unwrap();
    model.fit(&set(6), Fit::new()).unwrap();
}

#[test]
fn wrong_graphs_are_told() {
    let input = Input::new("image", [3, 16, 16]);
    let small = MaxPool2d::new(2).call(&input).unwrap();
    let message = refused(Concatenate::new().call(&[&input, &small]));
    assert!(
        message.contains("[3, 16, 16] from \"image\" and [3, 8, 8] from \"max_pool2d\""),
        "{message}"
    );
    assert_invalid(
        Add::new().call(&[&input, &small]),
        "Add::new()",
        "[3, 16, 16] from \"image\" and [3, 8, 8] from \"max_pool2d\"",
    );
    assert_invalid(Add::new().call(&[&input]), "Add::new()", "1");

    let twice = Sequential::new().input_shape([3, 8, 8]).add_named("one", Conv2d::new(2, 3));
    let message = refused(twice.add_named("one", Conv2d::new(3, 3)).build(Device::Cpu));
    assert!(
        message.contains("two layers \"one\": Conv2d::new(2, 3) and Conv2d::new(3, 3)"),
        "{message}"
    );
    assert!(message.contains(".named(\"…\")"), "{message}");

    let stranger = Input::new("other", [3, 16, 16]);
    let sum = Add::new().call(&[&input, &Relu.call(&stranger).unwrap()]).unwrap();
    let message = refused(Model::new("mixed", &input, &sum, Device::Cpu));
    assert!(
        message.contains("the input \"other\" of another network, which feeds Relu"),
        "{message}"
    );

    let message = refused(Dense::new(4).call(&input));
    assert!(message.contains("got [3, 16, 16] from \"image\"") && message.contains("Flatten"));
    let mut x = input.clone();
    let message = loop {
        match MaxPool2d::new(2).call(&x) {
            Ok(next) => x = next,
            Err(error) => break error.to_string(),
        }
    };
    assert!(message.contains("got 1 by 1 from \"max_pool2d_3\""), "{message}");

    let message = refused(base().call(&Input::new("tiny", [3, 8, 8])));
    assert!(
        message.contains("the model \"base\": expected [3, 16, 16], got [3, 8, 8] from \"tiny\"")
    );
    let (one, two) = (base(), base());
    let sum = Add::new().call(&[one.call(&input).unwrap(), two.call(&input).unwrap()]).unwrap();
    let message = refused(Model::new("both", &input, &sum, Device::Cpu));
    assert!(
        message.contains("two layers \"base\"") && message.contains(".name(\"…\")"),
        "{message}"
    );

    assert!(refused(Model::new("a/b", &input, &sum, Device::Cpu)).contains("without /"));
    let message = refused(Model::new("twice", &[&input, &input], &sum, Device::Cpu));
    assert!(message.contains("\"image\" twice"), "{message}");
    let empty = Input::new("empty", [3, 0]);
    let model = Model::new("empty", &empty, &Relu.call(&empty).unwrap(), Device::Cpu);
    assert!(refused(model).contains("[3, 0] for \"empty\""));
}

#[test]
fn absurd_sizes_are_refused_before_any_memory_is_taken() {
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten);
    let message = refused(layers.add(Dense::new(1 << 40)).build(Device::Cpu));
    assert!(message.contains("units of at most 16777216"), "{message}");
    let input = Input::new("x", [1 << 30, 1 << 30, 1 << 30]);
    assert!(refused(Flatten.call(&input)).contains("numbers"));
}

#[test]
fn clones_in_two_threads_never_wait_for_each_other_in_vain() {
    let base = base();
    let one = transfer(&base);
    let two = transfer(&base);
    let work = |model: Model| {
        std::thread::spawn(move || {
            model.compile(Sgd::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
            // Between two steps layers may be frozen, and the model be compiled anew.
            model.fit(&set(24), Fit::new().epochs(3).batch_size(4)).unwrap();
        })
    };
    let threads = [work(one.clone()), work(two.clone()), work(one.clone())];
    for _ in 0..20 {
        assert!(one.call(&noise(&[2, 3, 16, 16])).unwrap().isfinite().all().int64_value(&[]) == 1);
        base.freeze();
        base.unfreeze();
        assert!(two.weight("base/block1_conv1.weight").is_ok());
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn the_summary_says_what_is_connected_and_frozen() {
    let base = base();
    base.freeze();
    let model = transfer(&base);
    let text = format!("{:?}", model.summary());
    assert!(!text.contains("connected to"), "a chain needs no such column\n{text}");
    assert!(text.contains("a model of 6 layers") && text.contains("frozen"), "{text}");
    assert!(text.contains("1,137 parameters, 803 of them trainable"), "{text}");
    let all = Summary::new().expanded().multiply_adds().memory().receptive_field();
    let text = format!("{:?}", model.summary_with(all));
    assert!(text.contains("  block2_conv1"), "{text}");
    // Two convolutions of 3 with a pooling of 2 between them: 3, 4, 8, 10.
    assert!(text.contains("8 × 8") && text.contains("10 × 10"), "{text}");
    assert!(text.contains(&"27,648".to_owned()), "3 × 4 × 9 weights at 256 places\n{text}");

    let input = Input::new("x", [4]);
    let sum = Add::new().call(&[&Dense::new(4).call(&input).unwrap(), &input]).unwrap();
    let text = format!("{:?}", Model::new("skip", &input, &sum, Device::Cpu).unwrap().summary());
    assert!(text.contains("connected to") && text.contains("dense, x"), "{text}");
}

/// VGG16 without its classifier, a layer for each activation.
fn vgg16() -> Model {
    let mut layers = Sequential::new().name("vgg16").input_shape([3, 32, 32]);
    for (block, (filters, count)) in
        [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)].into_iter().enumerate()
    {
        for conv in 1..=count {
            let convolution = Conv2d::new(filters, 3).padding(Padding::Same);
            let name = format!("block{}_conv{conv}", block + 1);
            layers = layers.add_named(&name, convolution).add(Relu);
        }
        layers = layers.add_named(&format!("block{}_pool", block + 1), MaxPool2d::new(2));
    }
    layers.build(Device::Cpu).unwrap()
}

#[test]
fn the_tutorial_s_networks_have_their_published_sizes() {
    let conv_base = vgg16();
    conv_base.freeze();
    assert_eq!(conv_base.parameter_count(), 14_714_688);
    let head = |layers: Sequential| {
        let layers = layers.add(Flatten).add(Dense::new(512)).add(Relu).add(Dropout::new(0.5));
        layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu).unwrap()
    };
    let transfer = head(Sequential::new().name("transfer").add(&conv_base));
    assert_eq!((transfer.parameter_count(), transfer.trainable_count()), (14_982_474, 267_786));

    let mut layers = Sequential::new().name("simple").input_shape([3, 32, 32]);
    for filters in [32, 64] {
        layers = layers.add(Conv2d::new(filters, 3).padding(Padding::Same)).add(Relu);
        layers = layers.add(Conv2d::new(filters, 3)).add(Relu).add(MaxPool2d::new(2));
        layers = layers.add(Dropout::new(0.25));
    }
    let simple = head(layers);
    assert_eq!(simple.parameter_count(), 1_250_858);

    transfer.freeze();
    simple.freeze();
    let input = Input::new("cifar10_image", [3, 32, 32]);
    let both = [transfer.call(&input).unwrap(), simple.call(&input).unwrap()];
    let x = Concatenate::new().call(&both).unwrap();
    let x = Relu.call(&Dense::new(512).call(&x).unwrap()).unwrap();
    let x = Dense::new(10).call(&Dropout::new(0.5).call(&x).unwrap()).unwrap();
    let outputs = Softmax.call(&x).unwrap();
    let combined = Model::new("combined_cnn_classifier", &input, &outputs, Device::Cpu).unwrap();
    assert_eq!(combined.trainable_count(), 15_882);
    assert_eq!(combined.conv_layers()[12], "transfer/vgg16/block5_conv3");
    assert_eq!(conv_base.split_at_pools().unwrap().len(), 5);

    // Two fifths of it seen by hand: 3, 5, 6, 10, 14, 16 pixels after the second pooling.
    let text = format!("{:?}", conv_base.summary_with(Summary::new().receptive_field()));
    let line = text.lines().find(|line| line.starts_with("block2_pool")).unwrap();
    assert!(line.ends_with("16 × 16"), "{line}");
    let line = text.lines().find(|line| line.starts_with("block5_pool")).unwrap();
    assert!(line.ends_with("212 × 212"), "{line}");
}

#[test]
fn a_softmax_inside_the_last_layer_counts_as_one_behind_it() {
    let inside = Sequential::new().input_shape([3, 16, 16]).add(Flatten);
    let inside = inside.add(Dense::new(3).activation(Softmax)).build(Device::Cpu).unwrap();
    let behind = Sequential::new().input_shape([3, 16, 16]).add(Flatten).add(Dense::new(3));
    let behind = behind.add(Softmax).build(Device::Cpu).unwrap();
    for name in ["dense.weight", "dense.bias"] {
        behind.set_weight(name, &inside.weight(name).unwrap()).unwrap();
    }
    assert_eq!(inside.layer_paths(), ["flatten", "dense"]);
    let (x, set) = (noise(&[4, 3, 16, 16]), set(6));
    assert!(close(&inside.call(&x).unwrap(), &behind.call(&x).unwrap()));
    let maps = inside.activations(&["dense"], &x).unwrap().remove(0);
    assert_eq!(maps, inside.call(&x).unwrap(), "a layer's output is what its activation gives");
    assert_eq!(inside.feature_extractor("dense").unwrap().call(&x).unwrap(), maps);
    for model in [&inside, &behind] {
        model.compile(Sgd::new(0.5), Loss::CategoricalCrossEntropy).unwrap();
        model.fit(&set, Fit::new().epochs(2).batch_size(6)).unwrap();
    }
    assert!(close(
        &inside.weight("dense.weight").unwrap(),
        &behind.weight("dense.weight").unwrap()
    ));
    // As a layer of another network, too.
    let outer = Sequential::new().add(&inside).build(Device::Cpu).unwrap();
    outer.compile(Sgd::new(0.5), Loss::CategoricalCrossEntropy).unwrap();
    outer.fit(&set, Fit::new()).unwrap();
    assert!(outer.diagram().figure().is_ok());
    assert_eq!(format!("{:?}", outer.summary()).matches("softmax").count(), 0);
    assert!(Ensemble::average(&[&inside, &behind]).unwrap().evaluate(&set).is_ok());
}
