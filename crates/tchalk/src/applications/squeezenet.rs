//! SqueezeNet: the accuracy of AlexNet with 50 times fewer weights (Iandola et al. 2016).

use super::architecture::{Architecture, NetworkBuilder};
use crate::error::Result;
use crate::layers::{Concatenate, Conv2d, Dropout, GlobalAveragePool2d, MaxPool2d, Padding, Relu};
use crate::model::Symbol;

/// SqueezeNet 1.0.
pub(super) const SQUEEZENET1_0: Architecture = Architecture {
    name: "squeezenet1_0",
    min_size: 21,
    features: |net, x| {
        let steps = [Pool, Fire(16, 64), Fire(16, 64), Fire(32, 128), Pool, Fire(32, 128)];
        let more = [Fire(48, 192), Fire(48, 192), Fire(64, 256), Pool, Fire(64, 256)];
        features(net, x, (96, 7), &[&steps[..], &more].concat())
    },
    top,
};

/// SqueezeNet 1.1: as accurate, with less than half of the computation.
pub(super) const SQUEEZENET1_1: Architecture = Architecture {
    name: "squeezenet1_1",
    min_size: 17,
    features: |net, x| {
        let steps = [Pool, Fire(16, 64), Fire(16, 64), Pool, Fire(32, 128), Fire(32, 128), Pool];
        let more = [Fire(48, 192), Fire(48, 192), Fire(64, 256), Fire(64, 256)];
        features(net, x, (64, 3), &[&steps[..], &more].concat())
    },
    top,
};

/// A step after the first convolution.
#[derive(Clone, Copy)]
enum Step {
    Pool,
    /// The number of filters that squeeze, and of each of the two expanding convolutions.
    Fire(usize, usize),
}
use Step::{Fire, Pool};

fn features(
    net: &mut NetworkBuilder,
    x: Symbol,
    (filters, kernel): (usize, usize),
    steps: &[Step],
) -> Result<Symbol> {
    let mut x = net.layer("features.0", convolution(net, filters, kernel).stride(2), &x)?;
    // Number 1 is the ReLU, which belongs to the convolution here.
    for (number, &step) in (2..).zip(steps) {
        let name = format!("features.{number}");
        x = match step {
            Pool => net.layer(&name, MaxPool2d::new(3).stride(2).ceil(), &x)?,
            Fire(squeeze, expand) => fire(net, &name, &x, squeeze, expand)?,
        };
    }
    Ok(x)
}

fn top(net: &mut NetworkBuilder, x: Symbol) -> Result<Symbol> {
    let x = net.layer("classifier.0", Dropout::new(0.5), &x)?;
    let x = net.layer("classifier.1", convolution(net, net.classes(), 1), &x)?;
    net.layer("classifier.3", GlobalAveragePool2d, &x)
}

fn convolution(net: &NetworkBuilder, filters: usize, kernel: usize) -> Conv2d {
    Conv2d::new(filters, kernel).activation(Relu).kernel_initializer(net.initializer())
}

/// A fire module: squeezes the channels, and expands them by parallel 1 × 1 and 3 × 3 convolutions.
fn fire(
    net: &mut NetworkBuilder,
    name: &str,
    x: &Symbol,
    squeeze: usize,
    expand: usize,
) -> Result<Symbol> {
    let x = net.layer(&format!("{name}.squeeze"), convolution(net, squeeze, 1), x)?;
    let small = net.layer(&format!("{name}.expand1x1"), convolution(net, expand, 1), &x)?;
    let large = convolution(net, expand, 3).padding(Padding::Same);
    let large = net.layer(&format!("{name}.expand3x3"), large, &x)?;
    net.merge(&format!("{name}.concatenate"), Concatenate, &[small, large])
}
