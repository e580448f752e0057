//! What a network is: named layers in order, their shapes, and their weights.
//!
//! A [`Model`] is a handle. Cloning it shares the weights, as a Keras model does, and every method
//! takes `&self`, so a cell never uses a model up. Training it is in [`crate::train`].

mod sequential;
mod summary;

pub use sequential::Sequential;

use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::layers::{Layer, Mode, Shape, shape_text};
use crate::plot::thousands;
use crate::train::Compiled;
use std::sync::{Arc, Mutex, MutexGuard};
use tch::{Device, Kind, Tensor, no_grad};

/// A network: its layers, its weights, and, once compiled, how it learns.
#[derive(Clone)]
pub struct Model {
    inner: Arc<Mutex<Inner>>,
}

/// One layer in its place.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) layer: Box<dyn Layer>,
    pub(crate) output_shape: Shape,
    pub(crate) weights: Vec<Weight>,
}

/// One tensor that the network learns.
pub(crate) struct Weight {
    /// The node's name and the weight's: `conv2d_1.bias`.
    pub(crate) name: String,
    pub(crate) tensor: Tensor,
}

/// What the handles share.
pub(crate) struct Inner {
    pub(crate) input_shape: Shape,
    pub(crate) nodes: Vec<Node>,
    pub(crate) device: Device,
    pub(crate) compiled: Option<Compiled>,
}

impl Inner {
    /// Runs `x` through all layers.
    pub(crate) fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward_through(self.nodes.len(), x, mode)
    }

    /// Runs `x` through the first `count` layers.
    pub(crate) fn forward_through(&self, count: usize, x: &Tensor, mode: Mode) -> Tensor {
        self.nodes[..count].iter().fold(x.shallow_clone(), |x, node| {
            let weights: Vec<Tensor> =
                node.weights.iter().map(|weight| weight.tensor.shallow_clone()).collect();
            node.layer.forward(&x, &weights, mode)
        })
    }

    /// The weights that training changes.
    pub(crate) fn trainable(&self) -> Vec<Tensor> {
        let weights = self.nodes.iter().flat_map(|node| &node.weights);
        weights.map(|weight| weight.tensor.shallow_clone()).collect()
    }

    /// The shape of one output.
    pub(crate) fn output_shape(&self) -> Shape {
        self.nodes.last().map_or(self.input_shape.clone(), |node| node.output_shape.clone())
    }

    /// Whether the last layer is a softmax, which the loss then takes care of.
    pub(crate) fn ends_in_softmax(&self) -> bool {
        self.nodes.last().is_some_and(|node| node.layer.kind() == "softmax")
    }
}

impl Model {
    pub(crate) fn from_inner(inner: Inner) -> Model {
        Model { inner: Arc::new(Mutex::new(inner)) }
    }

    /// The one lock. A cell that panicked while it trained leaves the weights as they were after the
    /// last step, and the model goes on being usable.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The shape of one input: `[channels, height, width]` or `[features]`.
    pub fn input_shape(&self) -> Vec<usize> {
        self.lock().input_shape.clone()
    }

    /// The shape of one output, for a classifier `[classes]`.
    pub fn output_shape(&self) -> Vec<usize> {
        self.lock().output_shape()
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.lock().device
    }

    /// How many numbers the network holds.
    pub fn parameter_count(&self) -> usize {
        let inner = self.lock();
        inner.nodes.iter().flat_map(|node| &node.weights).map(|w| w.tensor.numel()).sum()
    }

    /// How many of them training changes.
    pub fn trainable_count(&self) -> usize {
        self.parameter_count()
    }

    /// The names of the layers, in order.
    pub fn layer_names(&self) -> Vec<String> {
        self.lock().nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// The names of the weights, in order: `conv2d.weight`, `conv2d.bias`, …
    pub fn weight_names(&self) -> Vec<String> {
        let inner = self.lock();
        inner.nodes.iter().flat_map(|node| &node.weights).map(|w| w.name.clone()).collect()
    }

    /// A copy of one weight: `[filters, channels, height, width]` for the kernel of a convolution,
    /// `[units, features]` for that of a dense layer.
    ///
    /// # Errors
    ///
    /// If there is no weight of that name.
    pub fn weight(&self, name: &str) -> Result<Tensor> {
        let inner = self.lock();
        Ok(find(&inner, "Model::weight", name)?.tensor.detach().copy())
    }

    /// Replaces one weight.
    ///
    /// # Errors
    ///
    /// If there is no weight of that name, or `value` has another shape.
    pub fn set_weight(&self, name: &str, value: &Tensor) -> Result<()> {
        let inner = self.lock();
        let weight = find(&inner, "Model::set_weight", name)?;
        if weight.tensor.size() != value.size() {
            let (expected, got) =
                (format!("{:?}", weight.tensor.size()), format!("{:?}", value.size()));
            return Err(Error::invalid(format!("Model::set_weight({name:?})"), expected, got, ""));
        }
        no_grad(|| weight.tensor.shallow_clone().copy_(value));
        Ok(())
    }

    /// Runs a batch `[batch, …input shape]` through the network as it is used, not trained, and
    /// returns `[batch, …output shape]`. No gradients are kept.
    ///
    /// # Errors
    ///
    /// If the batch has another shape than the network takes.
    pub fn call(&self, x: &Tensor) -> Result<Tensor> {
        let inner = self.lock();
        let size: Vec<usize> = x.size().iter().map(|&n| n as usize).collect();
        if size.get(1..) != Some(&inner.input_shape[..]) {
            return Err(Error::invalid(
                "Model::call",
                format!("a batch [n, {}", &shape_text(&inner.input_shape)[1..]),
                shape_text(&size),
                "unsqueeze(0) makes a batch of one from a single example.",
            ));
        }
        let x = x.to_device(inner.device).to_kind(Kind::Float);
        Ok(no_grad(|| inner.forward(&x, Mode::Inference)))
    }
}

/// The names of the layers and the shapes at both ends.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (input, output) = (shape_text(&self.input_shape()), shape_text(&self.output_shape()));
        let parameters = thousands(self.parameter_count() as f64);
        write!(f, "a network from {input} to {output} with {parameters} parameters: ")?;
        f.write_str(&self.layer_names().join(", "))
    }
}

impl Show for Model {
    fn content(&self) -> Content {
        self.summary().content()
    }
}

fn find<'a>(inner: &'a Inner, op: &str, name: &str) -> Result<&'a Weight> {
    let mut weights = inner.nodes.iter().flat_map(|node| &node.weights);
    weights.find(|weight| weight.name == name).ok_or_else(|| {
        Error::invalid(
            format!("{op}({name:?})"),
            "the name of a weight",
            "no such name",
            "weight_names() lists them.",
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    fn small() -> Model {
        let layers = Sequential::new().input_shape([1, 6, 6]).add(Conv2d::new(2, 3)).add(Relu);
        layers.add(Flatten).add(Dense::new(3)).add(Softmax).build(Device::Cpu).unwrap()
    }

    #[test]
    fn a_clone_shares_its_weights() {
        let model = small();
        let twin = model.clone();
        model.set_weight("dense.bias", &Tensor::from_slice(&[1f32, 2.0, 3.0])).unwrap();
        assert_eq!(twin.weight("dense.bias").unwrap(), Tensor::from_slice(&[1f32, 2.0, 3.0]));
    }

    #[test]
    fn weights_are_refused_by_name_and_by_shape() {
        let model = small();
        let error = model.weight("dense_7.bias").unwrap_err().to_string();
        assert!(error.contains("weight_names()"), "{error}");
        let error = model.set_weight("dense.bias", &Tensor::from_slice(&[1f32])).unwrap_err();
        assert_eq!(error.to_string(), "Model::set_weight(\"dense.bias\"): expected [3], got [1].");
    }

    #[test]
    fn probabilities_add_up_and_a_wrong_batch_is_told() {
        let model = small();
        let y = model.call(&Tensor::rand([4, 1, 6, 6], (Kind::Float, Device::Cpu))).unwrap();
        let sums = y.sum_dim_intlist(1i64, false, Kind::Float);
        assert!(sums.allclose(&Tensor::ones([4], (Kind::Float, Device::Cpu)), 1e-6, 1e-6, false));
        let error = model.call(&Tensor::rand([1, 6, 6], (Kind::Float, Device::Cpu))).unwrap_err();
        assert!(
            error.to_string().contains("expected a batch [n, 1, 6, 6], got [1, 6, 6]"),
            "{error}"
        );
    }
}
