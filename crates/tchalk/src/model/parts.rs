//! Parts of a network: what an inner layer gives, and networks that end there.

use super::graph::{Graph, Node, Op};
use super::{Model, StepOp};
use crate::error::{Error, Result};
use tch::Tensor;

impl Model {
    /// The network from the input to one of its layers, with the same weights: training one trains
    /// the other.
    ///
    /// # Errors
    ///
    /// If there is no layer of that path.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let layers = Sequential::new().input_shape([3, 8, 8]).add(Conv2d::new(4, 3)).add(Relu);
    /// let model = layers.add(Flatten).add(Dense::new(2)).build(Device::Cpu)?;
    /// assert_eq!(model.feature_extractor("relu")?.output_shape(), [4, 6, 6]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn feature_extractor(&self, path: &str) -> Result<Model> {
        let op = format!("Model::feature_extractor({path:?})");
        self.step_index("Model::feature_extractor", path)?;
        let (graph, _) = graph_up_to(self, path)?;
        let last = path.rsplit('/').next().unwrap_or(path);
        let title = format!("{}_{}", self.name(), last.replace(':', "_"));
        Model::from_graph(&op, title, false, graph, self.inner.device)
    }

    /// What layers give for a batch `[batch, …input shape]`: a tensor for each path, in order. No
    /// more is computed than they need, and no gradients are kept.
    ///
    /// # Errors
    ///
    /// If there is no layer of one of the paths, or the batch has another shape than the network
    /// takes.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let layers = Sequential::new().input_shape([3, 8, 8]).add(Conv2d::new(4, 3)).add(Relu);
    /// let model = layers.add(MaxPool2d::new(2)).build(Device::Cpu)?;
    /// let x = Tensor::zeros([1, 3, 8, 8], (Kind::Float, Device::Cpu));
    /// let maps = model.activations(&["conv2d", "max_pool2d"], &x)?;
    /// assert_eq!(maps[1].size(), [1, 4, 3, 3]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn activations(&self, paths: &[impl AsRef<str>], x: &Tensor) -> Result<Vec<Tensor>> {
        const OP: &str = "Model::activations";
        let places = paths.iter().map(|path| self.step_index(OP, path.as_ref()));
        self.run_steps(OP, &[x], &places.collect::<Result<Vec<_>>>()?)
    }

    /// The paths of the convolution layers, in order, those in models inside included.
    pub fn conv_layers(&self) -> Vec<String> {
        let cells = self.inner.program.named_layers().iter();
        let convolutions = cells.filter(|(_, cell)| cell.layer.kind().contains("conv"));
        convolutions.map(|(path, _)| path.clone()).collect()
    }

    /// The network in consecutive parts, each ending in a pooling layer, with the same weights: the
    /// first takes the network's input, each other one what the part before it gives. What comes
    /// after the last pooling is left out, and so is a pooling that a branch goes around.
    ///
    /// # Errors
    ///
    /// If the network has several inputs, or no pooling layer that all goes through.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let layers = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(4, 3));
    /// let layers = layers.add(MaxPool2d::new(2)).add(Conv2d::new(8, 3)).add(MaxPool2d::new(2));
    /// let parts = layers.build(Device::Cpu)?.split_at_pools()?;
    /// assert_eq!(parts[0].output_shape(), [4, 15, 15]);
    /// assert_eq!(parts[1].input_shape(), [4, 15, 15]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn split_at_pools(&self) -> Result<Vec<Model>> {
        const OP: &str = "Model::split_at_pools";
        let program = &self.inner.program;
        let &[mut begin] = &program.inputs[..] else {
            let got = program.inputs.len().to_string();
            return Err(Error::invalid(OP, "a network of one input", got, ""));
        };
        let mut parts = Vec::new();
        for (pool, step) in program.steps.iter().enumerate() {
            if !matches!(step.kind(), "max_pool2d" | "average_pool2d") {
                continue;
            }
            let around = program.needed(&[pool], &program.outputs);
            if (0..program.steps.len()).any(|i| around[i] && step_is_input(self, i)) {
                continue;
            }
            parts.push(self.submodel(OP, begin, pool, &program.needed(&[begin], &[pool]))?);
            begin = pool;
        }
        if parts.is_empty() {
            let hint = "feature_extractor(\"name of a layer\") cuts a network anywhere.";
            return Err(Error::invalid(OP, "a network with pooling layers", "none", hint));
        }
        Ok(parts)
    }

    /// The steps that are `needed` to get from `begin` to `end`, as a network.
    fn submodel(&self, op: &str, begin: usize, end: usize, needed: &[bool]) -> Result<Model> {
        let steps = &self.inner.program.steps;
        let leaf = |path: &str| path.rsplit('/').next().unwrap_or(path).replace(':', "_");
        let mut places = vec![usize::MAX; steps.len()];
        places[begin] = 0;
        let shape = steps[begin].shape.clone();
        let mut draft = vec![(Op::Input, Some("input".to_owned()), Vec::new(), shape)];
        for (i, step) in steps.iter().enumerate().filter(|(i, _)| needed[*i]) {
            let action = match &step.op {
                StepOp::Input => unreachable!("a path from an input to a pooling passes no other"),
                StepOp::Softmax => {
                    // The layer before it has it for its activation.
                    places[i] = places[step.inputs[0]];
                    continue;
                }
                StepOp::Layer(cell) => Op::Layer(cell.clone()),
                StepOp::Merge(merge) => Op::Merge(merge.clone()),
            };
            let name = leaf(&step.path);
            let free =
                name != "input" && draft.iter().all(|(_, given, ..)| given.as_ref() != Some(&name));
            let inputs = step.inputs.iter().map(|&input| places[input]).collect();
            places[i] = draft.len();
            draft.push((action, free.then_some(name), inputs, step.shape.clone()));
        }
        let last = draft.len() - 1;
        let graph = Graph::new(op, draft, vec![0], vec![last])?;
        let title = format!("{}_{}", self.name(), leaf(&steps[end].path));
        Model::from_graph(op, title, false, graph, self.inner.device)
    }
}

fn step_is_input(model: &Model, place: usize) -> bool {
    matches!(model.inner.program.steps[place].op, StepOp::Input)
}

/// The graph that ends at `path`, and which of the inputs it still has.
fn graph_up_to(model: &Model, path: &str) -> Result<(Graph, Vec<usize>)> {
    let graph = &model.inner.graph;
    let (name, inside) = match path.split_once('/') {
        Some((name, inside)) => (name, Some(inside)),
        None => (path, None),
    };
    let place = graph.find(name).expect("the path was looked up");
    let (Some(inside), Op::Model(nested)) = (inside, &graph.nodes[place].op) else {
        return Ok(graph.pruned(&[place]));
    };
    let (part, kept) = graph_up_to(nested, inside)?;
    let inner = nested.inner();
    let part = Model::from_graph(
        "Model::feature_extractor",
        inner.name.clone(),
        inner.has_given_name,
        part,
        inner.device,
    )?;
    let node = &graph.nodes[place];
    let inputs = kept.iter().map(|&at| node.inputs[at]).collect();
    let shape = part.output_shape();
    let cut = Node { name: node.name.clone(), op: Op::Model(part), inputs, shape };
    let mut nodes = graph.nodes[..place].to_vec();
    nodes.push(cut);
    let whole = Graph { nodes, inputs: graph.inputs.clone(), outputs: vec![place] };
    Ok(whole.pruned(&[place]))
}
