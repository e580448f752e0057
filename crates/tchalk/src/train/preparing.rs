//! Before the first step: the sets, what a reader should know, and what can be computed once.

use super::batch_source::BatchSource;
use super::fit::Fit;
use super::note::{Note, Shortened};
use super::run::Run;
use super::trainer::Trainer;
use super::{Precision, check_input, check_labels, feature_cache, random};
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;

impl Fit {
    /// The examples to learn from and those to measure, within the budget.
    pub(super) fn batch_sources(
        &self,
        model: &Model,
        set: &TensorSet,
        seed: u64,
    ) -> Result<(BatchSource, Option<BatchSource>)> {
        const OP: &str = "Fit::validation";
        let (inner, device) = (model.inner(), model.device());
        let (train, validation) = match &self.validation {
            Some(validation) => {
                check_input(OP, inner, validation)?;
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
                (BatchSource::new(set.clone()), Some(BatchSource::new(validation.clone())))
            }
            None if self.validation_split > 0.0 => {
                let labels = set.label_vec().unwrap_or_default();
                let (kept, held) = random::stratified_split(seed, &labels, self.validation_split);
                if kept.is_empty() || held.is_empty() {
                    let got = format!("{} of {} held back", held.len(), labels.len());
                    let op = "Fit::validation_split";
                    return Err(Error::invalid(op, "at least one example on each side", got, ""));
                }
                (
                    BatchSource::subset(set.clone(), &kept),
                    Some(BatchSource::subset(set.clone(), &held)),
                )
            }
            None => (BatchSource::new(set.clone()), None),
        };
        let budget = self.chosen_budget()?;
        let cost = model.multiply_adds_of_one().saturating_mul(self.trainings);
        let examples = budget.training_allowance(1, train.len()).examples;
        let examples = budget.affordable_examples(examples, cost, device);
        let validation = validation.map(|feed| {
            let count = budget.evaluation_examples(feed.len(), device);
            // Half as many are enough to watch by.
            feed.first(budget.affordable_examples(count, cost.saturating_mul(2), device))
        });
        Ok((train.first(examples), validation))
    }
}

impl Trainer {
    /// What a reader should know before training.
    pub(super) fn notes(&self, examples: usize, epochs: usize, wanted: usize) -> Vec<Note> {
        let how = &self.options;
        let mut notes = self.replicas.notes(self.model.device(), how.batch_size);
        let held = self.validation_source.as_ref().filter(|_| how.validation_split > 0.0);
        let whole = examples - held.map_or(0, BatchSource::len);
        if epochs < wanted || self.train_source.len() < whole {
            let to = Shortened::Training {
                epochs,
                planned_epochs: wanted,
                examples: self.train_source.len(),
                all_examples: whole,
                seconds: None,
            };
            notes.push(Note::Shortened { budget: self.budget, to });
        }
        if how.batch_size > self.train_source.len() {
            let (batch_size, examples) = (how.batch_size, self.train_source.len());
            notes.push(Note::OneStepEpochs { batch_size, examples });
        }
        if how.precision == Precision::Mixed {
            notes.push(Note::MixedPrecision { used: self.model.inner().device.is_cuda() });
        }
        let mut compiled = self.model.inner().compiled();
        let Some(compiled) = compiled.as_mut() else { return notes };
        if compiled.optimizer_state.learning_rate() == 0.0 {
            notes.push(Note::ZeroLearningRate);
        }
        let validation = self.validation_source.as_ref().map(BatchSource::fingerprints);
        notes.extend(
            compiled
                .training_facts
                .record_training(&self.train_source.fingerprints(), validation.as_deref()),
        );
        notes
    }

    /// Computes what the frozen part gives, where that is worthwhile; `false` if the reader pressed
    /// stop meanwhile.
    pub(super) fn compute_frozen(&mut self, run: &mut Run, epochs: usize) -> Result<bool> {
        let model = self.model.clone();
        let inner = model.inner();
        let target = self.loss_input.step(&inner.program);
        let limit = self
            .options
            .feature_cache_bytes
            .unwrap_or_else(|| feature_cache::free_memory(inner.device));
        let validated = self.validation_source.as_ref().map_or(0, BatchSource::len);
        let augmented = self.options.augment.is_some();
        let learned = if augmented { 0 } else { self.train_source.len() };
        if epochs < 2 || learned + validated == 0 {
            return Ok(true);
        }
        match feature_cache::plan(&inner.program, target, learned + validated, limit) {
            feature_cache::CachePlan::NotWorthwhile => Ok(true),
            feature_cache::CachePlan::TooLarge { bytes } => {
                run.note(Note::FeaturesTooLarge { bytes, limit });
                Ok(true)
            }
            feature_cache::CachePlan::Cache { steps, kind } => {
                if augmented {
                    run.note(Note::FeaturesAugmented);
                } else if !feature_cache::compute(
                    inner,
                    &mut self.train_source,
                    &steps,
                    kind,
                    "training",
                )? {
                    return Ok(false);
                }
                if let Some(feed) = &mut self.validation_source
                    && !feature_cache::compute(inner, feed, &steps, kind, "validation")?
                {
                    return Ok(false);
                }
                run.note(feature_cache::note(&inner.program, &steps, kind, learned + validated));
                Ok(true)
            }
        }
    }
}
