//! Saves a network: its weights and its architecture.
//!
//! The file has the safetensors format, so that other programs can read the weights. The entry `tchalk`
//! of its metadata holds the architecture as JSON: the layers, and the models as lists of nodes with
//! earlier nodes as inputs. Nothing in it is code.

use super::built_layer::BuiltLayer;
use super::graph::Op;
use super::{Model, file};
use crate::error::Result;
use crate::files::expand_home;
use crate::layers::Shape;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// The key of the architecture in the file's metadata.
pub(super) const KEY: &str = "tchalk";
/// It increases whenever older versions could misread the file.
pub(super) const VERSION: u64 = 1;

/// An architecture.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedNetwork {
    pub(super) version: u64,
    pub(super) layers: Vec<SavedLayer>,
    /// Each may contain earlier ones. The last is the network itself.
    pub(super) models: Vec<SavedModel>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedLayer {
    pub(super) kind: String,
    pub(super) config: Value,
    pub(super) frozen: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedModel {
    pub(super) name: String,
    /// Whether the user gave the name.
    pub(super) named: bool,
    pub(super) nodes: Vec<SavedNode>,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedNode {
    pub(super) name: String,
    pub(super) op: SavedOp,
    pub(super) inputs: Vec<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum SavedOp {
    Input {
        shape: Shape,
    },
    /// The index of a layer.
    Layer(usize),
    Merge {
        kind: String,
        config: Value,
    },
    /// The index of an earlier model.
    Model(usize),
}

impl Model {
    /// Saves the architecture, the weights and the frozen flags to a file in the safetensors format.
    /// [`Model::load`] loads it without the code that built the network. The settings of `compile` are
    /// not saved.
    ///
    /// # Errors
    ///
    /// If the file cannot be written. An existing file is replaced only when the new one is complete.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let layers = Sequential::new().input_shape([4]).add(Dense::new(3)).add(Softmax);
    /// let model = layers.build(Device::Cpu)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("my-model.safetensors");
    /// model.save(&path)?;
    /// let again = Model::load(&path, Device::Cpu)?;
    /// let x = Tensor::ones([1, 4], (Kind::Float, Device::Cpu));
    /// assert_eq!(again.call(&x)?, model.call(&x)?);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let network = serde_json::to_string(&self.description()).expect("plain values are JSON");
        self.write(&expand_home(path), &[("format", "pt".into()), (KEY, network)])
    }

    /// Saves only the weights, by name, to a file in the safetensors format.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write(&expand_home(path), &[("format", "pt".into())])
    }

    fn write(&self, path: &Path, notes: &[(&str, String)]) -> Result<()> {
        let _access = self.inner.program.inference();
        let weights = self.inner.program.weights();
        let tensors: Vec<_> =
            weights.into_iter().map(|weight| (weight.name, weight.tensor)).collect();
        file::write(path, notes, &tensors)
    }

    fn description(&self) -> SavedNetwork {
        let built_layers: Vec<&Arc<BuiltLayer>> = self.inner.program.built_layers().collect();
        let layers = built_layers.iter().map(|built| SavedLayer {
            kind: built.layer.kind().into(),
            config: built.layer.config(),
            frozen: built.is_frozen(),
        });
        let layers = layers.collect();
        let (mut known, mut models) = (Vec::new(), Vec::new());
        self.describe(&built_layers, &mut known, &mut models);
        SavedNetwork { version: VERSION, layers, models }
    }

    /// Appends this model after its nested ones, unless it is there already. Returns its index.
    fn describe(
        &self,
        built_layers: &[&Arc<BuiltLayer>],
        known: &mut Vec<Model>,
        models: &mut Vec<SavedModel>,
    ) -> usize {
        if let Some(index) = known.iter().position(|model| Arc::ptr_eq(&model.inner, &self.inner)) {
            return index;
        }
        let nodes = self.inner.graph.nodes.iter().map(|node| {
            let op = match &node.op {
                Op::Input => SavedOp::Input { shape: node.shape.clone() },
                Op::Layer(built) => {
                    let index = built_layers.iter().position(|known| Arc::ptr_eq(known, built));
                    SavedOp::Layer(index.expect("a model's layers are those of its graph"))
                }
                Op::Merge(merge) => {
                    SavedOp::Merge { kind: merge.kind().into(), config: merge.config() }
                }
                Op::Model(model) => SavedOp::Model(model.describe(built_layers, known, models)),
            };
            SavedNode { name: node.name.clone(), op, inputs: node.inputs.clone() }
        });
        let nodes = nodes.collect();
        models.push(SavedModel {
            name: self.inner.name.clone(),
            named: self.inner.has_given_name,
            nodes,
            inputs: self.inner.graph.inputs.clone(),
            outputs: self.inner.graph.outputs.clone(),
        });
        known.push(self.clone());
        models.len() - 1
    }
}
