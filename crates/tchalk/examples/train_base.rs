//! Trains the built-in base: a small network in VGG16's form, on the training images of CIFAR-10.
//!
//!     train_base OUT.safetensors [WHAT-IS-KNOWN-OF-THE-IMAGES [EPOCHS]]
//!
//! It takes CIFAR-10 from `TCHALK_DATA_DIR`, and writes the weights of the convolutions in half
//! precision, with their evidence in the header: data, accuracy, seed, versions. Five blocks of two
//! convolutions and a pooling; the classifier that was trained with them is left out.
//!
//! Images that are not CIFAR-10's own, bit for bit, have to be named as what they are: the second
//! argument follows the set's name in the evidence, `"rebuilt from JPEG copies"`.

use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use tchalk::prelude::*;

const SEED: u64 = 42;
/// Filters of each block.
const BLOCKS: [usize; 5] = [32, 64, 96, 128, 160];

fn network() -> tchalk::Result<Model> {
    let mut layers = Sequential::new().input_shape([3, 32, 32]);
    for (i, filters) in BLOCKS.into_iter().enumerate() {
        for j in 1..=2 {
            let convolution = Conv2d::new(filters, 3).padding(Padding::Same);
            layers = layers.add_named(&format!("block{}_conv{j}", i + 1), convolution).add(Relu);
        }
        layers = layers.add_named(&format!("block{}_pool", i + 1), MaxPool2d::new(2));
    }
    let head = layers.add(Flatten).add(Dropout::new(0.3)).add(Dense::new(10)).add(Softmax);
    head.build(Device::cuda_if_available())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("train_base OUT.safetensors [NOTE [EPOCHS]]")?;
    let note = arguments.next().filter(|note| !note.is_empty());
    let note = note.map_or(String::new(), |note| format!(", {note}"));
    let epochs: usize = arguments.next().map_or(Ok(24), |text| text.parse())?;
    runtime::seed(SEED);
    let cifar10 = datasets::cifar10()?;
    println!("{:?}", cifar10.source());
    let model = network()?;
    let train = cifar10.train.to_tensors(model.device());
    let test = cifar10.test.to_tensors(model.device());
    let optimizer = AdamW::new(1.5e-3).weight_decay(0.01).global_clip_norm(1.0);
    model.compile(optimizer, Loss::categorical_cross_entropy().label_smoothing(0.1))?;
    // The test set is measured once, at the end: nothing is chosen by it.
    let how = Fit::new()
        .epochs(epochs)
        .batch_size(128)
        .augment(Augmentation::new().random_flip().random_crop(2));
    let how = how.schedule(Schedule::cosine().warm_up(1));
    let how = how.callback(Checkpoint::new(format!("{out}.training")).every(1));
    let how = match std::path::Path::new(&format!("{out}.training")).exists() {
        true => how.resume(format!("{out}.training")),
        false => how,
    };
    let history = model.fit(&train, how)?;
    let result = model.evaluate(&test)?;
    println!("{history:?}\n{result:?}");

    let names = model.weight_names().into_iter().filter(|name| name.starts_with("block"));
    let weights = names.map(|name| {
        let weight = model.weight(&name)?.to_device(Device::Cpu).to_kind(Kind::Half).contiguous();
        let mut bytes = vec![0; 2 * weight.numel()];
        weight.f_copy_data_u8(&mut bytes, weight.numel())?;
        let shape: Vec<usize> = weight.size().iter().map(|&n| n as usize).collect();
        Ok((name, shape, bytes))
    });
    let weights: Vec<_> = weights.collect::<tchalk::Result<_>>()?;
    let views: Vec<_> = weights
        .iter()
        .map(|(name, shape, bytes)| {
            (name, TensorView::new(Dtype::F16, shape.clone(), bytes).unwrap())
        })
        .collect();
    let images = |part: &str, count: usize| {
        let (thousands, rest) = (count / 1_000, count % 1_000);
        format!("the {thousands},{rest:03} {part} images of {}{note}", cifar10.name())
    };
    let evidence = HashMap::from([
        ("trained on".to_owned(), images("training", cifar10.train.len())),
        ("tested on".to_owned(), images("test", cifar10.test.len())),
        ("test accuracy".to_owned(), format!("{:.4}", result.accuracy)),
        ("epochs".to_owned(), history.len().to_string()),
        ("seed".to_owned(), SEED.to_string()),
        ("made by".to_owned(), format!("tchalk {}, libtorch 2.11.0", env!("CARGO_PKG_VERSION"))),
        ("input".to_owned(), "f32 [3, 32, 32] in 0 to 1".to_owned()),
        ("license".to_owned(), "that of tchalk".to_owned()),
    ]);
    safetensors::serialize_to_file(views, Some(evidence), std::path::Path::new(&out))?;
    println!("{out}: {} bytes", std::fs::metadata(&out)?.len());
    Ok(())
}
