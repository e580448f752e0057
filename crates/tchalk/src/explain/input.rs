//! The image that is explained, and the class.

use crate::data::Image;
use crate::error::{Error, Result};
use crate::model::Model;
use tch::{Device, Kind, Tensor};

/// An image that can be explained: an [`Image`], or a tensor `[channels, height, width]` in \[0, 1\].
pub trait AsInput {
    /// The image as `f32 [channels, height, width]` in \[0, 1\].
    fn as_input(&self) -> Tensor;
}

impl AsInput for Image {
    fn as_input(&self) -> Tensor {
        let pixels = self.pixels();
        let (height, width, channels) = pixels.dim();
        let bytes: Vec<u8> = pixels.iter().copied().collect();
        let sizes = [height as i64, width as i64, channels as i64];
        let tensor = Tensor::from_slice(&bytes).view(sizes).permute([2, 0, 1]);
        tensor.to_kind(Kind::Float).contiguous() / 255.0
    }
}

impl AsInput for Tensor {
    fn as_input(&self) -> Tensor {
        self.detach().to_kind(Kind::Float)
    }
}

/// An image as a batch of one on the network's device, once its shape is right.
pub(super) fn batch_of_one(op: &str, model: &Model, image: &impl AsInput) -> Result<Tensor> {
    check_single_input(op, model)?;
    let (x, shape) = (image.as_input(), model.input_shape());
    let size: Vec<usize> = x.size().iter().map(|&n| n as usize).collect();
    if size != shape {
        return Err(Error::invalid(
            op,
            format!("an image [channels, height, width] of {shape:?}"),
            format!("{size:?}"),
            "model.input_shape() is the shape that the network takes.",
        ));
    }
    Ok(x.unsqueeze(0).to_device(model.device()))
}

/// Refuses networks with several inputs.
pub(super) fn check_single_input(op: &str, model: &Model) -> Result<()> {
    match model.input_shapes().len() {
        1 => Ok(()),
        n => Err(Error::invalid(op, "a network with one input", n.to_string(), "")),
    }
}

/// The number of classes of a classifier.
pub(super) fn class_count(op: &str, model: &Model) -> Result<usize> {
    match model.output_shape()[..] {
        [classes] if classes > 0 => Ok(classes),
        ref other => {
            Err(Error::invalid(op, "a network with output [classes]", format!("{other:?}"), ""))
        }
    }
}

/// The requested class, or the one with the highest output.
pub(super) fn target_class(
    op: &str,
    classes: usize,
    requested: Option<usize>,
    outputs: &Tensor,
) -> Result<usize> {
    match requested {
        None => Ok(outputs.argmax(-1, false).int64_value(&[0]) as usize),
        Some(class) if class < classes => Ok(class),
        Some(class) => {
            let expected = format!("a class from 0 to {}", classes - 1);
            Err(Error::invalid(op, expected, class.to_string(), ""))
        }
    }
}

/// How many images of this shape go through a network at a time while gradients are kept.
pub(super) fn chunk_size(device: Device, shape: &[usize]) -> i64 {
    const NUMBERS: usize = 600_000;
    let limit = if device.is_cuda() { 16 * NUMBERS } else { NUMBERS };
    (limit / shape.iter().product::<usize>().max(1)).clamp(1, 64) as i64
}
