//! Building a network layer by layer.

use super::{Inner, Model, Node, Weight};
use crate::error::{Error, Result};
use crate::layers::{Layer, Shape};
use crate::runtime;
use std::collections::HashMap;
use tch::Device;

/// A network described layer by layer, each fed by the one before.
///
/// ```
/// use tchalk::prelude::*;
/// let model = Sequential::new()
///     .input_shape([3, 32, 32])
///     .add(Conv2d::new(32, 3).padding(Padding::Same))
///     .add(Relu)
///     .add(Flatten)
///     .add(Dense::new(10))
///     .add(Softmax)
///     .build(Device::Cpu)?;
/// assert_eq!(model.layer_names(), ["conv2d", "relu", "flatten", "dense", "softmax"]);
/// assert_eq!(model.parameter_count(), 896 + 327_690);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Sequential {
    input_shape: Option<Shape>,
    layers: Vec<Box<dyn Layer>>,
}

impl Clone for Sequential {
    fn clone(&self) -> Sequential {
        let layers = self.layers.iter().map(|layer| layer.boxed()).collect();
        Sequential { input_shape: self.input_shape.clone(), layers }
    }
}

impl Sequential {
    /// A network without layers.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// The shape of one input: `[channels, height, width]` for pictures, `[features]` for vectors.
    pub fn input_shape(mut self, shape: impl Into<Vec<usize>>) -> Sequential {
        self.input_shape = Some(shape.into());
        self
    }

    /// Puts `layer` behind the layers so far.
    #[allow(clippy::should_implement_trait)] // Keras's name; nobody adds networks with `+`.
    pub fn add(mut self, layer: impl Layer + 'static) -> Sequential {
        self.layers.push(Box::new(layer));
        self
    }

    /// Checks that the layers fit together, and makes the network on `device` with fresh weights,
    /// drawn from the library's seed.
    ///
    /// # Errors
    ///
    /// If the input's shape was not given or is empty, there are no layers, or a layer cannot take
    /// what the one before it gives; the message names both.
    pub fn build(self, device: Device) -> Result<Model> {
        let input_shape = self.input_shape.ok_or_else(|| {
            let hint = "Try .input_shape([3, 32, 32]) before the first layer.";
            Error::invalid("Sequential::build", "an input shape", "none", hint)
        })?;
        if input_shape.is_empty() || input_shape.contains(&0) {
            let got = format!("{input_shape:?}");
            return Err(Error::invalid("Sequential::input_shape", "sizes of at least 1", got, ""));
        }
        if self.layers.is_empty() {
            let hint = "Try .add(Flatten).add(Dense::new(10)).add(Softmax).";
            return Err(Error::invalid("Sequential::build", "at least one layer", "none", hint));
        }
        // libtorch's generator is shared by the whole process: start it anew for every model.
        tch::manual_seed(runtime::seed::derive("weights"));
        let mut used = HashMap::new();
        let mut nodes: Vec<Node> = Vec::new();
        for layer in self.layers {
            let (shape, from) = match nodes.last() {
                Some(node) => (&node.output_shape, node.name.as_str()),
                None => (&input_shape, "input"),
            };
            let output_shape = layer.output_shape(shape, from)?;
            let name = unique(layer.kind(), &mut used);
            let weights = layer.weights(shape).into_iter().map(|spec| Weight {
                name: format!("{name}.{}", spec.name),
                tensor: spec
                    .initializer
                    .fill(&spec.shape)
                    .to_device(device)
                    .set_requires_grad(true),
            });
            let weights = weights.collect();
            nodes.push(Node { name, layer, output_shape, weights });
        }
        Ok(Model::from_inner(Inner { input_shape, nodes, device, compiled: None }))
    }
}

/// `dense`, then `dense_1`, `dense_2`, …
fn unique(kind: &str, used: &mut HashMap<String, usize>) -> String {
    let count = used.entry(kind.to_owned()).or_default();
    *count += 1;
    if *count == 1 { kind.to_owned() } else { format!("{kind}_{}", *count - 1) }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    fn refusal(layers: Sequential) -> String {
        layers.build(Device::Cpu).unwrap_err().to_string()
    }

    #[test]
    fn a_dense_layer_on_pictures_says_flatten() {
        let layers = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(8, 3));
        assert_eq!(
            refusal(layers.add(Dense::new(512))),
            "Dense::new(512): expected a flat input [features], got [8, 30, 30] from \"conv2d\".\n\
             Try adding Flatten before it."
        );
    }

    #[test]
    fn too_many_poolings_say_so() {
        let mut layers = Sequential::new().input_shape([1, 28, 28]);
        for _ in 0..5 {
            layers = layers.add(MaxPool2d::new(2));
        }
        let message = refusal(layers);
        assert!(message.contains("got 1 by 1 from \"max_pool2d_3\""), "{message}");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(refusal(Sequential::new().add(Relu)).contains("an input shape"));
        assert!(refusal(Sequential::new().input_shape([4])).contains("at least one layer"));
        assert!(refusal(Sequential::new().input_shape([4, 0]).add(Relu)).contains("[4, 0]"));
        let convolution = Sequential::new().input_shape([784]).add(Conv2d::new(8, 3));
        assert!(refusal(convolution).contains("expected pictures [channels, height, width]"));
    }

    #[test]
    fn the_tutorial_s_network_has_its_published_size() {
        let block = |layers: Sequential, filters| {
            let first = layers.add(Conv2d::new(filters, 3).padding(Padding::Same)).add(Relu);
            let second = first.add(Conv2d::new(filters, 3)).add(Relu);
            second.add(MaxPool2d::new(2)).add(Dropout::new(0.25))
        };
        let base = block(block(Sequential::new().input_shape([3, 32, 32]), 32), 64);
        let head = base.add(Flatten).add(Dense::new(512)).add(Relu).add(Dropout::new(0.5));
        let model = head.add(Dense::new(10)).add(Softmax).build(Device::Cpu).unwrap();
        assert_eq!(model.parameter_count(), 1_250_858);
    }
}
