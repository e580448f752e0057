//! Loads a network from a file.
//!
//! A file may be damaged or malicious, so every number in it is checked before it is used. Layers and
//! models may refer only to earlier ones, so there are no circles. Memory is allocated only for tensors
//! that the file holds with the shape that the network expects.

use super::built_layer::BuiltLayer;
use super::file::TensorFile;
use super::graph::{Graph, Node, Op};
use super::save::{KEY, SavedModel, SavedNetwork, SavedNode, SavedOp, VERSION};
use super::{Model, names};
use crate::error::{Error, Result};
use crate::files::expand_home;
use crate::layers::{Layer, Shape, check_numbers, registry, shape_text};
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use tch::{Device, Kind};

/// The largest number in a layer's settings.
const MAX_SETTING: u64 = 1 << 28;

impl Model {
    /// Loads a network from a file that [`Model::save`] wrote, with its weights and frozen flags, onto
    /// `device`. No code in the file is run.
    ///
    /// # Errors
    ///
    /// If there is no such file, it is damaged or holds no network, or a later version wrote it, or it
    /// has layers that this version does not know.
    pub fn load(path: impl AsRef<Path>, device: Device) -> Result<Model> {
        let mut file = TensorFile::open(&expand_home(path))?;
        let model = load_network(&file, device)?;
        let built_layers = model.inner.program.named_layers().to_vec();
        check_tensors(&file, &built_layers)?;
        for (path, built) in &built_layers {
            let names = built.specs.iter().map(|spec| format!("{path}.{}", spec.name));
            let read = names.map(|name| Ok(file.read(&name)?.to_device(device)));
            built.set_weights(read.collect::<Result<_>>()?);
        }
        Ok(model)
    }
}

/// The error of a file with a problem.
fn file_error(file: &TensorFile, problem: impl Into<String>) -> Error {
    Error::bad_file(file.path(), problem, "")
}

/// The network that the file describes, without its weights.
fn load_network(file: &TensorFile, device: Device) -> Result<Model> {
    let Some(text) = file.note(KEY) else {
        let hint = "Build the network, then load_weights(path) fills it from such a file.";
        return Err(Error::bad_file(
            file.path(),
            "it holds tensors, but no network of tchalk",
            hint,
        ));
    };
    let value: Value = serde_json::from_str(text)
        .map_err(|error| file_error(file, format!("the description of the network: {error}")))?;
    match value.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(version) => {
            let problem =
                format!("a network in version {version} of the format; this is {VERSION}");
            return Err(Error::bad_file(file.path(), problem, "A newer tchalk reads it."));
        }
        None => return Err(file_error(file, "the description of the network says no version")),
    }
    let saved: SavedNetwork = serde_json::from_value(value)
        .map_err(|error| file_error(file, format!("the description of the network: {error}")))?;
    let within = |error: Error| {
        let error = error.to_string();
        file_error(
            file,
            format!("the network in it does not work: {}", error.trim_end_matches('.')),
        )
    };
    let mut layers = Vec::with_capacity(saved.layers.len());
    for layer in &saved.layers {
        if !has_reasonable_numbers(&layer.config) {
            return Err(file_error(
                file,
                format!("a {} layer with numbers beyond reason", layer.kind),
            ));
        }
        let made = registry::from_config(&layer.kind, &layer.config).map_err(within)?;
        layers.push(LayerLoader { layer: Some(made), frozen: layer.frozen, built: None });
    }
    let mut models: Vec<Model> = Vec::new();
    for saved in &saved.models {
        let graph = load_graph(saved, &mut layers, &models).map_err(within)?;
        names::check("a model", &saved.name).map_err(within)?;
        let title = saved.name.clone();
        let model = Model::without_weights("Model::load", title, saved.named, graph, device);
        models.push(model.map_err(within)?);
    }
    models.pop().ok_or_else(|| file_error(file, "the description of the network holds no model"))
}

/// A layer of the file: its description until its first use, then the built layer.
struct LayerLoader {
    layer: Option<Arc<dyn Layer>>,
    frozen: bool,
    built: Option<Arc<BuiltLayer>>,
}

impl LayerLoader {
    fn built(&mut self, input: &Shape, from: &str) -> Result<Arc<BuiltLayer>> {
        if let Some(built) = &self.built {
            built.layer.output_shape(input, from)?;
            return built.clone().reuse(&*built.layer, input, from);
        }
        let layer = self.layer.take().expect("a layer is taken once");
        check_numbers(&layer.repr(), &layer.output_shape(input, from)?)?;
        let built = BuiltLayer::new(layer, input);
        built.set_frozen(self.frozen);
        self.built = Some(built.clone());
        Ok(built)
    }
}

fn load_graph(saved: &SavedModel, layers: &mut [LayerLoader], models: &[Model]) -> Result<Graph> {
    let op = format!("the model {:?}", saved.name.chars().take(60).collect::<String>());
    let refused = |expected: &str, got: String| Err(Error::invalid(&op, expected, got, ""));
    let mut taken = HashSet::new();
    let mut nodes: Vec<Node> = Vec::with_capacity(saved.nodes.len());
    for (i, node) in saved.nodes.iter().enumerate() {
        check_name(&op, &node.name)?;
        if !taken.insert(node.name.as_str()) {
            return refused(
                "a name of its own for every layer",
                format!("two layers {:?}", node.name),
            );
        }
        if let Some(later) = node.inputs.iter().find(|&&input| input >= i) {
            let later = saved.nodes.get(*later).map_or("nothing", |later| later.name.as_str());
            let got = format!("{:?}, which is fed by {later:?}", node.name);
            return refused("layers that are fed by earlier ones, not in a circle", got);
        }
        let node = load_node(node, &nodes, layers, models)?;
        check_numbers(&format!("{op}, {:?}", node.name), &node.shape)?;
        nodes.push(node);
    }
    let are_inputs = |index: &usize| matches!(nodes.get(*index), Some(Node { op: Op::Input, .. }));
    let inputs: HashSet<usize> = saved.inputs.iter().copied().collect();
    let listed = inputs.len() == saved.inputs.len() && saved.inputs.iter().all(are_inputs);
    let count = nodes.iter().filter(|node| matches!(node.op, Op::Input)).count();
    if !listed || count != inputs.len() || count == 0 {
        return refused("its inputs, each once", format!("{:?}", &saved.inputs));
    }
    if saved.outputs.is_empty() || saved.outputs.iter().any(|&output| output >= nodes.len()) {
        return refused("its outputs", format!("{:?}", &saved.outputs));
    }
    let graph = Graph { nodes, inputs: saved.inputs.clone(), outputs: saved.outputs.clone() };
    if graph.pruned(&graph.outputs).0.nodes.len() != graph.nodes.len() {
        return refused("layers that lead to an output", "others".into());
    }
    Ok(graph)
}

fn load_node(
    saved: &SavedNode,
    nodes: &[Node],
    layers: &mut [LayerLoader],
    models: &[Model],
) -> Result<Node> {
    let op = format!("the layer {:?}", saved.name);
    let shapes: Vec<Shape> = saved.inputs.iter().map(|&at| nodes[at].shape.clone()).collect();
    let from: Vec<String> = saved.inputs.iter().map(|&at| nodes[at].name.clone()).collect();
    let (does, shape) = match &saved.op {
        SavedOp::Input { shape } => {
            if !saved.inputs.is_empty() || shape.is_empty() || shape.contains(&0) {
                let got = shape_text(shape);
                return Err(Error::invalid(op, "an input with sizes of at least 1", got, ""));
            }
            (Op::Input, shape.clone())
        }
        SavedOp::Layer(index) => {
            let (Some(layer), [input]) = (layers.get_mut(*index), &shapes[..]) else {
                let got = format!("layer {index} with {} inputs", shapes.len());
                return Err(Error::invalid(op, "a layer of this file with one input", got, ""));
            };
            let does = Op::Layer(layer.built(input, &from[0])?);
            let shape = does.output_shape(&shapes, &from)?;
            (does, shape)
        }
        SavedOp::Merge { kind, config } => {
            let does = Op::Merge(registry::merge_from_config(kind, config)?);
            let shape = does.output_shape(&shapes, &from)?;
            (does, shape)
        }
        SavedOp::Model(index) => {
            let Some(model) = models.get(*index) else {
                let expected = "a model that comes before this one";
                return Err(Error::invalid(op, expected, format!("model {index}"), ""));
            };
            let does = Op::Model(model.clone());
            let shape = does.output_shape(&shapes, &from)?;
            (does, shape)
        }
    };
    Ok(Node { name: saved.name.clone(), op: does, inputs: saved.inputs.clone(), shape })
}

/// A name as [`names::assign`] gives them: `dense`, or `dense:2` for a second use.
fn check_name(op: &str, name: &str) -> Result<()> {
    match name.rsplit_once(':') {
        Some((name, uses)) if uses.parse::<u32>().is_ok_and(|uses| uses > 1) => {
            names::check(op, name)
        }
        _ => names::check(op, name),
    }
}

/// Whether all numbers are small enough to compute sizes with them.
fn has_reasonable_numbers(config: &Value) -> bool {
    match config {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number <= MAX_SETTING,
            (None, Some(number)) => number.unsigned_abs() <= MAX_SETTING,
            (None, None) => true,
        },
        Value::Array(values) => values.iter().all(has_reasonable_numbers),
        Value::Object(fields) => fields.values().all(has_reasonable_numbers),
        _ => true,
    }
}

/// The file holds exactly the tensors that the network expects.
fn check_tensors(file: &TensorFile, built_layers: &[(String, Arc<BuiltLayer>)]) -> Result<()> {
    let mut wanted = HashSet::new();
    for (path, built) in built_layers {
        for spec in &built.specs {
            let name = format!("{path}.{}", spec.name);
            match file.info(&name) {
                None => return Err(file_error(file, format!("the weight {name:?} is missing"))),
                Some((shape, _)) if shape != spec.shape => {
                    let (expected, got) = (shape_text(&spec.shape), shape_text(&shape));
                    let problem = format!("the weight {name:?} should be {expected}, it is {got}");
                    return Err(file_error(file, problem));
                }
                Some((_, Some(Kind::Float))) => {}
                Some(_) => {
                    let kind = file.kind_name(&name);
                    let problem =
                        format!("the weight {name:?} should be of kind F32, it is {kind}");
                    return Err(file_error(file, problem));
                }
            }
            wanted.insert(name);
        }
    }
    match file.names().into_iter().find(|name| !wanted.contains(name)) {
        Some(name) => Err(file_error(file, format!("the tensor {name:?} belongs to no layer"))),
        None => Ok(()),
    }
}
