//! A network as a diagram.

use super::graph::{Graph, Op};
use super::{Model, Step, StepOp};
use crate::layers::Shape;
use crate::plot::{Diagram, DiagramGroup, DiagramNode, NodeKind};
use crate::text::thousands;

impl Model {
    /// The diagram of the network: layers as boxes, shapes on the edges between them, nested models as
    /// frames that open and close with a click. Frozen layers have a sign.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let layers = Sequential::new().name("small").input_shape([4]).add(Dense::new(3));
    /// let diagram = layers.build(Device::Cpu)?.diagram();
    /// assert!(format!("{diagram:?}").contains("input → dense"));
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn diagram(&self) -> Diagram {
        let program = &self.inner.program;
        let mut diagram = Diagram::new(format!(
            "{}: {} parameters, {}",
            self.name(),
            thousands(self.parameter_count()),
            match self.trainable_count() {
                0 => "none trainable".into(),
                n if n == self.parameter_count() => "all trainable".into(),
                n => format!("{} trainable", thousands(n)),
            }
        ));
        diagram = self.groups(&self.inner.graph, "", diagram);
        let first = program.named_layers();
        let drawn = |step: &&Step| !matches!(step.op, StepOp::Softmax);
        for step in program.steps.iter().filter(drawn) {
            let (group, title) = match step.path.rsplit_once('/') {
                Some((group, title)) => (Some(group), title),
                None => (None, step.path.as_str()),
            };
            let counted = first.iter().any(|(path, _)| path == &step.path);
            let parameters = match step.built_layer() {
                Some(built) if counted => built.parameter_counts().0,
                _ => 0,
            };
            let frozen = step
                .built_layer()
                .is_some_and(|built| built.is_frozen() && built.parameter_counts().0 > 0);
            let mut node = DiagramNode::new(&step.path, title, node_kind(step))
                .subtitle(subtitle(step, counted || step.built_layer().is_none()))
                .parameters(parameters)
                .frozen(frozen);
            if let Some(group) = group {
                node = node.group(group);
            }
            diagram = diagram.node(node);
        }
        for step in program.steps.iter().filter(drawn) {
            for &input in &step.inputs {
                let from = &program.steps[input];
                diagram = diagram.edge(&from.path, &step.path, format_shape(&from.shape));
            }
        }
        diagram
    }

    /// The frames of the models in `graph`, including nested ones.
    fn groups(&self, graph: &Graph, prefix: &str, mut diagram: Diagram) -> Diagram {
        for node in &graph.nodes {
            let Op::Model(model) = &node.op else { continue };
            let path = format!("{prefix}{}", node.name);
            let inside = format!("{path}/");
            let within = |path: &str| path.starts_with(&inside);
            if !self.inner.program.steps.iter().any(|step| within(&step.path)) {
                continue; // The model returns its input and holds no layer.
            }
            let built_layers = self.inner.program.named_layers().iter();
            let built_layers: Vec<_> = built_layers.filter(|(path, _)| within(path)).collect();
            let parameters = built_layers.iter().map(|(_, built)| built.parameter_counts().0).sum();
            let frozen = model.trainable_count() == 0 && model.parameter_count() > 0;
            let mut group =
                DiagramGroup::new(&path, &node.name).parameters(parameters).frozen(frozen);
            if let Some((parent, _)) = path.rsplit_once('/') {
                group = group.group(parent);
            }
            diagram = self.groups(&model.inner.graph, &inside, diagram.group(group));
        }
        diagram
    }
}

/// `64 × 32 × 32`.
fn format_shape(shape: &Shape) -> String {
    shape.iter().map(|&n| thousands(n)).collect::<Vec<_>>().join(" × ")
}

/// The kind of a layer, which decides its color.
fn node_kind(step: &Step) -> NodeKind {
    match (&step.op, step.kind()) {
        (StepOp::Input, _) => NodeKind::Input,
        (StepOp::Merge(_), _) => NodeKind::Merge,
        (_, kind) if kind.contains("conv") => NodeKind::Convolution,
        (_, kind) if kind.contains("pool") => NodeKind::Pooling,
        (_, kind) if kind.contains("norm") || kind == "rescale" => NodeKind::Normalization,
        (_, "dense") => NodeKind::Dense,
        (_, "dropout") => NodeKind::Dropout,
        (_, "flatten" | "reshape" | "resize" | "zero_pad2d" | "pad_channels") => NodeKind::Reshape,
        (
            _,
            "relu" | "relu6" | "leaky_relu" | "elu" | "gelu" | "silu" | "tanh" | "sigmoid"
            | "softmax",
        ) => NodeKind::Activation,
        _ => NodeKind::Other,
    }
}

/// A short form of the call that creates the layer: `Conv2d 64 3×3 relu` for
/// `Conv2d::new(64, 3).activation(Relu)`.
fn subtitle(step: &Step, is_first: bool) -> String {
    let written = match &step.op {
        StepOp::Input | StepOp::Softmax => return "Input".into(),
        StepOp::Layer(built) => built.layer.repr(),
        StepOp::Merge(merge) => merge.repr(),
    };
    let words = short_repr(&written, step.kind().contains("conv"));
    if is_first { words } else { format!("{words}, shared") }
}

fn short_repr(written: &str, is_convolution: bool) -> String {
    let (name, rest) = written.split_once("::").unwrap_or((written, ""));
    let arguments = rest.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let (arguments, rest) = arguments.unwrap_or(("", ""));
    let mut words = vec![name.to_owned()];
    match arguments.rsplit_once(", ") {
        Some((before, kernel)) if is_convolution && kernel.parse::<usize>().is_ok() => {
            words.extend([before.to_owned(), format!("{kernel}×{kernel}")]);
        }
        None if is_convolution && arguments.parse::<usize>().is_ok() => {
            words.push(format!("{arguments}×{arguments}"));
        }
        _ => words.push(arguments.to_owned()),
    }
    if let Some((activation, _)) =
        rest.split_once("activation(").and_then(|(_, rest)| rest.split_once([')', ':']))
    {
        words.push(activation.to_lowercase());
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::short_repr;
    use crate::prelude::*;

    #[test]
    fn calls_are_shortened() {
        assert_eq!(short_repr("Conv2d::new(64, 3).activation(Relu)", true), "Conv2d 64 3×3 relu");
        assert_eq!(short_repr("DepthwiseConv2d::new(3)", true), "DepthwiseConv2d 3×3");
        assert_eq!(short_repr("Dense::new(512)", false), "Dense 512");
        assert_eq!(short_repr("Concatenate::new()", false), "Concatenate");
        assert_eq!(short_repr("Relu", false), "Relu");
    }

    #[test]
    fn branches_shared_layers_and_models_in_models_are_drawn() {
        let base = Sequential::new().name("base").input_shape([3, 8, 8]).add(Conv2d::new(4, 3));
        let base = base.add(MaxPool2d::new(2)).build(Device::Cpu).unwrap();
        base.freeze();
        let middle = Sequential::new().name("middle").add(&base).add(Flatten);
        let middle = middle.build(Device::Cpu).unwrap();
        let input = Input::new("x", [3, 8, 8]);
        let (a, b) = (middle.call(&input).unwrap(), middle.call(&input).unwrap());
        let shared = Dense::new(6);
        let (a, b) = (shared.call(&a).unwrap(), shared.call(&b).unwrap());
        let sum = Softmax.call(&Add::new().call(&[a, b]).unwrap()).unwrap();
        let model = Model::new("drawn", &input, &sum, Device::Cpu).unwrap();
        let diagram = model.diagram();
        let figure = diagram.figure().unwrap();
        assert!(figure.description().contains("dense → "), "{figure:?}");
        assert!(diagram.collapse("middle").unwrap().figure().is_ok());
        assert!(format!("{:?}", model.diagram()).contains("334 parameters, 222 trainable"));
    }
}
