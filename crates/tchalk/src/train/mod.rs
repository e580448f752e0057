//! How a network learns: compile, fit, evaluate, predict.
//!
//! [`Fit`] says how long and on how much; a [`Run`] is training under way, as a [`Callback`] sees it;
//! a [`History`] is how it went. Optimizers, losses, schedules and callbacks stand in a file each.

mod adam;
mod adamw;
mod alike;
mod augment;
mod batch_source;
mod budget_clock;
mod callback;
mod callbacks;
mod checkpoint_file;
mod clip;
mod epoch;
mod evaluation;
mod feature_cache;
mod fit;
mod fused;
mod history;
mod leakage;
mod learning_rate_finder;
mod loss;
mod memory_layout;
mod metric;
mod note;
mod optimizer;
mod optimizer_state;
mod precision;
mod predictions;
mod preparing;
mod progress;
mod random;
mod replicas;
mod rmsprop;
mod run;
mod schedule;
mod sgd;
mod train_step;
mod trainer;

pub use adam::Adam;
pub use adamw::AdamW;
pub use augment::Augment;
pub use callback::{Callback, CallbackResult, CallbackState};
pub use callbacks::{
    Checkpoint, CsvLog, EarlyStopping, MovingAverage, Print, ReduceOnPlateau, StopAt,
};
pub use evaluation::Evaluation;
pub use fit::Fit;
pub use history::{Epoch, History};
pub use learning_rate_finder::{LearningRateCurve, LearningRateFinder};
pub use loss::Loss;
pub use metric::Metric;
pub use note::{Note, Shortened, StoppedAt};
pub use optimizer::{Optimizer, OptimizerOptions, Slots};
pub use precision::Precision;
pub use predictions::Predictions;
pub use rmsprop::RmsProp;
pub use run::Run;
pub use schedule::Schedule;
pub use sgd::Sgd;

pub(crate) use batch_source::inference_batch_size;
pub(crate) use evaluation::{Z_95, wilson_interval};
pub(crate) use leakage::{TrainingFacts, leakage_notes_of_all, set_fingerprint};
pub(crate) use loss::LossInput;
pub(crate) use memory_layout::channels_last_on_cpu;
pub(crate) use optimizer_state::OptimizerSummary;
pub(crate) use predictions::argmax;
pub(crate) use train_step::catch_torch_error;

use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::layers::shape_text;
use crate::model::{Inner, Model};
use optimizer_state::OptimizerState;
use tch::{Kind, Tensor};

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
        let reading = loss.input(&inner.output_shape(), last, &written)?;
        self.set_compiled(OptimizerState::new(Box::new(optimizer), &paths)?, loss, reading);
        Ok(())
    }

    fn set_compiled(&self, descent: OptimizerState, loss: Loss, reading: LossInput) {
        let mut compiled = self.inner().compiled();
        // What has been seen does not become unseen.
        let seen = compiled.take().map(|before| before.training_facts).unwrap_or_default();
        let history = History::default();
        *compiled = Some(Compiled {
            optimizer_state: descent,
            loss,
            loss_input: reading,
            history,
            training_facts: seen,
        });
    }

    /// The last training since `compile`, as far as it went: also where `fit` returned an error.
    /// Empty before the first.
    pub fn history(&self) -> History {
        let compiled = self.inner().compiled();
        compiled.as_ref().map(|compiled| compiled.history.clone()).unwrap_or_default()
    }
}

/// What `compile` chose, or the error that says to compile.
fn compiled_loss(inner: &Inner, op: &str) -> Result<(Loss, LossInput)> {
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
fn check_labels(op: &str, inner: &Inner, set: &TensorSet) -> Result<()> {
    let labels = set.labels().ok_or_else(|| {
        let hint = "predict() works without labels.";
        Error::invalid(op, "a set with labels", "one without", hint)
    })?;
    let classes = loss::class_count(*inner.output_shape().first().unwrap_or(&0));
    let (smallest, largest) = (labels.min().int64_value(&[]), labels.max().int64_value(&[]));
    if largest >= classes as i64 || smallest < 0 {
        let hint = "The last Dense layer needs one unit for each class.";
        let got = format!("label {}", if smallest < 0 { smallest } else { largest });
        return Err(Error::invalid(op, format!("labels from 0 to {}", classes - 1), got, hint));
    }
    Ok(())
}

/// How many of these outputs name the right label.
fn count_correct(reading: LossInput, outputs: &Tensor, labels: &Tensor) -> Tensor {
    loss::predicted_class(reading, outputs).eq_tensor(labels).sum(Kind::Int64)
}
