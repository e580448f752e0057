//! Batches of examples for a network.

use super::memory_layout;
use crate::data::TensorSet;
use crate::model::Program;
use crate::train::measure::leakage::fingerprints;
use tch::{Device, Kind, Tensor, no_grad};

/// The largest batch in inference.
const MAX_BATCH: usize = 500;
/// The most numbers of a batch in inference: 500 images of 3 × 32 × 32.
const MAX_NUMBERS: usize = MAX_BATCH * 3 * 32 * 32;

/// The examples of a set, or some of them, from which batches are taken. Where features are cached,
/// batches hold these in place of the examples.
#[derive(Debug)]
pub(crate) struct BatchSource {
    set: TensorSet,
    /// The indices of the examples, in their order. By default all of the set.
    indices: Option<Tensor>,
    pub(crate) cached_features: Option<CachedFeatures>,
}

/// The outputs of the frozen layers, `[len, …]`, for each of these steps of the network.
#[derive(Debug)]
pub(crate) struct CachedFeatures {
    pub(crate) steps: Vec<usize>,
    pub(crate) values: Vec<Tensor>,
}

/// A batch of examples.
pub(crate) struct Batch {
    /// Steps of the network whose values are known, usually its input, with the values `[len, …]`.
    pub(crate) values: Vec<(usize, Tensor)>,
    pub(crate) labels: Tensor,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }

    /// The steps whose values are known.
    pub(crate) fn known_steps(&self) -> Vec<usize> {
        self.values.iter().map(|(step, _)| *step).collect()
    }

    /// The values that are known, as a program reads them.
    pub(crate) fn known_values(&self) -> Vec<(usize, &Tensor)> {
        self.values.iter().map(|(step, value)| (*step, value)).collect()
    }

    /// `count` of the examples, starting at `from`, on `device`.
    pub(crate) fn part(&self, from: usize, count: usize, device: Device) -> Batch {
        let part =
            |all: &Tensor| no_grad(|| all.narrow(0, from as i64, count as i64).to_device(device));
        let values = self.values.iter().map(|(step, value)| (*step, part(value)));
        Batch { values: values.collect(), labels: part(&self.labels) }
    }
}

impl BatchSource {
    /// All examples of `set`.
    pub(crate) fn new(set: TensorSet) -> BatchSource {
        BatchSource { set, indices: None, cached_features: None }
    }

    /// Some of the examples.
    pub(crate) fn subset(set: TensorSet, indices: &[i64]) -> BatchSource {
        BatchSource { set, indices: Some(Tensor::from_slice(indices)), cached_features: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.indices.as_ref().map_or(self.set.len(), |indices| indices.size()[0] as usize)
    }

    /// The first `count` examples.
    pub(crate) fn first(mut self, count: usize) -> BatchSource {
        match &self.indices {
            Some(indices) if count < self.len() => {
                self.indices = Some(indices.narrow(0, 0, count as i64));
            }
            Some(_) => {}
            None => self.set = self.set.first(count),
        }
        self
    }

    /// The batch size for inference.
    pub(crate) fn inference_batch_size(&self) -> usize {
        inference_batch_size(&self.set)
    }

    /// The batch of the examples at these positions (`i64`), on `device`.
    pub(crate) fn batch(&self, program: &Program, positions: &Tensor, device: Device) -> Batch {
        let indices = match &self.indices {
            Some(indices) => indices.index_select(0, positions),
            None => positions.shallow_clone(),
        };
        if let Some(cached) = &self.cached_features {
            let labels = self.set.labels().expect("labels were checked");
            let pick = |from: &Tensor, indices: &Tensor| {
                no_grad(|| {
                    from.index_select(0, &indices.to_device(from.device())).to_device(device)
                })
            };
            let values = cached.values.iter().map(|values| {
                let picked = pick(values, positions);
                let full = picked.kind() != Kind::Half;
                memory_layout::channels_last_on_cpu(if full {
                    picked
                } else {
                    picked.to_kind(Kind::Float)
                })
            });
            let values = cached.steps.iter().copied().zip(values).collect();
            return Batch { values, labels: pick(&labels, &indices) };
        }
        let (x, y) = self.set.pick(&indices, device);
        let values = vec![(program.inputs[0], no_grad(|| memory_layout::channels_last_on_cpu(x)))];
        Batch { values, labels: y.expect("labels were checked") }
    }

    /// A fingerprint of each example.
    pub(crate) fn fingerprints(&self) -> Vec<u64> {
        let all = fingerprints(&self.set);
        match &self.indices {
            None => all,
            Some(indices) => {
                let indices = Vec::<i64>::try_from(indices).expect("indices are integers");
                indices.into_iter().map(|index| all[index as usize]).collect()
            }
        }
    }

    /// The positions of all examples in order, in batches of `size`.
    pub(crate) fn batch_positions(&self, size: usize) -> impl Iterator<Item = Tensor> + use<> {
        let n = self.len() as i64;
        (0..n).step_by(size.max(1)).map(move |start| {
            Tensor::arange_start(start, (start + size as i64).min(n), (Kind::Int64, Device::Cpu))
        })
    }
}

/// The batch size for inference on `set`. It is smaller for large examples.
pub(crate) fn inference_batch_size(set: &TensorSet) -> usize {
    let numbers: usize = set.example_shape().iter().product();
    (MAX_NUMBERS / numbers.max(1)).clamp(16, MAX_BATCH)
}
