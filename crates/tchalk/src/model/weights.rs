//! The weights of a network, by name.

use super::built_layer::BuiltLayer;
use super::{Executor, Model, Program};
use crate::error::{Error, Result};
use std::sync::Arc;
use tch::{Tensor, no_grad};

/// A weight and where it stands.
pub(crate) struct Weight {
    /// The path of its layer and its own name: `vgg16/block1_conv1.bias`.
    pub(crate) name: String,
    pub(crate) tensor: Tensor,
    pub(crate) trainable: bool,
    frozen: bool,
}

impl Weight {
    /// Whether training may change it: running means, which are not learned, included.
    pub(crate) fn may_change(&self) -> bool {
        !self.frozen
    }
}

impl Model {
    /// How many numbers the network holds. Those of a layer that is used twice count once.
    pub fn parameter_count(&self) -> usize {
        self.inner.program.built_layers().map(|cell| cell.parameter_counts().0).sum()
    }

    /// How many of them training changes: not those of frozen layers, nor running means.
    pub fn trainable_count(&self) -> usize {
        self.inner.program.built_layers().map(|cell| cell.parameter_counts().1).sum()
    }

    /// The names of the weights, in order: `conv2d.weight`, `conv2d.bias`, … In a model inside they
    /// begin with its path: `vgg16/block5_conv3.weight`.
    pub fn weight_names(&self) -> Vec<String> {
        let cells = self.inner.program.named_layers();
        cells.iter().flat_map(|(path, cell)| names(path, cell)).collect()
    }

    /// A copy of one weight: `[filters, channels, height, width]` for the kernel of a convolution,
    /// `[units, features]` for that of a dense layer.
    ///
    /// # Errors
    ///
    /// If there is no weight of that name.
    pub fn weight(&self, name: &str) -> Result<Tensor> {
        let access = self.inner.program.inference();
        Ok(self.find_weight("Model::weight", name, &access)?.detach().copy())
    }

    /// Replaces one weight.
    ///
    /// # Errors
    ///
    /// If there is no weight of that name, or `value` has another shape.
    pub fn set_weight(&self, name: &str, value: &Tensor) -> Result<()> {
        let access = self.inner.program.training();
        let mut weight = self.find_weight("Model::set_weight", name, &access)?;
        if weight.size() != value.size() {
            let (expected, got) = (format!("{:?}", weight.size()), format!("{:?}", value.size()));
            return Err(Error::invalid(format!("Model::set_weight({name:?})"), expected, got, ""));
        }
        no_grad(|| weight.copy_(value));
        Ok(())
    }

    fn find_weight(&self, op: &str, name: &str, _access: &Executor<'_>) -> Result<Tensor> {
        // Every path leads to the weight, also that of a layer's second use.
        let steps = self.inner.program.steps.iter();
        let found = steps
            .filter_map(|step| step.built_layer().map(|cell| (&step.path, cell)))
            .find_map(|(path, cell)| {
                let place = names(path, cell).iter().position(|found| found == name)?;
                Some(cell.tensors().remove(place))
            });
        found.ok_or_else(|| {
            Error::invalid(
                format!("{op}({name:?})"),
                "the name of a weight",
                "no such name",
                "weight_names() lists them.",
            )
        })
    }
}

impl Program {
    /// Handles on all weights, in order.
    pub(crate) fn weights(&self) -> Vec<Weight> {
        let cells = self.named_layers();
        let of = |(path, cell): &(String, Arc<BuiltLayer>)| {
            let weights = names(path, cell).into_iter().zip(cell.tensors()).zip(&cell.specs);
            let weights = weights.map(|((name, tensor), spec)| {
                let frozen = cell.is_frozen();
                Weight { name, tensor, trainable: spec.trainable && !frozen, frozen }
            });
            weights.collect::<Vec<_>>()
        };
        cells.iter().flat_map(of).collect()
    }
}

fn names(path: &str, cell: &BuiltLayer) -> Vec<String> {
    cell.specs.iter().map(|spec| format!("{path}.{}", spec.name)).collect()
}
