//! Pooling: a picture made smaller by keeping the largest value of each window.

use super::conv2d::pad_for;
use super::{Layer, Mode, Padding, Shape, config, picture_axes};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Keeps the largest value of each window: what was found counts, where exactly does not.
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
pub struct MaxPool2d {
    pool: usize,
    stride: usize,
    padding: Padding,
}

impl MaxPool2d {
    /// Windows of `pool` by `pool` pixels, side by side.
    pub fn new(pool: usize) -> MaxPool2d {
        MaxPool2d { pool, stride: pool, padding: Padding::Valid }
    }

    /// How many pixels from one window to the next.
    pub fn stride(mut self, stride: usize) -> MaxPool2d {
        self.stride = stride;
        self
    }

    /// How the edges are treated.
    pub fn padding(mut self, padding: Padding) -> MaxPool2d {
        self.padding = padding;
        self
    }
}

impl Layer for MaxPool2d {
    fn kind(&self) -> &'static str {
        "max_pool2d"
    }

    fn written(&self) -> String {
        format!("MaxPool2d::new({})", self.pool)
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        if self.pool == 0 || self.stride == 0 {
            let got = format!("pool {}, stride {}", self.pool, self.stride);
            return Err(Error::invalid(self.written(), "at least 1 of each", got, ""));
        }
        let [channels, height, width] = picture_axes(self, input, from)?;
        let length = |input| self.padding.output_length(input, self.pool, self.stride);
        match (length(height), length(width)) {
            (Some(height), Some(width)) => Ok(vec![channels, height, width]),
            _ => Err(Error::invalid(
                self.written(),
                format!("pictures of at least {0} by {0} pixels", self.pool),
                format!("{height} by {width} from {from:?}"),
                "There is nothing left to pool: use fewer poolings, or larger pictures.",
            )),
        }
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        let (pool, stride) = (self.pool as i64, self.stride as i64);
        let (x, inside) = pad_for(x, self.padding, self.pool, self.stride, f64::NEG_INFINITY);
        x.max_pool2d([pool, pool], [stride, stride], inside, [1, 1], false)
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn window(&self) -> Option<(usize, usize)> {
        Some((self.pool, self.stride))
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
    }
}
