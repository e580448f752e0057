//! The graph of a network: named nodes, each fed by earlier ones.

use super::built_layer::BuiltLayer;
use super::{Model, names};
use crate::error::{Error, Result};
use crate::layers::{Merge, Shape, shape_text};
use std::sync::Arc;

/// More numbers than this in one value, or in all weights, are a mistake or an attack.
pub(super) const MAX_NUMBERS: usize = 1 << 36;
/// More layers than this are, too.
const MAX_NODES: usize = 100_000;
/// Models in models in models, at most.
const MAX_DEPTH: usize = 50;

/// What a node does.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// Takes what the network is given.
    Input,
    /// Runs a layer.
    Layer(Arc<BuiltLayer>),
    /// Brings several values together.
    Merge(Arc<dyn Merge>),
    /// Runs a whole network.
    Model(Model),
}

impl Op {
    /// What automatic names are made of.
    pub(super) fn kind(&self) -> String {
        match self {
            Op::Input => "input".into(),
            Op::Layer(cell) => cell.layer.kind().into(),
            Op::Merge(merge) => merge.kind().into(),
            Op::Model(model) => model.inner().name.clone(),
        }
    }

    /// The call that made it.
    pub(super) fn repr(&self) -> String {
        match self {
            Op::Input => "Input::new".into(),
            Op::Layer(cell) => cell.layer.repr(),
            Op::Merge(merge) => merge.repr(),
            Op::Model(model) => format!("the model {:?}", model.name()),
        }
    }

    /// Where the weights are that two uses of one layer share; nothing where nothing is shared.
    pub(super) fn shared(&self) -> Option<usize> {
        match self {
            Op::Input | Op::Merge(_) => None,
            Op::Layer(cell) => Some(Arc::as_ptr(cell) as usize),
            Op::Model(model) => Some(Arc::as_ptr(&model.inner) as usize),
        }
    }

    /// The shape of the output for these inputs.
    pub(super) fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape> {
        match self {
            Op::Input => unreachable!("an input's shape is given"),
            Op::Layer(cell) => match (inputs, from) {
                ([input], [from]) => cell.layer.output_shape(input, from),
                _ => Err(Error::invalid(
                    cell.layer.repr(),
                    "one input",
                    inputs.len().to_string(),
                    "Concatenate::new().call(&[a, b]) makes one of several.",
                )),
            },
            Op::Merge(merge) => merge.output_shape(inputs, from),
            Op::Model(model) => model.nested_shape(inputs, from),
        }
    }
}

/// One step in its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) op: Op,
    /// The nodes that feed it, all of them earlier.
    pub(crate) inputs: Vec<usize>,
    pub(crate) shape: Shape,
}

/// Nodes in an order in which they can run.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
}

impl Graph {
    /// Gives the nodes their names: `draft` holds what each does, the name it was given, what feeds
    /// it, and its shape.
    pub(super) fn new(
        op: &str,
        draft: Vec<(Op, Option<String>, Vec<usize>, Shape)>,
        inputs: Vec<usize>,
        outputs: Vec<usize>,
    ) -> Result<Graph> {
        let wanted = draft.iter().map(|(op, given, ..)| names::NameRequest::of(op, given.clone()));
        let names = names::assign(op, &wanted.collect::<Vec<_>>())?;
        let nodes = draft.into_iter().zip(names);
        let nodes =
            nodes.map(|((op, _, inputs, shape), name)| Node { name, op, inputs, shape }).collect();
        let graph = Graph { nodes, inputs, outputs };
        graph.check_size(op)?;
        Ok(graph)
    }

    /// How many nodes there are, those of models inside included, as often as they stand there.
    pub(super) fn size(&self) -> usize {
        self.nodes.iter().fold(0, |sum: usize, node| {
            sum.saturating_add(match &node.op {
                Op::Model(model) => 1 + model.inner().size,
                _ => 1,
            })
        })
    }

    /// How deep models stand in models.
    pub(super) fn depth(&self) -> usize {
        let inside = self.nodes.iter().map(|node| match &node.op {
            Op::Model(model) => 1 + model.inner().depth,
            _ => 0,
        });
        inside.max().unwrap_or(0)
    }

    /// Refuses what no reader means.
    pub(super) fn check_size(&self, op: &str) -> Result<()> {
        if self.size() > MAX_NODES {
            let got = self.size().to_string();
            return Err(Error::invalid(op, format!("at most {MAX_NODES} layers"), got, ""));
        }
        if self.depth() > MAX_DEPTH {
            let expected = format!("models inside one another, {MAX_DEPTH} at most");
            return Err(Error::invalid(op, expected, self.depth().to_string(), ""));
        }
        for node in &self.nodes {
            check_numbers(&format!("{} ({:?})", node.op.repr(), node.name), &node.shape)?;
        }
        Ok(())
    }

    /// The place of a node.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// Whether each node feeds the next and nothing else: an image of it needs no arrows.
    pub(super) fn is_chain(&self) -> bool {
        self.outputs == [self.nodes.len() - 1]
            && self.nodes[0].inputs.is_empty()
            && self.nodes.iter().enumerate().skip(1).all(|(i, node)| node.inputs == [i - 1])
    }

    /// The part of the graph that `outputs` need, with these as its outputs, and which of the
    /// graph's inputs are left.
    pub(super) fn pruned(&self, outputs: &[usize]) -> (Graph, Vec<usize>) {
        let mut needed = vec![false; self.nodes.len()];
        outputs.iter().for_each(|&output| needed[output] = true);
        for i in (0..self.nodes.len()).rev() {
            if needed[i] {
                self.nodes[i].inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        let mut places = vec![usize::MAX; self.nodes.len()];
        let mut nodes = Vec::new();
        for (i, node) in self.nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
            places[i] = nodes.len();
            let inputs = node.inputs.iter().map(|&input| places[input]).collect();
            nodes.push(Node { inputs, ..node.clone() });
        }
        let kept: Vec<usize> = (0..self.inputs.len())
            .filter(|&at| needed.get(self.inputs[at]) == Some(&true))
            .collect();
        let inputs = kept.iter().map(|&at| places[self.inputs[at]]).collect();
        let outputs = outputs.iter().map(|&output| places[output]).collect();
        (Graph { nodes, inputs, outputs }, kept)
    }
}

/// Refuses a value of absurd size, before anything is made of it.
pub(super) fn check_numbers(op: &str, shape: &[usize]) -> Result<()> {
    let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    match count {
        Some(count) if count <= MAX_NUMBERS => Ok(()),
        _ => Err(Error::invalid(
            op,
            format!("at most {MAX_NUMBERS} numbers"),
            shape_text(shape),
            "Use smaller images, fewer filters, or a pooling before it.",
        )),
    }
}
