//! Which examples a training learns from, and which it is validated on.

use super::options::Fit;
use super::random::stratified_split;
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::train::batch_source::BatchSource;
use crate::train::compile::{check_input, check_labels};

/// The examples to learn from and those to validate on, as many as the budget allows.
pub(crate) fn split(
    options: &Fit,
    model: &Model,
    set: &TensorSet,
    seed: u64,
) -> Result<(BatchSource, Option<BatchSource>)> {
    let (train, validation) = match &options.validation {
        Some(validation) => {
            check_validation(model, set, validation)?;
            (BatchSource::new(set.clone()), Some(BatchSource::new(validation.clone())))
        }
        None if options.validation_split > 0.0 => {
            let (train, validation) = split_off(set, options.validation_split, seed)?;
            (train, Some(validation))
        }
        None => (BatchSource::new(set.clone()), None),
    };
    let (budget, device) = (options.chosen_budget()?, model.device());
    let cost = model.multiply_adds_of_one().saturating_mul(options.trainings);
    let examples = budget.training_allowance(1, train.len()).examples;
    let examples = budget.affordable_examples(examples, cost, device);
    let validation = validation.map(|validation| {
        let count = budget.evaluation_examples(validation.len(), device);
        // Half as many are enough for the curves.
        validation.first(budget.affordable_examples(count, cost.saturating_mul(2), device))
    });
    Ok((train.first(examples), validation))
}

/// Refuses a validation set that does not fit the network or has other classes.
fn check_validation(model: &Model, set: &TensorSet, validation: &TensorSet) -> Result<()> {
    const OP: &str = "Fit::validation";
    check_input(OP, model.inner(), validation)?;
    check_labels(OP, model.inner(), validation)?;
    let (expected, got) = (set.class_names(), validation.class_names());
    if expected == got {
        return Ok(());
    }
    let short = |names: &[String]| {
        let first: Vec<&str> = names.iter().take(4).map(String::as_str).collect();
        let more = if names.len() > first.len() { ", …" } else { "" };
        format!("{} classes, {}{more}", names.len(), first.join(", "))
    };
    let hint = "Both sets need the same classes, in the same order.";
    Err(Error::invalid(OP, short(&expected), short(&got), hint))
}

/// Splits off this fraction of each class for validation.
fn split_off(set: &TensorSet, fraction: f64, seed: u64) -> Result<(BatchSource, BatchSource)> {
    let labels = set.label_vec().unwrap_or_default();
    let (train, validation) = stratified_split(seed, &labels, fraction);
    if train.is_empty() || validation.is_empty() {
        let got = format!("{} of {} held back", validation.len(), labels.len());
        let op = "Fit::validation_split";
        return Err(Error::invalid(op, "at least one example on each side", got, ""));
    }
    let subset = |indices: &[i64]| BatchSource::subset(set.clone(), indices);
    Ok((subset(&train), subset(&validation)))
}
