//! Many networks asked together: averages, votes, views of one image.
//!
//! Networks that were trained apart make different mistakes, and an average of what they say makes
//! fewer than most of them. [`Ensemble::gain`] says by how much, and how sure that is;
//! [`Ensemble::disagreement`] shows where they differ. [`Ensemble::train`], [`Ensemble::snapshots`] and
//! [`Ensemble::stacked`] train their members, too.

mod disagreement;
mod gain;
mod members;
mod meta_learner;
mod mixture_weights;
mod stacking;
mod test_time_augmentation;
mod train;

pub use disagreement::Disagreement;
pub use gain::Gain;
pub use test_time_augmentation::TestTimeAugmentation;

use crate::data::TensorSet;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::table::Table;
use crate::train::{
    Evaluation, History, Note, Predictions, TrainingFacts, leakage_notes_of_all, set_fingerprint,
};
use members::Member;
pub(crate) use members::vote_shares;
use meta_learner::MetaLearner;
use ndarray::Array2;

/// How many opinions become one.
#[derive(Debug, Clone, PartialEq)]
enum Aggregation {
    Average,
    AverageLogits,
    Weighted(Vec<f64>),
    Vote,
    Stacked(MetaLearner),
}

/// Several networks, or several views of one image, whose answers become one.
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
/// println!("{:?}", ensemble.gain(&test)?);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Clone)]
pub struct Ensemble {
    members: Vec<Member>,
    aggregation: Aggregation,
    /// How the members' trainings went, where they were trained in one call.
    histories: Vec<History>,
    /// What a budget left out, that the reader pressed stop, and the like.
    notes: Vec<String>,
    /// The mark of the set that weights were fitted to.
    fitted_on: Option<u64>,
}

impl Ensemble {
    /// The mean of the probabilities.
    ///
    /// # Errors
    ///
    /// If there are no networks, one does not end in Softmax, or they take other inputs or tell other
    /// numbers of classes than the first.
    pub fn average(models: &[&Model]) -> Result<Ensemble> {
        Ensemble::with_aggregation("Ensemble::average", models, Aggregation::Average)
    }

    /// The mean of the scores before the softmax, and the probabilities made of it: the geometric mean
    /// of the probabilities. A member that is very sure counts for more than in
    /// [`Ensemble::average`].
    ///
    /// # Errors
    ///
    /// As for [`Ensemble::average`].
    pub fn average_logits(models: &[&Model]) -> Result<Ensemble> {
        Ensemble::with_aggregation("Ensemble::average_logits", models, Aggregation::AverageLogits)
    }

    /// The class that most members name; of equals, the one to which they give more probability
    /// together. Its probabilities are shares of the votes.
    ///
    /// # Errors
    ///
    /// As for [`Ensemble::average`].
    pub fn vote(models: &[&Model]) -> Result<Ensemble> {
        Ensemble::with_aggregation("Ensemble::vote", models, Aggregation::Vote)
    }

    /// A weighted mean of the probabilities, whose weights fit `validation` best: those with the least
    /// cross-entropy. Never fit them to the test set.
    ///
    /// # Errors
    ///
    /// As for [`Ensemble::average`]; also if the set has no labels or does not fit the networks, or
    /// the reader pressed stop.
    pub fn weighted(models: &[&Model], validation: &TensorSet) -> Result<Ensemble> {
        const OP: &str = "Ensemble::weighted";
        let ensemble = Ensemble::with_aggregation(OP, models, Aggregation::Average)?;
        ensemble.fit_aggregation(OP, validation, |said, labels| {
            Aggregation::Weighted(mixture_weights::fit(said, labels))
        })
    }

    /// One network that looks at each image several times: as it is, in the mirror, a little
    /// shifted. The mean of the probabilities counts.
    ///
    /// # Errors
    ///
    /// If there are no views, the network does not end in Softmax, or does not take images.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let layers = Sequential::new().input_shape([3, 32, 32]).add(MaxPool2d::new(4)).add(Flatten);
    /// let model = layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
    /// let both = Ensemble::test_time_augmentation(&model, &[View::AsItIs, View::Flipped])?;
    /// assert_eq!(both.members(), ["as it is", "flipped"]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn test_time_augmentation(
        model: &Model,
        views: &[TestTimeAugmentation],
    ) -> Result<Ensemble> {
        const OP: &str = "Ensemble::test_time_augmentation";
        if views.is_empty() {
            let hint = "Try &[View::AsItIs, View::Flipped].";
            return Err(Error::invalid(OP, "at least one view", "none", hint));
        }
        let mut ensemble = Ensemble::with_aggregation(OP, &[model], Aggregation::Average)?;
        views.iter().try_for_each(|view| view.check(OP, &model.input_shape()))?;
        let member = ensemble.members.remove(0);
        ensemble.members = views.iter().map(|view| member.with_augmentation(*view)).collect();
        Ok(ensemble)
    }

    /// A weight in words: a share, or what a stack multiplies by.
    fn format_weight(&self, weight: f64) -> String {
        match self.aggregation {
            Aggregation::Stacked(_) => format!("{weight:.2}"),
            _ => format!("{:.1} %", 100.0 * weight),
        }
    }

    fn with_aggregation(op: &str, models: &[&Model], how: Aggregation) -> Result<Ensemble> {
        let members = members::checked_members(op, models)?;
        let (histories, notes) = (Vec::new(), Vec::new());
        Ok(Ensemble { members, aggregation: how, histories, notes, fitted_on: None })
    }

    /// The names of the members.
    pub fn members(&self) -> Vec<String> {
        self.members.iter().map(Member::name).collect()
    }

    /// The networks themselves, in order: to save them, or to ask them in another way.
    pub fn models(&self) -> Vec<Model> {
        self.members.iter().map(Member::model).collect()
    }

    /// What was left out on the way: by a budget, by the stop button; and where the weights learned
    /// from examples that were not new. Empty if nothing.
    pub fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// How much each member counts: numbers that add up to 1. Those of a stack are what the logarithms
    /// of its probabilities are multiplied by: they add up to whatever suits, and a member that leads
    /// astray has a weight near 0, or below it.
    pub fn weights(&self) -> Vec<f64> {
        match &self.aggregation {
            Aggregation::Weighted(weights) => weights.clone(),
            Aggregation::Stacked(combiner) => combiner.weights.clone(),
            _ => vec![1.0 / self.members.len() as f64; self.members.len()],
        }
    }

    /// The probabilities of the classes for every example of `set`; labels are not needed.
    ///
    /// # Errors
    ///
    /// If the set does not fit the networks, or the reader pressed stop.
    pub fn predict(&self, set: &TensorSet) -> Result<Predictions> {
        const OP: &str = "Ensemble::predict";
        let opinions =
            self.member_outputs(OP, set, self.aggregation == Aggregation::AverageLogits)?;
        Ok(Predictions::new(self.combine(&opinions), opinions.set)
            .with_training_facts(self.training_facts()))
    }

    /// Loss and accuracy of all members together. The loss is the cross-entropy of the common
    /// probabilities, none of them taken for less than 1e-7.
    ///
    /// # Errors
    ///
    /// If the set has no labels or does not fit the networks, or the reader pressed stop.
    pub fn evaluate(&self, set: &TensorSet) -> Result<Evaluation> {
        const OP: &str = "Ensemble::evaluate";
        let (opinions, labels) =
            self.labeled_outputs(OP, set, self.aggregation == Aggregation::AverageLogits)?;
        let probabilities = self.combine(&opinions);
        let notes =
            opinions.note.clone().into_iter().chain(self.leakage_notes(&opinions.set)).collect();
        let shortened = self.training_facts().iter().find_map(|seen| seen.shortened_by);
        Ok(Evaluation::from_probabilities(&probabilities, &labels, notes)
            .with_shortened_by(shortened))
    }

    /// What all members say about a set with labels, and the labels of the examples they were asked
    /// about.
    fn labeled_outputs(
        &self,
        op: &str,
        set: &TensorSet,
        scores: bool,
    ) -> Result<(members::MemberOutputs, Vec<usize>)> {
        let mut labels = labels(op, set, self.classes())?;
        let opinions = self.member_outputs(op, set, scores)?;
        labels.truncate(opinions.set.len());
        Ok((opinions, labels))
    }

    /// What flatters a result on this set: that members or weights have learned from it.
    fn leakage_notes(&self, set: &TensorSet) -> Vec<Note> {
        let mut notes = leakage_notes_of_all(&self.training_facts(), set);
        if self.fitted_on == Some(set_fingerprint(set)) {
            notes.push(Note::FittedOnThisSet);
        }
        notes
    }

    /// What each member has seen.
    fn training_facts(&self) -> Vec<TrainingFacts> {
        self.members.iter().map(|member| member.model().training_facts()).collect()
    }

    /// How many classes the members tell apart.
    fn classes(&self) -> usize {
        self.members[0].classes()
    }

    /// What all members together say: a row of probabilities for each example.
    fn combine(&self, opinions: &members::MemberOutputs) -> Array2<f32> {
        let members = &opinions.outputs;
        let sum = |weights: &[f64]| {
            let mut sum = Array2::<f32>::zeros(members[0].dim());
            members.iter().zip(weights).for_each(|(one, &w)| sum.scaled_add(w as f32, one));
            sum
        };
        match &self.aggregation {
            Aggregation::Average | Aggregation::Weighted(_) => sum(&self.weights()),
            Aggregation::AverageLogits => members::softmax(sum(&self.weights())),
            Aggregation::Vote => members::vote_shares(members),
            Aggregation::Stacked(combiner) => combiner.predict(members),
        }
    }
}

impl std::fmt::Debug for Ensemble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.aggregation {
            Aggregation::Average => "the mean probability of",
            Aggregation::AverageLogits => "the mean score of",
            Aggregation::Weighted(_) => "a weighted mean probability of",
            Aggregation::Vote => "a vote of",
            Aggregation::Stacked(_) => "a stack of",
        };
        write!(f, "{how} {} members: ", self.members.len())?;
        let names = self.members();
        let weights = self.weights();
        let texts = names.iter().zip(weights).map(|(name, weight)| match self.aggregation {
            Aggregation::Weighted(_) | Aggregation::Stacked(_) => {
                format!("{name} ({})", self.format_weight(weight))
            }
            _ => name.clone(),
        });
        f.write_str(&texts.collect::<Vec<_>>().join(", "))?;
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

impl Show for Ensemble {
    fn content(&self) -> Content {
        let rows = self.members().into_iter().zip(self.weights());
        let rows = rows.map(|(name, weight)| [name, self.format_weight(weight)]);
        let table = Table::new(["member", "weight"]).rows(rows).align_right(1);
        let table = self.notes.iter().fold(table, |table, note| table.footer(note.clone()));
        table.content_or(format!("{self:?}"))
    }
}

/// The labels of a set, none of them beyond the number of classes.
fn labels(op: &str, set: &TensorSet, classes: usize) -> Result<Vec<usize>> {
    let labels = set.label_vec().ok_or_else(|| {
        let hint = "predict() works without labels.";
        Error::invalid(op, "a set with labels", "one without", hint)
    })?;
    match labels.iter().find(|&&label| label >= classes) {
        Some(label) => {
            let expected = format!("labels from 0 to {}", classes - 1);
            Err(Error::invalid(op, expected, format!("label {label}"), ""))
        }
        None => Ok(labels),
    }
}
