//! The base that comes with the library: small, built like VGG16, trained by this project.

use super::architecture::{Architecture, NetworkBuilder};
use crate::error::Result;
use crate::layers::{Conv2d, MaxPool2d, Padding, Relu};
use crate::model::{Model, Symbol};
use crate::text::thousands;
use safetensors::SafeTensors;
use tch::{Kind, Tensor, no_grad};

/// Five blocks of two convolutions and a pooling, with VGG16's layer names and no top.
pub(super) const BUILT_IN_BASE: Architecture =
    Architecture { name: "built_in_base", min_size: 32, features, top: |_, x| Ok(x) };

/// The width and height of the images that it was trained on.
pub(super) const INPUT_SIZE: usize = 32;

/// The filters of the convolutions in each block.
const BLOCKS: [usize; 5] = [32, 64, 96, 128, 160];

/// Made by `cargo xtask train-base`: the weights in half precision, and how they were trained in the metadata.
static FILE: &[u8] = include_bytes!("built_in_base.safetensors");

fn features(net: &mut NetworkBuilder, mut x: Symbol) -> Result<Symbol> {
    for (block, filters) in (1..).zip(BLOCKS) {
        for i in 1..=2 {
            let layer = Conv2d::new(filters, 3).padding(Padding::Same).activation(Relu);
            let layer = layer.kernel_initializer(net.initializer());
            x = net.layer(&format!("block{block}_conv{i}"), layer, &x)?;
        }
        x = net.layer(&format!("block{block}_pool"), MaxPool2d::new(2), &x)?;
    }
    Ok(x)
}

/// Sets the network's weights to those of the built-in file.
pub(super) fn load_built_in_weights(model: &Model) {
    let file = SafeTensors::deserialize(FILE).expect("the built-in file is valid");
    for weight in model.inner().program.weights() {
        let value = file.tensor(&weight.name).expect("the built-in file has every weight");
        let shape: Vec<i64> = value.shape().iter().map(|&n| n as i64).collect();
        let value = Tensor::from_data_size(value.data(), &shape, Kind::Half);
        no_grad(|| weight.tensor.shallow_clone().copy_(&value));
    }
}

/// An entry of the file's metadata.
fn file_metadata(key: &str) -> String {
    let (_, header) = SafeTensors::read_metadata(FILE).expect("the built-in file is valid");
    let entry = header.metadata().as_ref().and_then(|entries| entries.get(key).cloned());
    entry.unwrap_or_else(|| panic!("the built-in file has {key:?}"))
}

/// How it was trained and tested, and what follows from that.
pub(super) fn provenance() -> String {
    let file = SafeTensors::deserialize(FILE).expect("the built-in file is valid");
    let count: usize =
        file.iter().map(|(_, weight)| weight.shape().iter().product::<usize>()).sum();
    let accuracy: f64 = file_metadata("test accuracy").parse().expect("the accuracy is a number");
    format!(
        "a small network built like VGG16 with {} parameters, which this project trained on {}. A \
         classifier trained with it was right on {:.1} % of {}. It has seen the labels of CIFAR-10's \
         training images, so a result on CIFAR-10 is no transfer from other images.",
        thousands(count),
        file_metadata("trained on"),
        100.0 * accuracy,
        file_metadata("tested on"),
    )
}
