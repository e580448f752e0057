//! A layer with a name of its own.

use super::{Layer, LayerId, Merge, Mode, Shape, WeightSpec};
use crate::error::Result;
use tch::Tensor;

/// A layer, or what brings several values together, under a name that the reader gave.
///
/// ```
/// use tchalk::prelude::*;
/// let layers = Sequential::new().input_shape([3, 8, 8]).add(Flatten);
/// let model = layers.add(Dense::new(10).named("scores")).build(Device::Cpu)?;
/// assert_eq!(model.weight_names(), ["scores.weight", "scores.bias"]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T> {
    name: String,
    inner: T,
}

impl<T> Named<T> {
    /// `inner` under the name `name`.
    pub fn new(name: impl Into<String>, inner: T) -> Named<T> {
        Named { name: name.into(), inner }
    }
}

impl<T: Layer> Layer for Named<T> {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn repr(&self) -> String {
        self.inner.repr()
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        self.inner.output_shape(input, from)
    }

    fn weights(&self, input: &Shape) -> Vec<WeightSpec> {
        self.inner.weights(input)
    }

    fn forward(&self, x: &Tensor, weights: &[Tensor], mode: Mode) -> Tensor {
        self.inner.forward(x, weights, mode)
    }

    fn forward_each(
        &self,
        x: &Tensor,
        weights: &[Tensor],
        filters: &[usize],
        bent: bool,
    ) -> Option<Tensor> {
        self.inner.forward_each(x, weights, filters, bent)
    }

    fn config(&self) -> serde_json::Value {
        self.inner.config()
    }

    /// The layer itself: the name is the network's from then on.
    fn clone_box(&self) -> Box<dyn Layer> {
        self.inner.clone_box()
    }

    fn identity(&self) -> Option<LayerId> {
        self.inner.identity()
    }

    fn given_name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn depends_on_mode(&self) -> bool {
        self.inner.depends_on_mode()
    }

    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        self.inner.kernel_and_stride()
    }
}

impl<T: Merge> Merge for Named<T> {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn repr(&self) -> String {
        self.inner.repr()
    }

    fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape> {
        self.inner.output_shape(inputs, from)
    }

    fn forward(&self, inputs: &[Tensor]) -> Tensor {
        self.inner.forward(inputs)
    }

    fn config(&self) -> serde_json::Value {
        self.inner.config()
    }

    fn clone_box(&self) -> Box<dyn Merge> {
        self.inner.clone_box()
    }

    fn given_name(&self) -> Option<String> {
        Some(self.name.clone())
    }
}
