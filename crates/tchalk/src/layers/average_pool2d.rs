//! Average pooling.

use super::max_pool2d::check_padding;
use super::window::Window;
use super::{Layer, Mode, Padding, Shape};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// The mean of each window. As in Keras, padding does not count: at the edges it is the mean of the
/// image's own pixels.
///
/// # Shapes
///
/// Input `[channels, height, width]`, output `[channels, height', width']`; no weights.
///
/// ```
/// use tchalk::layers::{AveragePool2d, Layer, Mode};
/// use tchalk::tch::Tensor;
/// let x = Tensor::from_slice2(&[[1f32, 2.0], [3.0, 4.0]]).view([1, 1, 2, 2]);
/// let y = AveragePool2d::new(2).forward(&x, &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice(&[2.5f32]).view([1, 1, 1, 1]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AveragePool2d {
    pool: usize,
    stride: usize,
    padding: Padding,
}

impl AveragePool2d {
    /// Windows of `pool` by `pool` pixels, without overlap.
    pub fn new(pool: usize) -> AveragePool2d {
        AveragePool2d { pool, stride: pool, padding: Padding::Valid }
    }

    /// The distance from one window to the next, in pixels.
    pub fn stride(mut self, stride: usize) -> AveragePool2d {
        self.stride = stride;
        self
    }

    /// The padding at the edges.
    pub fn padding(mut self, padding: Padding) -> AveragePool2d {
        self.padding = padding;
        self
    }

    fn window(&self) -> Window {
        let (size, stride, padding) = (self.pool, self.stride, self.padding);
        Window { size, stride, padding, dilation: 1, ceil: false }
    }
}

impl Layer for AveragePool2d {
    fn kind(&self) -> &'static str {
        "average_pool2d"
    }

    fn repr(&self) -> String {
        format!("AveragePool2d::new({})", self.pool)
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        let output = self.window().output_shape(self, input, from)?;
        check_padding(self, self.pool, self.padding)?;
        Ok(output.to_vec())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        let window = self.window();
        let mean = |x: &Tensor| {
            let (x, inside) = window.pad(x, 0.0);
            let uneven = x.size();
            let y = x.avg_pool2d(window.sizes(), window.strides(), inside, false, false, None);
            (y, uneven)
        };
        let (y, padded) = mean(x);
        if padded == x.size() {
            return y;
        }
        // Padded zeros do not count: divide by the share of the window inside the image.
        let size = x.size();
        let there = Tensor::ones([1, 1, size[2], size[3]], (Kind::Float, x.device()));
        y / mean(&there).0.to_kind(x.kind())
    }

    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        Some((self.pool, self.stride))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    #[test]
    fn padding_does_not_count() {
        let x = Tensor::ones([1, 2, 5, 4], (Kind::Float, Device::Cpu));
        for (pool, stride) in [(2, 1), (2, 2), (3, 1), (3, 2), (4, 3)] {
            let layer = AveragePool2d::new(pool).stride(stride).padding(Padding::Same);
            let y = layer.forward(&x, &[], Mode::Inference);
            assert_eq!(y, y.ones_like(), "{layer:?}");
        }
        let layer = AveragePool2d::new(3).stride(1).padding(Padding::Explicit(1));
        assert_eq!(layer.forward(&x, &[], Mode::Inference), x);
    }

    #[test]
    fn invalid_settings_are_refused() {
        let refusal = |layer: AveragePool2d| {
            layer.output_shape(&vec![6, 8, 8], "input").unwrap_err().to_string()
        };
        assert!(refusal(AveragePool2d::new(0)).contains("a window of at least 1"));
        assert!(refusal(AveragePool2d::new(2).stride(0)).contains("a stride of at least 1"));
        let padded = AveragePool2d::new(2).padding(Padding::Explicit(2));
        assert!(refusal(padded).contains("at most half of the window, 1, got 2"));
    }
}
