//! Several networks whose predictions become one.
//!
//! Networks that were trained independently make different mistakes, so their mean makes fewer mistakes
//! than most of them. [`Ensemble::compare`] shows the gain, whether it is significant, and where the
//! members differ. [`Ensemble::train`], [`Ensemble::snapshots`] and [`Ensemble::stacked`] train the
//! members too.

mod aggregation;
mod members;
mod meta_learner;
mod mixture_weights;
mod softmax;
mod stacking;
mod test_time_augmentation;
mod train;

pub use test_time_augmentation::TestTimeAugmentation;

use crate::compare::Comparison;
use crate::data::TensorSet;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::table::Table;
use crate::train::{
    Evaluation, History, Note, Predictions, TrainingFacts, leakage_notes_of_all, set_fingerprint,
};
use aggregation::Aggregation;
use members::{Member, MemberOutputs, checked_labels, checked_members, member_outputs};

/// Several networks whose predictions become one, or one network that predicts several variants of each
/// image.
///
/// ```
/// use tchalk::prelude::*;
/// let member = || {
///     let layers = Sequential::new().input_shape([3, 32, 32]).add(MaxPool2d::new(4)).add(Flatten);
///     layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu)
/// };
/// let (a, b, c) = (member()?, member()?, member()?);
/// let ensemble = Ensemble::average(&[&a, &b, &c])?;
/// let test = datasets::shapes()?.test.take(50).to_tensors(Device::Cpu);
/// assert_eq!(ensemble.predict(&test)?.len(), 50);
/// println!("{:?}", ensemble.compare(&test)?);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Clone)]
pub struct Ensemble {
    members: Vec<Member>,
    aggregation: Aggregation,
    /// The trainings of the members, where the ensemble has trained them.
    histories: Vec<History>,
    /// What a budget or an interrupt left out, and which examples were not new.
    notes: Vec<Note>,
    /// The fingerprint of the set that the weights were fitted on.
    fitted_on: Option<u64>,
}

impl Ensemble {
    /// The mean of the probabilities.
    ///
    /// # Errors
    ///
    /// If there are no networks, one does not end in Softmax, or its inputs or classes differ from the
    /// first network's.
    pub fn average(models: &[&Model]) -> Result<Ensemble> {
        Ensemble::new("Ensemble::average", models, Aggregation::Average)
    }

    /// The softmax of the mean logits, which is the normalized geometric mean of the probabilities. A
    /// member with very high confidence counts for more than in [`Ensemble::average`].
    ///
    /// # Errors
    ///
    /// As for [`Ensemble::average`].
    pub fn average_logits(models: &[&Model]) -> Result<Ensemble> {
        Ensemble::new("Ensemble::average_logits", models, Aggregation::AverageLogits)
    }

    /// The class that most members predict. The mean probability decides between classes with equally
    /// many votes. The probabilities are the shares of the votes.
    ///
    /// # Errors
    ///
    /// As for [`Ensemble::average`].
    pub fn vote(models: &[&Model]) -> Result<Ensemble> {
        Ensemble::new("Ensemble::vote", models, Aggregation::Vote)
    }

    /// A weighted mean of the probabilities, with the weights that minimize the cross-entropy on
    /// `validation`. Never fit them to the test set.
    ///
    /// # Errors
    ///
    /// As for [`Ensemble::average`]; also if the set has no labels or does not fit the networks, or the
    /// reader interrupts.
    pub fn weighted(models: &[&Model], validation: &TensorSet) -> Result<Ensemble> {
        const OP: &str = "Ensemble::weighted";
        let ensemble = Ensemble::new(OP, models, Aggregation::Average)?;
        ensemble.fit_aggregation(OP, validation, |outputs, labels| {
            Aggregation::Weighted(mixture_weights::fit(outputs, labels))
        })
    }

    /// One network that predicts several variants of each image: unchanged, flipped, a little shifted.
    /// The probabilities are the mean over the variants.
    ///
    /// # Errors
    ///
    /// If there are no augmentations, the network does not end in Softmax, or its inputs are not images.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let layers = Sequential::new().input_shape([3, 32, 32]).add(MaxPool2d::new(4)).add(Flatten);
    /// let model = layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
    /// let variants = [TestTimeAugmentation::Identity, TestTimeAugmentation::HorizontalFlip];
    /// let both = Ensemble::test_time_augmentation(&model, &variants)?;
    /// assert_eq!(both.members(), ["identity", "horizontal flip"]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn test_time_augmentation(
        model: &Model,
        augmentations: &[TestTimeAugmentation],
    ) -> Result<Ensemble> {
        const OP: &str = "Ensemble::test_time_augmentation";
        if augmentations.is_empty() {
            let hint =
                "Try &[TestTimeAugmentation::Identity, TestTimeAugmentation::HorizontalFlip].";
            return Err(Error::invalid(OP, "at least one augmentation", "none", hint));
        }
        let mut ensemble = Ensemble::new(OP, &[model], Aggregation::Average)?;
        augmentations.iter().try_for_each(|one| one.check(OP, &model.input_shape()))?;
        let member = ensemble.members.remove(0);
        let with = |&one: &TestTimeAugmentation| member.with_augmentation(one);
        ensemble.members = augmentations.iter().map(with).collect();
        Ok(ensemble)
    }

    fn new(op: &str, models: &[&Model], aggregation: Aggregation) -> Result<Ensemble> {
        let members = checked_members(op, models)?;
        let (histories, notes) = (Vec::new(), Vec::new());
        Ok(Ensemble { members, aggregation, histories, notes, fitted_on: None })
    }

    /// The names of the members.
    pub fn members(&self) -> Vec<String> {
        self.members.iter().map(Member::name).collect()
    }

    /// The networks themselves, in their order: to save them, for example.
    pub fn models(&self) -> Vec<Model> {
        self.members.iter().map(Member::model).collect()
    }

    /// What a budget or an interrupt left out, and whether the weights were fitted on examples that a
    /// member was trained on. Empty if nothing.
    pub fn notes(&self) -> Vec<Note> {
        self.notes.clone()
    }

    /// The weight of each member. The weights sum to 1, except those of a stack, which multiply
    /// log-probabilities: there a misleading member has a weight near or below 0.
    pub fn weights(&self) -> Vec<f64> {
        self.aggregation.weights(self.members.len())
    }

    /// The probabilities of the classes for every example of `set`; labels are not needed.
    ///
    /// # Errors
    ///
    /// If the set does not fit the networks, or the reader interrupts.
    pub fn predict(&self, set: &TensorSet) -> Result<Predictions> {
        let outputs = self.outputs("Ensemble::predict", set)?;
        Ok(self.predictions(&outputs))
    }

    /// Loss and accuracy of the ensemble. The loss is the cross-entropy of its probabilities, none of
    /// them taken for less than 1e-7.
    ///
    /// # Errors
    ///
    /// If the set has no labels or does not fit the networks, or the reader interrupts.
    pub fn evaluate(&self, set: &TensorSet) -> Result<Evaluation> {
        const OP: &str = "Ensemble::evaluate";
        let (outputs, labels) = self.labeled_outputs(OP, set)?;
        let probabilities = self.aggregation.combine(&outputs.outputs);
        let notes =
            outputs.note.clone().into_iter().chain(self.leakage_notes(&outputs.set)).collect();
        let shortened = self.training_facts().iter().find_map(|facts| facts.shortened_by);
        Ok(Evaluation::from_probabilities(&probabilities, &labels, notes)
            .with_shortened_by(shortened))
    }

    /// The ensemble beside its members on `set`: accuracies, the gain over the best member, and where the
    /// members differ. Without labels only the latter. The ensemble is the last network of the
    /// comparison.
    ///
    /// # Errors
    ///
    /// If the set does not fit the networks, or the reader interrupts.
    pub fn compare(&self, set: &TensorSet) -> Result<Comparison> {
        const OP: &str = "Ensemble::compare";
        let outputs = self.outputs(OP, set)?;
        let ensemble = self.predictions(&outputs);
        let notes = outputs.note.into_iter().chain(self.leakage_notes(&outputs.set));
        let members = outputs.outputs.into_iter();
        let members: Vec<Predictions> =
            members.map(|rows| Predictions::new(rows, outputs.set.clone())).collect();
        let mut names = self.members();
        names.push("ensemble".into());
        let all: Vec<&Predictions> = members.iter().chain([&ensemble]).collect();
        Ok(Comparison::of_predictions(OP, names, &all)?.of_ensemble(notes.collect()))
    }

    /// The outputs of all members in the form that the aggregation needs.
    fn outputs(&self, op: &str, set: &TensorSet) -> Result<MemberOutputs> {
        member_outputs(op, &self.members, set, self.aggregation.needs_logits())
    }

    /// The outputs of all members for a set with labels, and the labels of these examples.
    fn labeled_outputs(&self, op: &str, set: &TensorSet) -> Result<(MemberOutputs, Vec<usize>)> {
        let mut labels = checked_labels(op, set, self.members[0].classes())?;
        let outputs = self.outputs(op, set)?;
        labels.truncate(outputs.set.len());
        Ok((outputs, labels))
    }

    fn predictions(&self, outputs: &MemberOutputs) -> Predictions {
        let probabilities = self.aggregation.combine(&outputs.outputs);
        let predictions = Predictions::new(probabilities, outputs.set.clone());
        predictions.with_training_facts(self.training_facts())
    }

    /// Whether members or weights have learned from this set.
    fn leakage_notes(&self, set: &TensorSet) -> Vec<Note> {
        let mut notes = leakage_notes_of_all(&self.training_facts(), set);
        if self.fitted_on == Some(set_fingerprint(set)) {
            notes.push(Note::FittedOnThisSet);
        }
        notes
    }

    fn training_facts(&self) -> Vec<TrainingFacts> {
        self.members.iter().map(|member| member.model().training_facts()).collect()
    }
}

/// `vote of 3 members: a, b, c`, with weights where they differ.
impl std::fmt::Debug for Ensemble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let members =
            self.members().into_iter().zip(self.weights()).map(|(name, weight)| {
                match self.aggregation.format_weight(weight) {
                    Some(weight) => format!("{name} ({weight})"),
                    None => name,
                }
            });
        let members = members.collect::<Vec<_>>().join(", ");
        write!(f, "{} of {} members: {members}", self.aggregation, self.members.len())?;
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

impl Show for Ensemble {
    fn content(&self) -> Content {
        let rows = self.members().into_iter().zip(self.weights()).map(|(name, weight)| {
            let equal = || format!("{:.1} %", 100.0 * weight);
            [name, self.aggregation.format_weight(weight).unwrap_or_else(equal)]
        });
        let table = Table::new(["member", "weight"]).rows(rows).align_right(1);
        let table = self.notes.iter().fold(table, |table, note| table.footer(note.to_string()));
        table.content_or(format!("{self:?}"))
    }
}
