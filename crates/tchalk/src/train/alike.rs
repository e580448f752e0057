//! Networks that learn alike: one optimizer's description for several, and what they have seen.

use super::leakage::TrainingFacts;
use super::note::{Note, Shortened};
use super::{Fit, Schedule, compiled_loss};
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;

impl Model {
    /// Compiles this network as another one of the same form is; its optimizer begins anew.
    ///
    /// # Errors
    ///
    /// If the other is not compiled.
    pub(crate) fn compile_like(&self, other: &Model, op: &str) -> Result<()> {
        let (loss, reading) = compiled_loss(other.inner(), op)?;
        let descent = other.inner().compiled().as_ref().map(|it| it.optimizer_state.restarted());
        self.set_compiled(descent.expect("it was compiled a moment ago"), loss, reading);
        Ok(())
    }

    /// Refuses a network that is not compiled.
    pub(crate) fn check_compiled(&self, op: &str) -> Result<()> {
        compiled_loss(self.inner(), op).map(drop)
    }

    /// What the network has seen.
    pub(crate) fn training_facts(&self) -> TrainingFacts {
        let compiled = self.inner().compiled();
        compiled.as_ref().map(|compiled| compiled.training_facts.clone()).unwrap_or_default()
    }

    /// What there is to say when the network is measured on `set`; empty if nothing.
    pub(crate) fn leakage_notes(&self, set: &TensorSet) -> Vec<Note> {
        self.training_facts().leakage_notes(set)
    }

    /// Takes over what another network has seen, of which this one is a copy.
    pub(crate) fn copy_training_facts(&self, other: &Model) {
        let seen = other.training_facts();
        if let Some(compiled) = self.inner().compiled().as_mut() {
            compiled.training_facts = seen;
        }
    }
}

/// What those have to know that train several networks in one way.
impl Fit {
    /// Refuses what makes sense for one network only.
    pub(crate) fn check_for_several(&self, op: &str) -> Result<()> {
        if self.resume.is_some() {
            let hint = "Train that network with fit, and put it into an ensemble afterwards.";
            let got = "Fit::resume, which goes on with one network";
            return Err(Error::invalid(op, "networks that begin anew", got, hint));
        }
        self.check()
    }

    /// How many epochs are wanted.
    pub(crate) fn planned_epochs(&self) -> usize {
        self.epochs.saturating_sub(self.initial_epoch)
    }

    /// Whether the learning rate follows a schedule.
    pub(crate) fn has_schedule(&self) -> bool {
        self.schedule != Schedule::constant()
    }

    /// The same for so many trainings, which share the budget's time.
    pub(crate) fn sharing_budget(&self, trainings: usize) -> Fit {
        Fit { trainings, ..self.clone() }
    }

    /// How many examples each of so many trainings may see, so that all of them together see no more
    /// than the budget allows one, unless that leaves each too few; and a sentence on it, where that
    /// is not all.
    pub(crate) fn examples_per_training(
        &self,
        examples: usize,
        trainings: usize,
    ) -> Result<(usize, Option<Note>)> {
        /// With fewer there would be nothing to see.
        const FEWEST: usize = 500;
        let budget = self.chosen_budget()?;
        let allowed = budget.training_allowance(1, examples).examples;
        if allowed == examples {
            return Ok((examples, None));
        }
        let share = (allowed / trainings).max(FEWEST).min(allowed);
        let to = Shortened::EachTraining { trainings, examples: share, all_examples: examples };
        Ok((share, Some(Note::Shortened { budget, to })))
    }
}
