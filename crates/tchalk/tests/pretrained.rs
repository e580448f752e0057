//! Pretrained weights from `TCHALK_DATA_DIR`, skipped where that has none, and the built-in base.

#[path = "common/bundle.rs"]
mod bundle;

use bundle::bundle;
use std::path::{Path, PathBuf};
use tchalk::prelude::*;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn squeezenet_classifies_photos() {
    const FILE: &str = "weights/squeezenet1_0_deepcompression.safetensors";
    let Some(folder) = bundle(&[FILE, "imagenet-samples", "photos"]) else { return };
    let net = applications::squeezenet1_0().weights(Weights::file(folder.join(FILE)));
    let net = net.build(Device::Cpu).unwrap();
    assert_eq!(net.input_shape(), [3, 227, 227], "the file says what it wants");
    let photos = files(&folder.join("imagenet-samples"));
    let (mut first, mut five) = (0, 0);
    for photo in &photos {
        // The file name begins with the class.
        let name = photo.file_name().unwrap().to_string_lossy();
        let truth: usize = name[..3].parse().unwrap();
        let top = net.predict_file(photo).unwrap().top_classes(5);
        first += usize::from(top[0].0 == truth);
        five += usize::from(top.iter().any(|(class, ..)| *class == truth));
    }
    let count = photos.len();
    eprintln!("SqueezeNet 1.0: {first} of {count} right, {five} among the first five");
    assert!(first * 100 >= 55 * count, "{first} of {count}");

    // There are several classes of cats and of parrots.
    let cases = [
        ("cat_720p.jpg", &["cat", "tabby", "lynx"][..]),
        ("parrot.jpg", &["macaw", "lorikeet", "cockatoo", "parrot", "African gray"]),
        ("hot_dog.jpg", &["hotdog", "hot dog"]),
    ];
    for (photo, words) in cases {
        let prediction = net.predict_file(folder.join("photos").join(photo)).unwrap();
        eprintln!("{photo}: {:?}", prediction.top_classes(5));
        let top = prediction.top_classes(5);
        let is_right = |name: &str| words.iter().any(|word| name.contains(word));
        assert!(top.iter().any(|(_, name, _)| is_right(name)), "{photo}: {top:?}");
    }
}

#[test]
fn imagenet_weights_are_found_in_the_bundle() {
    if bundle(&["weights/squeezenet1_1_notop.safetensors"]).is_none() {
        return;
    }
    let net = applications::squeezenet1_1().without_top().input_shape([3, 64, 64]);
    let net = net.build(Device::Cpu).unwrap();
    assert_eq!(net.layer_names()[0], "preprocessing");
    assert_eq!(net.parameter_count(), 722_496);
}

#[test]
fn a_frozen_base_classifies_ants_and_bees() {
    const FILE: &str = "weights/squeezenet1_1_notop.safetensors";
    let Some(folder) = bundle(&[FILE, "hymenoptera"]) else { return };
    let base = applications::squeezenet1_1().weights(Weights::file(folder.join(FILE)));
    let base = base.without_top().input_shape([3, 227, 227]).build(Device::Cpu).unwrap();
    base.freeze();
    let features = Sequential::new().add(&base).add(GlobalAveragePool2d);
    let features = features.build(Device::Cpu).unwrap();
    assert_eq!((features.output_shape(), features.trainable_count()), (vec![512], 0));
    // The base is frozen, so its features are computed once.
    let cached = |part: &str| {
        let photos = datasets::image_folder(folder.join("hymenoptera").join(part), [227, 227]);
        let set = photos.unwrap().to_tensors(Device::Cpu);
        let parts: Vec<Tensor> =
            set.x().split(32, 0).iter().map(|batch| features.call(batch).unwrap()).collect();
        let labels = set.labels().unwrap();
        TensorSet::new(&Tensor::cat(&parts, 0), &labels, &["ants", "bees"]).unwrap()
    };
    let (train, val) = (cached("train"), cached("val"));
    assert_eq!((train.len(), val.len()), (244, 77));
    // Each feature is standardized with the statistics of the training photos.
    let numbers = |t: Tensor| Vec::<f64>::try_from(t.to_kind(Kind::Double)).unwrap();
    let (mean, deviation) =
        (train.x().mean_dim(0i64, false, Kind::Float), train.x().std_dim(0i64, false, false));
    let standard = Normalize::new(numbers(mean), numbers(deviation + 1e-6));
    let head = Sequential::new().input_shape([512]).add(standard).add(Dense::new(2)).add(Softmax);
    let head = head.build(Device::Cpu).unwrap();
    head.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy).unwrap();
    head.fit(&train, Fit::new().epochs(30).batch_size(32)).unwrap();
    let accuracy = head.evaluate(&val).unwrap().accuracy;
    eprintln!("ants and bees: {:.1} % of {} right", 100.0 * accuracy, val.len());
    assert!(accuracy >= 0.88, "{accuracy}");
}

/// A residual network for CIFAR-10 with parameter-free shortcuts: 20 layers with 3 blocks in each stage.
fn cifar_resnet(blocks: usize) -> tchalk::Result<Model> {
    let conv = |name: &str, filters, stride, x: &Symbol| {
        let layer = Conv2d::new(filters, 3).stride(stride).padding(Padding::Explicit(1));
        layer.use_bias(false).named(name).call(x)
    };
    let norm =
        |name: &str, x: &Symbol| BatchNorm2d::new().momentum(0.9).epsilon(1e-5).named(name).call(x);
    let input = Input::new("image", [3, 32, 32]);
    let x = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).call(&input)?;
    let mut x = Relu.call(&norm("bn1", &conv("conv1", 16, 1, &x)?)?)?;
    for (stage, filters) in [(1, 16), (2, 32), (3, 64)] {
        for block in 0..blocks {
            let name = |part: &str| format!("layer{stage}.{block}.{part}");
            let stride = if stage > 1 && block == 0 { 2 } else { 1 };
            let y = conv(&name("conv1"), filters, stride, &x)?;
            let y = Relu.call(&norm(&name("bn1"), &y)?)?;
            let y = norm(&name("bn2"), &conv(&name("conv2"), filters, 1, &y)?)?;
            let mut shortcut = x.clone();
            if stride == 2 {
                shortcut = MaxPool2d::new(1).stride(2).call(&shortcut)?;
                shortcut = PadChannels::new(filters / 4, filters / 4).call(&shortcut)?;
            }
            x = Relu.call(&Add::new().call(&[y, shortcut])?)?;
        }
    }
    let x = Dense::new(10).named("linear").call(&GlobalAveragePool2d.call(&x)?)?;
    Model::new("cifar_resnet", &input, &Softmax.call(&x)?, Device::Cpu)
}

/// 400 training images of CIFAR-10 that were never JPEGs.
const LOSSLESS: &str = "cifar10/lossless_train_400.bin";

/// The 400 images `[400, 3, 32, 32]` from 0 to 1, and their labels.
fn lossless(folder: &Path) -> (Tensor, Vec<i64>) {
    let bytes = std::fs::read(folder.join(LOSSLESS)).unwrap();
    let records = bytes.chunks(3_073);
    let labels = records.clone().map(|record| i64::from(record[0])).collect();
    let pixels: Vec<u8> = records.flat_map(|record| &record[1..]).copied().collect();
    let x = Tensor::from_slice(&pixels).view([-1, 3, 32, 32]).to_kind(Kind::Float) / 255.0;
    (x, labels)
}

#[test]
fn residual_networks_for_cifar10_classify_their_training_images() {
    const FILES: [&str; 2] =
        ["weights/resnet20-12fca82f.safetensors", "weights/resnet56-4bfd9763.safetensors"];
    let Some(folder) = bundle(&[FILES[0], FILES[1], LOSSLESS]) else { return };
    for (file, blocks, least) in [(FILES[0], 3, 0.99), (FILES[1], 9, 0.99)] {
        let net = cifar_resnet(blocks).unwrap();
        for (name, value) in Tensor::read_safetensors(folder.join(file)).unwrap() {
            net.set_weight(&name, &value).unwrap();
        }
        let (x, labels) = lossless(&folder);
        let predicted = Vec::<i64>::try_from(net.call(&x).unwrap().argmax(1, false)).unwrap();
        let right = predicted.iter().zip(&labels).filter(|(a, b)| a == b).count();
        eprintln!("{file}: {right} of {} right", labels.len());
        assert!(right as f64 >= least * labels.len() as f64, "{right} of {}", labels.len());
    }
}

#[test]
fn the_built_in_base_is_better_than_a_random_one() {
    let shapes = datasets::shapes().unwrap();
    let train = shapes.train.take(400).to_tensors(Device::Cpu);
    let test = shapes.test.take(400).to_tensors(Device::Cpu);
    let accuracy = |weights: Weights| {
        let base = applications::built_in_base().weights(weights).build(Device::Cpu).unwrap();
        base.freeze();
        let layers = Sequential::new().add(&base).add(Flatten).add(Dense::new(10)).add(Softmax);
        let model = layers.build(Device::Cpu).unwrap();
        model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
        model.fit(&train, Fit::new().epochs(40)).unwrap();
        model.evaluate(&test).unwrap().accuracy
    };
    let (trained, random) = (accuracy(Weights::BuiltIn), accuracy(Weights::Random));
    eprintln!("shapes on the frozen built-in base: {trained}, on a random one: {random}");
    assert!(trained > random + 0.1, "{trained} and {random}");
}
