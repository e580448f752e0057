//! MobileNetV2: inverted residual blocks with depthwise convolutions (Sandler et al. 2018).

use super::architecture::{Architecture, NetworkBuilder};
use crate::error::Result;
use crate::layers::{
    Add, Conv2d, Dense, DepthwiseConv2d, Dropout, GlobalAveragePool2d, Padding, Relu6,
};
use crate::model::Symbol;

/// MobileNetV2 with width multiplier 1.
pub(super) const MOBILENET_V2: Architecture =
    Architecture { name: "mobilenet_v2", min_size: 1, features, top };

/// Expansion, channels, number of blocks, stride of the first block.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

fn features(net: &mut NetworkBuilder, x: Symbol) -> Result<Symbol> {
    let first = convolution(net, 32, 3).stride(2).padding(Padding::Explicit(1));
    let mut x = conv_norm_relu6(net, "features.0", first, &x)?;
    let mut number = 0;
    for (expansion, channels, count, stride) in STAGES {
        for i in 0..count {
            number += 1;
            let stride = if i == 0 { stride } else { 1 };
            x = block(net, &format!("features.{number}"), &x, expansion, channels, stride)?;
        }
    }
    conv_norm_relu6(net, "features.18", convolution(net, 1280, 1), &x)
}

fn top(net: &mut NetworkBuilder, x: Symbol) -> Result<Symbol> {
    let x = net.layer("avgpool", GlobalAveragePool2d, &x)?;
    let x = net.layer("classifier.0", Dropout::new(0.2), &x)?;
    net.layer("classifier.1", Dense::new(net.classes()), &x)
}

fn convolution(net: &NetworkBuilder, filters: usize, kernel: usize) -> Conv2d {
    Conv2d::new(filters, kernel).use_bias(false).kernel_initializer(net.initializer())
}

/// A convolution with batch normalization and ReLU6.
fn conv_norm_relu6(
    net: &mut NetworkBuilder,
    name: &str,
    layer: Conv2d,
    x: &Symbol,
) -> Result<Symbol> {
    let x = net.layer(&format!("{name}.0"), layer, x)?;
    let x = net.batch_norm(&format!("{name}.1"), &x)?;
    net.layer(&format!("{name}.2"), Relu6, &x)
}

/// An inverted residual block: expands the channels, convolves each one separately, and projects them.
fn block(
    net: &mut NetworkBuilder,
    name: &str,
    x: &Symbol,
    expansion: usize,
    channels: usize,
    stride: usize,
) -> Result<Symbol> {
    let inputs = x.shape()[0];
    let mut y = x.clone();
    let mut part = 0;
    if expansion > 1 {
        let expand = convolution(net, inputs * expansion, 1);
        y = conv_norm_relu6(net, &format!("{name}.conv.0"), expand, &y)?;
        part = 1;
    }
    let each = DepthwiseConv2d::new(3).stride(stride).padding(Padding::Explicit(1));
    let each = each.use_bias(false).kernel_initializer(net.initializer());
    y = net.layer(&format!("{name}.conv.{part}.0"), each, &y)?;
    y = net.batch_norm(&format!("{name}.conv.{part}.1"), &y)?;
    y = net.layer(&format!("{name}.conv.{part}.2"), Relu6, &y)?;
    y = net.layer(&format!("{name}.conv.{}", part + 1), convolution(net, channels, 1), &y)?;
    y = net.batch_norm(&format!("{name}.conv.{}", part + 2), &y)?;
    if stride == 1 && inputs == channels {
        y = net.merge(&format!("{name}.add"), Add, &[x.clone(), y])?;
    }
    Ok(y)
}
