//! Which step of a network's program belongs to a layer.

use crate::error::{Error, Result};
use crate::model::Model;

/// Layers that may follow a convolution as a part of its activation.
const NORMALIZATION: &str = "batch_norm2d";
const ACTIVATIONS: [&str; 8] =
    ["relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"];

/// The step of a layer whose output is `[filters, height, width]`.
pub(super) fn convolution_step(op: &str, model: &Model, layer: &str) -> Result<usize> {
    let step = model.step_index(op, layer)?;
    let shape = &model.inner().program.steps[step].shape;
    match shape.len() {
        3 => Ok(step),
        _ => Err(Error::invalid(
            format!("{op}({layer:?})"),
            "a layer with output [filters, height, width]",
            format!("{shape:?}"),
            format!("conv_layers() lists them: {}", model.conv_layers().join(", ")),
        )),
    }
}

/// The step after a layer's normalization and activation, where these are separate layers and no other
/// layer uses the values before them.
pub(super) fn after_activation(model: &Model, step: usize) -> usize {
    let program = &model.inner().program;
    let mut at = step;
    loop {
        let mut users = (0..program.steps.len()).filter(|&i| program.steps[i].inputs.contains(&at));
        let (Some(next), None) = (users.next(), users.next()) else { return at };
        match program.steps[next].kind() {
            _ if program.outputs.contains(&at) => return at,
            NORMALIZATION => at = next,
            kind if ACTIVATIONS.contains(&kind) => return next,
            _ => return at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::model;
    use super::*;

    #[test]
    fn an_output_is_read_after_its_activation() {
        let model = model();
        let step = model.step_index("test", "conv2d").unwrap();
        assert_eq!(model.inner().program.steps[after_activation(&model, step)].path, "relu");
    }
}
