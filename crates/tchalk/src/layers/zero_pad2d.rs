//! Zero padding around an image.

use super::{Layer, Mode, Shape, check_size, image_axes};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Adds a margin of zeros around images.
///
/// # Shapes
///
/// Input `[channels, height, width]`, output `[channels, top + height + bottom, left + width +
/// right]`; no weights.
///
/// ```
/// use tchalk::layers::{Layer, ZeroPad2d};
/// assert_eq!(ZeroPad2d::new(1).output_shape(&vec![3, 8, 8], "input")?, [3, 10, 10]);
/// let uneven = ZeroPad2d::sides(0, 1, 0, 2);
/// assert_eq!(uneven.output_shape(&vec![3, 8, 8], "input")?, [3, 9, 10]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroPad2d {
    top: usize,
    bottom: usize,
    left: usize,
    right: usize,
}

impl ZeroPad2d {
    /// `pixels` pixels on each of the four sides.
    pub fn new(pixels: usize) -> ZeroPad2d {
        ZeroPad2d::sides(pixels, pixels, pixels, pixels)
    }

    /// The padding of each side, in pixels.
    pub fn sides(top: usize, bottom: usize, left: usize, right: usize) -> ZeroPad2d {
        ZeroPad2d { top, bottom, left, right }
    }
}

impl Layer for ZeroPad2d {
    fn kind(&self) -> &'static str {
        "zero_pad2d"
    }

    fn repr(&self) -> String {
        let ZeroPad2d { top, bottom, left, right } = *self;
        if top == bottom && left == right && top == left {
            format!("ZeroPad2d::new({top})")
        } else {
            format!("ZeroPad2d::sides({top}, {bottom}, {left}, {right})")
        }
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        let [channels, height, width] = image_axes(self, input, from)?;
        let along =
            |before: usize, size: usize, after: usize| before.checked_add(size)?.checked_add(after);
        let sizes = (along(self.top, height, self.bottom), along(self.left, width, self.right));
        let (Some(height), Some(width)) = sizes else {
            return Err(Error::invalid(
                self.repr(),
                "a smaller margin",
                "more pixels than memory holds",
                "",
            ));
        };
        let output = vec![channels, height, width];
        check_size(self, &output)?;
        Ok(output)
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.constant_pad_nd([self.left, self.right, self.top, self.bottom].map(|n| n as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_has_its_own_padding() {
        let x = Tensor::from_slice(&[5f32]).view([1, 1, 1, 1]);
        let y = ZeroPad2d::sides(0, 1, 2, 0).forward(&x, &[], Mode::Inference);
        let expected = Tensor::from_slice2(&[[0f32, 0.0, 5.0], [0.0, 0.0, 0.0]]);
        assert_eq!(y, expected.view([1, 1, 2, 3]));
        let huge = ZeroPad2d::new(usize::MAX).output_shape(&vec![1, 1, 1], "input");
        assert!(huge.unwrap_err().to_string().contains("a smaller margin"));
    }
}
