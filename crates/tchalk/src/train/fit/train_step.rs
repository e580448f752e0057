//! One step: what a batch says about the weights, and the move that follows.

use super::random::part_seed;
use super::replicas::Replicas;
use crate::error::Result;
use crate::model::{Executor, Inner, Program};
use crate::train::batch_source::Batch;
use crate::train::catch_torch_error;
use crate::train::compile::Compiled;
use crate::train::measure::loss::{Loss, LossInput};
use std::collections::HashSet;
use tch::Tensor;

/// A network, what it makes small, and its replicas on other devices, if there are any.
pub(crate) struct TrainStep<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) replicas: &'a Replicas,
    pub(crate) loss: &'a Loss,
    pub(crate) loss_input: LossInput,
    /// Whether GPUs compute in half precision.
    pub(crate) mixed_precision: bool,
}

/// What a step has found, on the network's device.
pub(crate) struct StepOutput {
    /// The mean loss over the batch.
    pub(crate) loss: Tensor,
    /// What the loss read, `[batch, outputs]`.
    pub(crate) outputs: Tensor,
    /// The rate of the step; nothing where all weights are frozen.
    pub(crate) learning_rate: Option<f64>,
}

/// What a part of the batch gave, with all that is needed to go back through it.
struct PartOutput {
    /// The part of the mean loss that these examples make.
    loss: Tensor,
    outputs: Tensor,
    weights: Vec<(String, Tensor)>,
}

impl TrainStep<'_> {
    /// One step on a batch. `rate` makes of the optimizer's rate that of this step; `seed` is for
    /// what layers draw.
    pub(crate) fn run(
        &self,
        batch: &Batch,
        seed: i64,
        rate: impl FnOnce(f64) -> f64,
    ) -> Result<StepOutput> {
        let (program, device) = (&self.inner.program, self.inner.device);
        // The weights belong to this step until it is done.
        let access = program.training().mixed_precision(self.mixed_precision && device.is_cuda());
        self.replicas.copy_weights(program, false);
        let shares = self.replicas.part_sizes(batch.len());
        let part = batch.part(0, shares[0], device);
        let mut heads = vec![self.forward(&access, program, &part, shares[0], batch.len(), seed)];
        for (i, (replica, from, count)) in self.replicas.parts(&shares).enumerate() {
            let seed = part_seed(seed, i + 1);
            let head = catch_torch_error("Model::fit", || {
                let inner = replica.inner();
                let mixed = self.mixed_precision && inner.device.is_cuda();
                // Nobody else knows the replica, so this never waits.
                let access = inner.program.training().mixed_precision(mixed);
                let part = batch.part(from, count, inner.device);
                Ok(self.forward(&access, &inner.program, &part, count, batch.len(), seed))
            });
            heads.push(head.map_err(|error| self.replicas.with_replica(error, i))?);
        }
        self.replicas.average_buffers(program, &shares);
        let handles: Vec<&Tensor> =
            heads.iter().flat_map(|head| head.weights.iter().map(|(_, weight)| weight)).collect();
        // There are none where everything has been frozen meanwhile.
        let mut used = None;
        if !handles.is_empty() {
            let losses: Vec<&Tensor> = heads.iter().map(|head| &head.loss).collect();
            // libtorch goes back through the parts of several GPUs side by side.
            let gradients = Tensor::run_backward(&losses, &handles, false, false);
            let gradients = sum_gradients(gradients, heads[0].weights.len());
            let mut compiled = self.inner.compiled();
            let Compiled { optimizer_state: descent, .. } =
                compiled.as_mut().expect("a compiled model stays compiled");
            let rate = rate(descent.learning_rate());
            used = Some(descent.decayed_learning_rate(rate));
            descent.step(&heads[0].weights, &gradients, rate);
        }
        drop(access);
        let here = |tensor: &Tensor| tensor.detach().to_device(device);
        let loss = heads.iter().map(|head| here(&head.loss)).reduce(|sum, loss| sum + loss);
        let loss = loss.expect("the first part is never empty");
        let outputs: Vec<Tensor> = heads.iter().map(|head| here(&head.outputs)).collect();
        let outputs = match &outputs[..] {
            [one] => one.shallow_clone(),
            several => Tensor::cat(several, 0),
        };
        Ok(StepOutput { loss, outputs, learning_rate: used })
    }

    fn forward(
        &self,
        access: &Executor<'_>,
        program: &Program,
        part: &Batch,
        count: usize,
        all: usize,
        seed: i64,
    ) -> PartOutput {
        // Dropout draws from libtorch's one generator: started anew at every step, whatever else
        // has used it in between.
        tch::manual_seed(seed);
        let target = self.loss_input.step(program);
        let weights = trainable_weights(program, &part.known_steps(), target);
        let outputs = access.run(&part.known_values(), &[target]).remove(0);
        let loss = self.loss.mean(self.loss_input, &outputs, &part.labels);
        let loss = if count == all { loss } else { loss * (count as f64 / all as f64) };
        PartOutput { loss, outputs, weights }
    }
}

/// The gradients of several parts, `each` of them for every part, added up where the first are.
fn sum_gradients(gradients: Vec<Tensor>, each: usize) -> Vec<Tensor> {
    let mut gradients = gradients.into_iter();
    let mut sums: Vec<Tensor> = gradients.by_ref().take(each).collect();
    for (i, gradient) in gradients.enumerate() {
        let sum = &mut sums[i % each];
        *sum = &*sum + gradient.to_device(sum.device());
    }
    sums
}

/// The weights that a step changes: those that are not frozen, behind the steps `known`.
pub(crate) fn trainable_weights(
    program: &Program,
    known: &[usize],
    target: usize,
) -> Vec<(String, Tensor)> {
    let needed = program.needed(known, &[target]);
    let steps = program.steps.iter().zip(needed).filter(|(_, needed)| *needed);
    let paths: HashSet<&str> = steps.map(|(step, _)| step.path.as_str()).collect();
    let weights = program.weights().into_iter().filter(|weight| {
        let path = weight.name.rsplit_once('.').map_or("", |(path, _)| path);
        weight.trainable && paths.contains(path)
    });
    weights.map(|weight| (weight.name, weight.tensor)).collect()
}
