//! What the ready-made networks have in common: a base, a top, and names.

use crate::error::Result;
use crate::layers::{BatchNorm2d, Initializer, Layer, Merge};
use crate::model::{CallLayer, CallMerge, Symbol};

/// How one of the networks is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Architecture {
    /// The network's name, also that of its function.
    pub(super) name: &'static str,
    /// The smallest images that it can take, in pixels along each side.
    pub(super) min_size: usize,
    /// From images to the last feature maps.
    pub(super) features: fn(&mut NetworkBuilder, Symbol) -> Result<Symbol>,
    /// From the last feature maps to the scores of the classes.
    pub(super) top: fn(&mut NetworkBuilder, Symbol) -> Result<Symbol>,
}

/// Makes the layers of a network and remembers what published files call them.
#[derive(Debug)]
pub(super) struct NetworkBuilder {
    classes: usize,
    /// Our name and the files', where they differ.
    renames: Vec<(String, String)>,
    /// The weights so far, by our names.
    weights: Vec<String>,
}

impl NetworkBuilder {
    pub(super) fn new(classes: usize) -> NetworkBuilder {
        NetworkBuilder { classes, renames: Vec::new(), weights: Vec::new() }
    }

    /// How many classes the top tells apart.
    pub(super) fn classes(&self) -> usize {
        self.classes
    }

    /// How kernels are filled that no file fills: all these networks bend with rectifiers.
    pub(super) fn initializer(&self) -> Initializer {
        Initializer::HeNormal
    }

    /// A layer that has the same name in the files.
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

    /// What the files call the weights of the layers so far.
    pub(super) fn weight_names(&self) -> Vec<String> {
        self.weights.iter().map(|ours| self.published_name(ours)).collect()
    }

    /// A layer that the files call `theirs`.
    pub(super) fn renamed_layer(
        &mut self,
        name: &str,
        theirs: &str,
        layer: impl Layer + Clone,
        x: &Symbol,
    ) -> Result<Symbol> {
        self.renames.push((name.to_owned(), theirs.to_owned()));
        self.layer(name, layer, x)
    }

    /// Batch normalization with PyTorch's numbers.
    pub(super) fn batch_norm(&mut self, name: &str, x: &Symbol) -> Result<Symbol> {
        self.layer(name, BatchNorm2d::new().momentum(0.9).epsilon(1e-5), x)
    }

    /// What several layers become.
    pub(super) fn merge(
        &mut self,
        name: &str,
        merge: impl Merge + Clone,
        inputs: &[Symbol],
    ) -> Result<Symbol> {
        merge.named(name).call(inputs)
    }

    /// What the files call this weight of ours: `block1_conv1.bias` is their `features.0.bias`.
    pub(super) fn published_name(&self, ours: &str) -> String {
        let (layer, weight) = ours.rsplit_once('.').unwrap_or((ours, ""));
        match self.renames.iter().find(|(name, _)| name == layer) {
            Some((_, theirs)) => format!("{theirs}.{weight}"),
            None => ours.to_owned(),
        }
    }
}
