//! One filter's output for each image, without the other filters.

use crate::layers::Conv2d;
use tch::Tensor;

/// The output of filter `filters[i]` for image `i`, before the activation: `[batch, 1, height',
/// width']`. The layer has one group.
///
/// With few channels it is fastest to convolve each channel by itself and to add the planes. With many
/// channels, each of the filter's pixels first multiplies and adds the channels, for the whole image at
/// once; then the planes that are left are shifted and added.
pub(super) fn filter_outputs(
    layer: &Conv2d,
    x: &Tensor,
    weights: &[Tensor],
    filters: &[usize],
) -> Tensor {
    let window = layer.window();
    let (strides, dilations) = (window.strides(), window.dilations());
    let (channels, side) = (weights[0].size()[1], window.size as i64);
    let pixels = side * side;
    let indices: Vec<i64> = filters.iter().map(|&filter| filter as i64).collect();
    let indices = Tensor::from_slice(&indices).to_device(x.device());
    let (size, n) = (x.size(), filters.len() as i64);
    let kernels = weights[0].index_select(0, &indices);
    let sum = if channels <= 2 * pixels {
        let (x, padding) = window.pad(x, 0.0);
        let all = n * channels;
        let planes = x.reshape([1, all, x.size()[2], x.size()[3]]);
        let kernels = kernels.view([all, 1, side, side]);
        let planes = planes.conv2d(&kernels, None::<Tensor>, strides, padding, dilations, all);
        let (height, width) = (planes.size()[2], planes.size()[3]);
        planes.view([n, channels, height, width]).sum_dim_intlist(1i64, true, x.kind())
    } else {
        let flat = x.reshape([n, channels, size[2] * size[3]]);
        let planes = kernels.view([n, channels, pixels]).transpose(1, 2).bmm(&flat);
        let (planes, padding) = window.pad(&planes.view([n, pixels, size[2], size[3]]), 0.0);
        let shifts = Tensor::eye(pixels, (planes.kind(), x.device()));
        let shifts = shifts.view([1, pixels, side, side]);
        planes.conv2d(&shifts, None::<Tensor>, strides, padding, dilations, 1)
    };
    match weights.get(1) {
        Some(bias) => sum + bias.index_select(0, &indices).view([n, 1, 1, 1]),
        None => sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Activation, Layer, Mode, Padding, WeightSpec};

    #[test]
    fn one_filter_gives_what_it_gives_among_all() {
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
            let alone = filter_outputs(layer, &x, &weights, &filters);
            let alone = layer.activation.map_or(alone.shallow_clone(), |it| it.forward(&alone));
            for (i, &filter) in filters.iter().enumerate() {
                let (ours, theirs) = (alone.get(i as i64).get(0), all.get(i as i64));
                let theirs = theirs.get(filter as i64);
                assert!(ours.allclose(&theirs, 1e-4, 1e-4, false), "{layer:?}, {channels}");
            }
        }
    }
}
