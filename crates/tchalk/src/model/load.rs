//! A network from a file.
//!
//! A file may be damaged or malicious. Every number in it is looked at before anything is made of it:
//! layers and models refer to earlier ones only, so that nothing can go in circles; memory is taken
//! only for tensors that are in the file with the shape that the network wants.

use super::built_layer::BuiltLayer;
use super::file::TensorFile;
use super::graph::{Graph, Node, Op, check_numbers};
use super::save::{KEY, SavedModel, SavedNetwork, SavedNode, SavedOp, VERSION};
use super::{Model, names};
use crate::error::{Error, Result};
use crate::files::expand_home;
use crate::layers::{Layer, Shape, registry, shape_text};
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use tch::{Device, Kind};

/// No number in the description of a layer is larger.
const MAX_SETTING: u64 = 1 << 28;

impl Model {
    /// Makes a network again from a file that [`Model::save`] wrote, on `device`, with its weights
    /// and with the layers frozen that were. Nothing in the file is run.
    ///
    /// # Errors
    ///
    /// If there is no such file, it is damaged or holds no network, or it was written by a later
    /// version or with layers that this one does not know.
    pub fn load(path: impl AsRef<Path>, device: Device) -> Result<Model> {
        let mut file = TensorFile::open(&expand_home(path))?;
        let model = load_network(&file, device)?;
        let cells = model.inner.program.named_layers().to_vec();
        check_tensors(&file, &cells)?;
        for (path, cell) in &cells {
            let names = cell.specs.iter().map(|spec| format!("{path}.{}", spec.name));
            let read = names.map(|name| Ok(file.read(&name)?.to_device(device)));
            cell.set_weights(read.collect::<Result<_>>()?);
        }
        Ok(model)
    }
}

/// An error that says which file, what of it, and what is wrong.
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
        layers.push(LayerLoader { layer: Some(made), frozen: layer.frozen, cell: None });
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

/// A layer, from its description to its first use.
struct LayerLoader {
    layer: Option<Arc<dyn Layer>>,
    frozen: bool,
    cell: Option<Arc<BuiltLayer>>,
}

impl LayerLoader {
    fn cell(&mut self, input: &Shape, from: &str) -> Result<Arc<BuiltLayer>> {
        if let Some(cell) = &self.cell {
            cell.layer.output_shape(input, from)?;
            return cell.clone().reuse(&*cell.layer, input, from);
        }
        let layer = self.layer.take().expect("a layer is taken once");
        check_numbers(&layer.repr(), &layer.output_shape(input, from)?)?;
        let cell = BuiltLayer::new(layer, input);
        cell.set_frozen(self.frozen);
        self.cell = Some(cell.clone());
        Ok(cell)
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
    let are_inputs = |place: &usize| matches!(nodes.get(*place), Some(Node { op: Op::Input, .. }));
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
        SavedOp::Layer(place) => {
            let (Some(layer), [input]) = (layers.get_mut(*place), &shapes[..]) else {
                let got = format!("layer {place} with {} inputs", shapes.len());
                return Err(Error::invalid(op, "a layer of this file with one input", got, ""));
            };
            let does = Op::Layer(layer.cell(input, &from[0])?);
            let shape = does.output_shape(&shapes, &from)?;
            (does, shape)
        }
        SavedOp::Merge { kind, config } => {
            let does = Op::Merge(registry::merge_from_config(kind, config)?);
            let shape = does.output_shape(&shapes, &from)?;
            (does, shape)
        }
        SavedOp::Model(place) => {
            let Some(model) = models.get(*place) else {
                let expected = "a model that comes before this one";
                return Err(Error::invalid(op, expected, format!("model {place}"), ""));
            };
            let does = Op::Model(model.clone());
            let shape = does.output_shape(&shapes, &from)?;
            (does, shape)
        }
    };
    Ok(Node { name: saved.name.clone(), op: does, inputs: saved.inputs.clone(), shape })
}

/// A name as [`names::all`] gives them: `dense`, or `dense:2` for a second use.
fn check_name(op: &str, name: &str) -> Result<()> {
    match name.rsplit_once(':') {
        Some((name, uses)) if uses.parse::<u32>().is_ok_and(|uses| uses > 1) => {
            names::check(op, name)
        }
        _ => names::check(op, name),
    }
}

/// Whether all numbers are such that sizes can be computed with them.
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

/// The file holds the tensors that the network wants, and no others.
fn check_tensors(file: &TensorFile, cells: &[(String, Arc<BuiltLayer>)]) -> Result<()> {
    let mut wanted = HashSet::new();
    for (path, cell) in cells {
        for spec in &cell.specs {
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
