//! Leakage: whether a network is measured on examples that it was trained on or chosen by.

use super::note::Note;
use crate::data::TensorSet;
use crate::runtime::Budget;
use std::collections::HashSet;
use std::sync::Arc;
use tch::{Device, Tensor, no_grad};

/// The numbers of each example that a fingerprint is made of, evenly spaced.
const HASHED_NUMBERS: i64 = 512;

/// What a network was trained on. It is kept with the network, so that `evaluate` can report leakage.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrainingFacts {
    /// The fingerprints of the examples it was trained on.
    trained: Option<Arc<HashSet<u64>>>,
    /// The fingerprint of the set that chose between epochs.
    chosen: Option<u64>,
    /// The budget that shortened the last training, if one did.
    pub(crate) shortened_by: Option<Budget>,
}

/// A fingerprint of each example of a set. Equal examples have equal fingerprints.
pub(crate) fn fingerprints(set: &TensorSet) -> Vec<u64> {
    let count = set.len() as i64;
    no_grad(|| {
        let x = set.x().reshape([count, -1]);
        let numbers = x.size()[1];
        let x = if numbers > HASHED_NUMBERS {
            let at: Vec<i64> = (0..HASHED_NUMBERS).map(|i| i * numbers / HASHED_NUMBERS).collect();
            x.index_select(1, &Tensor::from_slice(&at).to_device(x.device()))
        } else {
            x
        };
        let columns = x.size()[1] as usize;
        let values = x.to_device(Device::Cpu).to_kind(tch::Kind::Float).contiguous().view(-1);
        let values = Vec::<f32>::try_from(values).unwrap_or_default();
        let rows = values.chunks(columns.max(1));
        rows.map(|row| {
            row.iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, value| {
                (hash ^ u64::from(value.to_bits()))
                    .wrapping_mul(0x0000_0100_0000_01B3)
                    .rotate_left(29)
            })
        })
        .collect()
    })
}

/// The fingerprint of a set. It does not depend on the order of the examples.
pub(crate) fn set_fingerprint(set: &TensorSet) -> u64 {
    combined(&fingerprints(set))
}

/// The fingerprint of a set, from those of its examples.
fn combined(fingerprints: &[u64]) -> u64 {
    fingerprints.iter().fold(fingerprints.len() as u64, |sum, one| sum.wrapping_add(*one))
}

impl TrainingFacts {
    /// Records the fingerprints of the training examples. Returns a note where examples of the validation
    /// set are among them, or among those of earlier trainings.
    pub(crate) fn record_training(
        &mut self,
        trained: &[u64],
        validation: Option<&[u64]>,
    ) -> Option<Note> {
        let mut known = self.trained.take().map(Arc::unwrap_or_clone).unwrap_or_default();
        known.extend(trained);
        let note = validation.and_then(|marks| leak(&known, marks, true));
        self.trained = Some(Arc::new(known));
        note
    }

    /// Records that the set of the examples with these fingerprints chose between epochs.
    pub(crate) fn record_choice(&mut self, fingerprints: &[u64]) {
        self.chosen = Some(combined(fingerprints));
    }

    /// The notes on a result of the network on `set`.
    pub(crate) fn leakage_notes(&self, set: &TensorSet) -> Vec<Note> {
        if self.trained.is_none() && self.chosen.is_none() {
            return Vec::new();
        }
        let marks = fingerprints(set);
        let mut notes = Vec::new();
        if self.chosen == Some(combined(&marks)) {
            notes.push(Note::ChosenOnThisSet);
        }
        notes.extend(self.trained.as_deref().and_then(|trained| leak(trained, &marks, false)));
        notes
    }
}

/// The notes on a result of several networks together on `set`, each note once.
pub(crate) fn leakage_notes_of_all(facts: &[TrainingFacts], set: &TensorSet) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for note in facts.iter().flat_map(|facts| facts.leakage_notes(set)) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// A note where examples with these fingerprints were trained on.
fn leak(trained: &HashSet<u64>, fingerprints: &[u64], validation: bool) -> Option<Note> {
    let leaked = fingerprints.iter().filter(|mark| trained.contains(mark)).count();
    let examples = fingerprints.len();
    (leaked > 0).then_some(Note::Leak { validation, leaked, examples })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    fn set(from: i64, count: i64) -> TensorSet {
        let x = Tensor::arange_start(from * 12, (from + count) * 12, (Kind::Float, Device::Cpu));
        let y = Tensor::zeros([count], (Kind::Int64, Device::Cpu));
        TensorSet::new(&x.view([count, 3, 2, 2]), &y, &["a"]).unwrap()
    }

    #[test]
    fn training_examples_are_recognized() {
        let mut seen = TrainingFacts::default();
        let (trained, validation) = (fingerprints(&set(0, 10)), fingerprints(&set(8, 5)));
        let note = seen.record_training(&trained, Some(&validation)).unwrap();
        assert_eq!(note, Note::Leak { validation: true, leaked: 2, examples: 5 });
        assert!(seen.leakage_notes(&set(20, 4)).is_empty());
        let subset = Note::Leak { validation: false, leaked: 4, examples: 4 };
        assert_eq!(seen.leakage_notes(&set(2, 4)), [subset]);
        // After a second training on others the first examples are still known.
        assert!(seen.record_training(&fingerprints(&set(30, 3)), None).is_none());
        assert_eq!(seen.leakage_notes(&set(2, 4)).len(), 1);
        // A new split after a training puts training examples into the validation set.
        let note = seen.record_training(&fingerprints(&set(40, 3)), Some(&validation)).unwrap();
        assert_eq!(note, Note::Leak { validation: true, leaked: 2, examples: 5 });
        assert_eq!(leakage_notes_of_all(&[seen.clone(), seen], &set(2, 4)).len(), 1);
    }

    #[test]
    fn the_set_that_chose_is_recognized() {
        let mut seen = TrainingFacts::default();
        seen.record_choice(&fingerprints(&set(50, 6)));
        assert_eq!(seen.leakage_notes(&set(50, 6)), [Note::ChosenOnThisSet]);
        assert!(seen.leakage_notes(&set(50, 5)).is_empty());
    }

    #[test]
    fn large_examples_have_different_fingerprints() {
        let x = Tensor::rand([20, 3, 40, 40], (Kind::Float, Device::Cpu));
        let y = Tensor::zeros([20], (Kind::Int64, Device::Cpu));
        let marks = fingerprints(&TensorSet::new(&x, &y, &["a"]).unwrap());
        assert_eq!(marks.iter().collect::<HashSet<_>>().len(), 20);
    }
}
