//! A small network and an image for it.

use crate::prelude::*;
use crate::testing;

pub(super) fn model() -> Model {
    let layers = Sequential::new().input_shape([3, 12, 12]).add(Conv2d::new(4, 3)).add(Relu);
    let layers = layers.add(MaxPool2d::new(2)).add(Conv2d::new(6, 3)).add(Relu);
    let layers = layers.add(Flatten).add(Dense::new(5)).add(Softmax);
    let model = layers.build(Device::Cpu).unwrap();
    testing::set_random_weights(&model);
    // With this bias the kernels are active for every image, whatever the random weights are.
    let bias = Tensor::full([4], 0.5, (Kind::Float, Device::Cpu));
    model.set_weight("conv2d.bias", &bias).unwrap();
    model
}

pub(super) fn image() -> Tensor {
    testing::random_tensor(&[3, 12, 12], 3)
}
