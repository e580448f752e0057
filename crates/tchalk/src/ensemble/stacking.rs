//! Stacking: a meta-learner learns how much to trust each member (Wolpert 1992).

use super::Ensemble;
use super::aggregation::Aggregation;
use super::members::{Member, checked_labels, checked_members};
use super::meta_learner::MetaLearner;
use super::train::{TrainedMembers, prepare, train_reinitialized};
use crate::data::TensorSet;
use crate::display::{Message, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::runtime::seed::{rng, shuffle};
use crate::train::{Fit, History, Note, set_fingerprint};
use ndarray::{Array2, Axis};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

impl Ensemble {
    /// Trains networks of several architectures, and learns how much to trust each (stacked
    /// generalization, Wolpert 1992).
    ///
    /// A network's predictions for its own training examples are too good. So the examples are split into
    /// `folds` stratified folds, and each fold is predicted by networks that were trained on the other
    /// folds. From these predictions a multinomial logistic regression learns a weight for each member and
    /// a bias for each class. After that every member is trained again on all examples. This makes
    /// `folds + 1` trainings for each member.
    ///
    /// `models` are the architectures with their optimizers and losses. They must be compiled, and are not
    /// changed. Frozen weights are kept. With a budget, all trainings together take about as long as one
    /// training alone. An interrupt keeps the finished members.
    ///
    /// # Errors
    ///
    /// If there are no models, one is not compiled, their inputs or classes differ, there are fewer than
    /// two folds or more folds than examples, the set has no labels, the first member cannot be trained,
    /// or the reader interrupts before it is finished.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let shapes = datasets::shapes()?;
    /// let train = shapes.train.take(150).to_tensors(Device::Cpu);
    /// let network = |pooled: usize| -> tchalk::Result<Model> {
    ///     let layers = Sequential::new().input_shape([3, 32, 32]).add(MaxPool2d::new(pooled));
    ///     let model = layers.add(Flatten).add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
    ///     model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)?;
    ///     Ok(model)
    /// };
    /// let (fine, coarse) = (network(4)?, network(16)?);
    /// let stack = Ensemble::stacked(&[&fine, &coarse], 3, &train, Fit::new().epochs(3))?;
    /// println!("{stack:?}");
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn stacked(models: &[&Model], folds: usize, set: &TensorSet, fit: Fit) -> Result<Ensemble> {
        const OP: &str = "Ensemble::stacked";
        let trainings = models.len() * (folds + 1);
        let (set, note) = prepare(OP, models, set, &fit, trainings.max(1))?;
        let fit = fit.sharing_budget(trainings);
        let labels = checked_labels(OP, &set, models[0].output_shape()[0])?;
        if folds < 2 || folds > set.len() {
            let expected = format!("2 to {} folds, with at least one example in each", set.len());
            return Err(Error::invalid(OP, expected, folds.to_string(), "5 is usual."));
        }
        let folds = Folds::stratified(&labels, folds, &mut rng("folds"));
        let names: Vec<String> = checked_members(OP, models)?.iter().map(Member::name).collect();
        let mut trained = TrainedMembers::new(OP, models.len(), note.into_iter().collect());
        let mut held_out = Vec::new();
        for (number, model) in models.iter().enumerate() {
            let label = format!("member {} of {}", number + 1, models.len());
            let training = FoldTraining { op: OP, model, set: &set, fit: &fit, label };
            let outcome = training.run(&folds).map(|outcome| {
                outcome.map(|(predicted, member, history)| {
                    held_out.push(predicted);
                    (member.with_name(names[number].clone()), history)
                })
            });
            if !trained.push(outcome)? {
                break;
            }
        }
        Ok(trained.into_ensemble(Aggregation::Stacked(MetaLearner::fit(&held_out, &labels))))
    }

    /// Learns from a held-out set how much to trust each of several trained networks: a weight for each
    /// network and a bias for each class, as in [`Ensemble::stacked`]. A note says if one of them was
    /// trained on examples of that set, since its weight is then too high. Never use the test set.
    ///
    /// # Errors
    ///
    /// If there are no networks, their inputs or classes differ, the set has no labels or does not fit
    /// them, or the reader interrupts.
    pub fn stacked_on(models: &[&Model], held_out: &TensorSet) -> Result<Ensemble> {
        const OP: &str = "Ensemble::stacked_on";
        let ensemble = Ensemble::new(OP, models, Aggregation::Average)?;
        ensemble.fit_aggregation(OP, held_out, |outputs, labels| {
            Aggregation::Stacked(MetaLearner::fit(outputs, labels))
        })
    }

    /// The same members with an aggregation that `fit` learns from their outputs for a held-out set.
    pub(super) fn fit_aggregation(
        mut self,
        op: &'static str,
        held_out: &TensorSet,
        fit: impl FnOnce(&[Array2<f32>], &[usize]) -> Aggregation,
    ) -> Result<Ensemble> {
        let (outputs, labels) = self.labeled_outputs(op, held_out)?;
        self.aggregation = fit(&outputs.outputs, &labels);
        self.fitted_on = Some(set_fingerprint(&outputs.set));
        self.notes.extend(outputs.note);
        for member in &self.members {
            for leak in member.model().leakage_notes(&outputs.set) {
                let (member, leak) = (member.name(), Box::new(leak));
                let note = Note::FittedOnMembersExamples { member, leak };
                Message(note.to_string()).show();
                self.notes.push(note);
            }
        }
        Ok(self)
    }
}

/// The trainings of one architecture for a stack.
struct FoldTraining<'a> {
    op: &'static str,
    model: &'a Model,
    set: &'a TensorSet,
    fit: &'a Fit,
    label: String,
}

impl FoldTraining<'_> {
    /// The out-of-fold predictions, and a member trained on all examples; `None` after an interrupt.
    fn run(&self, folds: &Folds) -> Result<Option<(Array2<f32>, Member, History)>> {
        let Some(predicted) = self.out_of_fold(folds)? else { return Ok(None) };
        let all: Vec<usize> = (0..self.set.len()).collect();
        let trained = self.train_on(&all, "on all examples")?;
        Ok(trained.map(|(member, history)| (predicted, member, history)))
    }

    /// A reinitialized network, trained on the examples at these indices; `None` after an interrupt.
    fn train_on(&self, indices: &[usize], part: &str) -> Result<Option<(Member, History)>> {
        let label = format!("{}, {part}", self.label);
        train_reinitialized(self.op, &label, self.model, &subset(self.set, indices)?, self.fit)
    }

    /// The predictions for every example by a network that was not trained on it; `None` after an
    /// interrupt.
    fn out_of_fold(&self, folds: &Folds) -> Result<Option<Array2<f32>>> {
        let mut predicted = Array2::zeros((self.set.len(), self.model.output_shape()[0]));
        for number in 0..folds.count {
            let (held_out, others) = folds.split(number);
            let part = format!("fold {} of {}", number + 1, folds.count);
            let Some((member, _)) = self.train_on(&others, &part)? else { return Ok(None) };
            let rows = member.predict(self.op, &subset(self.set, &held_out)?, false, |_| ())?;
            for (example, row) in held_out.into_iter().zip(rows.axis_iter(Axis(0))) {
                predicted.row_mut(example).assign(&row);
            }
        }
        Ok(Some(predicted))
    }
}

/// A split of examples into parts.
struct Folds {
    count: usize,
    /// The fold of each example.
    of_examples: Vec<usize>,
}

impl Folds {
    /// Distributes the examples of each class over the folds in random order. Each class continues where
    /// the class before it ended, so all folds have about the same size and the same classes.
    fn stratified(labels: &[usize], count: usize, rng: &mut ChaCha8Rng) -> Folds {
        let mut examples: Vec<usize> = (0..labels.len()).collect();
        shuffle(&mut examples, rng);
        examples.sort_by_key(|&example| labels[example]);
        let mut of_examples = vec![0; labels.len()];
        examples.into_iter().enumerate().for_each(|(i, example)| of_examples[example] = i % count);
        Folds { count, of_examples }
    }

    /// The examples of a fold, and all others.
    fn split(&self, number: usize) -> (Vec<usize>, Vec<usize>) {
        (0..self.of_examples.len()).partition(|&example| self.of_examples[example] == number)
    }
}

/// The examples at these indices.
fn subset(set: &TensorSet, indices: &[usize]) -> Result<TensorSet> {
    let indices: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
    let (x, y) = set.pick(&Tensor::from_slice(&indices), set.x().device());
    let names = set.class_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    TensorSet::new(&x, &y.expect("the labels were checked"), &names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn folds_are_disjoint_and_stratified() {
        let labels: Vec<usize> = (0..103).map(|i| usize::from(i % 4 == 0)).collect();
        let folds =
            |count, seed| Folds::stratified(&labels, count, &mut ChaCha8Rng::seed_from_u64(seed));
        let five = folds(5, 1);
        for number in 0..5 {
            let (held_out, others) = five.split(number);
            assert!((20..=21).contains(&held_out.len()) && held_out.len() + others.len() == 103);
            let ones = held_out.iter().filter(|&&example| labels[example] == 1).count();
            assert!((5..=6).contains(&ones), "{ones}");
        }
        assert_ne!(folds(5, 2).of_examples, five.of_examples);
        let each: std::collections::HashSet<_> = folds(103, 1).of_examples.into_iter().collect();
        assert_eq!(each.len(), 103);
    }

    #[test]
    fn no_network_predicts_an_example_that_it_was_trained_on() {
        let set = datasets::shapes().unwrap().train.take(60).to_tensors(Device::Cpu);
        let layers = Sequential::new().input_shape([3, 32, 32]).add(MaxPool2d::new(8));
        let model = layers.add(Flatten).add(Dense::new(10)).add(Softmax);
        let model = model.build(Device::Cpu).unwrap();
        model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy).unwrap();
        let fit = Fit::new();
        let label = "one".into();
        let training = FoldTraining { op: "test", model: &model, set: &set, fit: &fit, label };
        let labels = set.label_vec().unwrap();
        let folds = Folds::stratified(&labels, 3, &mut ChaCha8Rng::seed_from_u64(1));
        for number in 0..3 {
            let (held_out, others) = folds.split(number);
            let (member, _) = training.train_on(&others, "").unwrap().unwrap();
            let leaked =
                |indices: &[usize]| member.model().leakage_notes(&subset(&set, indices).unwrap());
            assert!(leaked(&held_out).is_empty(), "{:?}", leaked(&held_out));
            assert!(leaked(&others)[0].is_leak());
        }
        let predicted = training.out_of_fold(&folds).unwrap().unwrap();
        assert!(predicted.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-5));
        assert!(model.leakage_notes(&set).is_empty(), "the reader's own network is not trained");
    }
}
