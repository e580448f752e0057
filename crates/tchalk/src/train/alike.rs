//! Networks that learn alike: one optimiser's description for several, and what they have seen.

use super::notices::marks;
use super::{Fit, Memory, Optimizer, Options, Schedule, compiled};
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::thousands;
use std::sync::{Arc, Mutex, MutexGuard};
use tch::{Device, Tensor};

/// The description of an optimiser, for as many networks as hold it: what it remembers of their
/// weights is kept with each of them.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<dyn Optimizer>>);

impl Shared {
    pub(super) fn new(optimizer: impl Optimizer + 'static) -> Shared {
        Shared(Arc::new(Mutex::new(optimizer)))
    }

    fn lock(&self) -> MutexGuard<'_, dyn Optimizer + 'static> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lock().fmt(f)
    }
}

impl Optimizer for Shared {
    fn rate(&self) -> f64 {
        self.lock().rate()
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, memory: &mut Memory, rate: f64) {
        self.lock().update(weight, gradient, memory, rate);
    }

    fn options(&self) -> Options {
        self.lock().options()
    }

    fn check(&self) -> Result<()> {
        self.lock().check()
    }
}

impl Model {
    /// Compiles this network as another one of the same form is; its optimiser begins anew.
    ///
    /// # Errors
    ///
    /// If the other is not compiled.
    pub(crate) fn compile_as(&self, other: &Model, op: &str) -> Result<()> {
        let (loss, _) = compiled(other.inner(), op)?;
        let optimizer = other.inner().compiled().as_ref().map(|it| it.optimizer.clone());
        self.compile(optimizer.expect("it was compiled a moment ago"), loss)
    }

    /// Refuses a network that is not compiled.
    pub(crate) fn check_compiled(&self, op: &str) -> Result<()> {
        compiled(self.inner(), op).map(drop)
    }

    /// What there is to say when the network is measured on `set`; empty if nothing.
    pub(crate) fn seen_notes(&self, set: &TensorSet) -> Vec<String> {
        let seen = self.inner().compiled().as_ref().map(|compiled| compiled.seen.clone());
        seen.map_or(Vec::new(), |seen| seen.notes(set))
    }
}

/// A mark of a whole set, in whatever order its examples are.
pub(crate) fn mark(set: &TensorSet) -> u64 {
    marks(set).iter().fold(set.len() as u64, |sum, mark| sum.wrapping_add(*mark))
}

impl Model {
    /// Takes over what another network has seen, of which this one is a copy.
    pub(crate) fn seen_as(&self, other: &Model) {
        let seen = other.inner().compiled().as_ref().map(|compiled| compiled.seen.clone());
        if let (Some(compiled), Some(seen)) = (self.inner().compiled().as_mut(), seen) {
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

    /// How many examples each of so many trainings may see, so that all of them together take no
    /// longer than the budget allows one; and a sentence on it, where that is not all.
    pub(crate) fn share(
        &self,
        examples: usize,
        trainings: usize,
        device: Device,
    ) -> (usize, Option<String>) {
        /// With fewer there would be nothing to see.
        const FEWEST: usize = 500;
        let allowed = self.budget.training(1, examples, device).examples;
        if allowed == examples {
            return (examples, None);
        }
        let share = (allowed / trainings).max(FEWEST).min(allowed);
        let (name, of) = (self.budget.name(), thousands(examples as f64));
        let share_text = thousands(share as f64);
        (
            share,
            Some(format!(
                "budget {name}: each of {trainings} trainings on {share_text} of {of} examples"
            )),
        )
    }
}
