//! Parts of a network: the outputs of inner layers, and networks that end there.

use super::graph::{Graph, Node, Op};
use super::{Model, StepOp};
use crate::error::{Error, Result};
use tch::Tensor;

impl Model {
    /// The network from the input to one of its layers. It shares the weights, so training one trains the
    /// other.
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

    /// The outputs of layers for a batch `[batch, …input shape]`: one tensor for each path, in order. The
    /// network runs only as far as needed, without gradients.
    ///
    /// # Errors
    ///
    /// If there is no layer of one of the paths, or the batch does not have the network's input shape.
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
        let indices = paths.iter().map(|path| self.step_index(OP, path.as_ref()));
        self.run_steps(OP, &[x], &indices.collect::<Result<Vec<_>>>()?)
    }

    /// The paths of the convolution layers, in order, including those of nested models.
    pub fn conv_layers(&self) -> Vec<String> {
        let built_layers = self.inner.program.named_layers().iter();
        let convolutions = built_layers.filter(|(_, built)| built.layer.kind().contains("conv"));
        convolutions.map(|(path, _)| path.clone()).collect()
    }

    /// The network in consecutive parts, each of which ends in a pooling layer. They share its weights.
    /// The input of each part is the output of the one before. The layers after the last pooling are
    /// left out, and so are poolings with a branch around them.
    ///
    /// # Errors
    ///
    /// If the network has several inputs, or no pooling layer without a branch around it.
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

    /// The `needed` steps from `begin` to `end`, as a network.
    fn submodel(&self, op: &str, begin: usize, end: usize, needed: &[bool]) -> Result<Model> {
        let steps = &self.inner.program.steps;
        let leaf = |path: &str| path.rsplit('/').next().unwrap_or(path).replace(':', "_");
        let mut indices = vec![usize::MAX; steps.len()];
        indices[begin] = 0;
        let shape = steps[begin].shape.clone();
        let mut draft = vec![(Op::Input, Some("input".to_owned()), Vec::new(), shape)];
        for (i, step) in steps.iter().enumerate().filter(|(i, _)| needed[*i]) {
            let op = match &step.op {
                StepOp::Input => unreachable!("a path from an input to a pooling passes no other"),
                StepOp::Softmax => {
                    // The layer before it has it for its activation.
                    indices[i] = indices[step.inputs[0]];
                    continue;
                }
                StepOp::Layer(built) => Op::Layer(built.clone()),
                StepOp::Merge(merge) => Op::Merge(merge.clone()),
            };
            let name = leaf(&step.path);
            let free =
                name != "input" && draft.iter().all(|(_, given, ..)| given.as_ref() != Some(&name));
            let inputs = step.inputs.iter().map(|&input| indices[input]).collect();
            indices[i] = draft.len();
            draft.push((op, free.then_some(name), inputs, step.shape.clone()));
        }
        let last = draft.len() - 1;
        let graph = Graph::new(op, draft, vec![0], vec![last])?;
        let title = format!("{}_{}", self.name(), leaf(&steps[end].path));
        Model::from_graph(op, title, false, graph, self.inner.device)
    }
}

fn step_is_input(model: &Model, index: usize) -> bool {
    matches!(model.inner.program.steps[index].op, StepOp::Input)
}

/// The graph that ends at `path`, and the indices of the inputs it still has.
fn graph_up_to(model: &Model, path: &str) -> Result<(Graph, Vec<usize>)> {
    let graph = &model.inner.graph;
    let (name, inside) = match path.split_once('/') {
        Some((name, inside)) => (name, Some(inside)),
        None => (path, None),
    };
    let index = graph.find(name).expect("the path was looked up");
    let (Some(inside), Op::Model(nested)) = (inside, &graph.nodes[index].op) else {
        return Ok(graph.pruned(&[index]));
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
    let node = &graph.nodes[index];
    let inputs = kept.iter().map(|&at| node.inputs[at]).collect();
    let shape = part.output_shape();
    let cut = Node { name: node.name.clone(), op: Op::Model(part), inputs, shape };
    let mut nodes = graph.nodes[..index].to_vec();
    nodes.push(cut);
    let whole = Graph { nodes, inputs: graph.inputs.clone(), outputs: vec![index] };
    Ok(whole.pruned(&[index]))
}
