//! Resizing of images.

use super::{Layer, Mode, Shape, check_counts, check_size, image_axes};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Resizes images: each new pixel is interpolated from its four neighbors (bilinear, with aligned pixel
/// centers, Keras's `Resizing`).
///
/// An image that becomes much smaller loses most of its pixels and looks rough.
/// [`antialias`](Resize::antialias) averages them instead, as photo software does.
///
/// # Shapes
///
/// Input `[channels, height, width]`, output `[channels, rows, columns]`; no weights.
///
/// ```
/// use tchalk::layers::{Layer, Mode, Resize};
/// use tchalk::tch::Tensor;
/// let x = Tensor::from_slice(&[0f32, 4.0]).view([1, 1, 1, 2]);
/// let y = Resize::new(1, 4).forward(&x, &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice(&[0f32, 1.0, 3.0, 4.0]).view([1, 1, 1, 4]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    rows: usize,
    columns: usize,
    antialias: bool,
}

impl Resize {
    /// Resizes to `rows` by `columns` pixels, whatever the aspect ratio.
    pub fn new(rows: usize, columns: usize) -> Resize {
        Resize { rows, columns, antialias: false }
    }

    /// Whether to average over all pixels where images become smaller.
    pub fn antialias(mut self, antialias: bool) -> Resize {
        self.antialias = antialias;
        self
    }
}

impl Layer for Resize {
    fn kind(&self) -> &'static str {
        "resize"
    }

    fn repr(&self) -> String {
        format!("Resize::new({}, {})", self.rows, self.columns)
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        let counts = [("a number of rows", self.rows), ("a number of columns", self.columns)];
        check_counts(self, &counts)?;
        let [channels, _, _] = image_axes(self, input, from)?;
        let output = vec![channels, self.rows, self.columns];
        check_size(self, &output)?;
        Ok(output)
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        let size = [self.rows as i64, self.columns as i64];
        if self.antialias {
            x.internal_upsample_bilinear2d_aa(size, false, None, None)
        } else {
            x.upsample_bilinear2d(size, false, None, None)
        }
    }

    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn antialias_averages_smaller_images() {
        let x = Tensor::from_slice(&[0f32, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0]).view([1, 1, 1, 8]);
        let rough = Resize::new(1, 2).forward(&x, &[], Mode::Inference);
        assert_eq!(rough, Tensor::from_slice(&[4f32, 0.0]).view([1, 1, 1, 2]));
        let smooth = Resize::new(1, 2).antialias(true).forward(&x, &[], Mode::Inference);
        let smooth = Vec::<f32>::try_from(smooth.flatten(0, -1)).unwrap();
        assert!(smooth[0] > 1.0 && smooth[0] < 3.0 && smooth[1] > 0.0, "{smooth:?}");
    }

    #[test]
    fn invalid_sizes_are_refused() {
        let error = Resize::new(0, 4).output_shape(&vec![3, 8, 8], "input").unwrap_err();
        assert!(error.to_string().contains("a number of rows of at least 1, got 0"));
        assert!(Resize::new(4, 4).output_shape(&vec![8], "flatten").is_err());
        assert!(Resize::new(1 << 24, 1 << 24).output_shape(&vec![3, 8, 8], "input").is_err());
    }
}
