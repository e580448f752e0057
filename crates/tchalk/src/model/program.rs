//! The graph as a flat list of steps, including those of nested models: what runs.

use super::built_layer::BuiltLayer;
use super::graph::{Graph, Op};
use crate::layers::{Merge, Mode, Shape};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLockReadGuard, RwLockWriteGuard};
use tch::{Kind, Tensor};

/// The operation of a step.
#[derive(Debug, Clone)]
pub(crate) enum StepOp {
    Input,
    Layer(Arc<BuiltLayer>),
    Merge(Arc<dyn Merge>),
    /// The softmax that the layer before it has for its activation. It shares that layer's path.
    Softmax,
}

/// One step of a program.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The name, after the names of the models around it: `vgg16/block5_conv3`.
    pub(crate) path: String,
    pub(crate) op: StepOp,
    /// The steps whose outputs it takes, all of them earlier ones.
    pub(crate) inputs: Vec<usize>,
    pub(crate) shape: Shape,
}

impl Step {
    /// The layer of this step, if it is one.
    pub(crate) fn built_layer(&self) -> Option<&Arc<BuiltLayer>> {
        match &self.op {
            StepOp::Layer(built) => Some(built),
            _ => None,
        }
    }

    /// The kind of the layer: `conv2d`.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.op {
            StepOp::Input => "input",
            StepOp::Layer(built) => built.layer.kind(),
            StepOp::Merge(merge) => merge.kind(),
            StepOp::Softmax => "softmax",
        }
    }

    /// Whether the step is a layer of the graph.
    pub(crate) fn is_layer(&self) -> bool {
        !matches!(self.op, StepOp::Input | StepOp::Softmax)
    }
}

/// All steps of a network, in an order in which they can run.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    pub(crate) inputs: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
    /// The step of each path. For a nested model it is the step of its output.
    step_of_path: HashMap<String, usize>,
    /// The layers, once each, in order, with the path of their first use.
    named_layers: Vec<(String, Arc<BuiltLayer>)>,
    /// The layers with weights, once each, in the order of locking.
    locked_layers: Vec<Arc<BuiltLayer>>,
}

impl Program {
    pub(super) fn from_graph(graph: &Graph) -> Program {
        let mut program = Program::default();
        let indices = program.flatten(graph, "", None);
        program.inputs = graph.inputs.iter().map(|&input| indices[input]).collect();
        program.outputs = graph.outputs.iter().map(|&output| indices[output]).collect();
        let mut seen = HashSet::new();
        let built_layers =
            program.steps.iter().filter_map(|step| Some((step.path.clone(), step.built_layer()?)));
        let new = built_layers.filter(|(_, built)| seen.insert(Arc::as_ptr(built)));
        program.named_layers = new.map(|(path, built)| (path, built.clone())).collect();
        let mut locked: Vec<Arc<BuiltLayer>> = program.built_layers().cloned().collect();
        locked.retain(|built| !built.specs.is_empty());
        locked.sort_by_key(|built| built.lock_order);
        program.locked_layers = locked;
        program
    }

    /// Appends the steps of `graph`. Its inputs are the steps `given`, or steps of their own. Returns
    /// the step of each node.
    fn flatten(&mut self, graph: &Graph, prefix: &str, given: Option<&[usize]>) -> Vec<usize> {
        let mut step_of_node: Vec<usize> = Vec::with_capacity(graph.nodes.len());
        for (i, node) in graph.nodes.iter().enumerate() {
            let path = format!("{prefix}{}", node.name);
            let inputs: Vec<usize> = node.inputs.iter().map(|&input| step_of_node[input]).collect();
            let mut push = |op, inputs| {
                self.steps.push(Step { path: path.clone(), op, inputs, shape: node.shape.clone() });
                self.steps.len() - 1
            };
            let step = match &node.op {
                Op::Input => match given {
                    None => push(StepOp::Input, inputs),
                    Some(given) => {
                        let at = graph.inputs.iter().position(|&input| input == i);
                        given[at.expect("an input is among the graph's inputs")]
                    }
                },
                Op::Layer(layer) => {
                    let step = push(StepOp::Layer(layer.clone()), inputs);
                    if layer.has_softmax_step() { push(StepOp::Softmax, vec![step]) } else { step }
                }
                Op::Merge(merge) => push(StepOp::Merge(merge.clone()), inputs),
                Op::Model(model) => {
                    let inner = &model.inner().graph;
                    let steps = self.flatten(inner, &format!("{path}/"), Some(&inputs));
                    steps[inner.outputs[0]]
                }
            };
            self.step_of_path.insert(path, step);
            step_of_node.push(step);
        }
        step_of_node
    }

    /// The step of this path.
    pub(crate) fn find(&self, path: &str) -> Option<usize> {
        self.step_of_path.get(path).copied()
    }

    /// The layers, once each, in order.
    pub(crate) fn built_layers(&self) -> impl Iterator<Item = &Arc<BuiltLayer>> {
        self.named_layers.iter().map(|(_, built)| built)
    }

    /// The layers, once each, in order, with the path of their first use.
    pub(crate) fn named_layers(&self) -> &[(String, Arc<BuiltLayer>)] {
        &self.named_layers
    }

    /// The step that gives the logits: the one before a final softmax, or the output itself where
    /// there is none.
    pub(crate) fn logits(&self) -> usize {
        self.before_last("softmax")
    }

    /// The step before the last one if that is of this kind, or else the last one itself.
    pub(crate) fn before_last(&self, kind: &str) -> usize {
        let output = &self.steps[self.outputs[0]];
        if output.kind() == kind { output.inputs[0] } else { self.outputs[0] }
    }

    /// Which steps have to run for `targets` where the values of `known` are available.
    pub(crate) fn needed(&self, known: &[usize], targets: &[usize]) -> Vec<bool> {
        let mut needed = vec![false; self.steps.len()];
        targets.iter().for_each(|&target| needed[target] = true);
        for i in (0..self.steps.len()).rev() {
            if known.contains(&i) {
                needed[i] = false;
            } else if needed[i] {
                self.steps[i].inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        needed
    }

    /// Whether a step is a ReLU that may overwrite its input: the input was computed in this run, by a
    /// layer whose backward pass does not need it, and no other step uses it.
    fn runs_inplace(&self, step: usize, needed: &[bool], uses: &[usize]) -> bool {
        let step = &self.steps[step];
        step.kind() == "relu"
            && uses[step.inputs[0]] == 1
            && needed[step.inputs[0]]
            && self.steps[step.inputs[0]]
                .built_layer()
                .is_some_and(|built| built.layer.output_unused_in_backward())
    }

    /// The last steps whose outputs training does not change: they can be computed once and cached.
    /// `target` is the step that the loss reads, usually [`Program::logits`].
    ///
    /// The frontier of a network without a frozen part is its inputs.
    pub(crate) fn frozen_frontier(&self, target: usize) -> Vec<usize> {
        let needed = self.needed(&[], &[target]);
        let mut constant = vec![false; self.steps.len()];
        for (i, step) in self.steps.iter().enumerate() {
            let itself = step.built_layer().is_none_or(|built| built.is_constant());
            constant[i] = itself && step.inputs.iter().all(|&input| constant[input]);
        }
        let mut frontier = vec![false; self.steps.len()];
        frontier[target] = constant[target];
        for (_, step) in self.steps.iter().enumerate().filter(|&(i, _)| needed[i] && !constant[i]) {
            step.inputs
                .iter()
                .filter(|&&input| constant[input])
                .for_each(|&at| frontier[at] = true);
        }
        (0..self.steps.len()).filter(|&i| frontier[i]).collect()
    }

    /// An executor in inference mode. Several may use the weights at the same time.
    pub(crate) fn inference(&self) -> Executor<'_> {
        let locked = self.locked_layers.iter().map(|built| {
            WeightLock::Shared(
                built.access_lock.read().unwrap_or_else(|poisoned| poisoned.into_inner()),
            )
        });
        Executor { program: self, mode: Mode::Inference, mixed: false, _gates: locked.collect() }
    }

    /// An executor in training mode for one training step. It has the weights exclusively.
    pub(crate) fn training(&self) -> Executor<'_> {
        let locked = self.locked_layers.iter().map(|built| {
            WeightLock::Exclusive(
                built.access_lock.write().unwrap_or_else(|poisoned| poisoned.into_inner()),
            )
        });
        Executor { program: self, mode: Mode::Training, mixed: false, _gates: locked.collect() }
    }
}

enum WeightLock<'a> {
    Shared(#[allow(dead_code)] RwLockReadGuard<'a, ()>),
    Exclusive(#[allow(dead_code)] RwLockWriteGuard<'a, ()>),
}

/// Runs a program while it holds the locks of its weights. A thread must not hold two executors: the
/// threads could wait for each other forever.
pub(crate) struct Executor<'a> {
    program: &'a Program,
    mode: Mode,
    mixed: bool,
    _gates: Vec<WeightLock<'a>>,
}

impl Executor<'_> {
    /// Lets convolutions and dense layers compute in `bfloat16`. Sums of many numbers, small numbers,
    /// all weights and the outputs keep 32 bits. (Through `tch`, libtorch's own autocast supports only
    /// `float16`, whose small range would need loss scaling.)
    pub(crate) fn mixed_precision(mut self, mixed: bool) -> Self {
        self.mixed = mixed;
        self
    }

    /// A layer's input and weights in the precision of its computation.
    fn to_compute_precision(
        &self,
        kind: &str,
        x: &Tensor,
        weights: Vec<Tensor>,
    ) -> (Tensor, Vec<Tensor>) {
        if !self.mixed {
            return (x.shallow_clone(), weights);
        }
        match kind {
            "conv2d" | "depthwise_conv2d" | "dense" => {
                let low = |tensor: &Tensor| tensor.to_kind(Kind::BFloat16);
                (low(x), weights.iter().map(low).collect())
            }
            "softmax" | "normalize" => (x.to_kind(Kind::Float), weights),
            _ if weights.is_empty() => (x.shallow_clone(), weights),
            _ => (x.to_kind(Kind::Float), weights),
        }
    }

    /// The outputs of the steps `targets`, computed from the outputs of the steps `known`. A value is
    /// dropped as soon as no step needs it.
    ///
    /// With [`Program::training`], layers that are not frozen run in training mode.
    pub(crate) fn run(&self, known: &[(usize, &Tensor)], targets: &[usize]) -> Vec<Tensor> {
        let steps = &self.program.steps;
        let indices: Vec<usize> = known.iter().map(|(index, _)| *index).collect();
        let needed = self.program.needed(&indices, targets);
        let mut uses = vec![0usize; steps.len()];
        targets.iter().for_each(|&target| uses[target] += 1);
        for step in steps.iter().zip(&needed).filter_map(|(step, needed)| needed.then_some(step)) {
            step.inputs.iter().for_each(|&input| uses[input] += 1);
        }
        let mut values: Vec<Option<Tensor>> = steps.iter().map(|_| None).collect();
        for (index, value) in known.iter().filter(|(index, _)| uses[*index] > 0) {
            values[*index] = Some(value.shallow_clone());
        }
        for (i, step) in steps.iter().enumerate().filter(|(i, _)| needed[*i]) {
            let of = |&input: &usize| -> &Tensor {
                values[input].as_ref().expect("a step runs after those that feed it")
            };
            let value = match &step.op {
                StepOp::Input => panic!("no value for the input {:?}", step.path),
                StepOp::Layer(_) if self.program.runs_inplace(i, &needed, &uses) => {
                    values[step.inputs[0]].as_mut().expect("it has run").relu_()
                }
                StepOp::Layer(built) => {
                    let mode = if built.is_frozen() { Mode::Inference } else { self.mode };
                    let (kind, x) = (built.layer.kind(), of(&step.inputs[0]));
                    let (x, weights) = self.to_compute_precision(kind, x, built.tensors());
                    built.forward(&x, &weights, mode)
                }
                StepOp::Softmax => of(&step.inputs[0]).softmax(-1, Kind::Float),
                StepOp::Merge(merge) => {
                    let inputs: Vec<Tensor> =
                        step.inputs.iter().map(|input| self.to_float(of(input))).collect();
                    merge.forward(&inputs)
                }
            };
            values[i] = Some(value);
            for &input in &step.inputs {
                uses[input] -= 1;
                if uses[input] == 0 {
                    values[input] = None;
                }
            }
        }
        let fetch = |&target: &usize| values[target].as_ref().map(|value| self.to_float(value));
        targets.iter().map(|target| fetch(target).expect("a target has run")).collect()
    }

    fn to_float(&self, value: &Tensor) -> Tensor {
        if self.mixed { value.to_kind(Kind::Float) } else { value.shallow_clone() }
    }

    /// The first output for a batch of the only input.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        self.run_to(x, self.program.outputs[0])
    }

    /// The logits for a batch: the outputs before a final softmax, if there is one.
    pub(crate) fn logits(&self, x: &Tensor) -> Tensor {
        self.run_to(x, self.program.logits())
    }

    /// The output of one step for a batch.
    pub(crate) fn run_to(&self, x: &Tensor, target: usize) -> Tensor {
        self.run(&[(self.program.inputs[0], x)], &[target]).remove(0)
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use tch::no_grad;

    /// A frozen base with dropout, a branch around its end, and a trainable head.
    fn model() -> Model {
        let base = Sequential::new().input_shape([2, 8, 8]).add(Conv2d::new(3, 3)).add(Relu);
        let base = base.add(Dropout::new(0.5)).add(MaxPool2d::new(2)).name("base");
        let base = base.build(Device::Cpu).unwrap();
        base.freeze();
        let input = Input::new("x", [2, 8, 8]);
        let deep = Flatten.call(&base.call(&input).unwrap()).unwrap();
        let early = Flatten.call(&MaxPool2d::new(4).call(&input).unwrap()).unwrap();
        let both = Concatenate::new().call(&[&deep, &early]).unwrap();
        let head = Dense::new(4).call(&Dropout::new(0.5).call(&both).unwrap()).unwrap();
        let around = Dense::new(4).call(&early).unwrap();
        let sum = Softmax.call(&Add::new().call(&[head, around]).unwrap()).unwrap();
        Model::new("m", &input, &sum, Device::Cpu).unwrap()
    }

    fn paths(model: &Model) -> Vec<String> {
        let program = &model.inner.program;
        let frontier = program.frozen_frontier(program.logits());
        frontier.into_iter().map(|index| program.steps[index].path.clone()).collect()
    }

    #[test]
    fn the_frontier_is_before_the_first_trainable_layers() {
        let model = model();
        assert_eq!(paths(&model), ["flatten_1", "concatenate"], "{:?}", model.summary());
        model.unfreeze_at("base/conv2d").unwrap();
        assert_eq!(paths(&model), ["x", "flatten_1"]);
        model.freeze();
        assert_eq!(paths(&model), ["add"], "nothing is left to learn");
    }

    #[test]
    fn outputs_computed_from_the_frontier_are_the_same() {
        let model = model();
        let program = &model.inner.program;
        let x = Tensor::rand([5, 2, 8, 8], (Kind::Float, Device::Cpu));
        let frontier = program.frozen_frontier(program.logits());
        let access = program.inference();
        let values = no_grad(|| access.run(&[(program.inputs[0], &x)], &frontier));
        let known: Vec<(usize, &Tensor)> = frontier.iter().copied().zip(&values).collect();
        let logits = access.run(&known, &[program.logits()]).remove(0);
        assert_eq!(logits, access.logits(&x));
    }

    #[test]
    fn only_needed_steps_run() {
        let model = model();
        let program = &model.inner.program;
        let needed = program.needed(&[], &[program.find("flatten_1").unwrap()]);
        let paths = program.steps.iter().zip(needed).filter(|(_, needed)| *needed);
        let paths: Vec<&str> = paths.map(|(step, _)| step.path.as_str()).collect();
        assert_eq!(paths, ["x", "max_pool2d", "flatten_1"]);
    }

    #[test]
    fn relu_overwrites_only_values_that_nothing_needs() {
        let input = Input::new("x", [2, 6, 6]);
        let conv = Conv2d::new(3, 3).call(&input).unwrap();
        let tanh = Conv2d::new(3, 3).activation(Tanh).call(&Relu.call(&conv).unwrap()).unwrap();
        let both = Add::new().call(&[Relu.call(&tanh).unwrap(), tanh]).unwrap();
        let scores = Dense::new(2).call(&Flatten.call(&both).unwrap()).unwrap();
        let model = Model::new("m", &input, &scores, Device::Cpu).unwrap();
        let program = &model.inner.program;
        let over = |targets: &[usize], path: &str| {
            let needed = program.needed(&[], targets);
            let mut uses = vec![0; program.steps.len()];
            program.steps.iter().for_each(|step| step.inputs.iter().for_each(|&i| uses[i] += 1));
            targets.iter().for_each(|&target| uses[target] += 1);
            program.runs_inplace(program.find(path).unwrap(), &needed, &uses)
        };
        let (conv, output) = (program.find("conv2d").unwrap(), program.outputs[0]);
        assert!(over(&[output], "relu"));
        assert!(!over(&[output, conv], "relu"), "the convolution's own output is wanted");
        assert!(!over(&[output], "relu_1"), "tanh and the sum look at it again");

        let x = crate::testing::random_tensor(&[4, 2, 6, 6], 3);
        let values = program.inference().run(&[(program.inputs[0], &x)], &[conv, output]);
        assert!(values[0].min().double_value(&[]) < 0.0);
        assert_eq!(values[1], program.inference().logits(&x));
        let weights = model.inner().trainable_weights();
        let loss = program.training().logits(&x).square().sum(Kind::Float);
        Tensor::run_backward(&[loss], &weights, false, false);
    }

    #[test]
    fn mixed_precision_is_close_to_full_precision_and_has_full_gradients() {
        let layers = Sequential::new().input_shape([3, 8, 8]).add(Conv2d::new(8, 3)).add(Relu);
        let layers = layers.add(Flatten).add(Dropout::new(0.0)).add(Dense::new(4)).add(Softmax);
        let model = layers.build(Device::Cpu).unwrap();
        let program = &model.inner().program;
        crate::testing::set_random_weights(&model);
        let x = crate::testing::random_tensor(&[5, 3, 8, 8], 3);
        let full = program.training().logits(&x);
        let mixed = program.training().mixed_precision(true).logits(&x);
        assert_eq!(mixed.kind(), Kind::Float);
        let (apart, size) = (
            f64::try_from((&mixed - &full).abs().max()).unwrap(),
            f64::try_from(full.abs().max()).unwrap(),
        );
        assert!(apart > 0.0 && apart < 0.03 * size, "{apart} of {size}");
        let weights = model.inner().trainable_weights();
        let of = |scores: &Tensor| {
            Tensor::run_backward(&[scores.square().sum(Kind::Float)], &weights, true, false)
        };
        for (a, b) in of(&full).iter().zip(of(&mixed)) {
            assert_eq!(b.kind(), Kind::Float);
            let (apart, size) =
                (f64::try_from((a - &b).norm()).unwrap(), f64::try_from(a.norm()).unwrap());
            assert!(apart < 0.03 * size, "{apart} of {size}");
        }
    }
}
