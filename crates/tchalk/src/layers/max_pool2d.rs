//! Max pooling.

use super::window::Window;
use super::{Layer, Mode, Padding, Shape};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// The largest value of each window: whether a pattern is there counts, not its exact position.
///
/// # Shapes
///
/// Input `[channels, height, width]`, output `[channels, height', width']`; no weights.
///
/// ```
/// use tchalk::prelude::*;
/// let model = Sequential::new()
///     .input_shape([3, 32, 32])
///     .add(MaxPool2d::new(2))
///     .build(Device::Cpu)?;
/// assert_eq!(model.output_shape(), [3, 16, 16]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool2d {
    pool: usize,
    stride: usize,
    padding: Padding,
    ceil: bool,
}

impl MaxPool2d {
    /// Windows of `pool` by `pool` pixels, without overlap.
    pub fn new(pool: usize) -> MaxPool2d {
        MaxPool2d { pool, stride: pool, padding: Padding::Valid, ceil: false }
    }

    /// The distance from one window to the next, in pixels. `MaxPool2d::new(1).stride(2)` keeps every
    /// other pixel.
    pub fn stride(mut self, stride: usize) -> MaxPool2d {
        self.stride = stride;
        self
    }

    /// The padding at the edges. A padded pixel is never the largest.
    pub fn padding(mut self, padding: Padding) -> MaxPool2d {
        self.padding = padding;
        self
    }

    /// Allows a last window that extends beyond the bottom and the right edge, so that no pixels are left
    /// out: PyTorch's `ceil_mode`.
    pub fn ceil(mut self) -> MaxPool2d {
        self.ceil = true;
        self
    }

    fn window(&self) -> Window {
        let (size, stride, padding) = (self.pool, self.stride, self.padding);
        Window { size, stride, padding, dilation: 1, ceil: self.ceil }
    }
}

/// Refuses explicit padding of more than half a window, since a window could then lie outside the image.
pub(super) fn check_padding(layer: &dyn Layer, pool: usize, padding: Padding) -> Result<()> {
    match padding {
        Padding::Explicit(pixels) if pixels > pool / 2 => Err(Error::invalid(
            format!("{}.padding(Padding::Explicit({pixels}))", layer.repr()),
            format!("at most half of the window, {}", pool / 2),
            pixels.to_string(),
            "",
        )),
        _ => Ok(()),
    }
}

impl Layer for MaxPool2d {
    fn kind(&self) -> &'static str {
        "max_pool2d"
    }

    fn repr(&self) -> String {
        format!("MaxPool2d::new({})", self.pool)
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        let output = self.window().output_shape(self, input, from)?;
        check_padding(self, self.pool, self.padding)?;
        Ok(output.to_vec())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        let window = self.window();
        let (x, inside) = window.pad(x, f64::NEG_INFINITY);
        let ceil = self.ceil && self.padding != Padding::Same;
        x.max_pool2d(window.sizes(), window.strides(), inside, [1, 1], ceil)
    }

    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        Some((self.pool, self.stride))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn ceil_mode_keeps_a_window_beyond_the_edge() {
        let x = Tensor::arange(25, (Kind::Float, Device::Cpu)).view([1, 1, 5, 5]);
        let pool = |layer: MaxPool2d| {
            let y = layer.forward(&x, &[], Mode::Inference);
            let shape = layer.output_shape(&vec![1, 5, 5], "input").unwrap();
            assert_eq!(y.size()[1..], shape.iter().map(|&n| n as i64).collect::<Vec<_>>());
            Vec::<f32>::try_from(y.flatten(0, -1)).unwrap()
        };
        assert_eq!(pool(MaxPool2d::new(2)), [6.0, 8.0, 16.0, 18.0]);
        let ceil = pool(MaxPool2d::new(2).ceil());
        assert_eq!(ceil, [6.0, 8.0, 9.0, 16.0, 18.0, 19.0, 21.0, 23.0, 24.0]);
        assert_eq!(pool(MaxPool2d::new(2).padding(Padding::Same).ceil()), ceil);
        assert_eq!(pool(MaxPool2d::new(1).stride(3)), [0.0, 3.0, 15.0, 18.0]);
    }

    #[test]
    fn invalid_settings_are_refused() {
        let refusal =
            |layer: MaxPool2d| layer.output_shape(&vec![6, 8, 8], "input").unwrap_err().to_string();
        assert!(refusal(MaxPool2d::new(0)).contains("a window of at least 1"));
        assert!(refusal(MaxPool2d::new(2).stride(0)).contains("a stride of at least 1"));
        assert!(refusal(MaxPool2d::new(9)).contains("at least 9 by 9 pixels, got 8 by 8"));
        let padded = MaxPool2d::new(3).padding(Padding::Explicit(2));
        assert!(refusal(padded).contains("at most half of the window, 1, got 2"));
    }
}
