//! Training: many small steps, each on a batch of examples.

use super::evaluation::measure;
use super::progress::Progress;
use super::{Compiled, Epoch, History, Loss, check, check_labels, count_right};
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::{Inner, Model};
use crate::runtime::{self, Budget, interrupt};
use rand_chacha::rand_core::SeedableRng;
use std::time::Instant;
use tch::{Kind, Tensor, no_grad};

/// How long to train, and on how much at a time: what [`Model::fit`] is given.
#[derive(Debug, Clone)]
pub struct Fit {
    epochs: usize,
    batch_size: usize,
    validation: Option<TensorSet>,
    budget: Budget,
}

impl Default for Fit {
    fn default() -> Fit {
        Fit::new()
    }
}

impl Fit {
    /// One epoch in batches of 32, without validation; within the budget of `TCHALK_BUDGET`.
    pub fn new() -> Fit {
        Fit { epochs: 1, batch_size: 32, validation: None, budget: Budget::current() }
    }

    /// How many times every example is seen.
    pub fn epochs(mut self, epochs: usize) -> Fit {
        self.epochs = epochs;
        self
    }

    /// How many examples each step looks at.
    pub fn batch_size(mut self, size: usize) -> Fit {
        self.batch_size = size;
        self
    }

    /// A set that is not learned from, measured after every epoch.
    pub fn validation(mut self, set: &TensorSet) -> Fit {
        self.validation = Some(set.clone());
        self
    }

    /// Another budget than that of `TCHALK_BUDGET`.
    pub fn budget(mut self, budget: Budget) -> Fit {
        self.budget = budget;
        self
    }
}

impl Model {
    /// Trains on `set`, and returns how it went. Training again goes on from where it ended.
    ///
    /// Every epoch goes through all examples once, in a new random order. Pressing stop ends it
    /// after the current batch: the weights stay as they are, and the finished epochs are returned.
    ///
    /// # Errors
    ///
    /// If the model is not compiled, a set is empty, without labels, or does not fit the network,
    /// or the loss stops being a number (the weights are then useless; the message says what to
    /// try).
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let shapes = datasets::shapes()?;
    /// let train = shapes.train.take(200).to_tensors(Device::Cpu);
    /// let model = Sequential::new()
    ///     .input_shape([3, 32, 32])
    ///     .add(Flatten)
    ///     .add(Dense::new(10))
    ///     .add(Softmax)
    ///     .build(Device::Cpu)?;
    /// model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
    /// let history = model.fit(&train, Fit::new().epochs(2))?;
    /// assert_eq!(history.len(), 2);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn fit(&self, set: &TensorSet, how: Fit) -> Result<History> {
        const OP: &str = "Model::fit";
        let inner = self.inner();
        compiled(inner, OP)?;
        check(OP, inner, set)?;
        check_labels(OP, inner, set)?;
        check_trainable(inner, OP)?;
        if how.batch_size == 0 {
            return Err(Error::invalid("Fit::batch_size", "at least 1", "0", "128 is usual."));
        }
        let allowed = how.budget.training(how.epochs, set.len(), inner.device);
        let set = set.first(allowed.examples);
        let validation = match how.validation {
            Some(validation) => {
                check("Fit::validation", inner, &validation)?;
                check_labels("Fit::validation", inner, &validation)?;
                Some(validation.first(how.budget.evaluation(validation.len(), inner.device)))
            }
            None => None,
        };
        let mut notes = Vec::new();
        if allowed.epochs < how.epochs || set.len() < set.total() {
            notes.push(format!(
                "budget {}: {} of {} epochs on {} of {} examples",
                how.budget.name(),
                allowed.epochs,
                how.epochs,
                crate::plot::thousands(set.len() as f64),
                crate::plot::thousands(set.total() as f64),
            ));
        }
        let mut history = History { epochs: Vec::new(), notes };
        let steps = set.len().div_ceil(how.batch_size);
        let mut progress = Progress::new(allowed.epochs, steps, history.notes.clone());
        let order_seed = runtime::seed::derive("fit") as u64;
        for number in 1..=allowed.epochs {
            let begun = Instant::now();
            let order = epoch_order(order_seed, number, set.len());
            let Some((loss, accuracy)) =
                epoch(inner, &set, &order, how.batch_size, (order_seed, number), &mut progress)?
            else {
                history.notes.push(format!("stopped in epoch {number}; the weights are kept"));
                break;
            };
            let measured = match &validation {
                Some(validation) => match measure(inner, validation, OP) {
                    Ok(measured) => Some(measured),
                    Err(Error::Interrupted { .. }) => None,
                    Err(error) => return Err(error),
                },
                None => None,
            };
            history.epochs.push(Epoch {
                number,
                loss,
                accuracy,
                val_loss: measured.map(|(loss, _)| loss),
                val_accuracy: measured.map(|(_, accuracy)| accuracy),
                seconds: begun.elapsed().as_secs_f64(),
            });
            progress.epoch_done(&history);
        }
        progress.finish(&history);
        Ok(history)
    }
}

/// What `compile` chose, or the error that says to compile.
pub(super) fn compiled(inner: &Inner, op: &str) -> Result<Loss> {
    inner.compiled().as_ref().map(|compiled| compiled.loss).ok_or_else(|| {
        let hint =
            "Try model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)? before it.";
        Error::invalid(op, "a compiled model", "one that is not", hint)
    })
}

/// Refuses a network in which nothing can be learned, and an optimiser that remembers other weights
/// than those it would get.
fn check_trainable(inner: &Inner, op: &str) -> Result<()> {
    let places = inner.trainable_places();
    if places.is_empty() {
        let hint = "unfreeze() sets all layers free, unfreeze_at(\"name\") one of them.";
        return Err(Error::invalid(op, "weights to train", "none", hint));
    }
    let mut compiled = inner.compiled();
    let Some(compiled) = compiled.as_mut() else { return Ok(()) };
    if *compiled.places.get_or_insert_with(|| places.clone()) == places {
        return Ok(());
    }
    Err(Error::invalid(
        op,
        "the weights that were trained before",
        "others: layers have been frozen or set free since",
        "Compile the model again.",
    ))
}

/// A random order of the examples, the same on every device.
fn epoch_order(seed: u64, epoch: usize, examples: usize) -> Tensor {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64);
    let mut order: Vec<i64> = (0..examples as i64).collect();
    crate::runtime::seed::shuffle(&mut order, &mut rng);
    Tensor::from_slice(&order)
}

/// One pass over the examples: the mean loss and accuracy, or nothing if the reader pressed stop.
fn epoch(
    inner: &Inner,
    set: &TensorSet,
    order: &Tensor,
    batch_size: usize,
    (seed, number): (u64, usize),
    progress: &mut Progress,
) -> Result<Option<(f64, f64)>> {
    let device = inner.device;
    let order = order.to_device(device);
    let (mut loss_sum, mut right, mut seen) = (None::<Tensor>, None::<Tensor>, 0);
    for (step, picked) in order.split(batch_size as i64, 0).into_iter().enumerate() {
        if interrupt::requested() {
            return Ok(None);
        }
        // Dropout draws from libtorch's one generator: started anew at every step, whatever else
        // has used it in between.
        tch::manual_seed(step_seed(seed, number, step));
        let (x, y) = set.pick(&picked, device);
        let y = y.expect("labels were checked");
        // The weights belong to this step until it is done.
        let access = inner.program.training();
        check_trainable(inner, "Model::fit")?;
        let weights = inner.trainable();
        let scores = access.scores(&x);
        let mut compiled = inner.compiled();
        let Compiled { optimizer, loss, steps, .. } =
            compiled.as_mut().expect("a compiled model stays compiled");
        let batch_loss = loss.of_scores(&scores, &y);
        let gradients = Tensor::run_backward(&[&batch_loss], &weights, false, false);
        no_grad(|| optimizer.update(*steps, &weights, &gradients));
        *steps += 1;
        drop((compiled, access));
        let count = x.size()[0];
        let (l, r) =
            no_grad(|| (batch_loss.detach() * count as f64, count_right(&scores.detach(), &y)));
        loss_sum = Some(loss_sum.map_or(l.shallow_clone(), |sum| sum + &l));
        right = Some(right.map_or(r.shallow_clone(), |sum| sum + &r));
        seen += count;
        // Reading a number back waits for the device, so it is done only when it will be shown.
        if progress.wants_update() {
            let mean = |sum: &Option<Tensor>| {
                sum.as_ref().map_or(f64::NAN, |sum| sum.double_value(&[]) / seen as f64)
            };
            let loss = mean(&loss_sum);
            check_finite(loss)?;
            progress.step_done(number, step + 1, loss, mean(&right));
        }
    }
    let mean = |sum: Option<Tensor>| {
        let sum = sum.expect("an empty set was refused").to_kind(Kind::Double);
        sum.double_value(&[]) / seen as f64
    };
    let loss = mean(loss_sum);
    check_finite(loss)?;
    Ok(Some((loss, mean(right))))
}

fn check_finite(loss: f64) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(Error::invalid(
        "Model::fit",
        "a loss that is a number",
        loss.to_string(),
        "Training has run away. Build the model anew and compile it with a smaller learning rate.",
    ))
}

/// A seed for each step, far from those of its neighbours.
fn step_seed(seed: u64, epoch: usize, step: usize) -> i64 {
    let mixed = seed ^ ((epoch as u64) << 40) ^ step as u64;
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 1) as i64
}
