//! Builds a network layer by layer.

use super::built_layer::BuiltLayer;
use super::graph::{Graph, Op};
use super::{Model, names};
use crate::error::{Error, Result};
use crate::layers::{Layer, LayerId, Named, Shape, check_numbers};
use std::sync::Arc;
use tch::Device;

/// A network as a list of layers. The input of each is the output of the one before.
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
///
/// A network can be a layer of another one, which shares its weights:
///
/// ```
/// use tchalk::prelude::*;
/// let base = Sequential::new().name("base").input_shape([3, 8, 8]).add(Conv2d::new(4, 3));
/// let base = base.build(Device::Cpu)?;
/// let model = Sequential::new().add(&base).add(Flatten).add(Dense::new(2)).build(Device::Cpu)?;
/// assert_eq!(model.weight_names()[0], "base/conv2d.weight");
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Sequential {
    name: Option<String>,
    input_shape: Option<Shape>,
    parts: Vec<(LayerOrModel, Option<String>)>,
    /// Whether this is a clone: networks built from it have weights of their own.
    copied: bool,
}

/// An item of a [`Sequential`]: a layer or a whole network.
#[derive(Debug, Clone)]
pub struct LayerOrModel(LayerOrModelKind);

#[derive(Debug, Clone)]
enum LayerOrModelKind {
    Layer(Arc<dyn Layer>, Option<String>),
    Model(Model),
}

impl<L: Layer> From<L> for LayerOrModel {
    fn from(layer: L) -> LayerOrModel {
        LayerOrModel(LayerOrModelKind::Layer(Arc::new(layer), None))
    }
}

impl<L: Layer> From<Named<L>> for LayerOrModel {
    fn from(named: Named<L>) -> LayerOrModel {
        LayerOrModel(LayerOrModelKind::Layer(Arc::new(named.layer), Some(named.name)))
    }
}

impl From<&Model> for LayerOrModel {
    fn from(model: &Model) -> LayerOrModel {
        LayerOrModel(LayerOrModelKind::Model(model.clone()))
    }
}

impl From<Model> for LayerOrModel {
    fn from(model: Model) -> LayerOrModel {
        LayerOrModel(LayerOrModelKind::Model(model))
    }
}

/// A copy of the list. Networks built from it share no weights with networks built from the original,
/// except for nested networks.
impl Clone for Sequential {
    fn clone(&self) -> Sequential {
        Sequential {
            name: self.name.clone(),
            input_shape: self.input_shape.clone(),
            parts: self.parts.clone(),
            copied: true,
        }
    }
}

impl Sequential {
    /// An empty list of layers.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// The network's name, with which its paths start where it is nested in another one.
    pub fn name(mut self, name: &str) -> Sequential {
        self.name = Some(name.to_owned());
        self
    }

    /// The shape of one input: `[channels, height, width]` for images, `[features]` for vectors.
    /// The default is the input shape of a network that is the first layer.
    pub fn input_shape(mut self, shape: impl Into<Vec<usize>>) -> Sequential {
        self.input_shape = Some(shape.into());
        self
    }

    /// Appends a layer or a whole network.
    #[allow(clippy::should_implement_trait)] // Keras's name; nobody adds networks with `+`.
    pub fn add(mut self, layer: impl Into<LayerOrModel>) -> Sequential {
        self.parts.push((layer.into(), None));
        self
    }

    /// Appends a layer or a whole network under this name.
    pub fn add_named(mut self, name: &str, layer: impl Into<LayerOrModel>) -> Sequential {
        self.parts.push((layer.into(), Some(name.to_owned())));
        self
    }

    /// Checks that the layers fit together, and builds the network on `device`. The library's seed
    /// decides its initial weights.
    ///
    /// # Errors
    ///
    /// If the input shape is missing or empty, there are no layers, two layers have the same name, or a
    /// layer cannot take the output of the one before it. The message names both.
    pub fn build(self, device: Device) -> Result<Model> {
        const OP: &str = "Sequential::build";
        let first = self.parts.first().and_then(|(part, _)| match &part.0 {
            LayerOrModelKind::Model(model) => Some(model.input_shape()),
            LayerOrModelKind::Layer(..) => None,
        });
        let input_shape = self.input_shape.clone().or(first).ok_or_else(|| {
            let hint = "Try .input_shape([3, 32, 32]) before the first layer.";
            Error::invalid(OP, "an input shape", "none", hint)
        })?;
        if input_shape.is_empty() || input_shape.contains(&0) {
            let got = format!("{input_shape:?}");
            return Err(Error::invalid("Sequential::input_shape", "sizes of at least 1", got, ""));
        }
        check_numbers("Sequential::input_shape", &input_shape)?;
        if self.parts.is_empty() {
            let hint = "Try .add(Flatten).add(Dense::new(10)).add(Softmax).";
            return Err(Error::invalid(OP, "at least one layer", "none", hint));
        }
        if let Some(name) = &self.name {
            names::check("Sequential::name", name)?;
        }
        let (name, given) = match &self.name {
            Some(name) => (name.clone(), true),
            None => ("sequential".into(), false),
        };
        let graph = self.graph(OP, input_shape)?;
        Model::from_graph(OP, name, given, graph, device)
    }

    fn graph(self, op: &str, input_shape: Shape) -> Result<Graph> {
        let mut own: Vec<(LayerId, Arc<BuiltLayer>)> = Vec::new();
        let mut draft: Vec<(Op, Option<String>, Vec<usize>, Shape)> =
            vec![(Op::Input, Some("input".into()), Vec::new(), input_shape)];
        let mut wanted = vec![Op::Input.name_request(Some("input".into()))];
        for (part, name) in self.parts {
            let shape = draft.last().expect("the input is the first").3.clone();
            let from = names::assign(op, &wanted)?.pop().unwrap_or_default();
            let (op, given) = match part.0 {
                LayerOrModelKind::Layer(layer, given) => {
                    check_numbers(&layer.repr(), &layer.output_shape(&shape, &from)?)?;
                    let built = match self.copied {
                        true => built_layer_of_copy(&mut own, layer, &shape, &from)?,
                        false => BuiltLayer::for_layer(layer, &shape, &from)?,
                    };
                    (Op::Layer(built), given)
                }
                LayerOrModelKind::Model(model) => {
                    let given = model.inner().has_given_name.then(|| model.name());
                    (Op::Model(model), given)
                }
            };
            let given = name.or(given);
            let output = op.output_shape(&[shape], &[from])?;
            wanted.push(op.name_request(given.clone()));
            draft.push((op, given, vec![draft.len() - 1], output));
        }
        let last = draft.len() - 1;
        Graph::new(op, draft, vec![0], vec![last])
    }
}

/// The built layer of a cloned list: shared within the network, and with no other.
fn built_layer_of_copy(
    own: &mut Vec<(LayerId, Arc<BuiltLayer>)>,
    layer: Arc<dyn Layer>,
    shape: &Shape,
    from: &str,
) -> Result<Arc<BuiltLayer>> {
    let Some(identity) = layer.identity() else { return Ok(BuiltLayer::new(layer, shape)) };
    match own.iter().find(|(id, built)| id.is(&identity) && built.is_for(&*layer)) {
        Some((_, built)) => built.clone().reuse(&*layer, shape, from),
        None => {
            let built = BuiltLayer::new(layer, shape);
            own.push((identity, built.clone()));
            Ok(built)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    fn refusal(layers: Sequential) -> String {
        layers.build(Device::Cpu).unwrap_err().to_string()
    }

    #[test]
    fn a_dense_layer_on_images_says_flatten() {
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
        assert!(refusal(convolution).contains("expected images [channels, height, width]"));
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
