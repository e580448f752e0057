//! Zero padding of channels.

use super::{Layer, Mode, Shape, check_counts, check_size, image_axes};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Adds channels of zeros before and after the others. With `MaxPool2d::new(1).stride(2)` before it,
/// the shortcut without weights of the first residual networks (He et al. 2015, option A).
///
/// # Shapes
///
/// Input `[channels, height, width]`, output `[before + channels + after, height, width]`; no weights.
///
/// ```
/// use tchalk::layers::{Layer, PadChannels};
/// assert_eq!(PadChannels::new(8, 8).output_shape(&vec![16, 32, 32], "input")?, [32, 32, 32]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PadChannels {
    before: usize,
    after: usize,
}

impl PadChannels {
    /// `before` channels before the others and `after` channels after them.
    pub fn new(before: usize, after: usize) -> PadChannels {
        PadChannels { before, after }
    }
}

impl Layer for PadChannels {
    fn kind(&self) -> &'static str {
        "pad_channels"
    }

    fn repr(&self) -> String {
        format!("PadChannels::new({}, {})", self.before, self.after)
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        let counts =
            [("channels before", self.before.max(1)), ("channels after", self.after.max(1))];
        check_counts(self, &counts)?;
        let [channels, height, width] = image_axes(self, input, from)?;
        let output = vec![self.before + channels + self.after, height, width];
        check_size(self, &output)?;
        Ok(output)
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.constant_pad_nd([0, 0, 0, 0, self.before as i64, self.after as i64])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_on_both_sides() {
        let x = Tensor::from_slice(&[5f32, 7.0]).view([1, 1, 1, 2]);
        let y = PadChannels::new(1, 1).forward(&x, &[], Mode::Inference);
        let expected = Tensor::from_slice(&[0f32, 0.0, 5.0, 7.0, 0.0, 0.0]);
        assert_eq!(y, expected.view([1, 3, 1, 2]));
        assert!(PadChannels::new(usize::MAX, 0).output_shape(&vec![1, 1, 1], "input").is_err());
    }
}
