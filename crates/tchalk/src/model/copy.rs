//! A copy of a network, with weights of its own.

use super::built_layer::BuiltLayer;
use super::graph::{Graph, Node, Op};
use super::{Model, Program, check_memory};
use crate::error::Result;
use std::collections::HashMap;
use std::sync::Arc;
use tch::{Device, no_grad};

/// The copies so far, by the address of the original, so that shared layers stay shared.
struct Copies {
    /// The device of the copies.
    device: Device,
    built_layers: HashMap<usize, Arc<BuiltLayer>>,
    models: HashMap<usize, Model>,
}

impl Model {
    /// A network with the same layers and its own copy of the weights. Changing the copy does not
    /// change this network. (A clone shares the weights.) The settings of `compile` are not copied, as
    /// with Keras's `clone_model`.
    ///
    /// # Errors
    ///
    /// If there is not enough memory for the weights.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let model = Sequential::new().input_shape([2]).add(Dense::new(1)).build(Device::Cpu)?;
    /// let copy = model.copy()?;
    /// copy.set_weight("dense.bias", &Tensor::from_slice(&[7f32]))?;
    /// assert_eq!(model.weight("dense.bias")?, Tensor::from_slice(&[0f32]));
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn copy(&self) -> Result<Model> {
        self.copy_to(self.inner.device)
    }

    /// The same, with the copy on `device`.
    pub(crate) fn copy_to(&self, device: Device) -> Result<Model> {
        check_memory("Model::copy", self.parameter_count())?;
        let _access = self.inner.program.inference();
        Copies { device, built_layers: HashMap::new(), models: HashMap::new() }.model(self)
    }

    /// Copies the frozen flags and the weights of the network that this is a copy of. The weights of
    /// layers that stay frozen are copied only with `include_frozen`. The caller holds the lock of the
    /// original.
    pub(crate) fn copy_weights_from(&self, original: &Program, include_frozen: bool) {
        for (own, from) in self.inner.program.built_layers().zip(original.built_layers()) {
            let frozen = from.is_frozen();
            if frozen && own.is_frozen() && !include_frozen {
                continue;
            }
            if frozen != own.is_frozen() {
                own.set_frozen(frozen);
            }
            no_grad(|| {
                for (mut weight, from) in own.tensors().into_iter().zip(from.tensors()) {
                    weight.copy_(&from);
                }
            });
        }
    }
}

impl Copies {
    fn model(&mut self, model: &Model) -> Result<Model> {
        let address = Arc::as_ptr(&model.inner) as usize;
        if let Some(known) = self.models.get(&address) {
            return Ok(known.clone());
        }
        let inner = model.inner();
        let nodes = inner.graph.nodes.iter().map(|node| {
            let op = match &node.op {
                Op::Input => Op::Input,
                Op::Layer(built) => Op::Layer(self.built(built)),
                Op::Merge(merge) => Op::Merge(merge.clone()),
                Op::Model(inside) => Op::Model(self.model(inside)?),
            };
            Ok(Node { op, ..node.clone() })
        });
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        let (inputs, outputs) = (inner.graph.inputs.clone(), inner.graph.outputs.clone());
        let graph = Graph { nodes, inputs, outputs };
        let title = inner.name.clone();
        let copy =
            Model::without_weights("Model::copy", title, inner.has_given_name, graph, self.device)?;
        self.models.insert(address, copy.clone());
        copy.set_source(model.source());
        Ok(copy)
    }

    fn built(&mut self, built: &Arc<BuiltLayer>) -> Arc<BuiltLayer> {
        let address = Arc::as_ptr(built) as usize;
        let device = self.device;
        self.built_layers.entry(address).or_insert_with(|| built.copy_to(device)).clone()
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    /// A frozen nested model used twice, and a layer used twice.
    fn network() -> Model {
        let base = Sequential::new().input_shape([4]).add(Dense::new(4)).add(Relu).name("base");
        let base = base.build(Device::Cpu).unwrap();
        base.freeze();
        let input = Input::new("x", [4]);
        let twice = base.call(&base.call(&input).unwrap()).unwrap();
        let layer = Dense::new(4);
        let output = layer.call(&layer.call(&twice).unwrap()).unwrap();
        Model::new("twice", &input, &output, Device::Cpu).unwrap()
    }

    #[test]
    fn a_copy_gives_the_same_outputs_and_has_its_own_weights() {
        let model = network();
        let copy = model.copy().unwrap();
        let x = Tensor::rand([3, 4], (Kind::Float, Device::Cpu));
        let before = model.call(&x).unwrap();
        assert_eq!(copy.call(&x).unwrap(), before);
        assert_eq!(copy.weight_names(), model.weight_names());
        for name in copy.weight_names() {
            let weight = copy.weight(&name).unwrap();
            copy.set_weight(&name, &(weight + 1.0)).unwrap();
        }
        assert_ne!(copy.call(&x).unwrap(), before);
        assert_eq!(model.call(&x).unwrap(), before);
    }

    #[test]
    fn a_copy_takes_over_weights_and_frozen_flags() {
        let model = network();
        let copy = model.copy().unwrap();
        let x = Tensor::rand([3, 4], (Kind::Float, Device::Cpu));
        let change = |name: &str, by: f64| {
            model.set_weight(name, &(model.weight(name).unwrap() + by)).unwrap();
        };
        let names = model.weight_names();
        let (frozen, free) = (&names[0], &names[names.len() - 1]);
        assert!(frozen.starts_with("base/"), "{names:?}");
        change(free, 1.0);
        copy.copy_weights_from(&model.inner().program, false);
        assert_eq!(copy.call(&x).unwrap(), model.call(&x).unwrap());
        change(frozen, 1.0);
        copy.copy_weights_from(&model.inner().program, false);
        assert_ne!(copy.weight(frozen).unwrap(), model.weight(frozen).unwrap());
        copy.copy_weights_from(&model.inner().program, true);
        assert_eq!(copy.call(&x).unwrap(), model.call(&x).unwrap());
        change(free, 1.0);
        model.freeze();
        copy.copy_weights_from(&model.inner().program, false);
        assert_eq!(copy.trainable_count(), 0);
        assert_eq!(copy.call(&x).unwrap(), model.call(&x).unwrap());
    }

    #[test]
    fn a_copy_keeps_what_is_shared_and_frozen() {
        let (model, copy) = (network(), network().copy().unwrap());
        assert_eq!(copy.parameter_count(), model.parameter_count());
        assert_eq!(copy.trainable_count(), model.trainable_count());
        assert_eq!(copy.layer_paths(), model.layer_paths());
    }
}
