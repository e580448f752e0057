//! Networks that learn alike: one optimiser's description for several, and what they have seen.

use super::notices::Seen;
use super::{Fit, Schedule, compiled};
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::thousands;

impl Model {
    /// Compiles this network as another one of the same form is; its optimiser begins anew.
    ///
    /// # Errors
    ///
    /// If the other is not compiled.
    pub(crate) fn compile_as(&self, other: &Model, op: &str) -> Result<()> {
        let (loss, reading) = compiled(other.inner(), op)?;
        let descent = other.inner().compiled().as_ref().map(|it| it.descent.anew());
        self.learn_by(descent.expect("it was compiled a moment ago"), loss, reading);
        Ok(())
    }

    /// Refuses a network that is not compiled.
    pub(crate) fn check_compiled(&self, op: &str) -> Result<()> {
        compiled(self.inner(), op).map(drop)
    }

    /// What the network has seen.
    pub(crate) fn seen(&self) -> Seen {
        let compiled = self.inner().compiled();
        compiled.as_ref().map(|compiled| compiled.seen.clone()).unwrap_or_default()
    }

    /// What there is to say when the network is measured on `set`; empty if nothing.
    pub(crate) fn seen_notes(&self, set: &TensorSet) -> Vec<String> {
        self.seen().notes(set)
    }

    /// Takes over what another network has seen, of which this one is a copy.
    pub(crate) fn seen_as(&self, other: &Model) {
        let seen = other.seen();
        if let Some(compiled) = self.inner().compiled().as_mut() {
            compiled.seen = seen;
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
    pub(crate) fn wanted_epochs(&self) -> usize {
        self.epochs.saturating_sub(self.initial_epoch)
    }

    /// Whether the learning rate follows a schedule.
    pub(crate) fn has_schedule(&self) -> bool {
        self.schedule != Schedule::constant()
    }

    /// The same for so many trainings, which share the budget's time.
    pub(crate) fn shared(&self, trainings: usize) -> Fit {
        Fit { trainings, ..self.clone() }
    }

    /// How many examples each of so many trainings may see, so that all of them together see no more
    /// than the budget allows one, unless that leaves each too few; and a sentence on it, where that
    /// is not all.
    pub(crate) fn share(
        &self,
        examples: usize,
        trainings: usize,
    ) -> Result<(usize, Option<String>)> {
        /// With fewer there would be nothing to see.
        const FEWEST: usize = 500;
        let budget = self.chosen_budget()?;
        let allowed = budget.training(1, examples).examples;
        if allowed == examples {
            return Ok((examples, None));
        }
        let share = (allowed / trainings).max(FEWEST).min(allowed);
        let (name, of) = (budget.name(), thousands(examples as f64));
        let share_text = thousands(share as f64);
        let note = format!(
            "budget {name}: each of {trainings} trainings on {share_text} of {of} examples"
        );
        Ok((share, Some(note)))
    }
}
