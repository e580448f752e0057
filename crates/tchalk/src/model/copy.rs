//! A network of the same form, with weights of its own.

use super::built_layer::BuiltLayer;
use super::graph::{Graph, Node, Op};
use super::{Model, Program, check_memory};
use crate::error::Result;
use std::collections::HashMap;
use std::sync::Arc;
use tch::{Device, no_grad};

/// What has been copied already, by where the original is, so that what is shared stays shared.
struct Copies {
    /// Where the copies are.
    device: Device,
    cells: HashMap<usize, Arc<BuiltLayer>>,
    models: HashMap<usize, Model>,
}

impl Model {
    /// A network of the same layers with the same weights, which are its own: whatever is done to
    /// the copy, this network stays as it is. (A clone shares the weights.) What `compile` chose is
    /// not copied, as with Keras's `clone_model`.
    ///
    /// # Errors
    ///
    /// If there is no memory for the weights.
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

    /// The same, with the copy on another device.
    pub(crate) fn copy_to(&self, device: Device) -> Result<Model> {
        check_memory("Model::copy", self.parameter_count())?;
        let _access = self.inner.program.inference();
        Copies { device, cells: HashMap::new(), models: HashMap::new() }.model(self)
    }

    /// Takes over from the network that this is a copy of: which layers are frozen, and the weights.
    /// Those of layers that stay frozen only where `frozen_too` says so. The caller has access to the
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
        let place = Arc::as_ptr(&model.inner) as usize;
        if let Some(known) = self.models.get(&place) {
            return Ok(known.clone());
        }
        let inner = model.inner();
        let nodes = inner.graph.nodes.iter().map(|node| {
            let op = match &node.op {
                Op::Input => Op::Input,
                Op::Layer(cell) => Op::Layer(self.cell(cell)),
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
        self.models.insert(place, copy.clone());
        copy.set_source(model.source());
        Ok(copy)
    }

    fn cell(&mut self, cell: &Arc<BuiltLayer>) -> Arc<BuiltLayer> {
        let place = Arc::as_ptr(cell) as usize;
        let device = self.device;
        self.cells.entry(place).or_insert_with(|| cell.copy_to(device)).clone()
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    /// A frozen model inside, used twice, and a layer used twice.
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
    fn a_copy_answers_alike_and_goes_its_own_way() {
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
    fn a_copy_follows_its_original() {
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
    fn what_is_shared_or_frozen_stays_so() {
        let (model, copy) = (network(), network().copy().unwrap());
        assert_eq!(copy.parameter_count(), model.parameter_count());
        assert_eq!(copy.trainable_count(), model.trainable_count());
        assert_eq!(copy.layer_paths(), model.layer_paths());
    }
}
