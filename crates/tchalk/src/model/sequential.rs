//! Building a network layer by layer.

use super::built_layer::BuiltLayer;
use super::graph::{Graph, Op, check_numbers};
use super::{Model, names};
use crate::error::{Error, Result};
use crate::layers::{Layer, LayerId, Named, Shape};
use std::sync::Arc;
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
///
/// A network can be a layer of another one, which then shares its weights:
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
    /// Whether this is a copy of a description: what is built of it has weights of its own.
    copied: bool,
}

/// What can be added to a [`Sequential`]: a layer, or a network.
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

/// A copy of the description. Networks built of it share no weights with those built of the
/// original, except for whole networks inside.
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
    /// A network without layers.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// A name for the network, by which it is addressed inside another one.
    pub fn name(mut self, name: &str) -> Sequential {
        self.name = Some(name.to_owned());
        self
    }

    /// The shape of one input: `[channels, height, width]` for images, `[features]` for vectors.
    /// Not needed where the first layer is a network.
    pub fn input_shape(mut self, shape: impl Into<Vec<usize>>) -> Sequential {
        self.input_shape = Some(shape.into());
        self
    }

    /// Puts a layer, or a whole network, behind the layers so far.
    #[allow(clippy::should_implement_trait)] // Keras's name; nobody adds networks with `+`.
    pub fn add(mut self, layer: impl Into<LayerOrModel>) -> Sequential {
        self.parts.push((layer.into(), None));
        self
    }

    /// Puts a layer or a network behind the layers so far, under this name.
    pub fn add_named(mut self, name: &str, layer: impl Into<LayerOrModel>) -> Sequential {
        self.parts.push((layer.into(), Some(name.to_owned())));
        self
    }

    /// Checks that the layers fit together, and makes the network on `device` with fresh weights,
    /// drawn from the library's seed.
    ///
    /// # Errors
    ///
    /// If the input's shape was not given or is empty, there are no layers, two of them have one
    /// name, or a layer cannot take what the one before it gives; the message names both.
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
        let mut wanted = vec![names::NameRequest::of(&Op::Input, Some("input".into()))];
        for (part, name) in self.parts {
            let shape = draft.last().expect("it begins with the input").3.clone();
            let from = names::assign(op, &wanted)?.pop().unwrap_or_default();
            let (action, given) = match part.0 {
                LayerOrModelKind::Layer(layer, given) => {
                    check_numbers(&layer.repr(), &layer.output_shape(&shape, &from)?)?;
                    let cell = match self.copied {
                        true => built_layer_of_copy(&mut own, layer, &shape, &from)?,
                        false => BuiltLayer::for_layer(layer, &shape, &from)?,
                    };
                    (Op::Layer(cell), given)
                }
                LayerOrModelKind::Model(model) => {
                    let given = model.inner().has_given_name.then(|| model.name());
                    (Op::Model(model), given)
                }
            };
            let given = name.or(given);
            let output = action.output_shape(&[shape], &[from])?;
            wanted.push(names::NameRequest::of(&action, given.clone()));
            draft.push((action, given, vec![draft.len() - 1], output));
        }
        let last = draft.len() - 1;
        Graph::new(op, draft, vec![0], vec![last])
    }
}

/// The cell of a layer in a copied description: shared inside it, and with nobody else.
fn built_layer_of_copy(
    own: &mut Vec<(LayerId, Arc<BuiltLayer>)>,
    layer: Arc<dyn Layer>,
    shape: &Shape,
    from: &str,
) -> Result<Arc<BuiltLayer>> {
    let Some(identity) = layer.identity() else { return Ok(BuiltLayer::new(layer, shape)) };
    match own.iter().find(|(id, cell)| id.is(&identity) && cell.is_for(&*layer)) {
        Some((_, cell)) => cell.clone().reuse(&*layer, shape, from),
        None => {
            let cell = BuiltLayer::new(layer, shape);
            own.push((identity, cell.clone()));
            Ok(cell)
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
