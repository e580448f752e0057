//! Max pooling over the whole image.

use super::{Layer, Mode, Shape, image_axes};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// The largest value of each channel over the whole image: whether a pattern is there, not where.
/// It takes images of any size.
///
/// # Shapes
///
/// Input `[channels, height, width]`, output `[channels]`; no weights.
///
/// ```
/// use tchalk::layers::{GlobalMaxPool2d, Layer, Mode};
/// use tchalk::tch::Tensor;
/// let x = Tensor::from_slice2(&[[1f32, 2.0, 6.0], [-1.0, -2.0, -6.0]]).view([1, 2, 1, 3]);
/// let y = GlobalMaxPool2d.forward(&x, &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice2(&[[6f32, -1.0]]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalMaxPool2d;

impl Layer for GlobalMaxPool2d {
    fn kind(&self) -> &'static str {
        "global_max_pool2d"
    }

    fn repr(&self) -> String {
        "GlobalMaxPool2d".into()
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        let [channels, _, _] = image_axes(self, input, from)?;
        Ok(vec![channels])
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.amax([2i64, 3].as_slice(), false)
    }

    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        None
    }
}
