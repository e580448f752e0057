//! What `compile` chooses, and what a compiled network keeps of its training.

use super::catch_panic::lock;
use super::measure::history::History;
use super::measure::leakage::TrainingFacts;
use super::measure::loss::{Loss, LossInput, class_count};
use super::measure::note::Note;
use super::optimizers::optimizer::Optimizer;
use super::optimizers::optimizer_state::OptimizerState;
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::layers::shape_text;
use crate::model::{Inner, Model, TrainingSlot};
use std::sync::MutexGuard;

/// What `compile` has chosen, and what has come of it.
pub(crate) struct Compiled {
    pub(crate) optimizer_state: OptimizerState,
    pub(crate) loss: Loss,
    pub(crate) loss_input: LossInput,
    /// The last training, as far as it went.
    pub(crate) history: History,
    /// What the network has been trained on, and which set chose its weights.
    pub(crate) training_facts: TrainingFacts,
}

/// What `compile` has chosen for a network, while nothing else can change it. The network keeps it
/// without knowing its type: the room `model` does not know how networks are trained.
pub(crate) struct CompiledGuard<'a>(MutexGuard<'a, TrainingSlot>);

impl CompiledGuard<'_> {
    pub(crate) fn as_ref(&self) -> Option<&Compiled> {
        self.0.as_ref()?.downcast_ref()
    }

    pub(crate) fn as_mut(&mut self) -> Option<&mut Compiled> {
        self.0.as_mut()?.downcast_mut()
    }

    fn set(&mut self, compiled: Compiled) {
        *self.0 = Some(Box::new(compiled));
    }
}

impl Inner {
    /// What `compile` has chosen. Hold it for a step at most, so that callbacks can look at it.
    pub(crate) fn compiled(&self) -> CompiledGuard<'_> {
        CompiledGuard(lock(&self.training))
    }
}

impl Model {
    /// Chooses how the network learns. Compiling again starts the optimizer anew; weights stay.
    ///
    /// # Errors
    ///
    /// If the optimizer's numbers make no sense, or the loss does not go with the last layer.
    pub fn compile(&self, optimizer: impl Optimizer + 'static, loss: Loss) -> Result<()> {
        let paths = self.weight_names();
        let inner = self.inner();
        let (last, written) = (inner.last_step().kind(), inner.last_repr());
        let loss_input = loss.input(&inner.output_shape(), last, &written)?;
        self.set_compiled(OptimizerState::new(Box::new(optimizer), &paths)?, loss, loss_input);
        Ok(())
    }

    fn set_compiled(&self, optimizer_state: OptimizerState, loss: Loss, loss_input: LossInput) {
        let mut compiled = self.inner().compiled();
        // Compiling again does not undo what the network has been trained on.
        let training_facts =
            compiled.as_mut().map(|before| std::mem::take(&mut before.training_facts));
        compiled.set(Compiled {
            optimizer_state,
            loss,
            loss_input,
            history: History::default(),
            training_facts: training_facts.unwrap_or_default(),
        });
    }

    /// The last training since `compile`, as far as it went: also where `fit` returned an error.
    /// Empty before the first.
    pub fn history(&self) -> History {
        let compiled = self.inner().compiled();
        compiled.as_ref().map(|compiled| compiled.history.clone()).unwrap_or_default()
    }

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

/// What `compile` chose, or the error that says to compile.
pub(crate) fn compiled_loss(inner: &Inner, op: &str) -> Result<(Loss, LossInput)> {
    let compiled = inner.compiled();
    compiled.as_ref().map(|compiled| (compiled.loss.clone(), compiled.loss_input)).ok_or_else(
        || {
            let hint =
                "Try model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)? before it.";
            Error::invalid(op, "a compiled model", "one that is not", hint)
        },
    )
}

/// What `fit` and `evaluate` cannot work with is said before anything runs.
pub(crate) fn check_input(op: &str, inner: &Inner, set: &TensorSet) -> Result<()> {
    if set.is_empty() {
        return Err(Error::invalid(op, "at least one example", "an empty set", ""));
    }
    if inner.graph.inputs.len() != 1 || inner.graph.outputs.len() != 1 {
        let (inputs, outputs) = (inner.graph.inputs.len(), inner.graph.outputs.len());
        let got = format!("{inputs} inputs and {outputs} outputs");
        let hint =
            "feature_extractor(\"name of a layer\") gives a network with one of the outputs.";
        return Err(Error::invalid(op, "a network of one input and one output", got, hint));
    }
    let input_shape = inner.input_shape();
    if set.example_shape() != input_shape {
        let hint = match (input_shape.first(), set.example_shape().first()) {
            (Some(1), Some(3)) | (Some(3), Some(1)) => {
                "The first number is the channels: 1 for gray images, 3 for color. Build the \
                 network with the input_shape of these images."
            }
            _ => "Build the network with the input_shape of these images.",
        };
        let expected = format!("examples {}", shape_text(&input_shape));
        return Err(Error::invalid(op, expected, shape_text(&set.example_shape()), hint));
    }
    Ok(())
}

/// Refuses a set without labels, or with labels that the network has no output for.
pub(crate) fn check_labels(op: &str, inner: &Inner, set: &TensorSet) -> Result<()> {
    let labels = set.labels().ok_or_else(|| {
        let hint = "predict() works without labels.";
        Error::invalid(op, "a set with labels", "one without", hint)
    })?;
    let classes = class_count(*inner.output_shape().first().unwrap_or(&0));
    let (smallest, largest) = (labels.min().int64_value(&[]), labels.max().int64_value(&[]));
    if largest >= classes as i64 || smallest < 0 {
        let hint = "The last Dense layer needs one unit for each class.";
        let got = format!("label {}", if smallest < 0 { smallest } else { largest });
        return Err(Error::invalid(op, format!("labels from 0 to {}", classes - 1), got, hint));
    }
    Ok(())
}
