//! The padding at the edges of an image.

use serde::{Deserialize, Serialize};

/// The padding at the edges of an image, over which a window moves.
///
/// ```
/// use tchalk::layers::{Conv2d, Layer, Padding};
/// let height = |padding| {
///     Conv2d::new(8, 3).stride(2).padding(padding).output_shape(&vec![3, 32, 32], "input")
/// };
/// assert_eq!(height(Padding::Valid)?, [8, 15, 15]);
/// assert_eq!(height(Padding::Same)?, [8, 16, 16]);
/// assert_eq!(height(Padding::Explicit(2))?, [8, 17, 17]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// No padding: the window stays inside, and the output is smaller. Keras's default.
    #[default]
    Valid,
    /// Padding that makes the output as large as the input, divided by the stride and rounded up. An odd
    /// pixel is added at the bottom and the right, as in Keras.
    Same,
    /// This many pixels on each of the four sides, as in PyTorch.
    Explicit(usize),
}

impl Padding {
    /// The length of the output along one axis, if the window fits.
    pub(crate) fn output_length(self, input: usize, window: usize, stride: usize) -> Option<usize> {
        match self {
            Padding::Same => Some(input.div_ceil(stride)),
            Padding::Valid | Padding::Explicit(_) => {
                let (before, after) = self.amounts(input, window, stride);
                Some((input + before + after).checked_sub(window)? / stride + 1)
            }
        }
    }

    /// The padding before and after along one axis.
    pub(crate) fn amounts(self, input: usize, window: usize, stride: usize) -> (usize, usize) {
        match self {
            Padding::Valid => (0, 0),
            Padding::Explicit(pixels) => (pixels, pixels),
            Padding::Same => {
                let total = ((input.div_ceil(stride) - 1) * stride + window).saturating_sub(input);
                (total / 2, total - total / 2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_keras_s() {
        assert_eq!(Padding::Valid.output_length(7, 3, 2), Some(3));
        assert_eq!(Padding::Valid.output_length(2, 3, 1), None);
        assert_eq!(Padding::Same.output_length(7, 3, 2), Some(4));
        assert_eq!(Padding::Explicit(1).output_length(7, 3, 2), Some(4));
        assert_eq!(Padding::Explicit(1).output_length(1, 3, 1), Some(1));
    }

    #[test]
    fn an_odd_pixel_is_added_at_the_end() {
        assert_eq!(Padding::Same.amounts(7, 3, 1), (1, 1));
        assert_eq!(Padding::Same.amounts(8, 3, 2), (0, 1));
        assert_eq!(Padding::Same.amounts(7, 2, 1), (0, 1));
        assert_eq!(Padding::Same.amounts(4, 1, 2), (0, 0), "a stride larger than the window");
    }
}
