//! What the checks ask about a network's layers.

use crate::model::{Model, Step, StepOp};
use serde_json::Value;

/// Activations: without one between them, two layers of weights are no more than one.
const ACTIVATIONS: [&str; 8] =
    ["relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"];
/// Layers of weights, which give weighted sums of their inputs.
const WEIGHTED: [&str; 3] = ["conv2d", "depthwise_conv2d", "dense"];

/// A network's steps, those of models inside included.
pub(super) struct Structure {
    steps: Vec<Step>,
    /// The step that gives the output.
    output: usize,
    /// The step before a final softmax, or the output itself.
    logits: usize,
}

impl Structure {
    pub(super) fn of(model: &Model) -> Structure {
        let program = &model.inner().program;
        let (output, logits) = (program.outputs[0], program.logits());
        Structure { steps: program.steps.clone(), output, logits }
    }

    pub(super) fn count(&self, kinds: &[&str]) -> usize {
        self.steps.iter().filter(|step| kinds.contains(&step.kind())).count()
    }

    /// The number of filters of all convolutions together.
    pub(super) fn kernels(&self) -> usize {
        let convolutions = self.steps.iter().filter(|step| step.kind().contains("conv"));
        convolutions.map(|step| step.shape.first().copied().unwrap_or(0)).sum()
    }

    /// The units of the hidden dense layers: those that feed another layer of weights.
    pub(super) fn hidden_units(&self) -> Vec<usize> {
        let dense = self.steps.iter().enumerate().filter(|(_, step)| step.kind() == "dense");
        let hidden = dense.filter(|&(i, _)| self.feeds_weighted(i));
        hidden.map(|(_, step)| step.shape.last().copied().unwrap_or(0)).collect()
    }

    /// The steps that this one feeds.
    fn readers(&self, step: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.steps.len()).filter(move |&next| self.steps[next].inputs.contains(&step))
    }

    fn feeds_weighted(&self, step: usize) -> bool {
        let is_weighted = |next: usize| WEIGHTED.contains(&self.steps[next].kind());
        self.readers(step).any(|next| is_weighted(next) || self.feeds_weighted(next))
    }

    /// The number of layers of weights.
    pub(super) fn weighted(&self) -> usize {
        self.count(&WEIGHTED)
    }

    /// The number of activations, those inside layers included.
    pub(super) fn activations(&self) -> usize {
        self.steps.iter().filter(|step| has_activation(step)).count()
    }

    /// Pairs of layers of weights that follow each other without an activation. (Depthwise
    /// convolutions do so on purpose.)
    pub(super) fn pairs_without_activation(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let plain = |step: &Step| ["conv2d", "dense"].contains(&step.kind());
        for (i, step) in self.steps.iter().enumerate().filter(|(_, step)| plain(step)) {
            let mut open = if activation(step).is_some() { vec![] } else { vec![i] };
            let mut seen = vec![false; self.steps.len()];
            while let Some(at) = open.pop() {
                let feeds = |(_, next): &(usize, &Step)| next.inputs.contains(&at);
                for (j, next) in self.steps.iter().enumerate().filter(feeds) {
                    if std::mem::replace(&mut seen[j], true) {
                        continue;
                    }
                    if plain(next) {
                        pairs.push((step.path.clone(), next.path.clone()));
                    } else if !has_activation(next) && !WEIGHTED.contains(&next.kind()) {
                        open.push(j);
                    }
                }
            }
        }
        pairs
    }

    /// The layers of this network itself that end in a softmax though more follows.
    pub(super) fn early_softmaxes(&self) -> Vec<String> {
        let early = self.steps.iter().enumerate();
        let early = early.filter(|&(i, step)| {
            // The probabilities of a whole network inside are a fine input for another.
            i != self.output && !step.path.contains('/') && step.kind() == "softmax"
        });
        // Probabilities of several branches may be averaged.
        let averaged = |i| self.readers(i).all(|next| self.steps[next].kind() == "average");
        let early = early.filter(|&(i, _)| !averaged(i) && !self.drops_answers());
        early.map(|(_, step)| step.path.clone()).collect()
    }

    /// What gives the logits: `dense`, or the activation between it and the softmax, a layer of its own
    /// or inside one.
    pub(super) fn before_softmax(&self) -> String {
        let step = &self.steps[self.logits];
        match activation(step) {
            Some(Value::String(name)) if name != "softmax" => name,
            _ => step.kind().into(),
        }
    }

    /// Whether the last layer is or has an activation other than a softmax.
    pub(super) fn ends_in_activation(&self) -> bool {
        has_activation(&self.steps[self.output])
    }

    /// Whether the output is a dropout of probabilities.
    pub(super) fn drops_answers(&self) -> bool {
        let output = &self.steps[self.output];
        output.kind() == "dropout" && self.steps[output.inputs[0]].kind() == "softmax"
    }

    /// Whether the output is the mean of several branches' probabilities.
    pub(super) fn averages_probabilities(&self) -> bool {
        let output = &self.steps[self.output];
        let mut inputs = output.inputs.iter();
        output.kind() == "average" && inputs.all(|&input| self.steps[input].kind() == "softmax")
    }

    /// The factor by which a Rescale at the beginning multiplies the images. One inside a ready-made
    /// network belongs there.
    pub(super) fn first_scale(&self) -> Option<f64> {
        let is_input = |&input: &usize| self.steps[input].kind() == "input";
        let mut scales = self.steps.iter().filter(|step| {
            step.kind() == "rescale" && !step.path.contains('/') && step.inputs.iter().all(is_input)
        });
        config(scales.next()?)?.get("scale")?.as_f64()
    }

    /// The largest number of outputs of a flattening.
    pub(super) fn flattened(&self) -> usize {
        let flat = self.steps.iter().filter(|step| step.kind() == "flatten");
        flat.map(|step| step.shape.iter().product()).max().unwrap_or(0)
    }

    /// The steps that feed a global pooling.
    pub(super) fn globally_pooled(&self) -> Vec<usize> {
        let global = ["global_average_pool2d", "global_max_pool2d"];
        let pools = self.steps.iter().filter(|step| global.contains(&step.kind()));
        pools.flat_map(|step| step.inputs.clone()).collect()
    }

    /// The path of a step.
    pub(super) fn path(&self, step: usize) -> String {
        self.steps[step].path.clone()
    }

    /// The largest rate of a dropout.
    pub(super) fn strongest_dropout(&self) -> f64 {
        let dropouts = self.steps.iter().filter(|step| step.kind() == "dropout");
        let rates = dropouts.filter_map(|step| config(step)?.get("rate")?.as_f64());
        rates.fold(0.0, f64::max)
    }
}

fn config(step: &Step) -> Option<Value> {
    match &step.op {
        StepOp::Layer(cell) => Some(cell.layer.config()),
        _ => None,
    }
}

/// The activation that a layer applies to its own output.
fn activation(step: &Step) -> Option<Value> {
    config(step)?.get("activation").filter(|value| !value.is_null()).cloned()
}

fn has_activation(step: &Step) -> bool {
    ACTIVATIONS.contains(&step.kind()) || activation(step).is_some_and(|it| it != "softmax")
}
