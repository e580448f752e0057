//! One step: what a batch says about the weights, and the move that follows.

use super::callback::{caught, panic_text};
use super::draws::part_seed;
use super::feed::Batch;
use super::loss::{Loss, Reading};
use super::replicas::Replicas;
use super::{Compiled, target};
use crate::error::{Error, Result};
use crate::model::{Access, Inner, Program};
use std::collections::HashSet;
use tch::Tensor;

/// A network, what it makes small, and its replicas on other devices, if there are any.
pub(super) struct Learner<'a> {
    pub(super) inner: &'a Inner,
    pub(super) replicas: &'a Replicas,
    pub(super) loss: &'a Loss,
    pub(super) reading: Reading,
    /// Whether GPUs compute in half precision.
    pub(super) mixed: bool,
}

/// What a step has found, on the network's device.
pub(super) struct Learned {
    /// The mean loss over the batch.
    pub(super) loss: Tensor,
    /// What the loss read, `[batch, outputs]`.
    pub(super) outputs: Tensor,
    /// The rate of the step; nothing where all weights are frozen.
    pub(super) rate: Option<f64>,
}

/// What a part of the batch gave, with all that is needed to go back through it.
struct Head {
    /// The part of the mean loss that these examples make.
    loss: Tensor,
    outputs: Tensor,
    weights: Vec<(String, Tensor)>,
}

impl Learner<'_> {
    /// One step on a batch. `rate` makes of the optimiser's rate that of this step; `seed` is for
    /// what layers draw.
    pub(super) fn step(
        &self,
        batch: &Batch,
        seed: i64,
        rate: impl FnOnce(f64) -> f64,
    ) -> Result<Learned> {
        let (program, device) = (&self.inner.program, self.inner.device);
        // The weights belong to this step until it is done.
        let access = program.training().mixed(self.mixed && device.is_cuda());
        self.replicas.follow(program, false);
        let shares = self.replicas.shares(batch.len());
        let part = batch.part(0, shares[0], device);
        let mut heads = vec![self.forward(&access, program, &part, shares[0], batch.len(), seed)];
        for (i, (replica, from, count)) in self.replicas.parts(&shares).enumerate() {
            let seed = part_seed(seed, i + 1);
            let head = guarded("Model::fit", || {
                let inner = replica.inner();
                let mixed = self.mixed && inner.device.is_cuda();
                // Nobody else knows the replica, so this never waits.
                let access = inner.program.training().mixed(mixed);
                let part = batch.part(from, count, inner.device);
                Ok(self.forward(&access, &inner.program, &part, count, batch.len(), seed))
            });
            heads.push(head.map_err(|error| self.replicas.named(error, i))?);
        }
        self.replicas.average_kept(program, &shares);
        let handles: Vec<&Tensor> =
            heads.iter().flat_map(|head| head.weights.iter().map(|(_, weight)| weight)).collect();
        // There are none where everything has been frozen meanwhile.
        let mut used = None;
        if !handles.is_empty() {
            let losses: Vec<&Tensor> = heads.iter().map(|head| &head.loss).collect();
            // libtorch goes back through the parts of several GPUs side by side.
            let gradients = Tensor::run_backward(&losses, &handles, false, false);
            let gradients = summed(gradients, heads[0].weights.len());
            let mut compiled = self.inner.compiled();
            let Compiled { descent, .. } =
                compiled.as_mut().expect("a compiled model stays compiled");
            let rate = rate(descent.rate());
            used = Some(descent.decayed(rate));
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
        Ok(Learned { loss, outputs, rate: used })
    }

    fn forward(
        &self,
        access: &Access<'_>,
        program: &Program,
        part: &Batch,
        count: usize,
        all: usize,
        seed: i64,
    ) -> Head {
        // Dropout draws from libtorch's one generator: started anew at every step, whatever else
        // has used it in between.
        tch::manual_seed(seed);
        let target = target(program, self.reading);
        let weights = trained(program, &part.places(), target);
        let outputs = access.run(&part.known(), &[target]).remove(0);
        let loss = self.loss.mean(self.reading.form, &outputs, &part.labels);
        let loss = if count == all { loss } else { loss * (count as f64 / all as f64) };
        Head { loss, outputs, weights }
    }
}

/// The gradients of several parts, `each` of them for every part, added up where the first are.
fn summed(gradients: Vec<Tensor>, each: usize) -> Vec<Tensor> {
    let mut gradients = gradients.into_iter();
    let mut sums: Vec<Tensor> = gradients.by_ref().take(each).collect();
    for (i, gradient) in gradients.enumerate() {
        let sum = &mut sums[i % each];
        *sum = &*sum + gradient.to_device(sum.device());
    }
    sums
}

/// The weights that a step changes: those that are not frozen, behind the steps `known`.
pub(super) fn trained(program: &Program, known: &[usize], target: usize) -> Vec<(String, Tensor)> {
    let needed = program.needed(known, &[target]);
    let steps = program.steps.iter().zip(needed).filter(|(_, needed)| *needed);
    let paths: HashSet<&str> = steps.map(|(step, _)| step.path.as_str()).collect();
    let weights = program.weights().into_iter().filter(|weight| {
        let path = weight.name.rsplit_once('.').map_or("", |(path, _)| path);
        weight.trainable && paths.contains(path)
    });
    weights.map(|weight| (weight.name, weight.tensor)).collect()
}

/// Runs what asks libtorch for much. What it refuses, such as more memory, becomes an error.
pub(crate) fn guarded<T>(op: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(run).unwrap_or_else(|panic| {
        let text = panic_text(&*panic);
        let start = text.find("Torch(\"").map_or(0, |at| at + 7);
        let mut message = text[start..].split("\\n").next().unwrap_or_default().to_owned();
        if message.contains("out of memory") || message.contains("can't allocate memory") {
            let remedy = match op {
                "Model::fit" | "Model::find_rate" => "Try a smaller batch_size.",
                _ => "Other variables may hold memory: a kernel that starts anew has all of it.",
            };
            message = format!("{}. {remedy}", message.trim_end_matches('.'));
        }
        Err(Error::Torch { op: op.into(), message })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_without_memory_is_told_with_a_remedy() {
        // As tch gives it: the error of libtorch inside that of an unwrap.
        let said = "called `Result::unwrap()` on an `Err` value: Torch(\"CUDA out of memory. Tried \
                    to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB.\\nException \
                    raised from malloc at …\")";
        let told = |op: &str| guarded::<()>(op, || panic!("{said}")).unwrap_err().to_string();
        assert_eq!(
            told("Model::fit"),
            "Model::fit: libtorch says: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a \
             total capacity of 7.79 GiB. Try a smaller batch_size."
        );
        assert!(told("Model::evaluate").contains("a kernel that starts anew"));
    }
}
