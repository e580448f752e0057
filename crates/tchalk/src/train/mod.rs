//! How a network learns: compile, fit, evaluate, predict.

mod evaluation;
mod fit;
mod history;
mod loss;
mod optimizer;
mod predictions;
mod progress;
mod rmsprop;
mod sgd;

pub use evaluation::Evaluation;
pub use fit::Fit;
pub use history::{Epoch, History};
pub use loss::Loss;
pub use optimizer::Optimizer;
pub use predictions::Predictions;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

pub(crate) use evaluation::BATCH;
pub(crate) use predictions::largest;

use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::layers::shape_text;
use crate::model::{Inner, Model};
use tch::{Kind, Tensor};

/// What `compile` has chosen, and what the optimiser remembers from step to step.
pub(crate) struct Compiled {
    pub(crate) optimizer: Box<dyn Optimizer>,
    pub(crate) loss: Loss,
    /// Steps made since `compile`.
    pub(crate) steps: u64,
    /// Which weights the optimiser remembers something about: the networks' places of them.
    pub(crate) places: Option<Vec<usize>>,
}

impl Model {
    /// Chooses how the network learns. Compiling again starts the optimiser anew; weights stay.
    ///
    /// # Errors
    ///
    /// If the optimiser's numbers make no sense, or the loss does not go with the last layer.
    pub fn compile(&self, optimizer: impl Optimizer + 'static, loss: Loss) -> Result<()> {
        optimizer.check()?;
        let inner = self.inner();
        if loss == Loss::CategoricalCrossEntropy && !inner.ends_in_softmax() {
            let last = inner.last_written();
            return Err(Error::invalid(
                "Model::compile with CategoricalCrossEntropy",
                "a network that ends in Softmax",
                last,
                "Try adding Softmax as the last layer.",
            ));
        }
        let optimizer = Box::new(optimizer);
        *inner.compiled() = Some(Compiled { optimizer, loss, steps: 0, places: None });
        Ok(())
    }
}

/// What `fit` and `evaluate` cannot work with is said before anything runs.
pub(crate) fn check(op: &str, inner: &Inner, set: &TensorSet) -> Result<()> {
    if set.is_empty() {
        return Err(Error::invalid(op, "at least one example", "an empty set", ""));
    }
    if inner.graph.inputs.len() != 1 || inner.graph.outputs.len() != 1 {
        let (inputs, outputs) = (inner.graph.inputs.len(), inner.graph.outputs.len());
        let got = format!("{inputs} inputs and {outputs} outputs");
        let hint = "until(\"name of a layer\") gives a network with one of the outputs.";
        return Err(Error::invalid(op, "a network of one input and one output", got, hint));
    }
    let input_shape = inner.input_shape();
    if set.example_shape() != input_shape {
        let hint = match (input_shape.first(), set.example_shape().first()) {
            (Some(1), Some(3)) | (Some(3), Some(1)) => {
                "The first number is the channels: 1 for grey pictures, 3 for colour. Build the \
                 network with the input_shape of these pictures."
            }
            _ => "Build the network with the input_shape of these pictures.",
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
    let classes = *inner.output_shape().first().unwrap_or(&0);
    let largest = labels.max().int64_value(&[]);
    if largest >= classes as i64 || labels.min().int64_value(&[]) < 0 {
        let hint = "The last Dense layer needs one unit for each class.";
        let got = format!("label {largest}");
        return Err(Error::invalid(op, format!("labels from 0 to {}", classes - 1), got, hint));
    }
    Ok(())
}

/// How many of these scores are largest at the right label.
fn count_right(scores: &Tensor, labels: &Tensor) -> Tensor {
    scores.argmax(1, false).eq_tensor(labels).sum(Kind::Int64)
}
