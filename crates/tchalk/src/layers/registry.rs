//! From a saved description back to a layer.

use super::{Add, Average, Concatenate, Conv2d, Dense, Dropout, Flatten, Layer, MaxPool2d, Merge};
use super::{Relu, Softmax};
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The layer that [`Layer::kind`] and [`Layer::config`] describe.
///
/// # Errors
///
/// If there is no layer of that kind, or the description is not one of its own.
///
/// ```
/// use tchalk::layers::{Dense, Layer, registry};
/// let dense = registry::from_config("dense", &Dense::new(10).config())?;
/// assert_eq!(dense.written(), "Dense::new(10)");
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn from_config(kind: &str, config: &Value) -> Result<Box<dyn Layer>> {
    fn layer<L: Layer + DeserializeOwned + 'static>(
        kind: &str,
        config: &Value,
    ) -> Result<Box<dyn Layer>> {
        Ok(Box::new(read::<L>(kind, config)?))
    }
    match kind {
        "conv2d" => layer::<Conv2d>(kind, config),
        "dense" => layer::<Dense>(kind, config),
        "dropout" => layer::<Dropout>(kind, config),
        "flatten" => layer::<Flatten>(kind, config),
        "max_pool2d" => layer::<MaxPool2d>(kind, config),
        "relu" => layer::<Relu>(kind, config),
        "softmax" => layer::<Softmax>(kind, config),
        _ => Err(unknown(kind)),
    }
}

/// What brings values together as [`Merge::kind`] and [`Merge::config`] describe it.
///
/// # Errors
///
/// If there is nothing of that kind, or the description is not one of its own.
pub fn merge_from_config(kind: &str, config: &Value) -> Result<Box<dyn Merge>> {
    fn merge<M: Merge + DeserializeOwned + 'static>(
        kind: &str,
        config: &Value,
    ) -> Result<Box<dyn Merge>> {
        Ok(Box::new(read::<M>(kind, config)?))
    }
    match kind {
        "add" => merge::<Add>(kind, config),
        "average" => merge::<Average>(kind, config),
        "concatenate" => merge::<Concatenate>(kind, config),
        _ => Err(unknown(kind)),
    }
}

fn read<T: DeserializeOwned>(kind: &str, config: &Value) -> Result<T> {
    serde_json::from_value(config.clone()).map_err(|error| {
        Error::invalid(format!("a saved layer {kind:?}"), "its description", error.to_string(), "")
    })
}

fn unknown(kind: &str) -> Error {
    Error::invalid(
        "a saved layer",
        "a kind that this version of tchalk knows",
        format!("{kind:?}"),
        "Was the model saved by a newer tchalk, or with a layer written in a notebook?",
    )
}
