//! Ensembles whose members are trained in one call.

use super::members::{Member, checked_members};
use super::{Aggregation, Ensemble};
use crate::data::TensorSet;
use crate::display::{Notice, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::Figure;
use crate::runtime::interrupt;
use crate::train::{Callback, CallbackResult, Fit, History, Run, Schedule, check_input};

/// Says which of several trainings this is.
#[derive(Debug)]
struct NoteOnBegin(String);

impl Callback for NoteOnBegin {
    fn on_train_begin(&mut self, run: &mut Run) -> CallbackResult {
        run.note(self.0.as_str());
        Ok(())
    }
}

/// A fresh network of this form, trained; nothing if the reader pressed stop on the way.
pub(super) fn train_reinitialized(
    op: &'static str,
    label: &str,
    model: &Model,
    set: &TensorSet,
    how: &Fit,
) -> Result<Option<(Member, History)>> {
    let fresh = model.reinitialized()?;
    fresh.compile_like(model, op)?;
    let history = train_member(label, &fresh, set, how)?;
    let member = checked_members(op, &[&fresh])?.remove(0);
    Ok(history.map(|history| (member, history)))
}

/// Trains one of several networks; nothing if the reader pressed stop on the way.
fn train_member(label: &str, model: &Model, set: &TensorSet, how: &Fit) -> Result<Option<History>> {
    let history = model.fit(set, how.clone().callback(NoteOnBegin(label.to_owned())))?;
    Ok((!interrupt::requested()).then_some(history))
}

/// The members that are finished.
pub(super) struct TrainedMembers {
    op: &'static str,
    wanted: usize,
    members: Vec<Member>,
    histories: Vec<History>,
    notes: Vec<String>,
}

impl TrainedMembers {
    pub(super) fn new(op: &'static str, wanted: usize, notes: Vec<String>) -> TrainedMembers {
        TrainedMembers { op, wanted, members: Vec::new(), histories: Vec::new(), notes }
    }

    /// Takes in a member, or says why it was not finished; `false` if there shall be no more.
    ///
    /// # Errors
    ///
    /// The first member's: with nothing finished there is nothing to keep.
    pub(super) fn push(&mut self, outcome: Result<Option<(Member, History)>>) -> Result<bool> {
        let finished = self.members.len();
        let why = match outcome {
            Ok(Some((member, history))) => {
                self.members.push(member);
                self.histories.push(history);
                return Ok(true);
            }
            Ok(None) if finished == 0 => {
                let op = format!("{}, before the first member was finished", self.op);
                return Err(Error::Interrupted { op });
            }
            Err(error) if finished == 0 => return Err(error),
            Ok(None) | Err(Error::Interrupted { .. }) => "stopped".to_owned(),
            Err(error) => error.in_short(),
        };
        let note = format!("{finished} of {} members are finished and kept: {why}", self.wanted);
        Notice(note.clone()).show();
        self.notes.push(note);
        Ok(false)
    }

    pub(super) fn into_ensemble(self, how: Aggregation) -> Ensemble {
        let TrainedMembers { members, histories, notes, .. } = self;
        Ensemble { members, aggregation: how, histories, notes, fitted_on: None }
    }
}

impl Ensemble {
    /// Trains several networks of one form, each from weights and orders of its own, and averages
    /// their probabilities (Lakshminarayanan et al. 2017). `model` says what they are and how they
    /// learn: it has to be compiled, and stays as it is. What is frozen in it is kept by every
    /// member; what is free is drawn anew.
    ///
    /// Pressing stop keeps the members that are finished. Callbacks begin anew with every member, so
    /// a [`Checkpoint`](crate::train::Checkpoint) keeps the last one's. Under a budget all members
    /// together take about as long as one network would alone.
    ///
    /// # Errors
    ///
    /// If there are to be no members, `model` is no compiled classifier that ends in Softmax, the
    /// first member cannot be trained, or the reader pressed stop before it was finished.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let train = datasets::shapes()?.train.take(200).to_tensors(Device::Cpu);
    /// let layers = Sequential::new().input_shape([3, 32, 32]).add(MaxPool2d::new(4)).add(Flatten);
    /// let model = layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
    /// model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)?;
    /// let ensemble = Ensemble::train(&model, 3, &train, Fit::new().epochs(2))?;
    /// assert_eq!(ensemble.members().len(), 3);
    /// ensemble.plot()?; // the curves of all members in one figure
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn train(model: &Model, members: usize, set: &TensorSet, how: Fit) -> Result<Ensemble> {
        const OP: &str = "Ensemble::train";
        if members == 0 {
            return Err(Error::invalid(OP, "at least one member", "0", "3 or 5 are usual."));
        }
        let (set, note) = prepare(OP, &[model], set, &how, members)?;
        let how = how.sharing_budget(members);
        let mut series = TrainedMembers::new(OP, members, note.into_iter().collect());
        for number in 1..=members {
            let label = format!("member {number} of {members}");
            let name = format!("{} #{number}", model.name());
            let outcome = train_reinitialized(OP, &label, model, &set, &how);
            let named = |(member, history): (Member, History)| (member.with_name(name), history);
            if !series.push(outcome.map(|it| it.map(named)))? {
                break;
            }
        }
        Ok(series.into_ensemble(Aggregation::Average))
    }

    /// Trains one network in cycles, keeps it as it is at the end of each, and averages the
    /// probabilities: several members for the price of one (Huang et al. 2017). In every cycle the
    /// learning rate falls along a cosine and then jumps back, so that the network settles, is kept,
    /// and sets out again. It begins with the weights of `model`, which stays as it is.
    ///
    /// The epochs of `how` are shared by the cycles. Under a budget all cycles together take about as
    /// long as one training would alone. Pressing stop keeps the cycles that are finished.
    ///
    /// # Errors
    ///
    /// If there are to be no cycles, they cannot share the epochs evenly, `how` has a schedule of its
    /// own; otherwise as for [`Ensemble::train`].
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let train = datasets::shapes()?.train.take(200).to_tensors(Device::Cpu);
    /// let layers = Sequential::new().input_shape([3, 32, 32]).add(MaxPool2d::new(4)).add(Flatten);
    /// let model = layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
    /// model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)?;
    /// let ensemble = Ensemble::snapshots(&model, 2, &train, Fit::new().epochs(4))?;
    /// assert_eq!(ensemble.members(), ["snapshot 1", "snapshot 2"]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn snapshots(model: &Model, cycles: usize, set: &TensorSet, how: Fit) -> Result<Ensemble> {
        const OP: &str = "Ensemble::snapshots";
        if cycles == 0 {
            return Err(Error::invalid(OP, "at least one cycle", "0", "4 or 5 are usual."));
        }
        let epochs = how.planned_epochs();
        if epochs == 0 || !epochs.is_multiple_of(cycles) {
            let got = format!("{epochs} epochs for {cycles} cycles");
            let hint = format!("Try .epochs({}).", epochs.div_ceil(cycles).max(1) * cycles);
            return Err(Error::invalid(OP, "as many epochs for every cycle", got, hint));
        }
        if how.has_schedule() {
            let hint = "Leave schedule(…) out: the cycles are one.";
            return Err(Error::invalid(OP, "no schedule", "a Fit with one", hint));
        }
        let (set, note) = prepare(OP, &[model], set, &how, cycles)?;
        let how = how.sharing_budget(cycles);
        let learner = model.copy()?;
        learner.compile_like(model, OP)?;
        learner.copy_training_facts(model);
        let mut series = TrainedMembers::new(OP, cycles, note.into_iter().collect());
        let mut done = 0;
        for cycle in 1..=cycles {
            let label = format!("cycle {cycle} of {cycles}");
            let how = how.clone().initial_epoch(done).epochs(done + epochs / cycles);
            let outcome = || -> Result<Option<(Member, History)>> {
                let how = how.schedule(Schedule::cosine());
                let Some(history) = train_member(&label, &learner, &set, &how)? else {
                    return Ok(None);
                };
                let snapshot = learner.copy()?;
                snapshot.compile_like(model, OP)?;
                snapshot.copy_training_facts(&learner);
                let member = checked_members(OP, &[&snapshot])?.remove(0);
                Ok(Some((member.with_name(format!("snapshot {cycle}")), history)))
            };
            if !series.push(outcome())? {
                break;
            }
            done = series.histories.last().and_then(History::last).map_or(done, |last| last.number);
        }
        Ok(series.into_ensemble(Aggregation::Average))
    }

    /// How the training of each member went, in their order; empty where the members were trained
    /// before.
    pub fn histories(&self) -> Vec<History> {
        self.histories.clone()
    }

    /// The curves of all members in one figure, where they were trained in one call.
    ///
    /// # Errors
    ///
    /// If the members were trained before.
    pub fn plot(&self) -> Result<Figure> {
        if self.histories.is_empty() {
            let hint = "History::compare draws histories of any networks.";
            let got = "members that were trained before";
            return Err(Error::invalid("Ensemble::plot", "members trained together", got, hint));
        }
        let names = self.members();
        let pairs = names.iter().map(String::as_str).zip(&self.histories);
        History::compare(&pairs.collect::<Vec<_>>())
    }
}

/// Looks at everything before anything is trained; the examples that each of so many trainings may
/// see.
pub(super) fn prepare(
    op: &'static str,
    models: &[&Model],
    set: &TensorSet,
    how: &Fit,
    trainings: usize,
) -> Result<(TensorSet, Option<String>)> {
    checked_members(op, models)?;
    how.check_for_several(op)?;
    for model in models {
        check_input(op, model.inner(), set)?;
        model.check_compiled(op)?;
    }
    let (share, note) = how.examples_per_training(set.len(), trainings)?;
    Ok((set.first(share), note.map(|note| note.to_string())))
}
