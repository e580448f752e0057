//! The layers of networks.
//!
//! A layer is a plain value that describes what it does to shapes and tensors. Its weights are in the
//! [`Model`](crate::model::Model) that it is part of. Shapes leave out the batch: an image is
//! `[channels, height, width]`, a vector `[features]`. Names and defaults are Keras's.
//!
//! | to | layers |
//! |---|---|
//! | learn | [`Dense`], [`Conv2d`], [`DepthwiseConv2d`], [`BatchNorm2d`] |
//! | activate | [`Relu`], [`Relu6`], [`LeakyRelu`], [`Elu`], [`Gelu`], [`Silu`], [`Tanh`], [`Sigmoid`], [`Softmax`] |
//! | pool | [`MaxPool2d`], [`AveragePool2d`], [`AdaptiveAveragePool2d`], [`GlobalAveragePool2d`], [`GlobalMaxPool2d`] |
//! | rearrange | [`Flatten`], [`Reshape`], [`ZeroPad2d`], [`PadChannels`], [`Resize`] |
//! | scale | [`Rescale`], [`Normalize`] |
//! | regularize | [`Dropout`] |
//! | merge | [`Concatenate`], [`Add`], [`Average`] |

mod activation;
mod adaptive_average_pool2d;
mod add;
mod average;
mod average_pool2d;
mod batch_norm2d;
mod concatenate;
mod conv2d;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod flatten;
mod global_average_pool2d;
mod global_max_pool2d;
mod initializer;
mod layer_id;
mod max_pool2d;
mod merge;
mod named;
mod normalize;
mod pad_channels;
mod padding;
pub mod registry;
mod rescale;
mod reshape;
mod resize;
mod window;
mod zero_pad2d;

pub use activation::{Activation, Elu, Gelu, LeakyRelu, Relu, Relu6, Sigmoid, Silu, Softmax, Tanh};
pub use adaptive_average_pool2d::AdaptiveAveragePool2d;
pub use add::Add;
pub use average::Average;
pub use average_pool2d::AveragePool2d;
pub use batch_norm2d::BatchNorm2d;
pub use concatenate::Concatenate;
pub use conv2d::Conv2d;
pub use dense::Dense;
pub use depthwise_conv2d::DepthwiseConv2d;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use global_average_pool2d::GlobalAveragePool2d;
pub use global_max_pool2d::GlobalMaxPool2d;
pub use initializer::Initializer;
pub use layer_id::LayerId;
pub use max_pool2d::MaxPool2d;
pub use merge::Merge;
pub use named::Named;
pub use normalize::Normalize;
pub use pad_channels::PadChannels;
pub use padding::Padding;
pub use rescale::Rescale;
pub use reshape::Reshape;
pub use resize::Resize;
pub use zero_pad2d::ZeroPad2d;

use crate::error::{Error, Result};
use serde::Serialize;
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;
use tch::Tensor;

/// The shape of one example, without the batch: `[channels, height, width]` or `[features]`.
pub type Shape = Vec<usize>;

/// A weight of a layer: one entry of [`Layer::weights`].
#[derive(Debug, Clone, PartialEq)]
pub struct WeightSpec {
    /// The last part of the weight's name: `weight` or `bias`.
    pub name: &'static str,
    /// Its shape, in libtorch's order.
    pub shape: Vec<usize>,
    /// Its initial values.
    pub initializer: Initializer,
    /// Whether it has a gradient. The running means of a normalization, for example, have none.
    pub trainable: bool,
}

impl WeightSpec {
    /// A weight with a gradient.
    pub(crate) fn new(
        name: &'static str,
        shape: Vec<usize>,
        initializer: Initializer,
    ) -> WeightSpec {
        WeightSpec { name, shape, initializer, trainable: true }
    }

    /// A weight without a gradient, which the layer itself updates.
    pub(crate) fn buffer(
        name: &'static str,
        shape: Vec<usize>,
        initializer: Initializer,
    ) -> WeightSpec {
        WeightSpec { name, shape, initializer, trainable: false }
    }
}

/// The mode of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Dropout is active, and batch normalization uses the batch's own mean and variance.
    Training,
    /// The network is used, not trained.
    Inference,
}

/// What every layer and merge can do because its type has `#[derive(Debug, Serialize)]`.
pub trait Settings: Any + Debug + Send + Sync {
    /// The settings as JSON. With the kind they go into a saved model, and [`registry::from_config`]
    /// reads them.
    fn config(&self) -> serde_json::Value;
}

impl<T: Serialize + Any + Debug + Send + Sync> Settings for T {
    fn config(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("settings are numbers, texts and lists")
    }
}

/// One step of a network.
pub trait Layer: Settings {
    /// The stem of automatic names, and the layer's name in saved models: `conv2d` becomes `conv2d`, `conv2d_1`, …
    fn kind(&self) -> &'static str;

    /// The call that creates this layer, as messages and summaries show it: `Conv2d::new(32, 3)`.
    fn repr(&self) -> String;

    /// The output's shape for an input of shape `input` from the layer named `from`.
    ///
    /// # Errors
    ///
    /// If this layer cannot take such an input. The message says what it can take.
    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape>;

    /// The weights for inputs of shape `input`. The default is none.
    fn weights(&self, _input: &Shape) -> Vec<WeightSpec> {
        Vec::new()
    }

    /// The output `[batch, …output shape]` for a batch `x`, `[batch, …input shape]`.
    fn forward(&self, x: &Tensor, weights: &[Tensor], mode: Mode) -> Tensor;

    /// The layer's identity. Clones of a layer share it, and therefore their weights. Only layers with
    /// weights need it.
    fn identity(&self) -> Option<LayerId> {
        None
    }

    /// This layer under a name of your own.
    fn named(self, name: &str) -> Named<Self>
    where
        Self: Sized,
    {
        Named::new(name, self)
    }

    /// Whether a layer without weights depends on the mode, as dropout does.
    fn depends_on_mode(&self) -> bool {
        false
    }

    /// Whether the layer's own backward pass does not need its output, so that a ReLU after it may
    /// overwrite the output and save memory.
    fn output_unused_in_backward(&self) -> bool {
        false
    }

    /// The same layer without its activation, where that is a softmax. A network runs the softmax as a
    /// step of its own, so that a loss can read the logits before it.
    fn without_softmax(&self) -> Option<Arc<dyn Layer>> {
        None
    }

    /// The side of the window of the input that one output depends on, and the stride from one window to
    /// the next. `None` for a layer whose outputs depend on the whole input.
    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        Some((1, 1))
    }
}

/// A shape for messages: `[3, 32, 32]`.
pub(crate) fn shape_text(shape: &[usize]) -> String {
    format!("{shape:?}")
}

/// The three axes of an image, or an error where the input is none.
pub(crate) fn image_axes(layer: &dyn Layer, input: &Shape, from: &str) -> Result<[usize; 3]> {
    <[usize; 3]>::try_from(input.as_slice()).map_err(|_| {
        Error::invalid(
            layer.repr(),
            "images [channels, height, width]",
            format!("{} from {from:?}", shape_text(input)),
            "Put it before Flatten.",
        )
    })
}

/// The largest setting. A larger number is mistyped or comes from a damaged file.
const MAX_COUNT: usize = 1 << 24;

/// Refuses settings, each named with its article, that are below 1 or above [`MAX_COUNT`].
pub(crate) fn check_counts(layer: &dyn Layer, settings: &[(&str, usize)]) -> Result<()> {
    for &(name, value) in settings {
        let expected = match value {
            0 => format!("{name} of at least 1"),
            1..=MAX_COUNT => continue,
            _ => format!("{name} of at most {MAX_COUNT}"),
        };
        return Err(Error::invalid(layer.repr(), expected, value.to_string(), ""));
    }
    Ok(())
}

/// The largest number of elements of an output, or of all weights. More come from a mistyped number or a
/// damaged file.
pub(crate) const MAX_NUMBERS: usize = 1 << 36;

/// Refuses a tensor of more than [`MAX_NUMBERS`] elements before any memory is allocated.
pub(crate) fn check_numbers(op: &str, shape: &[usize]) -> Result<()> {
    let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    if count.is_some_and(|count| count <= MAX_NUMBERS) {
        return Ok(());
    }
    let hint = "Look for a mistyped number, or use smaller images, fewer filters, or more pooling.";
    Err(Error::invalid(op, "at most 2³⁶ numbers", shape_text(shape), hint))
}

/// Refuses an output or a weight of a layer that is too large.
pub(crate) fn check_size(layer: &dyn Layer, shape: &[usize]) -> Result<()> {
    check_numbers(&layer.repr(), shape)
}
