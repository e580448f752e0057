//! One step of a network: each layer in a file of its own.
//!
//! A layer is a plain value that says what it does to shapes and tensors; its weights live in the
//! [`Model`](crate::model::Model) that it becomes part of. Shapes leave out the batch: a picture is
//! `[channels, height, width]`, a vector `[features]`. Names and defaults are Keras's.

pub(crate) mod config;
mod conv2d;
mod dense;
mod dropout;
mod flatten;
mod identity;
mod initializer;
mod max_pool2d;
mod merge;
mod named;
mod padding;
pub mod registry;
mod relu;
mod softmax;

pub use conv2d::Conv2d;
pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use identity::LayerId;
pub use initializer::Initializer;
pub use max_pool2d::MaxPool2d;
pub use merge::{Add, Average, Concatenate, Merge};
pub use named::Named;
pub use padding::Padding;
pub use relu::Relu;
pub use softmax::Softmax;

use crate::error::Result;
use tch::Tensor;

/// The shape of one example, without the batch: `[channels, height, width]` or `[features]`.
pub type Shape = Vec<usize>;

/// What a layer wants to learn: one entry of [`Layer::weights`].
#[derive(Debug, Clone, PartialEq)]
pub struct WeightSpec {
    /// The last part of the weight's name: `weight` or `bias`.
    pub name: &'static str,
    /// Its shape, in libtorch's order.
    pub shape: Vec<usize>,
    /// How it is filled before training.
    pub initializer: Initializer,
    /// Whether training changes it; the running means of a normalisation, for example, are not
    /// learned.
    pub trainable: bool,
}

impl WeightSpec {
    /// A weight that training changes.
    pub(crate) fn new(
        name: &'static str,
        shape: Vec<usize>,
        initializer: Initializer,
    ) -> WeightSpec {
        WeightSpec { name, shape, initializer, trainable: true }
    }
}

/// How a forward pass is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Learning: dropout drops.
    Training,
    /// Using what was learned.
    Inference,
}

/// One step of a network.
pub trait Layer: std::fmt::Debug + Send + Sync {
    /// The name that automatic names are made of: `conv2d` becomes `conv2d`, `conv2d_1`, …
    fn kind(&self) -> &'static str;

    /// The call that makes this layer, as messages and summaries show it: `Conv2d::new(32, 3)`.
    fn written(&self) -> String;

    /// The output's shape for an input of shape `input`, which comes from the layer named `from`.
    ///
    /// # Errors
    ///
    /// If this layer cannot take such an input; the message says what it could take.
    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape>;

    /// The weights this layer needs for inputs of shape `input`; none by default.
    fn weights(&self, _input: &Shape) -> Vec<WeightSpec> {
        Vec::new()
    }

    /// The output for a batch: `x` is `[batch, …input shape]`, the result `[batch, …output shape]`.
    fn forward(&self, x: &Tensor, weights: &[Tensor], mode: Mode) -> Tensor;

    /// What makes this layer again: with its kind it goes into a saved model, and
    /// [`registry::from_config`] reads it.
    fn config(&self) -> serde_json::Value;

    /// A copy of the description; the weights are not in it.
    fn boxed(&self) -> Box<dyn Layer>;

    /// Who this layer is. Clones of one layer are the same one, and share their weights wherever
    /// they are used. Only layers with weights need it.
    fn identity(&self) -> Option<LayerId> {
        None
    }

    /// The name that the reader gave, with [`Named`].
    fn given_name(&self) -> Option<String> {
        None
    }

    /// This layer under a name of your own.
    fn named(self, name: &str) -> Named<Self>
    where
        Self: Sized,
    {
        Named::new(name, self)
    }

    /// Whether a layer without weights does something else in training than in use, as dropout does.
    fn depends_on_mode(&self) -> bool {
        false
    }

    /// The side of the window through which one output sees the input, and how far the window moves
    /// from one output to the next; nothing for a layer whose outputs see everything.
    fn window(&self) -> Option<(usize, usize)> {
        Some((1, 1))
    }
}

/// `[3, 32, 32]`, or `[channels, height, width]` for the named axes.
pub(crate) fn shape_text(shape: &[usize]) -> String {
    format!("{shape:?}")
}

/// The three axes of a picture, or the error that says who wanted one.
pub(crate) fn picture_axes(layer: &dyn Layer, input: &Shape, from: &str) -> Result<[usize; 3]> {
    <[usize; 3]>::try_from(input.as_slice()).map_err(|_| {
        crate::error::Error::invalid(
            layer.written(),
            "pictures [channels, height, width]",
            format!("{} from {from:?}", shape_text(input)),
            "It has to come before Flatten.",
        )
    })
}
