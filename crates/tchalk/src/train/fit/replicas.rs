//! Data parallelism: one network on several devices, each with a part of every batch.
//!
//! The network itself is the first; the others are copies that nothing else uses. Before a step they
//! copy its weights. The forward passes are started one after the other; GPUs run them in parallel. The
//! backward pass through all parts is one call, for which libtorch uses a thread for each GPU.

use crate::error::{Error, Result};
use crate::model::{Model, Program};
use crate::runtime;
use crate::train::catch_torch_error;
use crate::train::measure::note::Note;
use tch::{Device, Kind, Tensor, no_grad};

/// The copies of a network; none where it is trained on its own device only.
pub(crate) struct Replicas(Vec<Model>);

impl Replicas {
    /// No copies.
    pub(crate) fn none() -> Replicas {
        Replicas(Vec::new())
    }

    /// A copy of `model` for each of these devices after the first, which is its own.
    pub(crate) fn new(model: &Model, devices: &[Device]) -> Result<Replicas> {
        const OP: &str = "Fit::devices";
        let here = model.device();
        let Some(&first) = devices.first() else {
            let hint = "runtime::devices() lists those of this machine.";
            return Err(Error::invalid(OP, "at least one device", "none", hint));
        };
        if let Some(away) = devices.iter().find(|&&device| !runtime::devices::is_available(device))
        {
            let expected = format!("devices of this machine, {:?}", runtime::devices());
            let hint = "runtime::devices() lists them; the CPU may be named twice, to try it out.";
            return Err(Error::invalid(OP, expected, format!("{away:?}"), hint));
        }
        if first != here {
            let expected = format!("{here:?} first, where the network is");
            let hint = format!("Build the network with build({first:?}), or name {here:?} first.");
            return Err(Error::invalid(OP, expected, format!("{first:?}"), hint));
        }
        let copies =
            devices[1..].iter().map(|&device| catch_torch_error(OP, || model.copy_to(device)));
        Ok(Replicas(copies.collect::<Result<_>>()?))
    }

    /// The number of replicas, and whether some have nothing to do.
    pub(crate) fn notes(&self, first: Device, batch_size: usize) -> Vec<Note> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let devices = [first].into_iter().chain(self.0.iter().map(Model::device));
        let names: Vec<String> = devices.map(device_name).collect();
        let replicas = names.len();
        let mut notes = vec![Note::Replicas { devices: names }];
        if batch_size < replicas {
            notes.push(Note::IdleReplicas { batch_size, replicas });
        }
        notes
    }

    /// Copies the weights of the network, and which layers are frozen. The weights of layers that stay
    /// frozen are copied only if `frozen_too`. The caller holds the network's weights.
    pub(crate) fn copy_weights(&self, program: &Program, frozen_too: bool) {
        self.0.iter().for_each(|replica| replica.copy_weights_from(program, frozen_too));
    }

    /// Copies all weights of the network.
    pub(crate) fn copy_all_weights(&self, program: &Program) {
        let _access = program.inference();
        self.copy_weights(program, true);
    }

    /// The number of examples for each, the network itself first, as even as possible.
    pub(crate) fn part_sizes(&self, examples: usize) -> Vec<usize> {
        let count = self.0.len() + 1;
        (0..count).map(|i| examples / count + usize::from(i < examples % count)).collect()
    }

    /// The replicas that have examples, with the index of their first example and their number.
    pub(crate) fn parts(&self, shares: &[usize]) -> impl Iterator<Item = (&Model, usize, usize)> {
        let starts = shares.iter().scan(0, |from, count| {
            *from += count;
            Some(*from)
        });
        let parts = self.0.iter().zip(starts).zip(&shares[1..]);
        parts.map(|((replica, from), &count)| (replica, from, count)).filter(|part| part.2 > 0)
    }

    /// Gives the network the mean of the buffers of all replicas, such as running means, weighted by
    /// their parts of the batch. Integer buffers stay.
    pub(crate) fn average_buffers(&self, program: &Program, shares: &[usize]) {
        let all: f64 = shares.iter().sum::<usize>() as f64;
        let others: Vec<(Vec<Tensor>, f64)> = self
            .parts(shares)
            .map(|(replica, _, count)| (buffers(&replica.inner().program), count as f64 / all))
            .collect();
        if others.is_empty() {
            return;
        }
        no_grad(|| {
            for (i, mut own) in buffers(program).into_iter().enumerate() {
                let mut mean = &own * (shares[0] as f64 / all);
                for (kept, share) in &others {
                    mean += kept[i].to_device(own.device()) * *share;
                }
                own.copy_(&mean);
            }
        });
    }

    /// The error, with the replica it is from.
    pub(crate) fn with_replica(&self, error: Error, i: usize) -> Error {
        match error {
            Error::Torch { op, message } => {
                let (number, all) = (i + 2, self.0.len() + 1);
                let device = device_name(self.0[i].device());
                let message = format!("{message} (replica {number} of {all}, on {device})");
                Error::Torch { op, message }
            }
            other => other,
        }
    }
}

/// The buffers of layers that are not frozen, in order: their tensors that are not trained.
fn buffers(program: &Program) -> Vec<Tensor> {
    let weights = program.weights().into_iter();
    let kept = weights.filter(|weight| weight.may_change() && !weight.trainable);
    let kept = kept.map(|weight| weight.tensor.detach());
    kept.filter(|tensor| matches!(tensor.kind(), Kind::Float | Kind::Double)).collect()
}

/// `cpu`, `cuda 0`.
fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(number) => format!("cuda {number}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    fn replicas(count: usize) -> Replicas {
        let model = Sequential::new().input_shape([2]).add(Dense::new(2)).build(Device::Cpu);
        Replicas::new(&model.unwrap(), &vec![Device::Cpu; count]).unwrap()
    }

    #[test]
    fn every_example_is_in_one_part() {
        for (count, examples) in [(1, 5), (2, 5), (3, 8), (3, 2), (4, 1)] {
            let replicas = replicas(count);
            let shares = replicas.part_sizes(examples);
            assert!(shares[0] > 0 && shares[0] - shares[count - 1] <= 1, "{shares:?}");
            let mut next = shares[0];
            for (_, from, count) in replicas.parts(&shares) {
                assert_eq!(from, next);
                next += count;
            }
            assert_eq!(next, examples, "{shares:?}");
        }
    }

    #[test]
    fn notes_name_the_devices() {
        assert_eq!([Device::Cpu, Device::Cuda(1)].map(device_name), ["cpu", "cuda 1"]);
        assert_eq!(
            replicas(2).notes(Device::Cpu, 32),
            [Note::Replicas { devices: vec!["cpu".into(); 2] }]
        );
        assert_eq!(replicas(3).notes(Device::Cpu, 2).len(), 2);
        assert!(replicas(1).notes(Device::Cpu, 32).is_empty());
    }
}
