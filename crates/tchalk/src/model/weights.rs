//! The weights of a network, by name.

use super::built_layer::BuiltLayer;
use super::{Executor, Model, Program};
use crate::error::{Error, Result};
use std::sync::Arc;
use tch::{Tensor, no_grad};

/// A weight with its name.
pub(crate) struct Weight {
    /// The path of its layer and its own name: `vgg16/block1_conv1.bias`.
    pub(crate) name: String,
    pub(crate) tensor: Tensor,
    pub(crate) trainable: bool,
    frozen: bool,
}

impl Weight {
    /// Whether training may change it, including running means, which have no gradient.
    pub(crate) fn may_change(&self) -> bool {
        !self.frozen
    }
}

impl Model {
    /// The number of parameters. Those of a layer that is used twice count once.
    pub fn parameter_count(&self) -> usize {
        self.inner.program.built_layers().map(|built| built.parameter_counts().0).sum()
    }

    /// The number of parameters that training changes: without frozen layers and running means.
    pub fn trainable_count(&self) -> usize {
        self.inner.program.built_layers().map(|built| built.parameter_counts().1).sum()
    }

    /// The names of the weights, in order: `conv2d.weight`, `conv2d.bias`, … In a nested model they start
    /// with its path: `vgg16/block5_conv3.weight`.
    pub fn weight_names(&self) -> Vec<String> {
        let built_layers = self.inner.program.named_layers();
        built_layers.iter().flat_map(|(path, built)| names(path, built)).collect()
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
        // The paths of all uses of a layer lead to its weights.
        let steps = self.inner.program.steps.iter();
        let found = steps
            .filter_map(|step| step.built_layer().map(|built| (&step.path, built)))
            .find_map(|(path, built)| {
                let index = names(path, built).iter().position(|found| found == name)?;
                Some(built.tensors().remove(index))
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
    /// All weights, in order.
    pub(crate) fn weights(&self) -> Vec<Weight> {
        let built_layers = self.named_layers();
        let of = |(path, built): &(String, Arc<BuiltLayer>)| {
            let weights = names(path, built).into_iter().zip(built.tensors()).zip(&built.specs);
            let weights = weights.map(|((name, tensor), spec)| {
                let frozen = built.is_frozen();
                Weight { name, tensor, trainable: spec.trainable && !frozen, frozen }
            });
            weights.collect::<Vec<_>>()
        };
        built_layers.iter().flat_map(of).collect()
    }
}

fn names(path: &str, built: &BuiltLayer) -> Vec<String> {
    built.specs.iter().map(|spec| format!("{path}.{}", spec.name)).collect()
}
