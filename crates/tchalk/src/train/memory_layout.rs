//! The memory layout of images.
//!
//! On a CPU libtorch's convolutions and pooling layers are faster with the channels of a pixel next to
//! each other in memory (channels last). Shapes stay `[batch, channels, height, width]`. Only the input
//! has to be converted: layers keep the layout. Measured on two cores of a Xeon with AVX-512, libtorch
//! 2.11, as the ratio of the times, channels last to channels first (smallest of 12 runs):
//!
//! | network | training step | inference |
//! |---|---|---|
//! | the tutorial's CNN, 128 images of 3 x 32 x 32 (median) | 0.72 | |
//! | four convolutions, 128 images of 1 x 28 x 28 | 0.86 | 0.55 |
//! | fire modules, 8 images of 3 x 112 x 112 | 0.78 | 0.57 |
//! | depthwise convolutions, 16 images of 3 x 64 x 64 | 0.51 | 0.24 |
//! | VGG16's convolutions, 32 images of 3 x 32 x 32 | 1.09 | 0.99 |
//!
//! On a GPU it has not been measured and is not used.

use tch::{Device, Tensor};

/// Converts a batch of images on a CPU to channels last. Other tensors do not change.
pub(crate) fn channels_last_on_cpu(x: Tensor) -> Tensor {
    let &[n, channels, height, width] = &x.size()[..] else { return x };
    if x.device() != Device::Cpu || height * width == 1 {
        return x;
    }
    if channels == 1 {
        // No data moves, but libtorch needs the strides of channels last.
        return x.contiguous().view([n, height, width, 1]).permute([0, 3, 1, 2]);
    }
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn values_stay_and_channels_are_last() {
        let options = (Kind::Float, Device::Cpu);
        for size in [[2, 3, 4, 5], [2, 1, 4, 5]] {
            let x = Tensor::rand(size, options);
            let laid = channels_last_on_cpu(x.shallow_clone());
            assert_eq!(laid, x);
            assert_eq!(laid.stride(), [20 * size[1], 1, 5 * size[1], size[1]]);
            let kernel = Tensor::rand([6, size[1], 3, 3], options);
            let none: Option<Tensor> = None;
            let y = laid.conv2d(&kernel, none, [1, 1], [1, 1], [1, 1], 1);
            assert_eq!(y.stride()[1], 1, "what follows keeps it");
        }
        let flat = Tensor::rand([2, 8], options);
        assert_eq!(channels_last_on_cpu(flat.shallow_clone()), flat);
    }
}
