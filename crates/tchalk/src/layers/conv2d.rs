//! Two-dimensional convolution.

use super::activation;
use super::window::Window;
use super::{
    Activation, Initializer, Layer, LayerId, Mode, Padding, Shape, WeightSpec, check_counts,
    check_size,
};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Applies `filters` small filters at every position of an image.
///
/// Each filter has a weight for each pixel of its window and each channel of the input. Its output at a
/// position is the weighted sum of the pixels it covers: large where the image is similar to it.
///
/// # Shapes
///
/// Input `[channels, height, width]`, output `[filters, height', width']`; weights
/// `[filters, channels / groups, kernel, kernel]` and `[filters]`: filters × channels / groups ×
/// kernel² + filters parameters.
///
/// ```
/// use tchalk::prelude::*;
/// let model = Sequential::new()
///     .input_shape([3, 32, 32])
///     .add(Conv2d::new(32, 3).padding(Padding::Same).activation(Relu))
///     .add(Conv2d::new(64, 3).stride(2))
///     .build(Device::Cpu)?;
/// assert_eq!(model.output_shape(), [64, 15, 15]);
/// assert_eq!(model.parameter_count(), 896 + 18_496);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    filters: usize,
    kernel: usize,
    stride: usize,
    padding: Padding,
    dilation: usize,
    pub(crate) groups: usize,
    use_bias: bool,
    pub(crate) activation: Option<Activation>,
    kernel_initializer: Initializer,
    #[serde(skip)]
    id: LayerId,
}

impl Conv2d {
    /// `filters` filters of `kernel` by `kernel` pixels, with stride 1, no padding, a bias and no
    /// activation.
    pub fn new(filters: usize, kernel: usize) -> Conv2d {
        Conv2d {
            filters,
            kernel,
            stride: 1,
            padding: Padding::Valid,
            dilation: 1,
            groups: 1,
            use_bias: true,
            activation: None,
            kernel_initializer: Initializer::GlorotUniform,
            id: LayerId::new(),
        }
    }

    /// The padding at the edges.
    pub fn padding(mut self, padding: Padding) -> Conv2d {
        self.padding = padding;
        self
    }

    /// The distance from one position of the filter to the next, in pixels.
    pub fn stride(mut self, stride: usize) -> Conv2d {
        self.stride = stride;
        self
    }

    /// The distance between neighboring pixels of the filter: with 2, every other pixel is skipped.
    pub fn dilation(mut self, dilation: usize) -> Conv2d {
        self.dilation = dilation;
        self
    }

    /// Splits channels and filters into this many independent groups. Both must be multiples of it.
    pub fn groups(mut self, groups: usize) -> Conv2d {
        self.groups = groups;
        self
    }

    /// Whether each filter has a bias. A batch normalization after the layer makes it useless.
    pub fn use_bias(mut self, use_bias: bool) -> Conv2d {
        self.use_bias = use_bias;
        self
    }

    /// The activation of the outputs: `.activation(Relu)`.
    pub fn activation(mut self, activation: impl Into<Activation>) -> Conv2d {
        self.activation = Some(activation.into());
        self
    }

    /// The initial values of the filters. Biases start at zero.
    pub fn kernel_initializer(mut self, initializer: Initializer) -> Conv2d {
        self.kernel_initializer = initializer;
        self
    }

    /// The filter's window.
    pub(crate) fn window(&self) -> Window {
        Window {
            size: self.kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            ceil: false,
        }
    }
}

impl Layer for Conv2d {
    fn kind(&self) -> &'static str {
        "conv2d"
    }

    fn repr(&self) -> String {
        let activation = activation::repr(self.activation);
        format!("Conv2d::new({}, {}){activation}", self.filters, self.kernel)
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        let counts = [("a number of filters", self.filters), ("a number of groups", self.groups)];
        check_counts(self, &counts)?;
        let [channels, height, width] = self.window().output_shape(self, input, from)?;
        if !(channels.is_multiple_of(self.groups) && self.filters.is_multiple_of(self.groups)) {
            return Err(Error::invalid(
                format!("{}.groups({})", self.repr(), self.groups),
                format!("channels and filters in multiples of {}", self.groups),
                format!("{channels} channels from {from:?} and {} filters", self.filters),
                "groups(1) lets every filter see every channel.",
            ));
        }
        check_size(self, &[self.filters, channels / self.groups, self.kernel, self.kernel])?;
        let output = vec![self.filters, height, width];
        check_size(self, &output)?;
        activation::check(self.activation, &output, "conv2d")?;
        Ok(output)
    }

    fn weights(&self, input: &Shape) -> Vec<WeightSpec> {
        let shape = vec![self.filters, input[0] / self.groups, self.kernel, self.kernel];
        let kernel = WeightSpec::new("weight", shape, self.kernel_initializer);
        let bias = WeightSpec::new("bias", vec![self.filters], Initializer::Zeros);
        if self.use_bias { vec![kernel, bias] } else { vec![kernel] }
    }

    fn forward(&self, x: &Tensor, weights: &[Tensor], _mode: Mode) -> Tensor {
        let window = self.window();
        let (x, padding) = window.pad(x, 0.0);
        let (bias, groups) = (weights.get(1), self.groups as i64);
        let y = x.conv2d(&weights[0], bias, window.strides(), padding, window.dilations(), groups);
        activation::apply(self.activation, y)
    }

    fn output_unused_in_backward(&self) -> bool {
        self.activation.is_none()
    }

    fn identity(&self) -> Option<LayerId> {
        Some(self.id.clone())
    }

    fn kernel_and_stride(&self) -> Option<(usize, usize)> {
        Some((self.window().effective_size(), self.stride))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(layer: Conv2d) -> String {
        layer.output_shape(&vec![6, 8, 8], "input").unwrap_err().to_string()
    }

    #[test]
    fn invalid_settings_are_refused() {
        assert!(refusal(Conv2d::new(0, 3)).contains("a number of filters of at least 1, got 0"));
        assert!(refusal(Conv2d::new(8, 0)).contains("a window of at least 1, got 0"));
        assert!(refusal(Conv2d::new(8, 3).stride(0)).contains("a stride of at least 1, got 0"));
        assert!(refusal(Conv2d::new(8, 3).dilation(0)).contains("a dilation of at least 1, got 0"));
        assert!(refusal(Conv2d::new(8, 3).groups(0)).contains("a number of groups of at least 1"));
        let huge = Conv2d::new(8, 3).padding(Padding::Explicit(usize::MAX));
        assert!(refusal(huge).contains("a padding of at most"));
        let huge = Conv2d::new(8, 3).padding(Padding::Explicit(1 << 24));
        assert!(refusal(huge).contains("at most 2³⁶ numbers"));
        assert_eq!(
            refusal(Conv2d::new(8, 3).groups(4)),
            "Conv2d::new(8, 3).groups(4): expected channels and filters in multiples of 4, \
             got 6 channels from \"input\" and 8 filters.\n\
             groups(1) lets every filter see every channel."
        );
        assert!(refusal(Conv2d::new(8, 9)).contains("images of at least 9 by 9 pixels"));
        assert!(refusal(Conv2d::new(8, 3).dilation(4)).contains("at least 9 by 9 pixels"));
    }

    #[test]
    fn shapes_and_receptive_fields() {
        let layer = Conv2d::new(8, 3).groups(2).dilation(2).stride(2);
        let (input, output) = (vec![6, 9, 9], vec![8, 3, 3]);
        assert_eq!(layer.output_shape(&input, "input").unwrap(), output);
        assert_eq!(layer.kernel_and_stride(), Some((5, 2)));
        assert_eq!(layer.weights(&input)[0].shape, [8, 3, 3, 3]);
    }
}
