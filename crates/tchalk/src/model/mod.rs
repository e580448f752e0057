//! Networks: a graph of named layers with shapes and weights.
//!
//! [`Sequential`] builds a network layer by layer, [`Input`] and `call` build it as a formula; both give
//! a [`Model`]. A `Model` is a handle: clones share the weights, and all methods take `&self`. A model
//! can be a layer of another one. Its layers then have paths such as `vgg16/block5_conv3`.
//!
//! A `Graph` (`graph.rs`) is the network as it was built. It is flattened to a list of steps, the `Program`
//! (`program.rs`), and that is what runs. A softmax inside a layer is a step of its own there, so that a
//! loss can read the logits.
//!
//! | what a `Model` can do | methods | file |
//! |---|---|---|
//! | be built | [`Sequential::build`], [`Model::new`] | `sequential.rs`, `symbol.rs` |
//! | say what it is | [`name`](Model::name), [`input_shape`](Model::input_shape), [`layer_names`](Model::layer_names), [`layer_paths`](Model::layer_paths), [`source`](Model::source) | `mod.rs` |
//! | run | [`call`](Model::call), [`call_all`](Model::call_all) | `mod.rs`, `program.rs` |
//! | show itself | [`summary`](Model::summary), [`diagram`](Model::diagram) | `summary.rs`, `diagram.rs` |
//! | give and take weights | [`weight`](Model::weight), [`set_weight`](Model::set_weight), [`parameter_count`](Model::parameter_count) | `weights.rs` |
//! | freeze layers | [`freeze`](Model::freeze), [`freeze_at`](Model::freeze_at), [`freeze_until`](Model::freeze_until), [`unfreeze`](Model::unfreeze) | `freeze.rs` |
//! | give inner outputs, be cut | [`activations`](Model::activations), [`feature_extractor`](Model::feature_extractor), [`split_at_pools`](Model::split_at_pools) | `parts.rs` |
//! | be copied | [`copy`](Model::copy), [`reinitialized`](Model::reinitialized) | `copy.rs`, `reinitialize.rs` |
//! | be saved and loaded | [`save`](Model::save), [`load`](Model::load), [`load_weights`](Model::load_weights) | `save.rs`, `load.rs`, `load_weights.rs`, `file.rs` |
//! | learn, be measured, predict | [`compile`](Model::compile), [`fit`](Model::fit), [`evaluate`](Model::evaluate), [`predict`](Model::predict) | [`crate::train`] |
//! | name what a photo shows | [`predict_file`](Model::predict_file) | [`crate::applications`] |
//!
//! A `BuiltLayer` holds the weights and the frozen flag of a layer; all networks that use the layer share
//! it. A training step has the layers of its network to itself (`Program::training`), everything else
//! shares them (`Program::inference`). The locks are always taken in one order, so there is no deadlock.
//!
//! A saved model is a safetensors file with its architecture as JSON under `tchalk` in the metadata.
//! Nothing in it is run, and memory is allocated only for tensors that are in the file with the expected
//! shape. The format's names are kept: `tests/old_files.rs` loads files of earlier versions.

mod built_layer;
mod copy;
mod diagram;
pub(crate) mod file;
mod freeze;
mod graph;
mod load;
mod load_weights;
mod names;
mod parts;
mod program;
mod reinitialize;
mod save;
mod sequential;
mod summary;
mod symbol;
mod weights;

pub use load_weights::LoadReport;
pub use sequential::{LayerOrModel, Sequential};
pub use summary::Summary;
pub use symbol::{CallLayer, CallMerge, Input, ModelInput, ModelInputItem, Symbol, Symbols};

pub(crate) use program::{Executor, Program, Step, StepOp};

use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::layers::{MAX_NUMBERS, Shape, check_numbers, shape_text};
use crate::runtime;
use crate::text::thousands;
use graph::Graph;
use std::any::Any;
use std::sync::{Arc, Mutex};
use tch::{Device, Kind, Tensor, no_grad};

/// A network: its layers, its weights, and, once compiled, how it learns.
#[derive(Clone)]
pub struct Model {
    pub(crate) inner: Arc<Inner>,
}

/// The data that all handles of a network share. The graph never changes. Weights and frozen flags are
/// in its built layers, which other networks may share.
pub(crate) struct Inner {
    /// The given name, or the stem of automatic names.
    name: String,
    /// Whether the user gave the name.
    has_given_name: bool,
    pub(crate) graph: Graph,
    pub(crate) program: Program,
    /// The depth of nested models.
    depth: usize,
    /// The number of nodes. Those of nested models count once for each use.
    size: usize,
    pub(crate) device: Device,
    /// The origin of the weights, in a sentence; empty for random ones.
    source: Mutex<String>,
    /// What training keeps with the network.
    pub(crate) training: Mutex<TrainingSlot>,
}

/// What the room `train` keeps with a network: the room `model` does not look into it.
pub(crate) type TrainingSlot = Option<Box<dyn Any + Send>>;

impl Inner {
    /// The shape of one example for the first input.
    pub(crate) fn input_shape(&self) -> Shape {
        self.graph.nodes[self.graph.inputs[0]].shape.clone()
    }

    /// The shape of one example of the first output.
    pub(crate) fn output_shape(&self) -> Shape {
        self.graph.nodes[self.graph.outputs[0]].shape.clone()
    }

    /// The step that gives the output.
    pub(crate) fn last_step(&self) -> &Step {
        &self.program.steps[self.program.outputs[0]]
    }

    /// The call that creates the last layer.
    pub(crate) fn last_repr(&self) -> String {
        match &self.last_step().op {
            StepOp::Input => "nothing".into(),
            StepOp::Layer(built) => built.layer.repr(),
            StepOp::Merge(merge) => merge.repr(),
            StepOp::Softmax => "Softmax".into(),
        }
    }

    /// Whether the last step is a softmax.
    pub(crate) fn ends_in_softmax(&self) -> bool {
        self.last_step().kind() == "softmax"
    }

    /// The weights that training changes, in order.
    pub(crate) fn trainable_weights(&self) -> Vec<Tensor> {
        let free = self.program.built_layers().filter(|built| !built.is_frozen());
        let weights = free.flat_map(|built| built.tensors().into_iter().zip(&built.specs));
        weights.filter_map(|(tensor, spec)| spec.trainable.then_some(tensor)).collect()
    }
}

impl Model {
    /// The network of a graph whose shapes have been checked. Missing weights are initialized in the
    /// order of the layers.
    pub(crate) fn from_graph(
        op: &str,
        title: String,
        given: bool,
        graph: Graph,
        device: Device,
    ) -> Result<Model> {
        let model = Model::without_weights(op, title, given, graph, device)?;
        let program = &model.inner.program;
        if program.built_layers().any(|built| built.device().is_none() && !built.specs.is_empty()) {
            check_memory(op, model.parameter_count())?;
            // The whole process shares libtorch's generator, so it is seeded again for every model.
            tch::manual_seed(runtime::seed::derive("weights"));
            program.built_layers().for_each(|built| built.initialize(device));
        }
        Ok(model)
    }

    /// The network of a graph, with the existing weights only.
    fn without_weights(
        op: &str,
        title: String,
        given: bool,
        graph: Graph,
        device: Device,
    ) -> Result<Model> {
        graph.check_size(op)?;
        let program = Program::from_graph(&graph);
        let built_layers: Vec<_> = program.built_layers().collect();
        let mut total = 0usize;
        for spec in built_layers.iter().flat_map(|built| &built.specs) {
            check_numbers(op, &spec.shape)?;
            total = total.saturating_add(spec.shape.iter().product());
        }
        check_numbers(op, &[total])?;
        let away = built_layers.iter().find(|built| built.device().is_some_and(|at| at != device));
        if let Some(away) = away {
            return Err(Error::invalid(
                op,
                format!("layers on {device:?}"),
                format!("{} with weights on {:?}", away.layer.repr(), away.device().unwrap()),
                "Build both networks on one device.",
            ));
        }
        let (depth, size) = (graph.depth(), graph.size());
        let (source, training) = (Mutex::default(), Mutex::default());
        let inner = Inner {
            name: title,
            has_given_name: given,
            graph,
            program,
            depth,
            size,
            device,
            source,
            training,
        };
        Ok(Model { inner: Arc::new(inner) })
    }

    /// The shared data.
    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// The given name, or `sequential`.
    pub fn name(&self) -> String {
        self.inner.name.clone()
    }

    /// The origin of the weights, in a sentence, for a network of [`crate::applications`]. So a
    /// substitute is never mistaken for the original. Empty for all other networks, including those
    /// built around such a network or loaded from a file.
    pub fn source(&self) -> String {
        self.inner.source.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Sets the origin of the weights.
    pub(crate) fn set_source(&self, source: String) {
        *self.inner.source.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = source;
    }

    /// The shape of one example of the first input: `[channels, height, width]` or `[features]`.
    pub fn input_shape(&self) -> Vec<usize> {
        self.inner.input_shape()
    }

    /// The shapes of all inputs.
    pub fn input_shapes(&self) -> Vec<Vec<usize>> {
        let graph = &self.inner.graph;
        graph.inputs.iter().map(|&input| graph.nodes[input].shape.clone()).collect()
    }

    /// The shape of one example of the first output, for a classifier `[classes]`.
    pub fn output_shape(&self) -> Vec<usize> {
        self.inner.output_shape()
    }

    /// The shapes of all outputs.
    pub fn output_shapes(&self) -> Vec<Vec<usize>> {
        let graph = &self.inner.graph;
        graph.outputs.iter().map(|&output| graph.nodes[output].shape.clone()).collect()
    }

    /// The device of the weights.
    pub fn device(&self) -> Device {
        self.inner.device
    }

    /// The names of the layers, in order. A nested model counts as one layer.
    pub fn layer_names(&self) -> Vec<String> {
        let nodes = self.inner.graph.nodes.iter();
        let layers = nodes.filter(|node| !matches!(node.op, graph::Op::Input));
        layers.map(|node| node.name.clone()).collect()
    }

    /// The paths of all layers, including those of nested models: `vgg16/block1_conv1`, …
    pub fn layer_paths(&self) -> Vec<String> {
        let steps = self.inner.program.steps.iter();
        let layers = steps.filter(|step| step.is_layer());
        layers.map(|step| step.path.clone()).collect()
    }

    /// Runs a batch through a network with several outputs, and returns all of them, in order.
    ///
    /// # Errors
    ///
    /// If the batch does not have the network's input shape, or the network has several inputs.
    pub fn call_all(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        self.run_steps("Model::call_all", &[x], &self.inner.program.outputs)
    }

    pub(crate) fn run_one(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        if self.inner.graph.outputs.len() != 1 {
            return Err(Error::invalid(
                "Model::call",
                "a network of one output",
                format!("{:?} with {}", self.name(), self.inner.graph.outputs.len()),
                "call_all gives all outputs.",
            ));
        }
        Ok(self.run_steps("Model::call", inputs, &self.inner.program.outputs)?.remove(0))
    }

    /// The outputs of these steps for a batch, without gradients.
    pub(crate) fn run_steps(
        &self,
        op: &str,
        inputs: &[&Tensor],
        targets: &[usize],
    ) -> Result<Vec<Tensor>> {
        let inputs = self.checked_inputs(op, inputs)?;
        let known: Vec<(usize, &Tensor)> =
            self.inner.program.inputs.iter().copied().zip(&inputs).collect();
        Ok(no_grad(|| self.inner.program.inference().run(&known, targets)))
    }

    /// The inputs of a call, checked and moved to the network's device.
    fn checked_inputs(&self, op: &str, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        let shapes = self.input_shapes();
        if inputs.len() != shapes.len() {
            return Err(Error::invalid(
                op,
                format!("{} inputs", shapes.len()),
                inputs.len().to_string(),
                "A network of several inputs is called with a list: model.call(&[a, b]).",
            ));
        }
        let mut batch = None;
        for (x, shape) in inputs.iter().zip(&shapes) {
            let size: Vec<usize> = x.size().iter().map(|&n| n as usize).collect();
            if size.get(1..) != Some(&shape[..]) {
                return Err(Error::invalid(
                    op,
                    format!("a batch [n, {}", &shape_text(shape)[1..]),
                    shape_text(&size),
                    "unsqueeze(0) makes a batch of one from a single example.",
                ));
            }
            if *batch.get_or_insert(size[0]) != size[0] {
                let got = format!("{} and {}", batch.unwrap_or(0), size[0]);
                return Err(Error::invalid(op, "inputs for the same number of examples", got, ""));
            }
        }
        let device = self.inner.device;
        Ok(inputs.iter().map(|x| x.to_device(device).to_kind(Kind::Float)).collect())
    }

    /// The output's shape where this network is nested in another one.
    fn nested_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape> {
        let op = format!("the model {:?}", self.name());
        if self.inner.graph.outputs.len() != 1 {
            let got = format!("{} outputs", self.inner.graph.outputs.len());
            let hint = "feature_extractor(\"name of a layer\") gives a network with one of them, which shares \
                        its weights.";
            return Err(Error::invalid(format!("{op} inside another"), "one output", got, hint));
        }
        let shapes = self.input_shapes();
        if shapes != inputs {
            let all = |shapes: &[Shape]| {
                shapes.iter().map(|shape| shape_text(shape)).collect::<Vec<_>>().join(" and ")
            };
            let got = inputs.iter().zip(from);
            let got = got.map(|(shape, from)| format!("{} from {from:?}", shape_text(shape)));
            let hint = "Build it with the input_shape that it gets here.";
            let got = got.collect::<Vec<_>>().join(" and ");
            return Err(Error::invalid(op, all(&shapes), got, hint));
        }
        Ok(self.output_shape())
    }
}

/// Allocates the memory of this many numbers, so that a lack of memory is an error and not an abort.
fn check_memory(op: &str, numbers: usize) -> Result<()> {
    debug_assert!(numbers <= MAX_NUMBERS);
    if numbers < 1 << 28 {
        return Ok(());
    }
    let empty = Tensor::f_empty([numbers as i64], (Kind::Float, Device::Cpu));
    empty.map(drop).map_err(|_| {
        let got = format!("{} numbers, {} GiB", thousands(numbers), numbers >> 28);
        let hint = "Pool more before the first Dense layer, or use fewer filters and units.";
        Error::invalid(op, "weights that fit into memory", got, hint)
    })
}

/// The names of the layers and the shapes at both ends.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (input, output) = (shape_text(&self.input_shape()), shape_text(&self.output_shape()));
        let parameters = thousands(self.parameter_count());
        write!(f, "a network from {input} to {output} with {parameters} parameters: ")?;
        f.write_str(&self.layer_names().join(", "))
    }
}

impl Show for Model {
    fn content(&self) -> Content {
        self.summary().content()
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    fn small() -> Model {
        let layers = Sequential::new().input_shape([1, 6, 6]).add(Conv2d::new(2, 3)).add(Relu);
        layers.add(Flatten).add(Dense::new(3)).add(Softmax).build(Device::Cpu).unwrap()
    }

    #[test]
    fn a_clone_shares_its_weights() {
        let model = small();
        let twin = model.clone();
        model.set_weight("dense.bias", &Tensor::from_slice(&[1f32, 2.0, 3.0])).unwrap();
        assert_eq!(twin.weight("dense.bias").unwrap(), Tensor::from_slice(&[1f32, 2.0, 3.0]));
    }

    #[test]
    fn weights_are_refused_by_name_and_by_shape() {
        let model = small();
        let error = model.weight("dense_7.bias").unwrap_err().to_string();
        assert!(error.contains("weight_names()"), "{error}");
        let error = model.set_weight("dense.bias", &Tensor::from_slice(&[1f32])).unwrap_err();
        assert_eq!(error.to_string(), "Model::set_weight(\"dense.bias\"): expected [3], got [1].");
    }

    #[test]
    fn the_sum_of_probabilities_is_one_and_a_wrong_batch_is_refused() {
        let model = small();
        let y = model.call(&Tensor::rand([4, 1, 6, 6], (Kind::Float, Device::Cpu))).unwrap();
        let sums = y.sum_dim_intlist(1i64, false, Kind::Float);
        assert!(sums.allclose(&Tensor::ones([4], (Kind::Float, Device::Cpu)), 1e-6, 1e-6, false));
        let error = model.call(&Tensor::rand([1, 6, 6], (Kind::Float, Device::Cpu))).unwrap_err();
        assert!(
            error.to_string().contains("expected a batch [n, 1, 6, 6], got [1, 6, 6]"),
            "{error}"
        );
    }
}
