//! Two-dimensional convolution: the same small pattern looked for everywhere in an image.

use super::activation;
use super::window::Window;
use super::{
    Activation, Initializer, Layer, LayerId, Mode, Padding, Shape, WeightSpec, check_counts,
    check_size, config,
};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Looks for `filters` small patterns everywhere in an image.
///
/// Each filter is a block of weights as deep as the input has channels. It slides over the image,
/// and at each place multiplies and adds up what it covers: large where the image looks like it.
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
    groups: usize,
    use_bias: bool,
    activation: Option<Activation>,
    kernel_initializer: Initializer,
    #[serde(skip)]
    id: LayerId,
}

impl Conv2d {
    /// `filters` patterns of `kernel` by `kernel` pixels; stride 1, no padding, a bias, no
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

    /// How many pixels lie from one of the filter's pixels to the next: 2 leaves one out between
    /// them.
    pub fn dilation(mut self, dilation: usize) -> Conv2d {
        self.dilation = dilation;
        self
    }

    /// Splits channels and filters into so many groups that know nothing of each other; both must be
    /// multiples of it.
    pub fn groups(mut self, groups: usize) -> Conv2d {
        self.groups = groups;
        self
    }

    /// Whether a number of its own is added to each filter's output. A batch normalization behind
    /// makes it useless.
    pub fn use_bias(mut self, use_bias: bool) -> Conv2d {
        self.use_bias = use_bias;
        self
    }

    /// Bends the outputs: `.activation(Relu)`.
    pub fn activation(mut self, activation: impl Into<Activation>) -> Conv2d {
        self.activation = Some(activation.into());
        self
    }

    /// How the filters are filled before training; biases begin with zero.
    pub fn kernel_initializer(mut self, initializer: Initializer) -> Conv2d {
        self.kernel_initializer = initializer;
        self
    }

    /// The output before the activation.
    fn linear(&self, x: &Tensor, weights: &[Tensor]) -> Tensor {
        let window = self.window();
        let (x, inside) = window.pad(x, 0.0);
        let dilation = [self.dilation as i64; 2];
        let (bias, groups) = (weights.get(1), self.groups as i64);
        x.conv2d(&weights[0], bias, window.strides(), inside, dilation, groups)
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
        activation::apply(self.activation, self.linear(x, weights))
    }

    /// With few channels it is quickest to take each of them by itself, and to add them up. With many,
    /// each of a filter's pixels first multiplies and adds up the channels, for all places at once;
    /// then the few planes that are left are shifted and added.
    fn forward_each(
        &self,
        x: &Tensor,
        weights: &[Tensor],
        filters: &[usize],
        bent: bool,
    ) -> Option<Tensor> {
        if self.groups != 1 || self.activation == Some(Activation::Softmax) {
            return None;
        }
        let activation = self.activation.filter(|_| bent);
        let window = self.window();
        let (strides, dilation) = (window.strides(), [self.dilation as i64; 2]);
        let (channels, side) = (weights[0].size()[1], self.kernel as i64);
        let pixels = side * side;
        let places: Vec<i64> = filters.iter().map(|&filter| filter as i64).collect();
        let places = Tensor::from_slice(&places).to_device(x.device());
        let (size, n) = (x.size(), filters.len() as i64);
        let own = weights[0].index_select(0, &places);
        let sum = if channels <= 2 * pixels {
            let (x, inside) = window.pad(x, 0.0);
            let all = n * channels;
            let planes = x.reshape([1, all, x.size()[2], x.size()[3]]);
            let own = own.view([all, 1, side, side]);
            let planes = planes.conv2d(&own, None::<Tensor>, strides, inside, dilation, all);
            let (height, width) = (planes.size()[2], planes.size()[3]);
            planes.view([n, channels, height, width]).sum_dim_intlist(1i64, true, x.kind())
        } else {
            let flat = x.reshape([n, channels, size[2] * size[3]]);
            let planes = own.view([n, channels, pixels]).transpose(1, 2).bmm(&flat);
            let (planes, inside) = window.pad(&planes.view([n, pixels, size[2], size[3]]), 0.0);
            let shifts = Tensor::eye(pixels, (planes.kind(), x.device()));
            let shifts = shifts.view([1, pixels, side, side]);
            planes.conv2d(&shifts, None::<Tensor>, strides, inside, dilation, 1)
        };
        let sum = match weights.get(1) {
            Some(bias) => sum + bias.index_select(0, &places).view([n, 1, 1, 1]),
            None => sum,
        };
        Some(activation::apply(activation, sum))
    }

    fn output_unused_in_backward(&self) -> bool {
        self.activation.is_none()
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn identity(&self) -> Option<LayerId> {
        Some(self.id.clone())
    }

    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
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
    fn silly_settings_are_refused() {
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
    fn one_filter_alone_gives_what_it_gives_among_all() {
        let plain = Conv2d::new(7, 3).padding(Padding::Same);
        let layers = [
            plain.clone().activation(Activation::Relu),
            plain.clone().stride(2),
            plain.clone().use_bias(false).dilation(2),
            Conv2d::new(7, 2).padding(Padding::Same).stride(2),
            Conv2d::new(7, 2).padding(Padding::Explicit(3)),
        ];
        tch::manual_seed(4);
        let any = (tch::Kind::Float, tch::Device::Cpu);
        for (layer, channels) in layers.iter().flat_map(|layer| [(layer, 2), (layer, 19)]) {
            let specs = layer.weights(&vec![channels, 9, 10]);
            let shape =
                |spec: &WeightSpec| spec.shape.iter().map(|&n| n as i64).collect::<Vec<_>>();
            let weights: Vec<Tensor> =
                specs.iter().map(|spec| Tensor::randn(shape(spec), any)).collect();
            let x = Tensor::randn([3, channels as i64, 9, 10], any);
            let all = layer.forward(&x, &weights, Mode::Inference);
            let filters = [6usize, 0, 3];
            let alone = layer.forward_each(&x, &weights, &filters, true).unwrap();
            for (i, &filter) in filters.iter().enumerate() {
                let (ours, theirs) = (alone.get(i as i64).get(0), all.get(i as i64));
                let theirs = theirs.get(filter as i64);
                assert!(ours.allclose(&theirs, 1e-4, 1e-4, false), "{layer:?}, {channels}");
            }
        }
        assert!(layers[0].clone().groups(7).forward_each(&Tensor::new(), &[], &[], true).is_none());
    }

    #[test]
    fn work_and_reach_are_counted() {
        let layer = Conv2d::new(8, 3).groups(2).dilation(2).stride(2);
        let (input, output) = (vec![6, 9, 9], vec![8, 3, 3]);
        assert_eq!(layer.output_shape(&input, "input").unwrap(), output);
        assert_eq!(layer.kernel_and_stride(), Some((5, 2)));
        assert_eq!(layer.weights(&input)[0].shape, [8, 3, 3, 3]);
    }
}
