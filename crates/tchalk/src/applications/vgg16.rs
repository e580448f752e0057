//! VGG16: sixteen layers with weights, 3 × 3 kernels, five poolings (Simonyan and Zisserman 2014).

use super::architecture::{Architecture, NetworkBuilder};
use crate::error::Result;
use crate::layers::{
    AdaptiveAveragePool2d, Conv2d, Dense, Dropout, Flatten, MaxPool2d, Padding, Relu,
};
use crate::model::Symbol;

/// VGG16 with the layer names of Keras. The files have torchvision's names.
pub(super) const VGG16: Architecture = Architecture { name: "vgg16", min_size: 32, features, top };

/// The filters of the convolutions in each block.
const BLOCKS: [&[usize]; 5] = [&[64; 2], &[128; 2], &[256; 3], &[512; 3], &[512; 3]];

fn features(net: &mut NetworkBuilder, mut x: Symbol) -> Result<Symbol> {
    // Torchvision numbers convolutions, ReLUs and poolings consecutively.
    let mut number = 0;
    for (block, filters) in (1..).zip(BLOCKS) {
        for (i, &filters) in (1..).zip(filters) {
            let layer = Conv2d::new(filters, 3).padding(Padding::Same).activation(Relu);
            let layer = layer.kernel_initializer(net.initializer());
            let name = format!("block{block}_conv{i}");
            x = net.renamed_layer(&name, &format!("features.{number}"), layer, &x)?;
            number += 2;
        }
        x = net.layer(&format!("block{block}_pool"), MaxPool2d::new(2), &x)?;
        number += 1;
    }
    Ok(x)
}

fn top(net: &mut NetworkBuilder, x: Symbol) -> Result<Symbol> {
    let x = net.layer("avgpool", AdaptiveAveragePool2d::new(7, 7), &x)?;
    let x = net.layer("flatten", Flatten, &x)?;
    let x = net.renamed_layer("fc1", "classifier.0", Dense::new(4096).activation(Relu), &x)?;
    let x = net.layer("dropout1", Dropout::new(0.5), &x)?;
    let x = net.renamed_layer("fc2", "classifier.3", Dense::new(4096).activation(Relu), &x)?;
    let x = net.layer("dropout2", Dropout::new(0.5), &x)?;
    net.renamed_layer("predictions", "classifier.6", Dense::new(net.classes()), &x)
}
