//! Ready-made networks with pretrained weights.
//!
//! ```no_run
//! use tchalk::prelude::*;
//! let base = applications::vgg16()
//!     .weights(Weights::ImageNet)
//!     .without_top()
//!     .input_shape([3, 32, 32])
//!     .build(Device::Cpu)?;
//! base.freeze();
//! assert_eq!((base.parameter_count(), base.trainable_count()), (14_714_688, 0));
//! # Ok::<(), tchalk::Error>(())
//! ```
//!
//! | network | parameters | smallest image | top-1 on ImageNet |
//! |---|---|---|---|
//! | [`vgg16`] | 138,357,544 | 32 | 71.6 % |
//! | [`resnet18`] | 11,699,112 | 1 | 69.8 % |
//! | [`resnet50`] | 25,610,152 | 1 | 76.1 % |
//! | [`mobilenet_v2`] | 3,538,984 | 1 | 71.9 % |
//! | [`squeezenet1_0`] | 1,248,424 | 21 | 58.1 % |
//! | [`squeezenet1_1`] | 1,235,496 | 17 | 58.2 % |
//!
//! [`built_in_base`] is a small base that comes with the library, for use where no weights are available.
//!
//! The accuracies are those that torchvision publishes for its weights. As in Keras, the number of parameters
//! includes the running means and variances of batch normalizations.

mod application;
mod architecture;
mod built_in_base;
mod mobilenet_v2;
mod pickle;
mod pickle_machine;
mod pickle_opcode;
mod pickle_value;
mod prediction;
mod resnet;
mod safetensors_subset;
mod squeezenet;
mod torch_file;
mod vgg16;
mod weight_file;
mod weight_lookup;
mod weights;

pub use application::Application;
pub use prediction::Prediction;
pub use weights::{Preprocessing, Weights};

/// VGG16 (Simonyan and Zisserman 2014). Its layers have Keras's names, `block1_conv1` to
/// `block5_pool`, with ReLU as the activation of the convolutions.
pub fn vgg16() -> Application {
    Application::new(vgg16::VGG16)
}

/// ResNet-18 (He et al. 2015). Its layers have torchvision's names: `layer1.0.conv1`, …
pub fn resnet18() -> Application {
    Application::new(resnet::RESNET18)
}

/// ResNet-50 (He et al. 2015). Its layers have torchvision's names: `layer1.0.conv1`, …
pub fn resnet50() -> Application {
    Application::new(resnet::RESNET50)
}

/// SqueezeNet 1.0 (Iandola et al. 2016). Its layers have torchvision's names: `features.3.squeeze`, …
pub fn squeezenet1_0() -> Application {
    Application::new(squeezenet::SQUEEZENET1_0)
}

/// SqueezeNet 1.1: as accurate as 1.0, with less than half the work.
pub fn squeezenet1_1() -> Application {
    Application::new(squeezenet::SQUEEZENET1_1)
}

/// MobileNetV2 (Sandler et al. 2018). Its layers have torchvision's names: `features.1.conv.0.0`, …
pub fn mobilenet_v2() -> Application {
    Application::new(mobilenet_v2::MOBILENET_V2)
}

/// The base that comes with the library: a small network built like VGG16, for use where VGG16's weights are
/// not available. It has five blocks of two convolutions, 877,344 parameters, the layer names of VGG16 from
/// `block1_conv1` to `block5_pool`, and no top. This project trained it on CIFAR-10's training images;
/// [`Model::source`](crate::model::Model::source) tells its accuracy.
///
/// It takes images `[3, height, width]` of at least 32 by 32 pixels (the default) with values from 0 to 1.
/// With [`Weights::Random`] it is the same network before training.
///
/// ```
/// use tchalk::prelude::*;
/// let base = applications::built_in_base().build(Device::Cpu)?;
/// assert_eq!(base.output_shape(), [160, 1, 1]);
/// println!("{}", base.source());
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn built_in_base() -> Application {
    Application::built_in_base()
}

#[cfg(test)]
mod tests;
