//! How a network learns: compile, fit, evaluate, predict.

mod adam;
mod adamw;
mod clip;
mod descent;
mod evaluation;
mod fit;
mod fused;
mod history;
mod loss;
mod metric;
mod optimizer;
mod predictions;
mod progress;
mod rmsprop;
mod schedule;
mod sgd;

pub use adam::Adam;
pub use adamw::AdamW;
pub use evaluation::Evaluation;
pub use fit::Fit;
pub use history::{Epoch, History};
pub use loss::Loss;
pub use metric::Metric;
pub use optimizer::{Memory, Optimizer, Options};
pub use predictions::Predictions;
pub use rmsprop::RmsProp;
pub use schedule::Schedule;
pub use sgd::Sgd;

use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::layers::{Mode, shape_text};
use crate::model::{Inner, Model};
use descent::Descent;
use loss::Reading;
use tch::{Kind, Tensor};

/// What `compile` has chosen, and what the optimiser remembers from step to step.
pub(crate) struct Compiled {
    pub(crate) descent: Descent,
    pub(crate) loss: Loss,
    pub(crate) reading: Reading,
}

impl Model {
    /// Chooses how the network learns. Compiling again starts the optimiser anew; weights stay.
    ///
    /// # Errors
    ///
    /// If the optimiser's numbers make no sense, or the loss does not go with the last layer.
    pub fn compile(&self, optimizer: impl Optimizer + 'static, loss: Loss) -> Result<()> {
        let paths = self.weight_names();
        let mut inner = self.lock();
        let last = &inner.nodes.last().expect("a network has layers").layer;
        let reading = loss.reading(&inner.output_shape(), last.kind(), &last.written())?;
        let descent = Descent::new(Box::new(optimizer), &paths)?;
        inner.compiled = Some(Compiled { descent, loss, reading });
        Ok(())
    }
}

/// What `fit` and `evaluate` cannot work with is said before anything runs.
fn check(op: &str, inner: &Inner, set: &TensorSet) -> Result<()> {
    if set.is_empty() {
        return Err(Error::invalid(op, "at least one example", "an empty set", ""));
    }
    if set.example_shape() != inner.input_shape {
        let hint = match (inner.input_shape.first(), set.example_shape().first()) {
            (Some(1), Some(3)) | (Some(3), Some(1)) => {
                "The first number is the channels: 1 for grey pictures, 3 for colour. Build the \
                 network with the input_shape of these pictures."
            }
            _ => "Build the network with the input_shape of these pictures.",
        };
        let expected = format!("examples {}", shape_text(&inner.input_shape));
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
    let classes = loss::classes_of(*inner.output_shape().first().unwrap_or(&0));
    let largest = labels.max().int64_value(&[]);
    if largest >= classes as i64 || labels.min().int64_value(&[]) < 0 {
        let hint = "The last Dense layer needs one unit for each class.";
        let got = format!("label {largest}");
        return Err(Error::invalid(op, format!("labels from 0 to {}", classes - 1), got, hint));
    }
    Ok(())
}

/// What the loss reads: the outputs, or what comes before a final softmax or sigmoid.
fn outputs(inner: &Inner, reading: Reading, x: &Tensor, mode: Mode) -> Tensor {
    let count = inner.nodes.len() - usize::from(reading.before_last);
    inner.forward_through(count, x, mode)
}

/// How many of these outputs name the right label.
fn count_right(reading: Reading, outputs: &Tensor, labels: &Tensor) -> Tensor {
    loss::named_class(reading.form, outputs).eq_tensor(labels).sum(Kind::Int64)
}
