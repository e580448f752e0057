//! The built-in shapes as tensors.

use tchalk::prelude::*;

/// The first images of both splits, on the processor.
pub fn sets(train: usize, test: usize) -> (TensorSet, TensorSet) {
    let shapes = datasets::shapes().unwrap();
    (
        shapes.train.take(train).to_tensors(Device::Cpu),
        shapes.test.take(test).to_tensors(Device::Cpu),
    )
}
