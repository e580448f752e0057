//! Stacking: a small combiner learns how much to believe each member (Wolpert 1992).

use super::members::{Member, checked_members};
use super::meta_learner::MetaLearner;
use super::train::{TrainedMembers, prepare, train_reinitialized};
use super::{Aggregation, Ensemble, labels};
use crate::data::TensorSet;
use crate::display::{Notice, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::runtime::seed::{host_rng, shuffle};
use crate::train::{Fit, History, set_fingerprint};
use ndarray::{Array2, Axis};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Tensor};

impl Ensemble {
    /// Trains networks of several forms, and learns how much to believe each (stacked
    /// generalization, Wolpert 1992).
    ///
    /// What a network says about examples that it was trained on flatters it. So the examples are
    /// dealt out to `folds` parts, the same of every class, and each part is judged by networks that
    /// were trained on all the others. From these probabilities a multinomial logistic regression
    /// learns a weight for each member and a bias for each class. Then every member is trained once
    /// more, on all examples, as Wolpert has it. That makes `folds + 1` trainings for each member.
    ///
    /// `models` say what the members are and how they learn; they have to be compiled, and stay as
    /// they are. What is frozen in them is kept. Under a budget all trainings together take about as
    /// long as one would alone. Pressing stop keeps the members that are finished.
    ///
    /// # Errors
    ///
    /// If there are no models, one is not compiled, they do not go together, there are fewer than two
    /// folds or more than examples, the set has no labels, the first member cannot be trained, or the
    /// reader pressed stop before it was finished.
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
    pub fn stacked(models: &[&Model], folds: usize, set: &TensorSet, how: Fit) -> Result<Ensemble> {
        const OP: &str = "Ensemble::stacked";
        let trainings = models.len() * (folds + 1);
        let (set, note) = prepare(OP, models, set, &how, trainings.max(1))?;
        let how = how.sharing_budget(trainings);
        let labels = labels(OP, &set, models[0].output_shape()[0])?;
        if folds < 2 || folds > set.len() {
            let expected = format!("2 to {} folds, one example in each at least", set.len());
            return Err(Error::invalid(OP, expected, folds.to_string(), "5 are usual."));
        }
        let fold = stratified_folds(&labels, folds, &mut host_rng("folds"));
        let names: Vec<String> = checked_members(OP, models)?.iter().map(Member::name).collect();
        let mut series = TrainedMembers::new(OP, models.len(), note.into_iter().collect());
        let mut held_out = Vec::new();
        for (number, model) in models.iter().enumerate() {
            let label = format!("member {} of {}", number + 1, models.len());
            let one = FoldTraining { op: OP, model, set: &set, how: &how, label };
            let outcome = one.out_of_fold(&fold, folds).and_then(|said| {
                let Some(said) = said else { return Ok(None) };
                let every: Vec<usize> = (0..set.len()).collect();
                let Some((member, history)) = one.train_on(&every, "on all examples")? else {
                    return Ok(None);
                };
                held_out.push(said);
                Ok(Some((member.with_name(names[number].clone()), history)))
            });
            if !series.push(outcome)? {
                break;
            }
        }
        Ok(series.into_ensemble(Aggregation::Stacked(MetaLearner::fit(&held_out, &labels))))
    }

    /// Learns from a held-out set how much to believe each of several networks that are trained
    /// already: a weight for each and a bias for each class, as for [`Ensemble::stacked`]. Where one
    /// of them was trained on examples of that set, this is said: what it says about them flatters it,
    /// and the weights believe it. Never take the test set.
    ///
    /// # Errors
    ///
    /// If there are no networks, they do not go together, the set has no labels or does not fit them,
    /// or the reader pressed stop.
    pub fn stacked_on(models: &[&Model], held_out: &TensorSet) -> Result<Ensemble> {
        const OP: &str = "Ensemble::stacked_on";
        let ensemble = Ensemble::with_aggregation(OP, models, Aggregation::Average)?;
        ensemble.fit_aggregation(OP, held_out, |said, labels| {
            Aggregation::Stacked(MetaLearner::fit(said, labels))
        })
    }

    /// The same members, with what `fit` learns from their answers about a held-out set.
    pub(super) fn fit_aggregation(
        mut self,
        op: &'static str,
        held_out: &TensorSet,
        fit: impl FnOnce(&[Array2<f32>], &[usize]) -> Aggregation,
    ) -> Result<Ensemble> {
        let (opinions, labels) = self.labeled_outputs(op, held_out, false)?;
        self.aggregation = fit(&opinions.outputs, &labels);
        self.fitted_on = Some(set_fingerprint(&opinions.set));
        self.notes.extend(opinions.note.map(|note| note.to_string()));
        for member in &self.members {
            for note in member.model().leakage_notes(&opinions.set) {
                let note = format!(
                    "the set that {op} learned from is not new to {}: {note}",
                    member.name()
                );
                Notice(note.clone()).show();
                self.notes.push(note);
            }
        }
        Ok(self)
    }
}

/// How the networks of one form are trained for a stack.
struct FoldTraining<'a> {
    op: &'static str,
    model: &'a Model,
    set: &'a TensorSet,
    how: &'a Fit,
    label: String,
}

impl FoldTraining<'_> {
    /// A fresh network, trained on the examples at these places; nothing after the stop button.
    fn train_on(&self, places: &[usize], which: &str) -> Result<Option<(Member, History)>> {
        let label = format!("{}, {which}", self.label);
        train_reinitialized(self.op, &label, self.model, &subset(self.set, places)?, self.how)
    }

    /// What is said about every example by a network that was not trained on it; nothing after the
    /// stop button.
    fn out_of_fold(&self, fold: &[usize], folds: usize) -> Result<Option<Array2<f32>>> {
        let mut said = Array2::zeros((fold.len(), self.model.output_shape()[0]));
        for number in 0..folds {
            let (held, kept) = split_fold(fold, number);
            let Some((member, _)) =
                self.train_on(&kept, &format!("fold {} of {folds}", number + 1))?
            else {
                return Ok(None);
            };
            let rows = member.predict(self.op, &subset(self.set, &held)?, false, |_| ())?;
            for (place, row) in held.into_iter().zip(rows.axis_iter(Axis(0))) {
                said.row_mut(place).assign(&row);
            }
        }
        Ok(Some(said))
    }
}

/// The fold of each example: every class is dealt out in a random order, and goes on where the one
/// before it ended, so that folds are equally large and hold the same of every class.
fn stratified_folds(labels: &[usize], folds: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut places: Vec<usize> = (0..labels.len()).collect();
    shuffle(&mut places, rng);
    places.sort_by_key(|&place| labels[place]);
    let mut fold = vec![0; labels.len()];
    places.into_iter().enumerate().for_each(|(i, place)| fold[place] = i % folds);
    fold
}

/// The places that are in a fold, and those that are not.
fn split_fold(fold: &[usize], number: usize) -> (Vec<usize>, Vec<usize>) {
    (0..fold.len()).partition(|&place| fold[place] == number)
}

/// The examples at these places.
fn subset(set: &TensorSet, places: &[usize]) -> Result<TensorSet> {
    let places: Vec<i64> = places.iter().map(|&place| place as i64).collect();
    let device: Device = set.x().device();
    let (x, y) = set.pick(&Tensor::from_slice(&places), device);
    let names = set.class_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    TensorSet::new(&x, &y.expect("the labels were looked at"), &names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn every_example_is_in_one_fold_and_folds_are_alike() {
        let labels: Vec<usize> = (0..103).map(|i| usize::from(i % 4 == 0)).collect();
        let fold = stratified_folds(&labels, 5, &mut ChaCha8Rng::seed_from_u64(1));
        for number in 0..5 {
            let (held, kept) = split_fold(&fold, number);
            assert!((20..=21).contains(&held.len()) && held.len() + kept.len() == 103);
            let ones = held.iter().filter(|&&place| labels[place] == 1).count();
            assert!((5..=6).contains(&ones), "{ones}");
        }
        assert_ne!(stratified_folds(&labels, 5, &mut ChaCha8Rng::seed_from_u64(2)), fold);
        let each = stratified_folds(&labels, 103, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(each.iter().collect::<std::collections::HashSet<_>>().len(), 103);
    }

    #[test]
    fn nobody_judges_an_example_that_it_was_trained_on() {
        let set = datasets::shapes().unwrap().train.take(60).to_tensors(Device::Cpu);
        let layers = Sequential::new().input_shape([3, 32, 32]).add(MaxPool2d::new(8));
        let model = layers.add(Flatten).add(Dense::new(10)).add(Softmax);
        let model = model.build(Device::Cpu).unwrap();
        model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy).unwrap();
        let how = Fit::new();
        let one =
            FoldTraining { op: "test", model: &model, set: &set, how: &how, label: "one".into() };
        let fold =
            stratified_folds(&set.label_vec().unwrap(), 3, &mut ChaCha8Rng::seed_from_u64(1));
        for number in 0..3 {
            let (held, kept) = split_fold(&fold, number);
            let (member, _) = one.train_on(&kept, "").unwrap().unwrap();
            let seen =
                |places: &[usize]| member.model().leakage_notes(&subset(&set, places).unwrap());
            assert!(seen(&held).is_empty(), "{:?}", seen(&held));
            assert!(seen(&kept)[0].is_leak());
        }
        let said = one.out_of_fold(&fold, 3).unwrap().unwrap();
        assert!(said.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-5));
        assert!(model.leakage_notes(&set).is_empty(), "the reader's own network stays as it was");
    }
}
