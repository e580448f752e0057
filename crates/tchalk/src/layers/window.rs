//! The moving window of convolution and pooling.

use super::{Layer, Padding, Shape, check_counts, check_size, image_axes};
use crate::error::{Error, Result};
use tch::Tensor;

/// A square window that moves over an image.
pub(crate) struct Window {
    pub(crate) size: usize,
    pub(crate) stride: usize,
    pub(crate) padding: Padding,
    /// The distance between neighboring pixels of the window; 1 for a window without gaps.
    pub(crate) dilation: usize,
    /// Whether a last window that extends beyond the edge counts.
    pub(crate) ceil: bool,
}

impl Window {
    /// The side of the window including its gaps.
    pub(crate) fn effective_size(&self) -> usize {
        (self.size - 1) * self.dilation + 1
    }

    /// Checks the window and returns the output's shape `[channels, height, width]`.
    pub(crate) fn output_shape(
        &self,
        layer: &dyn Layer,
        input: &Shape,
        from: &str,
    ) -> Result<[usize; 3]> {
        let settings =
            [("a window", self.size), ("a stride", self.stride), ("a dilation", self.dilation)];
        check_counts(layer, &settings)?;
        if let Padding::Explicit(pixels) = self.padding {
            check_counts(layer, &[("a padding", pixels.max(1))])?;
        }
        let [channels, height, width] = image_axes(layer, input, from)?;
        match (self.output_length(height), self.output_length(width)) {
            (Some(down), Some(across)) => {
                check_size(layer, &[channels, down, across])?;
                Ok([channels, down, across])
            }
            _ => {
                let least = match self.padding {
                    Padding::Explicit(pixels) => self.effective_size().saturating_sub(2 * pixels),
                    _ => self.effective_size(),
                };
                let hint = match channels == height && width < height.min(5) {
                    true => format!(
                        "The channels come first: input_shape([{width}, {channels}, {height}])."
                    ),
                    false => {
                        "Use fewer poolings before it, a smaller window, or larger images.".into()
                    }
                };
                Err(Error::invalid(
                    layer.repr(),
                    format!("images of at least {least} by {least} pixels"),
                    format!("{height} by {width} from {from:?}"),
                    hint,
                ))
            }
        }
    }

    fn output_length(&self, input: usize) -> Option<usize> {
        if !self.ceil || self.padding == Padding::Same {
            return self.padding.output_length(input, self.effective_size(), self.stride);
        }
        let (before, after) = self.padding.amounts(input, self.effective_size(), self.stride);
        let length =
            (input + before + after + self.stride - 1).checked_sub(self.effective_size())?;
        let count = length / self.stride + 1;
        // A window that would start in the padding at the end does not count.
        let outside = (count - 1) * self.stride >= input + before;
        Some(count - usize::from(outside))
    }

    /// Pads a batch of images with `value`. Equal padding on both sides is left to the operation itself
    /// and returned as rows and columns. Only unequal padding costs a copy.
    pub(crate) fn pad(&self, x: &Tensor, value: f64) -> (Tensor, [i64; 2]) {
        let size = x.size();
        let amounts = |axis: usize| {
            let length = size[axis] as usize;
            let (before, after) = self.padding.amounts(length, self.effective_size(), self.stride);
            (before as i64, after as i64)
        };
        let ((top, bottom), (left, right)) = (amounts(2), amounts(3));
        if top == bottom && left == right {
            (x.shallow_clone(), [top, left])
        } else {
            (x.pad([left, right, top, bottom], "constant", value), [0, 0])
        }
    }

    /// The stride along both axes, as libtorch wants it.
    pub(crate) fn strides(&self) -> [i64; 2] {
        [self.stride as i64; 2]
    }

    /// The dilation along both axes, as libtorch wants it.
    pub(crate) fn dilations(&self) -> [i64; 2] {
        [self.dilation as i64; 2]
    }

    /// The size along both axes, as libtorch wants it.
    pub(crate) fn sizes(&self) -> [i64; 2] {
        [self.size as i64; 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn along(
        size: usize,
        stride: usize,
        padding: Padding,
        ceil: bool,
        input: usize,
    ) -> Option<usize> {
        Window { size, stride, padding, dilation: 1, ceil }.output_length(input)
    }

    #[test]
    fn rounding_up_is_pytorch_s() {
        assert_eq!(along(3, 2, Padding::Valid, false, 54), Some(26));
        assert_eq!(along(3, 2, Padding::Valid, true, 54), Some(27));
        assert_eq!(along(3, 2, Padding::Valid, true, 2), Some(1), "smaller than the window");
        assert_eq!(
            along(2, 2, Padding::Explicit(1), true, 5),
            Some(3),
            "none begins in the padding"
        );
        assert_eq!(along(1, 3, Padding::Valid, true, 5), Some(2));
    }

    #[test]
    fn channels_on_the_last_axis_are_recognized() {
        let window =
            Window { size: 3, stride: 1, padding: Padding::Valid, dilation: 1, ceil: false };
        let refuse = |shape: [usize; 3]| {
            let layer = super::super::Conv2d::new(8, 3);
            window.output_shape(&layer, &shape.to_vec(), "input").unwrap_err().to_string()
        };
        assert!(refuse([28, 28, 1]).contains("come first: input_shape([1, 28, 28])"));
        assert!(refuse([64, 2, 2]).contains("fewer poolings"), "{}", refuse([64, 2, 2]));
    }

    #[test]
    fn gaps_make_a_window_larger() {
        let window =
            Window { size: 3, stride: 1, padding: Padding::Valid, dilation: 2, ceil: false };
        assert_eq!(window.effective_size(), 5);
        assert_eq!(window.output_length(7), Some(3));
    }
}
