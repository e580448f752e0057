//! What turns gradients into better weights.

use crate::error::{Error, Result};
use tch::Tensor;

/// What turns gradients into better weights.
pub trait Optimizer: std::fmt::Debug + Send {
    /// Changes `weights` in place, given their `gradients` in the same order. `step` counts from 0.
    /// Called without gradient tracking; a weight keeps its place from call to call.
    fn update(&mut self, step: u64, weights: &[Tensor], gradients: &[Tensor]);

    /// Whether the numbers make sense.
    ///
    /// # Errors
    ///
    /// If not, saying which.
    fn check(&self) -> Result<()>;
}

/// A learning rate is a small number that is not negative.
pub(crate) fn check_rate(op: &str, rate: f64) -> Result<()> {
    if rate.is_finite() && rate >= 0.0 {
        return Ok(());
    }
    let hint = "1e-3 is a usual learning rate.";
    Err(Error::invalid(op, "a learning rate of 0 or more", rate.to_string(), hint))
}

/// A fraction such as a momentum lies from 0 to below 1.
pub(crate) fn check_fraction(op: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(op, "a number from 0 to below 1", value.to_string(), ""))
}
