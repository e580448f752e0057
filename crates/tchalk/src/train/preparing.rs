//! Before the first step: the sets, what a reader should know, and what can be computed once.

use super::feed::Feed;
use super::fit::Fit;
use super::fitting::Fitting;
use super::run::Run;
use super::{Precision, check, check_labels, draws, frozen, target};
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::thousands;

impl Fit {
    /// The examples to learn from and those to measure, within the budget.
    pub(super) fn feeds(
        &self,
        model: &Model,
        set: &TensorSet,
        seed: u64,
    ) -> Result<(Feed, Option<Feed>)> {
        const OP: &str = "Fit::validation";
        let (inner, device) = (model.inner(), model.device());
        let (train, validation) = match &self.validation {
            Some(validation) => {
                check(OP, inner, validation)?;
                check_labels(OP, inner, validation)?;
                let (ours, theirs) = (set.class_names(), validation.class_names());
                if ours != theirs {
                    let short = |names: &[String]| {
                        let first: Vec<&str> = names.iter().take(4).map(String::as_str).collect();
                        format!("{} classes, {}, …", names.len(), first.join(", "))
                    };
                    let hint = "Both sets need the same classes, in the same order.";
                    return Err(Error::invalid(OP, short(&ours), short(&theirs), hint));
                }
                (Feed::new(set.clone()), Some(Feed::new(validation.clone())))
            }
            None if self.validation_split > 0.0 => {
                let labels = set.label_vec().unwrap_or_default();
                let (kept, held) = draws::stratified(seed, &labels, self.validation_split);
                if kept.is_empty() || held.is_empty() {
                    let got = format!("{} of {} held back", held.len(), labels.len());
                    let op = "Fit::validation_split";
                    return Err(Error::invalid(op, "at least one example on each side", got, ""));
                }
                (Feed::some(set.clone(), &kept), Some(Feed::some(set.clone(), &held)))
            }
            None => (Feed::new(set.clone()), None),
        };
        let budget = self.chosen_budget()?;
        let cost = model.multiply_adds_of_one().saturating_mul(self.trainings);
        let examples = budget.training(1, train.len()).examples;
        let examples = budget.affordable(examples, cost, device);
        let validation = validation.map(|feed| {
            let count = budget.evaluation(feed.len(), device);
            // Half as many are enough to watch by.
            feed.first(budget.affordable(count, cost.saturating_mul(2), device))
        });
        Ok((train.first(examples), validation))
    }
}

impl Fitting {
    /// What a reader should know before training.
    pub(super) fn notes(&self, examples: usize, epochs: usize, wanted: usize) -> Vec<String> {
        let how = &self.how;
        let mut notes = self.replicas.notes(self.model.device(), how.batch_size);
        let held = self.validation.as_ref().filter(|_| how.validation_split > 0.0);
        let whole = examples - held.map_or(0, Feed::len);
        if epochs < wanted || self.feed.len() < whole {
            notes.push(format!(
                "budget {}: {epochs} of {wanted} epochs on {} of {} examples",
                self.budget.name(),
                thousands(self.feed.len() as f64),
                thousands(whole as f64),
            ));
        }
        if how.batch_size > self.feed.len() {
            notes.push(format!(
                "batch_size {} is more than there are examples: every epoch is one step of {}",
                how.batch_size,
                self.feed.len()
            ));
        }
        if how.precision == Precision::Mixed {
            notes.push(match self.model.inner().device.is_cuda() {
                true => "mixed precision: convolutions and dense layers in bfloat16".into(),
                false => "full precision: mixed precision is for GPUs".into(),
            });
        }
        let mut compiled = self.model.inner().compiled();
        let Some(compiled) = compiled.as_mut() else { return notes };
        if compiled.descent.rate() == 0.0 {
            notes.push("the learning rate is 0: no weight will change".into());
        }
        let validation = self.validation.as_ref().map(Feed::marks);
        notes.extend(compiled.seen.training(&self.feed.marks(), validation.as_deref()));
        notes
    }

    /// Computes what the frozen part gives, where that is worthwhile; `false` if the reader pressed
    /// stop meanwhile.
    pub(super) fn compute_frozen(&mut self, run: &mut Run, epochs: usize) -> Result<bool> {
        let model = self.model.clone();
        let inner = model.inner();
        let target = target(&inner.program, self.reading);
        let limit = self.how.frozen_memory.unwrap_or_else(|| frozen::free_memory(inner.device));
        let validated = self.validation.as_ref().map_or(0, Feed::len);
        let augmented = self.how.augment.is_some();
        let learned = if augmented { 0 } else { self.feed.len() };
        if epochs < 2 || learned + validated == 0 {
            return Ok(true);
        }
        match frozen::plan(&inner.program, target, learned + validated, limit) {
            frozen::Plan::Nothing => Ok(true),
            frozen::Plan::TooLarge { bytes } => {
                run.note(format!(
                    "the frozen part runs in every epoch: its outputs would take {}, with {} free \
                     for them",
                    frozen::bytes_text(bytes),
                    frozen::bytes_text(limit)
                ));
                Ok(true)
            }
            frozen::Plan::Keep { steps, kind } => {
                if augmented {
                    run.note("with augmentation the frozen part runs in every epoch");
                } else if !frozen::compute(inner, &mut self.feed, &steps, kind, "training")? {
                    return Ok(false);
                }
                if let Some(feed) = &mut self.validation
                    && !frozen::compute(inner, feed, &steps, kind, "validation")?
                {
                    return Ok(false);
                }
                run.note(frozen::note(&inner.program, &steps, kind, learned + validated));
                Ok(true)
            }
        }
    }
}
