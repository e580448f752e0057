//! The graph of a network: named nodes, each with earlier nodes as inputs.

use super::built_layer::BuiltLayer;
use super::{Model, names};
use crate::error::{Error, Result};
use crate::layers::{Merge, Shape, check_numbers};
use std::sync::Arc;

/// More layers come from a mistake or a malicious file.
const MAX_NODES: usize = 100_000;
/// The maximum depth of nested models.
const MAX_DEPTH: usize = 50;

/// The operation of a node.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// An input of the network.
    Input,
    /// A layer.
    Layer(Arc<BuiltLayer>),
    /// Merges several values.
    Merge(Arc<dyn Merge>),
    /// A nested network.
    Model(Model),
}

impl Op {
    /// The stem of automatic names.
    pub(super) fn kind(&self) -> String {
        match self {
            Op::Input => "input".into(),
            Op::Layer(built) => built.layer.kind().into(),
            Op::Merge(merge) => merge.kind().into(),
            Op::Model(model) => model.inner().name.clone(),
        }
    }

    /// What its name is made from.
    pub(super) fn name_request(&self, given: Option<String>) -> names::NameRequest {
        names::NameRequest { given, kind: self.kind(), repr: self.repr(), shared: self.shared() }
    }

    /// The call that creates it.
    pub(super) fn repr(&self) -> String {
        match self {
            Op::Input => "Input::new".into(),
            Op::Layer(built) => built.layer.repr(),
            Op::Merge(merge) => merge.repr(),
            Op::Model(model) => format!("the model {:?}", model.name()),
        }
    }

    /// The address of what two uses of one layer or model share, if they share anything.
    pub(super) fn shared(&self) -> Option<usize> {
        match self {
            Op::Input | Op::Merge(_) => None,
            Op::Layer(built) => Some(Arc::as_ptr(built) as usize),
            Op::Model(model) => Some(Arc::as_ptr(&model.inner) as usize),
        }
    }

    /// The output's shape for these inputs.
    pub(super) fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape> {
        match self {
            Op::Input => unreachable!("an input's shape is given"),
            Op::Layer(built) => match (inputs, from) {
                ([input], [from]) => built.layer.output_shape(input, from),
                _ => Err(Error::invalid(
                    built.layer.repr(),
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

/// One node: an operation with its name and its inputs.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) op: Op,
    /// The nodes whose outputs it takes, all of them earlier ones.
    pub(crate) inputs: Vec<usize>,
    pub(crate) shape: Shape,
}

/// All nodes of a network, in an order in which they can run.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
}

impl Graph {
    /// Names the nodes. `draft` holds for each its operation, its given name, its inputs and its shape.
    pub(super) fn new(
        op: &str,
        draft: Vec<(Op, Option<String>, Vec<usize>, Shape)>,
        inputs: Vec<usize>,
        outputs: Vec<usize>,
    ) -> Result<Graph> {
        let wanted = draft.iter().map(|(op, given, ..)| op.name_request(given.clone()));
        let names = names::assign(op, &wanted.collect::<Vec<_>>())?;
        let nodes = draft.into_iter().zip(names);
        let nodes =
            nodes.map(|((op, _, inputs, shape), name)| Node { name, op, inputs, shape }).collect();
        let graph = Graph { nodes, inputs, outputs };
        graph.check_size(op)?;
        Ok(graph)
    }

    /// The number of nodes. Those of nested models count once for each use.
    pub(super) fn size(&self) -> usize {
        self.nodes.iter().fold(0, |sum: usize, node| {
            sum.saturating_add(match &node.op {
                Op::Model(model) => 1 + model.inner().size,
                _ => 1,
            })
        })
    }

    /// The depth of nested models.
    pub(super) fn depth(&self) -> usize {
        let inside = self.nodes.iter().map(|node| match &node.op {
            Op::Model(model) => 1 + model.inner().depth,
            _ => 0,
        });
        inside.max().unwrap_or(0)
    }

    /// Refuses too many layers, too deep nesting and too large outputs.
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

    /// The index of the node of this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// Whether each node is the only input of the next one.
    pub(super) fn is_chain(&self) -> bool {
        self.outputs == [self.nodes.len() - 1]
            && self.nodes[0].inputs.is_empty()
            && self.nodes.iter().enumerate().skip(1).all(|(i, node)| node.inputs == [i - 1])
    }

    /// The part of the graph that `outputs` need, with these as its outputs, and the indices of the
    /// inputs that are left.
    pub(super) fn pruned(&self, outputs: &[usize]) -> (Graph, Vec<usize>) {
        let mut needed = vec![false; self.nodes.len()];
        outputs.iter().for_each(|&output| needed[output] = true);
        for i in (0..self.nodes.len()).rev() {
            if needed[i] {
                self.nodes[i].inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        let mut indices = vec![usize::MAX; self.nodes.len()];
        let mut nodes = Vec::new();
        for (i, node) in self.nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
            indices[i] = nodes.len();
            let inputs = node.inputs.iter().map(|&input| indices[input]).collect();
            nodes.push(Node { inputs, ..node.clone() });
        }
        let kept: Vec<usize> = (0..self.inputs.len())
            .filter(|&at| needed.get(self.inputs[at]) == Some(&true))
            .collect();
        let inputs = kept.iter().map(|&at| indices[self.inputs[at]]).collect();
        let outputs = outputs.iter().map(|&output| indices[output]).collect();
        (Graph { nodes, inputs, outputs }, kept)
    }
}
