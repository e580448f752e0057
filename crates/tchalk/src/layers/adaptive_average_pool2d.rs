//! Average pooling to a given size.

use super::{Layer, Mode, Shape, check_counts, check_size, image_axes};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Averages windows whose size gives an output of a fixed size for any input: VGG16 pools to 7 by 7
/// before its classifier. Where the input is smaller, pixels are repeated.
///
/// # Shapes
///
/// Input `[channels, height, width]`, output `[channels, rows, columns]`; no weights. Output row `i`
/// is the mean of the input rows from ⌊i × height / rows⌋ to ⌈(i + 1) × height / rows⌉, the end
/// excluded.
///
/// ```
/// use tchalk::layers::{AdaptiveAveragePool2d, Layer, Mode};
/// use tchalk::tch::Tensor;
/// let x = Tensor::from_slice(&[1f32, 2.0, 4.0]).view([1, 1, 1, 3]);
/// let y = AdaptiveAveragePool2d::new(1, 2).forward(&x, &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice(&[1.5f32, 3.0]).view([1, 1, 1, 2]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveAveragePool2d {
    rows: usize,
    columns: usize,
}

impl AdaptiveAveragePool2d {
    /// Pools to images of `rows` by `columns` pixels.
    pub fn new(rows: usize, columns: usize) -> AdaptiveAveragePool2d {
        AdaptiveAveragePool2d { rows, columns }
    }
}

impl Layer for AdaptiveAveragePool2d {
    fn kind(&self) -> &'static str {
        "adaptive_average_pool2d"
    }

    fn repr(&self) -> String {
        format!("AdaptiveAveragePool2d::new({}, {})", self.rows, self.columns)
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
        x.adaptive_avg_pool2d([self.rows as i64, self.columns as i64])
    }

    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_pooled_to_the_given_size() {
        let layer = AdaptiveAveragePool2d::new(7, 7);
        assert_eq!(layer.output_shape(&vec![512, 8, 20], "pool").unwrap(), [512, 7, 7]);
        assert_eq!(layer.output_shape(&vec![512, 1, 1], "pool").unwrap(), [512, 7, 7]);
        let error = AdaptiveAveragePool2d::new(0, 7).output_shape(&vec![512, 8, 8], "pool");
        assert!(error.unwrap_err().to_string().contains("a number of rows of at least 1"));
        assert!(layer.output_shape(&vec![512], "flatten").is_err());
    }
}
