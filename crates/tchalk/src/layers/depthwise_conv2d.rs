//! Depthwise convolution.

use super::activation;
use super::window::Window;
use super::{
    Activation, Initializer, Layer, LayerId, Mode, Padding, Shape, WeightSpec, check_counts,
    check_size,
};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Applies separate filters to each channel, without mixing channels. It needs a small part of the
/// computation of a [`Conv2d`](super::Conv2d). A `Conv2d` with kernel 1 usually mixes the channels after
/// it.
///
/// # Shapes
///
/// Input `[channels, height, width]`, output `[channels × multiplier, height', width']`; weights
/// `[channels × multiplier, 1, kernel, kernel]` and `[channels × multiplier]`: channels × multiplier
/// × (kernel² + 1) parameters. Output channels of one input channel are neighbors.
///
/// ```
/// use tchalk::layers::DepthwiseConv2d;
/// use tchalk::prelude::*;
/// let model = Sequential::new()
///     .input_shape([32, 14, 14])
///     .add(DepthwiseConv2d::new(3).padding(Padding::Same))
///     .build(Device::Cpu)?;
/// assert_eq!(model.output_shape(), [32, 14, 14]);
/// assert_eq!(model.parameter_count(), 320);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthwiseConv2d {
    kernel: usize,
    depth_multiplier: usize,
    stride: usize,
    padding: Padding,
    dilation: usize,
    use_bias: bool,
    activation: Option<Activation>,
    kernel_initializer: Initializer,
    #[serde(skip)]
    id: LayerId,
}

impl DepthwiseConv2d {
    /// One filter of `kernel` by `kernel` pixels for each channel, with stride 1, no padding, a bias and
    /// no activation.
    pub fn new(kernel: usize) -> DepthwiseConv2d {
        DepthwiseConv2d {
            kernel,
            depth_multiplier: 1,
            stride: 1,
            padding: Padding::Valid,
            dilation: 1,
            use_bias: true,
            activation: None,
            kernel_initializer: Initializer::GlorotUniform,
            id: LayerId::new(),
        }
    }

    /// The number of filters for each channel.
    pub fn depth_multiplier(mut self, multiplier: usize) -> DepthwiseConv2d {
        self.depth_multiplier = multiplier;
        self
    }

    /// The padding at the edges.
    pub fn padding(mut self, padding: Padding) -> DepthwiseConv2d {
        self.padding = padding;
        self
    }

    /// The distance from one position of the filter to the next, in pixels.
    pub fn stride(mut self, stride: usize) -> DepthwiseConv2d {
        self.stride = stride;
        self
    }

    /// The distance between neighboring pixels of the filter.
    pub fn dilation(mut self, dilation: usize) -> DepthwiseConv2d {
        self.dilation = dilation;
        self
    }

    /// Whether each output channel has a bias.
    pub fn use_bias(mut self, use_bias: bool) -> DepthwiseConv2d {
        self.use_bias = use_bias;
        self
    }

    /// The activation of the outputs: `.activation(Relu6)`.
    pub fn activation(mut self, activation: impl Into<Activation>) -> DepthwiseConv2d {
        self.activation = Some(activation.into());
        self
    }

    /// The initial values of the filters. Biases start at zero.
    pub fn kernel_initializer(mut self, initializer: Initializer) -> DepthwiseConv2d {
        self.kernel_initializer = initializer;
        self
    }

    fn window(&self) -> Window {
        Window {
            size: self.kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            ceil: false,
        }
    }
}

impl Layer for DepthwiseConv2d {
    fn kind(&self) -> &'static str {
        "depthwise_conv2d"
    }

    fn repr(&self) -> String {
        format!("DepthwiseConv2d::new({}){}", self.kernel, activation::repr(self.activation))
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        check_counts(self, &[("a depth multiplier", self.depth_multiplier)])?;
        let [channels, height, width] = self.window().output_shape(self, input, from)?;
        check_size(self, &[channels, self.depth_multiplier, self.kernel, self.kernel])?;
        check_size(self, &[channels, self.depth_multiplier, height, width])?;
        let output = vec![channels * self.depth_multiplier, height, width];
        activation::check(self.activation, &output, "depthwise_conv2d")?;
        Ok(output)
    }

    fn weights(&self, input: &Shape) -> Vec<WeightSpec> {
        let outputs = input[0] * self.depth_multiplier;
        let shape = vec![outputs, 1, self.kernel, self.kernel];
        let kernel = WeightSpec::new("weight", shape, self.kernel_initializer);
        let bias = WeightSpec::new("bias", vec![outputs], Initializer::Zeros);
        if self.use_bias { vec![kernel, bias] } else { vec![kernel] }
    }

    fn forward(&self, x: &Tensor, weights: &[Tensor], _mode: Mode) -> Tensor {
        let window = self.window();
        let (x, padding) = window.pad(x, 0.0);
        let (bias, groups) = (weights.get(1), x.size()[1]);
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

    #[test]
    fn invalid_settings_are_refused() {
        let refusal = |layer: DepthwiseConv2d| {
            layer.output_shape(&vec![6, 8, 8], "input").unwrap_err().to_string()
        };
        assert_eq!(
            refusal(DepthwiseConv2d::new(3).depth_multiplier(0)),
            "DepthwiseConv2d::new(3): expected a depth multiplier of at least 1, got 0."
        );
        assert!(refusal(DepthwiseConv2d::new(0)).contains("a window of at least 1"));
        assert!(refusal(DepthwiseConv2d::new(3).stride(0)).contains("a stride of at least 1"));
    }

    #[test]
    fn the_multiplier_multiplies_the_channels() {
        let layer = DepthwiseConv2d::new(3).depth_multiplier(2);
        let (input, output) = (vec![6, 8, 8], vec![12, 6, 6]);
        assert_eq!(layer.output_shape(&input, "input").unwrap(), output);
    }
}
