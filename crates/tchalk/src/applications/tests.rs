//! The networks compared with PyTorch's. `tests/reference/applications.py` writes the reference values.

use super::weights::TORCHVISION;
use super::*;
use crate::error::Error;
use crate::layers::{Mode, Softmax};
use crate::model::{CallLayer, Input, Model};
use std::collections::HashMap;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// Pseudo-random numbers from −1 to 1 that depend on a name, as in the script.
fn made_up(name: &str, shape: &[i64]) -> Tensor {
    let seed = name
        .bytes()
        .fold(2_166_136_261u64, |seed, byte| ((seed ^ u64::from(byte)) * 16_777_619) % (1 << 32));
    let count: i64 = shape.iter().product();
    let number = |i: u64| {
        let h = (i + seed) % (1 << 32);
        let h = (h * 668_265_263) % (1 << 32);
        let h = h ^ (h >> 15);
        let h = (h * 374_761_393) % (1 << 32);
        let h = h ^ (h >> 13);
        (h as f64 / f64::from(1u32 << 31) - 1.0) as f32
    };
    let numbers: Vec<f32> = (0..count as u64).map(number).collect();
    Tensor::from_slice(&numbers).view(shape)
}

/// A weight of this name with the same values as in the script.
fn weight(name: &str, size: &[i64]) -> Tensor {
    let u = made_up(name, size);
    if name.ends_with("running_var") {
        u * 0.5 + 1.0
    } else if name.ends_with("running_mean") || name.ends_with("bias") {
        u * 0.1
    } else if size.len() == 1 {
        u * 0.2 + 1.0
    } else {
        let inputs: i64 = size[1..].iter().product();
        u * (6.0 / inputs as f64).sqrt()
    }
}

/// The network with such weights, and their published names, in the network's order.
fn network(application: Application) -> (Model, Vec<String>) {
    let application = application.weights(Weights::Random).classes(7);
    let (model, builder) =
        application.build_untrained(1, Preprocessing::None, Device::Cpu).unwrap();
    let names = model.weight_names();
    let theirs: Vec<String> = names.iter().map(|ours| builder.published_name(ours)).collect();
    for (ours, theirs) in names.iter().zip(&theirs) {
        let size = model.weight(ours).unwrap().size();
        model.set_weight(ours, &weight(theirs, &size)).unwrap();
    }
    assert_eq!(builder.weight_names(), theirs, "{}", model.name());
    (model, theirs)
}

fn assert_close(what: &str, ours: &Tensor, theirs: &Tensor, tolerance: f64) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let scale = theirs.abs().max().double_value(&[]).max(1e-3);
    let distance = (ours - theirs).abs().max().double_value(&[]) / scale;
    assert!(distance < tolerance, "{what}: {distance:e} of {scale:e}");
}

/// Runs the case forward, and backward if the file has gradients.
fn check(case: &str, application: Application, size: [usize; 2]) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/applications.safetensors");
    let values: HashMap<String, Tensor> =
        Tensor::read_safetensors(file).unwrap().into_iter().collect();
    let (model, names) = network(application.input_shape([3, size[0], size[1]]));
    let backwards = values.contains_key(&format!("{case} dx"));
    let x = made_up("input", &[2, 3, size[0] as i64, size[1] as i64]) / 2.0 + 0.5;
    let x = x.set_requires_grad(backwards);
    let mode = if case.ends_with("learning") { Mode::Training } else { Mode::Inference };
    let program = &model.inner().program;
    let run = || {
        let access = match mode {
            Mode::Training => program.training(),
            Mode::Inference => program.inference(),
        };
        access.run(&[(program.inputs[0], &x)], &[program.logits()]).remove(0)
    };
    // A normalization over the few values of a small batch's last layers makes much of the order in
    // which sums are formed, and that hangs on the number of threads: here it is the reference's.
    tch::set_num_threads(2);
    let y = if backwards { run() } else { tch::no_grad(run) };
    assert_close(&format!("{case} y"), &y, &values[&format!("{case} y")], 1e-4);
    if !backwards {
        return;
    }
    let loss = (&y * made_up("loss", &y.size())).sum(Kind::Float) / (y.numel() as f64).sqrt();
    loss.backward();
    let dx = x.grad().adaptive_avg_pool2d([8, 8]);
    assert_close(&format!("{case} dx"), &dx, &values[&format!("{case} dx")], 1e-3);
    let weights = program.built_layers().flat_map(|cell| cell.tensors());
    let told: Vec<f32> = weights
        .zip(&names)
        .filter(|(weight, _)| weight.requires_grad())
        .flat_map(|(weight, name)| {
            let gradient = weight.grad();
            let product = (&gradient * made_up(name, &gradient.size())).mean(Kind::Float);
            [gradient.abs().mean(Kind::Float), product].map(|it| it.double_value(&[]) as f32)
        })
        .collect();
    let told = Tensor::from_slice(&told).view([-1, 2]);
    let theirs = &values[&format!("{case} dw")];
    assert_eq!(told.size(), theirs.size(), "{case} dw");
    // The order of weights in a block differs where PyTorch names a shortcut last, so both are
    // compared as what they are: one row a weight, each against its own size.
    let size = theirs.select(1, 0).unsqueeze(1);
    let distance = ((&told - theirs) / size).abs().max().double_value(&[]);
    assert!(distance < 1e-3, "{case} dw: {distance:e}");
}

#[test]
fn vgg16_is_pytorch_s() {
    check("vgg16 base", vgg16().without_top(), [70, 33]);
}

#[test]
fn vgg16_with_its_top_is_pytorch_s() {
    check("vgg16 whole", vgg16(), [64, 47]);
}

#[test]
fn resnet18_is_pytorch_s() {
    check("resnet18 whole", resnet18(), [65, 50]);
    check("resnet18 learning", resnet18().without_top(), [65, 50]);
}

#[test]
fn resnet50_is_pytorch_s() {
    check("resnet50 whole", resnet50(), [64, 49]);
    check("resnet50 learning", resnet50().without_top(), [64, 49]);
}

#[test]
fn squeezenet_is_pytorch_s() {
    check("squeezenet1_0 whole", squeezenet1_0(), [70, 55]);
    check("squeezenet1_1 whole", squeezenet1_1(), [70, 55]);
}

#[test]
fn mobilenet_v2_is_pytorch_s() {
    check("mobilenet_v2 whole", mobilenet_v2(), [64, 49]);
    check("mobilenet_v2 learning", mobilenet_v2().without_top(), [64, 49]);
}

fn random(application: Application) -> Application {
    application.weights(Weights::Random)
}

#[test]
fn sizes_are_the_published_ones() {
    let count = |application: Application| {
        let side = application.architecture.min_size.max(32);
        let net = random(application).input_shape([3, side, side]).build(Device::Cpu).unwrap();
        (net.parameter_count(), net.trainable_count())
    };
    assert_eq!(count(vgg16().without_top()), (14_714_688, 14_714_688));
    // Torchvision counts what is learned: without running means and variances.
    assert_eq!(count(resnet18()).1, 11_689_512);
    assert_eq!(count(resnet50()).1, 25_557_032);
    assert_eq!(count(squeezenet1_0()), (1_248_424, 1_248_424));
    assert_eq!(count(squeezenet1_1()), (1_235_496, 1_235_496));
    assert_eq!(count(mobilenet_v2()).1, 3_504_872);
    let net = random(vgg16()).without_top().input_shape([3, 32, 32]).build(Device::Cpu).unwrap();
    assert_eq!(net.output_shape(), [512, 1, 1]);
    assert_eq!(net.conv_layers().len(), 13);
    assert_eq!(net.layer_names()[0], "block1_conv1");
    assert_eq!(net.layer_names().last().unwrap(), "block5_pool");
    assert_eq!(net.split_at_pools().unwrap().len(), 5);
}

#[test]
fn the_smallest_images_are_accepted() {
    for application in [resnet18(), squeezenet1_0(), squeezenet1_1(), mobilenet_v2()] {
        let side = application.architecture.min_size;
        let net = random(application).classes(5).input_shape([3, side, side]);
        let net = net.build(Device::Cpu).unwrap();
        let x = Tensor::zeros([1, 3, side as i64, side as i64], (Kind::Float, Device::Cpu));
        assert_eq!(net.call(&x).unwrap().size(), [1, 5], "{}", net.name());
    }
}

#[test]
fn wrong_images_are_refused() {
    let refusal =
        |application: Application| application.build(Device::Cpu).unwrap_err().to_string();
    assert_eq!(
        refusal(random(vgg16()).input_shape([3, 28, 28])),
        "applications::vgg16().input_shape([3, 28, 28]): expected images of at least 32 by 32 \
         pixels, got 28 by 28.\nResize::new(32, 32) makes small images larger."
    );
    assert!(
        refusal(random(resnet18()).input_shape([3, 224])).contains("[channels, height, width]")
    );
    let none = squeezenet1_0().weights(Weights::file("/no/such/file.safetensors"));
    assert!(refusal(none).contains("expected an existing file of weights"));
    let gray = random(resnet18()).without_top().input_shape([1, 32, 32]).build(Device::Cpu);
    assert_eq!(gray.unwrap().output_shape(), [512, 1, 1]);
}

/// A file of the base's weights with torchvision's names.
fn weight_file(
    name: &str,
    write: impl Fn(&[(&str, &Tensor)], &Path),
) -> (tempfile::TempDir, Weights) {
    let (model, theirs) = network(squeezenet1_1().without_top().input_shape([3, 32, 32]));
    let names = model.weight_names();
    let tensors: Vec<Tensor> = names.iter().map(|ours| model.weight(ours).unwrap()).collect();
    let named: Vec<(&str, &Tensor)> = theirs.iter().map(String::as_str).zip(&tensors).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write(&named, &path);
    (folder, Weights::file(path))
}

fn small() -> Application {
    squeezenet1_1().without_top().input_shape([3, 32, 32])
}

#[test]
fn safetensors_and_ot_files_fill_a_network() {
    let x = made_up("input", &[2, 3, 32, 32]) / 2.0 + 0.5;
    let (wanted, _) = network(small());
    let wanted = wanted.call(&x).unwrap();
    let files = [
        weight_file("net.safetensors", |named, path| {
            Tensor::write_safetensors(named, path).unwrap()
        }),
        weight_file("net.ot", |named, path| Tensor::save_multi(named, path).unwrap()),
    ];
    for (_folder, weights) in files {
        let plain = small().weights(weights.clone()).preprocessing(false);
        assert_eq!(plain.build(Device::Cpu).unwrap().call(&x).unwrap(), wanted, "{weights:?}");
        // Preprocessing belongs to the weights: torchvision's, where the file says nothing.
        let net = small().weights(weights).build(Device::Cpu).unwrap();
        assert_eq!(net.layer_names()[0], "preprocessing");
        let mean = Tensor::from_slice(&[0.485f32, 0.456, 0.406]).view([1, 3, 1, 1]);
        let deviation = Tensor::from_slice(&[0.229f32, 0.224, 0.225]).view([1, 3, 1, 1]);
        assert_close("preprocessed", &net.call(&(&x * deviation + mean)).unwrap(), &wanted, 1e-4);
    }
}

#[test]
fn weights_of_another_network_are_refused() {
    let (_folder, weights) = weight_file("net.safetensors", |named, path| {
        Tensor::write_safetensors(named, path).unwrap()
    });
    let refusal = |application: Application| {
        application.weights(weights.clone()).build(Device::Cpu).unwrap_err().to_string()
    };
    let error = refusal(resnet18());
    assert!(error.contains("it holds no \"conv1.weight\""), "{error}");
    assert!(error.contains("Are these the weights of resnet18?"), "{error}");
    let error = refusal(squeezenet1_0().without_top());
    assert!(error.contains("\"features.0.weight\" has the shape [64, 3, 3, 3]"), "{error}");
    assert!(refusal(squeezenet1_1()).contains("it holds no \"classifier.1.weight\""));
}

#[test]
fn the_tutorial_s_networks_have_their_published_sizes() {
    let base = random(vgg16()).without_top().input_shape([3, 32, 32]).build(Device::Cpu).unwrap();
    base.freeze();
    let head = |layers: crate::model::Sequential| {
        use crate::layers::{Dense, Dropout, Flatten, Relu};
        let layers = layers.add(Flatten).add(Dense::new(512)).add(Relu).add(Dropout::new(0.5));
        layers.add(Dense::new(10)).add(Softmax)
    };
    let transfer = head(crate::model::Sequential::new().add(&base)).build(Device::Cpu).unwrap();
    assert_eq!((transfer.parameter_count(), transfer.trainable_count()), (14_982_474, 267_786));
    assert_eq!(transfer.conv_layers()[0], "vgg16/block1_conv1");
    // A second network of another kind beside it, and a small one on top of both.
    let small = head(crate::model::Sequential::new().input_shape([3, 32, 32]));
    let small = small.build(Device::Cpu).unwrap();
    transfer.freeze();
    small.freeze();
    let input = Input::new("cifar10_image", [3, 32, 32]);
    use crate::layers::{Concatenate, Dense, Dropout, Relu};
    use crate::model::CallMerge;
    let both = [transfer.call(&input).unwrap(), small.call(&input).unwrap()];
    let x = Dense::new(512).call(&Concatenate::new().call(&both).unwrap()).unwrap();
    let x = Dropout::new(0.5).call(&Relu.call(&x).unwrap()).unwrap();
    let x = Softmax.call(&Dense::new(10).call(&x).unwrap()).unwrap();
    let combined = Model::new("combined_cnn_classifier", &input, &x, Device::Cpu).unwrap();
    assert_eq!(combined.trainable_count(), 15_882);
}

#[test]
fn every_network_is_saved_and_loaded_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let all = [resnet18(), resnet50(), squeezenet1_0(), squeezenet1_1(), mobilenet_v2()];
    let all = all.into_iter().chain([vgg16().without_top()]);
    let x = made_up("input", &[2, 3, 48, 40]) / 2.0 + 0.5;
    for application in all {
        let wanted = application.weights(Weights::Random).preprocessing(TORCHVISION).classes(7);
        let net = wanted.input_shape([3, 48, 40]).build(Device::Cpu).unwrap();
        net.save(&path).unwrap();
        let back = Model::load(&path, Device::Cpu).unwrap();
        assert_eq!(back.layer_names(), net.layer_names());
        assert_eq!(back.call(&x).unwrap(), net.call(&x).unwrap(), "{}", net.name());
    }
}

#[test]
fn the_built_in_base_is_built_like_vgg16_and_has_a_source() {
    let base = built_in_base().build(Device::Cpu).unwrap();
    let (input, output) = (base.input_shape(), base.output_shape());
    assert_eq!((&input[..], &output[..]), (&[3, 32, 32][..], &[160, 1, 1][..]));
    assert_eq!(base.name(), "built_in_base");
    assert_eq!(base.parameter_count(), 877_344);
    assert_eq!(base.conv_layers().len(), 10);
    assert_eq!(
        (&base.layer_names()[0][..], &base.layer_names()[14][..]),
        ("block1_conv1", "block5_pool")
    );
    assert_eq!(base.split_at_pools().unwrap().len(), 5);
    let source = base.source();
    for part in ["This is the built-in base", "trained on the 50,000", "has seen the labels"] {
        assert!(source.contains(part), "{part:?} is not in {source}");
    }
    assert_eq!(base.copy().unwrap().source(), source);
    let large = built_in_base().input_shape([3, 64, 96]).build(Device::Cpu).unwrap();
    assert_eq!(large.output_shape(), [160, 2, 3]);
    let fresh = random(built_in_base()).build(Device::Cpu).unwrap();
    assert_eq!((fresh.layer_names(), fresh.source()), (base.layer_names(), String::new()));
    let weight = |model: &Model| model.weight("block1_conv1.weight").unwrap();
    assert_eq!(weight(&large), weight(&base));
    assert_ne!(weight(&fresh), weight(&base));
}

#[test]
fn the_built_in_base_replaces_vgg16_and_says_why() {
    let why = Error::download("vgg16", "nobody answered", "Check the connection.");
    let asked = vgg16().without_top().input_shape([3, 48, 48]).or_built_in();
    asked.check_weights().unwrap();
    let base = asked.clone().build_fallback(&why, Device::Cpu).unwrap();
    assert_eq!((base.name(), base.input_shape()), ("built_in_base".into(), vec![3, 48, 48]));
    let source = base.source();
    assert!(
        source.contains("not VGG16, because") && source.contains("nobody answered"),
        "{source}"
    );
    assert!(!source.contains("Check the connection"), "{source}");
    let base = vgg16().without_top().build_fallback(&why, Device::Cpu).unwrap();
    assert_eq!(base.input_shape(), [3, 224, 224], "the default size of VGG16");
}

#[test]
fn the_built_in_base_replaces_no_other_network() {
    let refusal =
        |application: Application| application.build(Device::Cpu).unwrap_err().to_string();
    let text = refusal(vgg16().or_built_in());
    assert_eq!(
        text,
        "applications::vgg16().or_built_in(): expected a network without its top, got one with it.\n\
         The built-in base replaces only vgg16().without_top()."
    );
    assert!(refusal(resnet18().without_top().or_built_in()).contains("expected vgg16()"));
    let gray = vgg16().without_top().input_shape([1, 32, 32]).or_built_in();
    assert!(refusal(gray).contains("3 channels"));
    let small = vgg16().without_top().input_shape([3, 28, 28]).or_built_in();
    assert!(refusal(small).contains("at least 32 by 32"));
    let other = random(vgg16().without_top()).or_built_in();
    assert!(refusal(other).contains("expected Weights::ImageNet, got Weights::Random"));
    assert!(refusal(vgg16().weights(Weights::BuiltIn)).contains("built_in_base()"));
    let text = refusal(built_in_base().weights(Weights::ImageNet));
    assert!(text.contains("got Weights::ImageNet"), "{text}");
}
