//! Examples on their way into a network.

use super::layout;
use super::notices::marks;
use crate::data::TensorSet;
use crate::model::Program;
use tch::{Device, Kind, Tensor, no_grad};

/// So many examples go through a network at a time where nothing is learned, if they are small.
const MOST: usize = 500;
/// So many numbers at most: 500 pictures of 3 by 32 by 32.
const NUMBERS: usize = MOST * 3 * 32 * 32;

/// The examples of a set, or some of them, and, where the network's frozen part has been computed
/// for them, what that gave.
#[derive(Debug)]
pub(super) struct Feed {
    set: TensorSet,
    /// Which examples of the set, in which order; all of them where nothing is said.
    places: Option<Tensor>,
    /// The steps of the network that the values are for, and the values of each, `[len, …]`.
    pub(super) made: Option<Made>,
}

/// What the frozen part of a network gave for each example.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) steps: Vec<usize>,
    pub(super) values: Vec<Tensor>,
}

/// Some examples on their way into a network.
pub(super) struct Batch {
    /// For each of the steps of the network that they are for its value, `[len, …]`.
    pub(super) values: Vec<(usize, Tensor)>,
    pub(super) labels: Tensor,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }

    /// The steps whose values are known.
    pub(super) fn places(&self) -> Vec<usize> {
        self.values.iter().map(|(step, _)| *step).collect()
    }

    /// The values that are known, as a program takes them.
    pub(super) fn known(&self) -> Vec<(usize, &Tensor)> {
        self.values.iter().map(|(step, value)| (*step, value)).collect()
    }

    /// `count` of the examples, from the one at `from` on, on `device`.
    pub(super) fn part(&self, from: usize, count: usize, device: Device) -> Batch {
        let part =
            |all: &Tensor| no_grad(|| all.narrow(0, from as i64, count as i64).to_device(device));
        let values = self.values.iter().map(|(step, value)| (*step, part(value)));
        Batch { values: values.collect(), labels: part(&self.labels) }
    }
}

impl Feed {
    /// All examples of `set`.
    pub(super) fn new(set: TensorSet) -> Feed {
        Feed { set, places: None, made: None }
    }

    /// Some of the examples.
    pub(super) fn some(set: TensorSet, places: &[i64]) -> Feed {
        Feed { set, places: Some(Tensor::from_slice(places)), made: None }
    }

    pub(super) fn len(&self) -> usize {
        self.places.as_ref().map_or(self.set.len(), |places| places.size()[0] as usize)
    }

    /// The first `count` examples.
    pub(super) fn first(mut self, count: usize) -> Feed {
        match &self.places {
            Some(places) if count < self.len() => {
                self.places = Some(places.narrow(0, 0, count as i64));
            }
            Some(_) => {}
            None => self.set = self.set.first(count),
        }
        self
    }

    /// How many examples to take at a time where nothing is learned.
    pub(super) fn batch(&self) -> usize {
        batch_of(&self.set)
    }

    /// The examples at these positions (`i64`), on `device`.
    pub(super) fn take(&self, program: &Program, positions: &Tensor, device: Device) -> Batch {
        let places = match &self.places {
            Some(places) => places.index_select(0, positions),
            None => positions.shallow_clone(),
        };
        if let Some(made) = &self.made {
            let labels = self.set.labels().expect("labels were checked");
            let pick = |from: &Tensor, places: &Tensor| {
                no_grad(|| from.index_select(0, &places.to_device(from.device())).to_device(device))
            };
            let values = made.values.iter().map(|values| {
                let picked = pick(values, positions);
                let full = picked.kind() != Kind::Half;
                layout::fastest(if full { picked } else { picked.to_kind(Kind::Float) })
            });
            let values = made.steps.iter().copied().zip(values).collect();
            return Batch { values, labels: pick(&labels, &places) };
        }
        let (x, y) = self.set.pick(&places, device);
        let values = vec![(program.inputs[0], no_grad(|| layout::fastest(x)))];
        Batch { values, labels: y.expect("labels were checked") }
    }

    /// A mark for each example, by which it is known again.
    pub(super) fn marks(&self) -> Vec<u64> {
        let marks = marks(&self.set);
        match &self.places {
            None => marks,
            Some(places) => {
                let places = Vec::<i64>::try_from(places).expect("places are whole numbers");
                places.into_iter().map(|place| marks[place as usize]).collect()
            }
        }
    }

    /// All examples in order, `size` at a time.
    pub(super) fn batches(&self, size: usize) -> impl Iterator<Item = Tensor> + use<> {
        let n = self.len() as i64;
        (0..n).step_by(size.max(1)).map(move |start| {
            Tensor::arange_start(start, (start + size as i64).min(n), (Kind::Int64, Device::Cpu))
        })
    }
}

/// How many examples of `set` go through a network at a time where nothing is learned: fewer, where
/// they are large.
pub(crate) fn batch_of(set: &TensorSet) -> usize {
    let numbers: usize = set.example_shape().iter().product();
    (NUMBERS / numbers.max(1)).clamp(16, MOST)
}
