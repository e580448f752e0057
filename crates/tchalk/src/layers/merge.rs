//! Layers with several inputs.

use super::{Named, Settings, Shape, shape_text};
use crate::error::{Error, Result};
use tch::Tensor;

/// A layer with several inputs, one output and no weights.
pub trait Merge: Settings {
    /// The stem of automatic names, and its name in saved models: `add` becomes `add`, `add_1`, …
    fn kind(&self) -> &'static str;

    /// The call that creates it, as messages and summaries show it: `Concatenate::new()`.
    fn repr(&self) -> String;

    /// The output's shape for inputs of these shapes from the layers named `from`.
    ///
    /// # Errors
    ///
    /// If the inputs do not fit together. The message names the first that does not fit.
    fn output_shape(&self, inputs: &[Shape], from: &[String]) -> Result<Shape>;

    /// The output for batches, each `[batch, …its shape]`.
    fn forward(&self, inputs: &[Tensor]) -> Tensor;

    /// The same under a name of your own.
    fn named(self, name: &str) -> Named<Self>
    where
        Self: Sized,
    {
        Named::new(name, self)
    }
}

/// The shape that all inputs share.
pub(super) fn same_shapes(merge: &dyn Merge, inputs: &[Shape], from: &[String]) -> Result<Shape> {
    let first = first(merge, inputs)?;
    match inputs.iter().position(|shape| shape != first) {
        None => Ok(first.clone()),
        Some(other) => Err(Error::invalid(
            merge.repr(),
            "inputs of one shape",
            both(inputs, from, other),
            "A Conv2d with kernel 1 changes the number of channels, a stride or a pooling the size.",
        )),
    }
}

/// The shape of the inputs side by side along their first axis.
pub(super) fn concatenated_shape(
    merge: &dyn Merge,
    inputs: &[Shape],
    from: &[String],
) -> Result<Shape> {
    let first = first(merge, inputs)?;
    if first.is_empty() {
        return Err(Error::invalid(merge.repr(), "images or vectors", "single numbers", ""));
    }
    if let Some(other) = inputs.iter().position(|shape| shape.get(1..) != first.get(1..)) {
        let hint = if first.len() == 1 || inputs[other].len() == 1 {
            "Flatten each of the images, or GlobalAveragePool2d, before."
        } else {
            "Pool or pad them to one size, or Flatten each of them, before."
        };
        let expected = "inputs that are equal after their first axis";
        return Err(Error::invalid(merge.repr(), expected, both(inputs, from, other), hint));
    }
    let mut shape = first.clone();
    let total = inputs.iter().try_fold(0usize, |sum, shape| sum.checked_add(shape[0]));
    shape[0] = total.ok_or_else(|| {
        Error::invalid(merge.repr(), "inputs that fit into memory", both(inputs, from, 0), "")
    })?;
    Ok(shape)
}

fn first<'a>(merge: &dyn Merge, inputs: &'a [Shape]) -> Result<&'a Shape> {
    if inputs.len() >= 2 {
        return Ok(&inputs[0]);
    }
    let got = inputs.len().to_string();
    Err(Error::invalid(merge.repr(), "at least two inputs", got, "Try .call(&[a, b])."))
}

/// The first input and the one that does not fit it.
fn both(inputs: &[Shape], from: &[String], other: usize) -> String {
    let one = |at: usize| {
        let name = from.get(at).map_or("?", String::as_str);
        format!("{} from {name:?}", shape_text(&inputs[at]))
    };
    format!("{} and {}", one(0), one(other))
}

#[cfg(test)]
mod tests {
    use super::super::{Add, Average, Concatenate};
    use super::*;

    fn shape(merge: &dyn Merge, inputs: &[&[usize]]) -> Result<Shape> {
        let inputs: Vec<Shape> = inputs.iter().map(|shape| shape.to_vec()).collect();
        merge.output_shape(&inputs, &["a".into(), "b".into(), "c".into()])
    }

    #[test]
    fn channels_add_up() {
        let three: [&[usize]; 3] = [&[2, 4, 5], &[3, 4, 5], &[2, 4, 5]];
        assert_eq!(shape(&Concatenate, &three).unwrap(), [7, 4, 5]);
        assert_eq!(shape(&Concatenate, &[&[10], &[10]]).unwrap(), [20]);
    }

    #[test]
    fn inputs_that_do_not_fit_are_named() {
        let error = shape(&Concatenate, &[&[2, 4, 5], &[2, 4, 5], &[2, 3, 5]]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Concatenate::new(): expected inputs that are equal after their first axis, \
             got [2, 4, 5] from \"a\" and [2, 3, 5] from \"c\".\n\
             Pool or pad them to one size, or Flatten each of them, before."
        );
        let error = shape(&Concatenate, &[&[2, 4, 5], &[10]]).unwrap_err().to_string();
        assert!(error.contains("Flatten each"), "{error}");
        for merge in [&Add as &dyn Merge, &Average] {
            let error = shape(merge, &[&[2, 4, 5], &[3, 4, 5]]).unwrap_err().to_string();
            assert!(error.contains("inputs of one shape, got [2, 4, 5] from \"a\""), "{error}");
            assert_eq!(shape(merge, &[&[2, 4, 5], &[2, 4, 5]]).unwrap(), [2, 4, 5]);
            assert!(shape(merge, &[]).is_err());
        }
        assert!(shape(&Concatenate, &[]).is_err());
        assert!(shape(&Concatenate, &[&[], &[]]).is_err());
        assert!(shape(&Concatenate, &[&[usize::MAX], &[1]]).is_err());
    }
}
