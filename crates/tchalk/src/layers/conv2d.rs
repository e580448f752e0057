//! Two-dimensional convolution: the same small pattern looked for everywhere in a picture.

use super::{Initializer, Layer, LayerId, Mode, Padding, Shape, WeightSpec, config, picture_axes};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Looks for `filters` small patterns everywhere in a picture.
///
/// Each filter is a block of weights as deep as the input has channels. It slides over the picture,
/// and at each place multiplies and adds up what it covers: large where the picture looks like it.
///
/// # Shapes
///
/// Input `[channels, height, width]`, output `[filters, height', width']`; weights
/// `[filters, channels, kernel, kernel]` and `[filters]`.
///
/// ```
/// use tchalk::prelude::*;
/// let model = Sequential::new()
///     .input_shape([3, 32, 32])
///     .add(Conv2d::new(32, 3).padding(Padding::Same))
///     .add(Conv2d::new(64, 3).stride(2))
///     .build(Device::Cpu)?;
/// assert_eq!(model.output_shape(), [64, 15, 15]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conv2d {
    filters: usize,
    kernel: usize,
    stride: usize,
    padding: Padding,
    #[serde(skip)]
    id: LayerId,
}

impl Conv2d {
    /// `filters` patterns of `kernel` by `kernel` pixels; stride 1, no padding.
    pub fn new(filters: usize, kernel: usize) -> Conv2d {
        Conv2d { filters, kernel, stride: 1, padding: Padding::Valid, id: LayerId::new() }
    }

    /// How the edges are treated.
    pub fn padding(mut self, padding: Padding) -> Conv2d {
        self.padding = padding;
        self
    }

    /// How many pixels the filter moves from one place to the next.
    pub fn stride(mut self, stride: usize) -> Conv2d {
        self.stride = stride;
        self
    }
}

impl Layer for Conv2d {
    fn kind(&self) -> &'static str {
        "conv2d"
    }

    fn written(&self) -> String {
        format!("Conv2d::new({}, {})", self.filters, self.kernel)
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        if self.filters == 0 || self.kernel == 0 || self.stride == 0 {
            let got =
                format!("{} filters, kernel {}, stride {}", self.filters, self.kernel, self.stride);
            return Err(Error::invalid(self.written(), "at least 1 of each", got, ""));
        }
        let [_, height, width] = picture_axes(self, input, from)?;
        let length = |input| self.padding.output_length(input, self.kernel, self.stride);
        match (length(height), length(width)) {
            (Some(height), Some(width)) => Ok(vec![self.filters, height, width]),
            _ => Err(Error::invalid(
                self.written(),
                format!("pictures of at least {0} by {0} pixels", self.kernel),
                format!("{height} by {width} from {from:?}"),
                "Use a smaller kernel, padding(Padding::Same), or fewer poolings before it.",
            )),
        }
    }

    fn weights(&self, input: &Shape) -> Vec<WeightSpec> {
        let kernel = vec![self.filters, input[0], self.kernel, self.kernel];
        vec![
            WeightSpec::new("weight", kernel, Initializer::GlorotUniform),
            WeightSpec::new("bias", vec![self.filters], Initializer::Zeros),
        ]
    }

    fn forward(&self, x: &Tensor, weights: &[Tensor], _mode: Mode) -> Tensor {
        let (x, inside) = pad_for(x, self.padding, self.kernel, self.stride, 0.0);
        let stride = self.stride as i64;
        x.conv2d(&weights[0], Some(&weights[1]), [stride, stride], inside, [1, 1], 1)
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn identity(&self) -> Option<LayerId> {
        Some(self.id.clone())
    }

    fn window(&self) -> Option<(usize, usize)> {
        Some((self.kernel, self.stride))
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
    }
}

/// Pads a batch of pictures with `value` for a window. Even padding is left to the operation itself
/// (returned as rows and columns on each side); only uneven padding costs a copy.
pub(super) fn pad_for(
    x: &Tensor,
    padding: Padding,
    window: usize,
    stride: usize,
    value: f64,
) -> (Tensor, [i64; 2]) {
    let size = x.size();
    let amounts = |axis: usize| {
        let (before, after) = padding.amounts(size[axis] as usize, window, stride);
        (before as i64, after as i64)
    };
    let ((top, bottom), (left, right)) = (amounts(2), amounts(3));
    if top == bottom && left == right {
        (x.shallow_clone(), [top, left])
    } else {
        (x.pad([left, right, top, bottom], "constant", value), [0, 0])
    }
}
