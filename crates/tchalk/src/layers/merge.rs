//! What brings several values together: concatenation, sum and mean.

use super::{Named, Shape, config, shape_text};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// A step of a network that has several inputs and no weights.
pub trait Merge: std::fmt::Debug + Send + Sync {
    /// The name that automatic names are made of: `concatenate`, `concatenate_1`, …
    fn kind(&self) -> &'static str;

    /// The call that makes it, as messages and summaries show it: `Concatenate::new()`.
    fn written(&self) -> String;

    /// The output's shape for inputs of these shapes, which come from the layers named `from`.
    ///
    /// # Errors
    ///
    /// If they do not go together; the message says which and why.
    fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape>;

    /// The output for a batch: every input is `[batch, …its shape]`.
    fn forward(&self, inputs: &[Tensor]) -> Tensor;

    /// What makes it again, as saved models hold it.
    fn config(&self) -> serde_json::Value;

    /// A copy.
    fn boxed(&self) -> Box<dyn Merge>;

    /// The name that the reader gave, with [`Named`].
    fn given_name(&self) -> Option<String> {
        None
    }

    /// The same under a name of your own.
    fn named(self, name: &str) -> Named<Self>
    where
        Self: Sized,
    {
        Named::new(name, self)
    }
}

/// `[4, 8, 8] from "a" and [4, 9, 9] from "b"`.
fn listed(inputs: &[Shape], from: &[String]) -> String {
    let each =
        inputs.iter().zip(from).map(|(shape, name)| format!("{} from {name:?}", shape_text(shape)));
    each.collect::<Vec<_>>().join(" and ")
}

fn at_least_two(written: String, inputs: &[Shape], from: &[String]) -> Result<()> {
    if inputs.len() >= 2 {
        return Ok(());
    }
    let got = if inputs.is_empty() { "none".into() } else { listed(inputs, from) };
    Err(Error::invalid(written, "at least two inputs", got, "Try .call(&[a, b])."))
}

/// Puts values behind one another along their first axis: features after features, or channels after
/// channels.
///
/// # Shapes
///
/// Inputs `[n₁, …]`, `[n₂, …]`, equal after the first axis; output `[n₁ + n₂ + …, …]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Concatenate {}

impl Concatenate {
    /// Along the first axis.
    pub fn new() -> Concatenate {
        Concatenate {}
    }
}

impl Merge for Concatenate {
    fn kind(&self) -> &'static str {
        "concatenate"
    }

    fn written(&self) -> String {
        "Concatenate::new()".into()
    }

    fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape> {
        at_least_two(self.written(), inputs, from)?;
        if inputs.iter().any(|shape| shape.is_empty() || shape[1..] != inputs[0][1..]) {
            return Err(Error::invalid(
                self.written(),
                "inputs that are equal after their first axis",
                listed(inputs, from),
                "Pool or pad them to one size, or Flatten each of them, before.",
            ));
        }
        let mut shape = inputs[0].clone();
        shape[0] = inputs.iter().map(|shape| shape[0]).sum();
        Ok(shape)
    }

    fn forward(&self, inputs: &[Tensor]) -> Tensor {
        Tensor::cat(inputs, 1)
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn boxed(&self) -> Box<dyn Merge> {
        Box::new(*self)
    }
}

fn same_shape(written: String, inputs: &[Shape], from: &[String]) -> Result<Shape> {
    at_least_two(written.clone(), inputs, from)?;
    if inputs.iter().any(|shape| shape != &inputs[0]) {
        let hint = "A Conv2d of kernel 1 changes the number of channels, its stride the size.";
        return Err(Error::invalid(written, "inputs of one shape", listed(inputs, from), hint));
    }
    Ok(inputs[0].clone())
}

fn sum(inputs: &[Tensor]) -> Tensor {
    inputs[1..].iter().fold(inputs[0].shallow_clone(), |sum, x| sum + x)
}

/// Adds values up, number by number: how a residual network goes around its blocks.
///
/// # Shapes
///
/// Inputs of one shape, output like them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Add {}

impl Add {
    /// The sum.
    pub fn new() -> Add {
        Add {}
    }
}

impl Merge for Add {
    fn kind(&self) -> &'static str {
        "add"
    }

    fn written(&self) -> String {
        "Add::new()".into()
    }

    fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape> {
        same_shape(self.written(), inputs, from)
    }

    fn forward(&self, inputs: &[Tensor]) -> Tensor {
        sum(inputs)
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn boxed(&self) -> Box<dyn Merge> {
        Box::new(*self)
    }
}

/// The mean of several values, number by number.
///
/// # Shapes
///
/// Inputs of one shape, output like them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Average {}

impl Average {
    /// The mean.
    pub fn new() -> Average {
        Average {}
    }
}

impl Merge for Average {
    fn kind(&self) -> &'static str {
        "average"
    }

    fn written(&self) -> String {
        "Average::new()".into()
    }

    fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape> {
        same_shape(self.written(), inputs, from)
    }

    fn forward(&self, inputs: &[Tensor]) -> Tensor {
        sum(inputs) / inputs.len() as f64
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn boxed(&self) -> Box<dyn Merge> {
        Box::new(*self)
    }
}
