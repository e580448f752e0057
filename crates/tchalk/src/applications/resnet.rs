//! Residual networks: blocks with shortcut connections (He et al. 2015).

use super::architecture::{Architecture, NetworkBuilder};
use crate::error::Result;
use crate::layers::{Add, Conv2d, Dense, GlobalAveragePool2d, MaxPool2d, Padding, Relu};
use crate::model::Symbol;

/// ResNet-18: blocks of two 3 × 3 convolutions.
pub(super) const RESNET18: Architecture = Architecture {
    name: "resnet18",
    min_size: 1,
    features: |net, x| features(net, x, [2, 2, 2, 2], basic_block),
    top,
};

/// ResNet-50: bottleneck blocks, with a quarter of the channels inside.
pub(super) const RESNET50: Architecture = Architecture {
    name: "resnet50",
    min_size: 1,
    features: |net, x| features(net, x, [3, 4, 6, 3], bottleneck_block),
    top,
};

/// Adds one block with a name, an input, a width and a stride.
type Block = fn(&mut NetworkBuilder, &str, &Symbol, usize, usize) -> Result<Symbol>;

fn features(
    net: &mut NetworkBuilder,
    x: Symbol,
    counts: [usize; 4],
    block: Block,
) -> Result<Symbol> {
    let x = net.layer("conv1", convolution(net, 64, 7, 2), &x)?;
    let x = net.batch_norm("bn1", &x)?;
    let x = net.layer("relu", Relu, &x)?;
    let pool = MaxPool2d::new(3).stride(2).padding(Padding::Explicit(1));
    let mut x = net.layer("maxpool", pool, &x)?;
    for (stage, count) in (1..).zip(counts) {
        for i in 0..count {
            let stride = if stage > 1 && i == 0 { 2 } else { 1 };
            x = block(net, &format!("layer{stage}.{i}"), &x, 32 << stage, stride)?;
        }
    }
    Ok(x)
}

fn top(net: &mut NetworkBuilder, x: Symbol) -> Result<Symbol> {
    let x = net.layer("avgpool", GlobalAveragePool2d, &x)?;
    net.layer("fc", Dense::new(net.classes()), &x)
}

fn convolution(net: &NetworkBuilder, filters: usize, kernel: usize, stride: usize) -> Conv2d {
    let padding = Padding::Explicit(kernel / 2);
    let layer = Conv2d::new(filters, kernel).stride(stride).padding(padding).use_bias(false);
    layer.kernel_initializer(net.initializer())
}

fn basic_block(
    net: &mut NetworkBuilder,
    name: &str,
    x: &Symbol,
    width: usize,
    stride: usize,
) -> Result<Symbol> {
    let y = net.layer(&format!("{name}.conv1"), convolution(net, width, 3, stride), x)?;
    let y = net.batch_norm(&format!("{name}.bn1"), &y)?;
    let y = net.layer(&format!("{name}.relu1"), Relu, &y)?;
    let y = net.layer(&format!("{name}.conv2"), convolution(net, width, 3, 1), &y)?;
    let y = net.batch_norm(&format!("{name}.bn2"), &y)?;
    add_shortcut(net, name, x, y, stride)
}

fn bottleneck_block(
    net: &mut NetworkBuilder,
    name: &str,
    x: &Symbol,
    width: usize,
    stride: usize,
) -> Result<Symbol> {
    let y = net.layer(&format!("{name}.conv1"), convolution(net, width, 1, 1), x)?;
    let y = net.batch_norm(&format!("{name}.bn1"), &y)?;
    let y = net.layer(&format!("{name}.relu1"), Relu, &y)?;
    let y = net.layer(&format!("{name}.conv2"), convolution(net, width, 3, stride), &y)?;
    let y = net.batch_norm(&format!("{name}.bn2"), &y)?;
    let y = net.layer(&format!("{name}.relu2"), Relu, &y)?;
    let y = net.layer(&format!("{name}.conv3"), convolution(net, 4 * width, 1, 1), &y)?;
    let y = net.batch_norm(&format!("{name}.bn3"), &y)?;
    add_shortcut(net, name, x, y, stride)
}

/// Adds the block's input to `y`, projected to the shape of `y` if necessary.
fn add_shortcut(
    net: &mut NetworkBuilder,
    name: &str,
    x: &Symbol,
    y: Symbol,
    stride: usize,
) -> Result<Symbol> {
    let shortcut = if x.shape()[0] == y.shape()[0] && stride == 1 {
        x.clone()
    } else {
        let project = convolution(net, y.shape()[0], 1, stride);
        let x = net.layer(&format!("{name}.downsample.0"), project, x)?;
        net.batch_norm(&format!("{name}.downsample.1"), &x)?
    };
    let sum = net.merge(&format!("{name}.add"), Add, &[y, shortcut])?;
    net.layer(&format!("{name}.relu"), Relu, &sum)
}
