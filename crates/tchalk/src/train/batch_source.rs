//! Examples on their way into a network.

use super::memory_layout;
use crate::data::TensorSet;
use crate::model::Program;
use crate::train::measure::leakage::fingerprints;
use tch::{Device, Kind, Tensor, no_grad};

/// So many examples go through a network at a time where nothing is learned, if they are small.
const MAX_BATCH: usize = 500;
/// So many numbers at most: 500 images of 3 by 32 by 32.
const MAX_NUMBERS: usize = MAX_BATCH * 3 * 32 * 32;

/// The examples of a set, or some of them, and, where the network's frozen part has been computed
/// for them, what that gave.
#[derive(Debug)]
pub(crate) struct BatchSource {
    set: TensorSet,
    /// Which examples of the set, in which order; all of them where nothing is said.
    indices: Option<Tensor>,
    /// The steps of the network that the values are for, and the values of each, `[len, …]`.
    pub(crate) cached_features: Option<CachedFeatures>,
}

/// What the frozen part of a network gave for each example.
#[derive(Debug)]
pub(crate) struct CachedFeatures {
    pub(crate) steps: Vec<usize>,
    pub(crate) values: Vec<Tensor>,
}

/// Some examples on their way into a network.
pub(crate) struct Batch {
    /// For each of the steps of the network that they are for its value, `[len, …]`.
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

    /// The values that are known, as a program takes them.
    pub(crate) fn known_values(&self) -> Vec<(usize, &Tensor)> {
        self.values.iter().map(|(step, value)| (*step, value)).collect()
    }

    /// `count` of the examples, from the one at `from` on, on `device`.
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
        self.indices.as_ref().map_or(self.set.len(), |places| places.size()[0] as usize)
    }

    /// The first `count` examples.
    pub(crate) fn first(mut self, count: usize) -> BatchSource {
        match &self.indices {
            Some(places) if count < self.len() => {
                self.indices = Some(places.narrow(0, 0, count as i64));
            }
            Some(_) => {}
            None => self.set = self.set.first(count),
        }
        self
    }

    /// How many examples to take at a time where nothing is learned.
    pub(crate) fn inference_batch_size(&self) -> usize {
        inference_batch_size(&self.set)
    }

    /// The examples at these positions (`i64`), on `device`.
    pub(crate) fn batch(&self, program: &Program, positions: &Tensor, device: Device) -> Batch {
        let indices = match &self.indices {
            Some(places) => places.index_select(0, positions),
            None => positions.shallow_clone(),
        };
        if let Some(made) = &self.cached_features {
            let labels = self.set.labels().expect("labels were checked");
            let pick = |from: &Tensor, places: &Tensor| {
                no_grad(|| from.index_select(0, &places.to_device(from.device())).to_device(device))
            };
            let values = made.values.iter().map(|values| {
                let picked = pick(values, positions);
                let full = picked.kind() != Kind::Half;
                memory_layout::channels_last_on_cpu(if full {
                    picked
                } else {
                    picked.to_kind(Kind::Float)
                })
            });
            let values = made.steps.iter().copied().zip(values).collect();
            return Batch { values, labels: pick(&labels, &indices) };
        }
        let (x, y) = self.set.pick(&indices, device);
        let values = vec![(program.inputs[0], no_grad(|| memory_layout::channels_last_on_cpu(x)))];
        Batch { values, labels: y.expect("labels were checked") }
    }

    /// A mark for each example, by which it is known again.
    pub(crate) fn fingerprints(&self) -> Vec<u64> {
        let marks = fingerprints(&self.set);
        match &self.indices {
            None => marks,
            Some(places) => {
                let places = Vec::<i64>::try_from(places).expect("places are whole numbers");
                places.into_iter().map(|place| marks[place as usize]).collect()
            }
        }
    }

    /// All examples in order, `size` at a time.
    pub(crate) fn batch_positions(&self, size: usize) -> impl Iterator<Item = Tensor> + use<> {
        let n = self.len() as i64;
        (0..n).step_by(size.max(1)).map(move |start| {
            Tensor::arange_start(start, (start + size as i64).min(n), (Kind::Int64, Device::Cpu))
        })
    }
}

/// How many examples of `set` go through a network at a time where nothing is learned: fewer, where
/// they are large.
pub(crate) fn inference_batch_size(set: &TensorSet) -> usize {
    let numbers: usize = set.example_shape().iter().product();
    (MAX_NUMBERS / numbers.max(1)).clamp(16, MAX_BATCH)
}
