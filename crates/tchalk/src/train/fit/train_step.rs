//! One training step: forward pass, gradients, and the update of the weights.

use super::random::part_seed;
use super::replicas::Replicas;
use crate::error::Result;
use crate::model::{Executor, Inner, Program};
use crate::train::batch_source::Batch;
use crate::train::catch_torch_error;
use crate::train::measure::loss::{Loss, LossInput};
use std::collections::HashSet;
use tch::Tensor;

/// What a training step needs besides a batch.
pub(crate) struct TrainStep<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) replicas: &'a Replicas,
    pub(crate) loss: &'a Loss,
    pub(crate) loss_input: LossInput,
    /// Whether GPUs compute in mixed precision.
    pub(crate) mixed_precision: bool,
}

/// The results of a step, on the network's device.
pub(crate) struct StepOutput {
    /// The mean loss over the batch.
    pub(crate) loss: Tensor,
    /// The outputs that the loss reads, `[batch, outputs]`.
    pub(crate) outputs: Tensor,
    /// The learning rate of the step. None where all weights are frozen.
    pub(crate) learning_rate: Option<f64>,
}

/// The results of the forward pass of a part of the batch.
struct PartOutput {
    /// The part of the mean loss that these examples contribute.
    loss: Tensor,
    outputs: Tensor,
    weights: Vec<(String, Tensor)>,
}

impl TrainStep<'_> {
    /// One step on a batch. `schedule` turns the optimizer's learning rate into that of this step.
    /// `seed` is for the random choices of layers.
    pub(crate) fn run(
        &self,
        batch: &Batch,
        seed: i64,
        schedule: impl FnOnce(f64) -> f64,
    ) -> Result<StepOutput> {
        let (program, device) = (&self.inner.program, self.inner.device);
        // Nothing else can use the weights until the step is done.
        let access = program.training().mixed_precision(self.mixed_precision && device.is_cuda());
        self.replicas.copy_weights(program, false);
        let shares = self.replicas.part_sizes(batch.len());
        let part = batch.part(0, shares[0], device);
        let mut parts = vec![self.forward(&access, program, &part, shares[0], batch.len(), seed)];
        for (i, (replica, from, count)) in self.replicas.parts(&shares).enumerate() {
            let seed = part_seed(seed, i + 1);
            let output = catch_torch_error("Model::fit", || {
                let inner = replica.inner();
                let mixed = self.mixed_precision && inner.device.is_cuda();
                // Nothing else uses the replica, so this never waits.
                let access = inner.program.training().mixed_precision(mixed);
                let part = batch.part(from, count, inner.device);
                Ok(self.forward(&access, &inner.program, &part, count, batch.len(), seed))
            });
            parts.push(output.map_err(|error| self.replicas.with_replica(error, i))?);
        }
        self.replicas.average_buffers(program, &shares);
        let learning_rate = self.update(&parts, schedule);
        drop(access);
        let here = |tensor: &Tensor| tensor.detach().to_device(device);
        let loss = parts.iter().map(|part| here(&part.loss)).reduce(|sum, loss| sum + loss);
        let loss = loss.expect("the first part is never empty");
        let outputs: Vec<Tensor> = parts.iter().map(|part| here(&part.outputs)).collect();
        let outputs = match &outputs[..] {
            [one] => one.shallow_clone(),
            several => Tensor::cat(several, 0),
        };
        Ok(StepOutput { loss, outputs, learning_rate })
    }

    /// The backward pass through all parts, and the update of the weights. Returns the learning rate,
    /// if there was anything to update.
    fn update(&self, parts: &[PartOutput], schedule: impl FnOnce(f64) -> f64) -> Option<f64> {
        let weights: Vec<&Tensor> =
            parts.iter().flat_map(|part| part.weights.iter().map(|(_, weight)| weight)).collect();
        // There are no weights where a callback has frozen all layers.
        if weights.is_empty() {
            return None;
        }
        let losses: Vec<&Tensor> = parts.iter().map(|part| &part.loss).collect();
        // libtorch runs the backward passes of several GPUs in parallel.
        let gradients = Tensor::run_backward(&losses, &weights, false, false);
        let gradients = sum_gradients(gradients, parts[0].weights.len());
        let mut compiled = self.inner.compiled();
        let compiled = compiled.as_mut().expect("a compiled model stays compiled");
        let state = &mut compiled.optimizer_state;
        let learning_rate = schedule(state.learning_rate());
        let decayed = state.decayed_learning_rate(learning_rate);
        state.step(&parts[0].weights, &gradients, learning_rate);
        Some(decayed)
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
        // Dropout uses libtorch's global random generator. It is seeded at every step, so other uses of
        // it do not matter.
        tch::manual_seed(seed);
        let target = self.loss_input.step(program);
        let weights = trainable_weights(program, &part.known_steps(), target);
        let outputs = access.run(&part.known_values(), &[target]).remove(0);
        let loss = self.loss.mean(self.loss_input, &outputs, &part.labels);
        let loss = if count == all { loss } else { loss * (count as f64 / all as f64) };
        PartOutput { loss, outputs, weights }
    }
}

/// Sums the gradients of several parts, `each` of them for every part, on the device of the first.
fn sum_gradients(gradients: Vec<Tensor>, each: usize) -> Vec<Tensor> {
    let mut gradients = gradients.into_iter();
    let mut sums: Vec<Tensor> = gradients.by_ref().take(each).collect();
    for (i, gradient) in gradients.enumerate() {
        let sum = &mut sums[i % each];
        *sum = &*sum + gradient.to_device(sum.device());
    }
    sums
}

/// The weights that a step changes: those that are not frozen and come after the steps `known`.
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
