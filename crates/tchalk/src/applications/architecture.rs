//! What the ready-made networks have in common: a base, a top, and layer names.

use crate::error::Result;
use crate::layers::{BatchNorm2d, Initializer, Layer, Merge};
use crate::model::{CallLayer, CallMerge, Symbol};

/// The architecture of a network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Architecture {
    /// The name of the network and of its function.
    pub(super) name: &'static str,
    /// The smallest width and height of images, in pixels.
    pub(super) min_size: usize,
    /// The layers from images to the last feature maps.
    pub(super) features: fn(&mut NetworkBuilder, Symbol) -> Result<Symbol>,
    /// The layers from the last feature maps to the logits.
    pub(super) top: fn(&mut NetworkBuilder, Symbol) -> Result<Symbol>,
}

/// Adds layers to a network and keeps their names in published files.
#[derive(Debug)]
pub(super) struct NetworkBuilder {
    classes: usize,
    /// The layer's name and its name in the files, where they differ.
    renames: Vec<(String, String)>,
    /// The names of the weights so far.
    weights: Vec<String>,
}

impl NetworkBuilder {
    pub(super) fn new(classes: usize) -> NetworkBuilder {
        NetworkBuilder { classes, renames: Vec::new(), weights: Vec::new() }
    }

    /// The number of classes of the top.
    pub(super) fn classes(&self) -> usize {
        self.classes
    }

    /// The initializer of kernels without pretrained weights; all these networks use ReLU.
    pub(super) fn initializer(&self) -> Initializer {
        Initializer::HeNormal
    }

    /// Adds a layer that has the same name in the files.
    pub(super) fn layer(
        &mut self,
        name: &str,
        layer: impl Layer + Clone,
        x: &Symbol,
    ) -> Result<Symbol> {
        let y = layer.clone().named(name).call(x)?;
        let specs = layer.weights(&x.shape());
        self.weights.extend(specs.iter().map(|spec| format!("{name}.{}", spec.name)));
        Ok(y)
    }

    /// The names in the files of all weights so far.
    pub(super) fn weight_names(&self) -> Vec<String> {
        self.weights.iter().map(|weight| self.published_name(weight)).collect()
    }

    /// Adds a layer that has another name in the files.
    pub(super) fn renamed_layer(
        &mut self,
        name: &str,
        published_name: &str,
        layer: impl Layer + Clone,
        x: &Symbol,
    ) -> Result<Symbol> {
        self.renames.push((name.to_owned(), published_name.to_owned()));
        self.layer(name, layer, x)
    }

    /// Adds a batch normalization with PyTorch's defaults.
    pub(super) fn batch_norm(&mut self, name: &str, x: &Symbol) -> Result<Symbol> {
        self.layer(name, BatchNorm2d::new().momentum(0.9).epsilon(1e-5), x)
    }

    /// Adds a merge of several layers.
    pub(super) fn merge(
        &mut self,
        name: &str,
        merge: impl Merge + Clone,
        inputs: &[Symbol],
    ) -> Result<Symbol> {
        merge.named(name).call(inputs)
    }

    /// The name of a weight in the files: `features.0.bias` for `block1_conv1.bias`.
    pub(super) fn published_name(&self, weight: &str) -> String {
        let (layer, parameter) = weight.rsplit_once('.').unwrap_or((weight, ""));
        match self.renames.iter().find(|(name, _)| name == layer) {
            Some((_, published)) => format!("{published}.{parameter}"),
            None => weight.to_owned(),
        }
    }
}
