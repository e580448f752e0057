//! A layer's description as it is saved.

use serde::Serialize;
use serde_json::Value;

/// The description of a layer as JSON: the fields of its struct.
pub(crate) fn of(layer: &impl Serialize) -> Value {
    serde_json::to_value(layer).expect("a layer's fields are numbers, texts and lists")
}
