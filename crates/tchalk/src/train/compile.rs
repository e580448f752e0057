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

/// What `compile` has chosen for a network, and the results of its training.
pub(crate) struct Compiled {
    pub(crate) optimizer_state: OptimizerState,
    pub(crate) loss: Loss,
    pub(crate) loss_input: LossInput,
    /// The history of the last training.
    pub(crate) history: History,
    /// The examples that the network was trained on, and the set that chose its weights.
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
    /// Chooses optimizer and loss. Compiling again resets the optimizer; the weights stay.
    ///
    /// # Errors
    ///
    /// If a number of the optimizer is out of range, or the loss does not fit the last layer.
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

    /// The history of the last training since `compile`, also where `fit` returned an error. Empty
    /// before the first training.
    pub fn history(&self) -> History {
        let compiled = self.inner().compiled();
        compiled.as_ref().map(|compiled| compiled.history.clone()).unwrap_or_default()
    }

    /// Compiles this network like another one of the same form, with a new optimizer state.
    ///
    /// # Errors
    ///
    /// If the other is not compiled.
    pub(crate) fn compile_like(&self, other: &Model, op: &str) -> Result<()> {
        let (loss, loss_input) = compiled_loss(other.inner(), op)?;
        let state = other.inner().compiled().as_ref().map(|it| it.optimizer_state.restarted());
        self.set_compiled(state.expect("it is compiled"), loss, loss_input);
        Ok(())
    }

    /// Refuses a network that is not compiled.
    pub(crate) fn check_compiled(&self, op: &str) -> Result<()> {
        compiled_loss(self.inner(), op).map(drop)
    }

    /// What the network was trained on.
    pub(crate) fn training_facts(&self) -> TrainingFacts {
        let compiled = self.inner().compiled();
        compiled.as_ref().map(|compiled| compiled.training_facts.clone()).unwrap_or_default()
    }

    /// The notes on a result of this network on `set`.
    pub(crate) fn leakage_notes(&self, set: &TensorSet) -> Vec<Note> {
        self.training_facts().leakage_notes(set)
    }

    /// Copies what another network was trained on, of which this one is a copy.
    pub(crate) fn copy_training_facts(&self, other: &Model) {
        let seen = other.training_facts();
        if let Some(compiled) = self.inner().compiled().as_mut() {
            compiled.training_facts = seen;
        }
    }
}

/// The loss that `compile` chose, or the error that the network is not compiled.
pub(crate) fn compiled_loss(inner: &Inner, op: &str) -> Result<(Loss, LossInput)> {
    let compiled = inner.compiled();
    compiled.as_ref().map(|compiled| (compiled.loss.clone(), compiled.loss_input)).ok_or_else(
        || {
            let hint =
                "Call model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)? first.";
            Error::invalid(op, "a compiled model", "one that is not", hint)
        },
    )
}

/// Refuses a set that does not fit the network.
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

/// Refuses a set without labels, or with labels for which the network has no output.
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
