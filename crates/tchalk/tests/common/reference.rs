//! Values that scripts in `tests/reference/` have written.

use std::collections::HashMap;
use tchalk::tch::Tensor;

/// The tensors of `tests/reference/{name}.safetensors`, by name.
pub fn reference(name: &str) -> HashMap<String, Tensor> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/");
    Tensor::read_safetensors(format!("{folder}{name}.safetensors")).unwrap().into_iter().collect()
}
