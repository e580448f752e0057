//! Ensembles that train their members.

use super::Ensemble;
use super::aggregation::Aggregation;
use super::members::{Member, checked_members};
use crate::data::TensorSet;
use crate::display::{Message, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::Figure;
use crate::runtime::interrupt;
use crate::train::{Callback, CallbackResult, Fit, History, Note, Run, Schedule, check_input};

/// Notes in the history which of several trainings it is.
#[derive(Debug)]
struct NoteOnBegin(String);

impl Callback for NoteOnBegin {
    fn on_train_begin(&mut self, run: &mut Run) -> CallbackResult {
        run.note(self.0.as_str());
        Ok(())
    }
}

/// Trains a reinitialized copy of a network; `None` after an interrupt.
pub(super) fn train_reinitialized(
    op: &'static str,
    label: &str,
    model: &Model,
    set: &TensorSet,
    fit: &Fit,
) -> Result<Option<(Member, History)>> {
    let copy = model.reinitialized()?;
    copy.compile_like(model, op)?;
    let history = train_member(label, &copy, set, fit)?;
    let member = checked_members(op, &[&copy])?.remove(0);
    Ok(history.map(|history| (member, history)))
}

/// Trains one of several networks; `None` after an interrupt.
fn train_member(label: &str, model: &Model, set: &TensorSet, fit: &Fit) -> Result<Option<History>> {
    let history = model.fit(set, fit.clone().callback(NoteOnBegin(label.to_owned())))?;
    Ok((!interrupt::requested()).then_some(history))
}

/// The members that are finished.
pub(super) struct TrainedMembers {
    op: &'static str,
    planned: usize,
    members: Vec<Member>,
    histories: Vec<History>,
    notes: Vec<Note>,
}

impl TrainedMembers {
    pub(super) fn new(op: &'static str, planned: usize, notes: Vec<Note>) -> TrainedMembers {
        TrainedMembers { op, planned, members: Vec::new(), histories: Vec::new(), notes }
    }

    /// Adds a member, or a note why it was not finished. `false` ends the training of members.
    ///
    /// # Errors
    ///
    /// The first member's error or interrupt, since there is nothing to keep.
    pub(super) fn push(&mut self, outcome: Result<Option<(Member, History)>>) -> Result<bool> {
        let finished = self.members.len();
        let reason = match outcome {
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
            Ok(None) | Err(Error::Interrupted { .. }) => None,
            Err(error) => Some(error.short_message()),
        };
        let note = Note::UnfinishedMembers { finished, planned: self.planned, reason };
        Message(note.to_string()).show();
        self.notes.push(note);
        Ok(false)
    }

    pub(super) fn into_ensemble(self, aggregation: Aggregation) -> Ensemble {
        let TrainedMembers { members, histories, notes, .. } = self;
        Ensemble { members, aggregation, histories, notes, fitted_on: None }
    }
}

impl Ensemble {
    /// Trains several copies of a network with different initial weights and orders of the examples, and
    /// averages their probabilities (deep ensembles, Lakshminarayanan et al. 2017). `model` is the
    /// architecture with its optimizer and loss. It must be compiled, and is not changed. Frozen weights
    /// are kept, the others are reinitialized.
    ///
    /// An interrupt keeps the finished members. Callbacks start again with every member, so a
    /// [`Checkpoint`](crate::train::Checkpoint) keeps the last member. With a budget, all members together
    /// take about as long as one network alone.
    ///
    /// # Errors
    ///
    /// If the number of members is 0, `model` is not a compiled classifier that ends in Softmax, the first
    /// member cannot be trained, or the reader interrupts before it is finished.
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
    pub fn train(model: &Model, members: usize, set: &TensorSet, fit: Fit) -> Result<Ensemble> {
        const OP: &str = "Ensemble::train";
        if members == 0 {
            return Err(Error::invalid(OP, "at least one member", "0", "3 or 5 are usual."));
        }
        let (set, note) = prepare(OP, &[model], set, &fit, members)?;
        let fit = fit.sharing_budget(members);
        let mut trained = TrainedMembers::new(OP, members, note.into_iter().collect());
        for number in 1..=members {
            let label = format!("member {number} of {members}");
            let name = format!("{} #{number}", model.name());
            let outcome = train_reinitialized(OP, &label, model, &set, &fit);
            let named = |(member, history): (Member, History)| (member.with_name(name), history);
            if !trained.push(outcome.map(|outcome| outcome.map(named)))? {
                break;
            }
        }
        Ok(trained.into_ensemble(Aggregation::Average))
    }

    /// Trains one network in cycles, keeps a copy at the end of each cycle, and averages their
    /// probabilities: several members for the price of one (snapshot ensembles, Huang et al. 2017). In
    /// every cycle the learning rate follows a cosine down and then restarts. The training starts with the
    /// weights of `model`, which is not changed.
    ///
    /// The cycles share the epochs of `fit`. With a budget, all cycles together take about as long as one
    /// training alone. An interrupt keeps the finished cycles.
    ///
    /// # Errors
    ///
    /// If the number of cycles is 0 or does not divide the number of epochs, or `fit` has a schedule;
    /// otherwise as for [`Ensemble::train`].
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
    pub fn snapshots(model: &Model, cycles: usize, set: &TensorSet, fit: Fit) -> Result<Ensemble> {
        const OP: &str = "Ensemble::snapshots";
        let epochs = epochs_per_cycle(OP, cycles, &fit)?;
        let (set, note) = prepare(OP, &[model], set, &fit, cycles)?;
        let fit = fit.sharing_budget(cycles);
        let learner = compiled_copy(OP, model, model)?;
        let mut trained = TrainedMembers::new(OP, cycles, note.into_iter().collect());
        let mut done = 0;
        for cycle in 1..=cycles {
            let label = format!("cycle {cycle} of {cycles}");
            let fit = fit.clone().initial_epoch(done).epochs(done + epochs);
            let fit = fit.schedule(Schedule::cosine());
            let outcome = train_member(&label, &learner, &set, &fit).and_then(|history| {
                let Some(history) = history else { return Ok(None) };
                let snapshot = compiled_copy(OP, &learner, model)?;
                let member = checked_members(OP, &[&snapshot])?.remove(0);
                Ok(Some((member.with_name(format!("snapshot {cycle}")), history)))
            });
            if !trained.push(outcome)? {
                break;
            }
            let last = trained.histories.last().and_then(History::last);
            done = last.map_or(done, |last| last.number);
        }
        Ok(trained.into_ensemble(Aggregation::Average))
    }

    /// The trainings of the members, in their order; empty if the ensemble has not trained them.
    pub fn histories(&self) -> Vec<History> {
        self.histories.clone()
    }

    /// The training curves of all members in one figure.
    ///
    /// # Errors
    ///
    /// If the ensemble has not trained its members.
    pub fn plot(&self) -> Result<Figure> {
        if self.histories.is_empty() {
            let hint = "History::compare draws the histories of any networks.";
            let got = "members that were trained before";
            return Err(Error::invalid("Ensemble::plot", "members trained together", got, hint));
        }
        let names = self.members();
        let pairs = names.iter().map(String::as_str).zip(&self.histories);
        History::compare(&pairs.collect::<Vec<_>>())
    }
}

/// A copy of a network, compiled like `model`, which knows what the network was trained on.
fn compiled_copy(op: &'static str, network: &Model, model: &Model) -> Result<Model> {
    let copy = network.copy()?;
    copy.compile_like(model, op)?;
    copy.copy_training_facts(network);
    Ok(copy)
}

/// How many epochs each cycle of a snapshot ensemble has.
fn epochs_per_cycle(op: &str, cycles: usize, fit: &Fit) -> Result<usize> {
    if cycles == 0 {
        return Err(Error::invalid(op, "at least one cycle", "0", "4 or 5 are usual."));
    }
    let epochs = fit.planned_epochs();
    if epochs == 0 || !epochs.is_multiple_of(cycles) {
        let got = format!("{epochs} epochs for {cycles} cycles");
        let hint = format!("Try .epochs({}).", epochs.div_ceil(cycles).max(1) * cycles);
        return Err(Error::invalid(op, "the same number of epochs in every cycle", got, hint));
    }
    if fit.has_schedule() {
        let hint = "Leave out schedule(…): the cycles have their own.";
        return Err(Error::invalid(op, "no schedule", "a Fit with one", hint));
    }
    Ok(epochs / cycles)
}

/// Checks everything before the first training. The examples that each of the trainings uses, and a note
/// if a budget left some out.
pub(super) fn prepare(
    op: &'static str,
    models: &[&Model],
    set: &TensorSet,
    fit: &Fit,
    trainings: usize,
) -> Result<(TensorSet, Option<Note>)> {
    checked_members(op, models)?;
    fit.check_for_several(op)?;
    for model in models {
        check_input(op, model.inner(), set)?;
        model.check_compiled(op)?;
    }
    let (examples, note) = fit.examples_per_training(set.len(), trainings)?;
    Ok((set.first(examples), note))
}
