//! How well a network does on a set.

use super::{check, check_labels, count_right};
use crate::data::TensorSet;
use crate::display::{Content, Show};
use crate::error::Result;
use crate::model::{Inner, Model};
use crate::runtime::{Budget, interrupt};
use tch::{Tensor, no_grad};

/// How many examples go through the network at a time where nothing is learned.
pub(crate) const BATCH: i64 = 500;

/// Loss and accuracy over a whole set.
#[derive(Clone, PartialEq)]
pub struct Evaluation {
    /// The mean loss over all examples.
    pub loss: f64,
    /// The fraction of examples whose most probable class is the right one.
    pub accuracy: f64,
    /// How many examples that was measured on.
    pub examples: usize,
    /// What a budget left out; empty if nothing.
    note: String,
}

impl Evaluation {
    /// What was measured on so many examples; the note says what a budget left out.
    pub(crate) fn new(loss: f64, accuracy: f64, examples: usize, note: String) -> Evaluation {
        Evaluation { loss, accuracy, examples, note }
    }

    /// Half the width of the accuracy's 95 % interval: what chance alone could do with so many
    /// examples (normal approximation).
    pub fn margin(&self) -> f64 {
        1.96 * (self.accuracy * (1.0 - self.accuracy) / self.examples as f64).sqrt()
    }
}

impl std::fmt::Debug for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "loss {:.4}, accuracy {:.2} % (± {:.2} %) on {} examples",
            self.loss,
            100.0 * self.accuracy,
            100.0 * self.margin(),
            crate::plot::thousands(self.examples as f64),
        )?;
        if self.note.is_empty() { Ok(()) } else { write!(f, "\n{}", self.note) }
    }
}

impl Show for Evaluation {
    fn content(&self) -> Content {
        Content::text(format!("{self:?}"))
    }
}

impl Model {
    /// Measures loss and accuracy on `set`, over all its examples at once.
    ///
    /// # Errors
    ///
    /// If the model is not compiled, the set has no labels or does not fit the network, or the
    /// reader pressed stop.
    pub fn evaluate(&self, set: &TensorSet) -> Result<Evaluation> {
        let inner = self.inner();
        check("Model::evaluate", inner, set)?;
        check_labels("Model::evaluate", inner, set)?;
        let kept = Budget::current().evaluation(set.len(), inner.device);
        let note = match kept < set.len() {
            true => {
                format!("budget {}: {kept} of {} examples", Budget::current().name(), set.len())
            }
            false => String::new(),
        };
        let (loss, accuracy) = measure(inner, &set.first(kept), "Model::evaluate")?;
        Ok(Evaluation { loss, accuracy, examples: kept, note })
    }
}

/// Mean loss and accuracy over `set`, in inference mode.
pub(super) fn measure(inner: &Inner, set: &TensorSet, op: &str) -> Result<(f64, f64)> {
    let loss = super::fit::compiled(inner, op)?;
    let mut sums: Option<(Tensor, Tensor)> = None;
    for (x, y) in set.batches(BATCH, inner.device) {
        if interrupt::requested() {
            return Err(crate::Error::Interrupted { op: op.into() });
        }
        let y = y.expect("labels were checked");
        let (l, r) = no_grad(|| {
            let scores = inner.program.using().scores(&x);
            (loss.of_scores(&scores, &y) * x.size()[0] as f64, count_right(&scores, &y))
        });
        sums = Some(match sums {
            Some((loss, right)) => (loss + l, right + r),
            None => (l, r),
        });
    }
    let (loss, right) = sums.expect("an empty set was refused");
    let n = set.len() as f64;
    Ok((loss.double_value(&[]) / n, right.double_value(&[]) / n))
}
