//! What did it learn: looking into a network.
//!
//! Three questions about a convolution layer: what are its weights ([`kernels`]), what does it give
//! for an image ([`feature_maps`]), which image excites it most ([`responses`]). And three about
//! an answer: where in the image does it come from ([`grad_cam`]), which pixels change it
//! ([`saliency`], [`integrated_gradients`]), what happens when a part is covered ([`occlusion`]).
//! Whether such a map tells of the network at all shows [`grad_cam_check`]; which images are alike
//! to a layer, [`embedding`].
//!
//! Layers are named by their paths, in models inside models, too: `vgg16/block5_conv3`. Images are
//! a [`Image`] of the size that the network takes, or a tensor `[channels, height, width]` in
//! \[0, 1\].
//!
//! ```
//! use tchalk::prelude::*;
//! use tchalk::explain;
//! let model = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(4, 3)).add(Relu);
//! let model = model.add(Flatten).add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
//! let photo = datasets::shapes()?.test.image(0);
//! explain::kernels(&model, "conv2d")?;
//! explain::feature_maps(&model, "conv2d", &photo)?;
//! let cam = explain::grad_cam(&model, "conv2d", &photo)?;
//! assert_eq!(cam.maps().dim(), (10, 30, 30));
//! # Ok::<(), tchalk::Error>(())
//! ```

mod activation_maximization;
mod attribution;
mod embedding;
mod feature_maps;
mod grad_cam;
mod grad_cam_sanity_check;
mod gradient_ascent;
mod integrated_gradients;
mod kernels;
mod occlusion;

pub use activation_maximization::{
    ActivationMaximization, MaximizedActivations, activation_maximization,
};
pub use attribution::{Attribution, saliency};
pub use embedding::embedding;
pub use feature_maps::{feature_maps, feature_maps_of};
pub use grad_cam::{GradCam, grad_cam};
pub use grad_cam_sanity_check::{GradCamSanityCheck, grad_cam_sanity_check};
pub use integrated_gradients::integrated_gradients;
pub use kernels::kernels;
pub use occlusion::occlusion;

use crate::data::{Image, to_bytes};
use crate::error::{Error, Result};
use crate::explore::to_array;
use crate::model::Model;
use ndarray::{ArcArray, Ix3};
use tch::{Device, Kind, Tensor};

/// What can be looked at: a [`Image`], or a tensor `[channels, height, width]` in \[0, 1\].
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

/// An image as a batch of one on the network's device, checked.
fn batch_of_one(op: &str, model: &Model, image: &impl AsInput) -> Result<Tensor> {
    check_single_input(op, model)?;
    let (x, shape) = (image.as_input(), model.input_shape());
    let size: Vec<usize> = x.size().iter().map(|&n| n as usize).collect();
    if size != shape {
        return Err(Error::invalid(
            op,
            format!("an image [channels, height, width] of {shape:?}"),
            format!("{size:?}"),
            "The network says with input_shape() what it takes.",
        ));
    }
    Ok(x.unsqueeze(0).to_device(model.device()))
}

fn check_single_input(op: &str, model: &Model) -> Result<()> {
    match model.input_shapes().len() {
        1 => Ok(()),
        n => Err(Error::invalid(op, "a network of one input", n.to_string(), "")),
    }
}

/// How many classes the network tells apart.
fn class_count(op: &str, model: &Model) -> Result<usize> {
    match model.output_shape()[..] {
        [classes] if classes > 0 => Ok(classes),
        ref other => {
            Err(Error::invalid(op, "a network that gives [classes]", format!("{other:?}"), ""))
        }
    }
}

/// The most probable class, unless the reader has named one.
fn target_class(op: &str, classes: usize, wanted: Option<usize>, scores: &Tensor) -> Result<usize> {
    match wanted {
        None => Ok(scores.argmax(-1, false).int64_value(&[0]) as usize),
        Some(class) if class < classes => Ok(class),
        Some(class) => {
            let expected = format!("a class from 0 to {}", classes - 1);
            Err(Error::invalid(op, expected, class.to_string(), ""))
        }
    }
}

/// The place of a convolution layer, whose output is `[filters, height, width]`.
fn convolution_step(op: &str, model: &Model, layer: &str) -> Result<usize> {
    let place = model.step_index(op, layer)?;
    let shape = &model.inner().program.steps[place].shape;
    match shape.len() {
        3 => Ok(place),
        _ => Err(Error::invalid(
            format!("{op}({layer:?})"),
            "a layer that gives [filters, height, width]",
            format!("{shape:?}"),
            format!("conv_layers() lists them: {}", model.conv_layers().join(", ")),
        )),
    }
}

/// Where the output of a layer has gone through its normalization and activation, where these are
/// layers of their own and nothing else uses what is before them.
fn after_activation(model: &Model, place: usize) -> usize {
    const FOLLOWERS: [&str; 9] =
        ["batch_norm2d", "relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"];
    let program = &model.inner().program;
    let mut at = place;
    loop {
        let mut after = (0..program.steps.len()).filter(|&i| program.steps[i].inputs.contains(&at));
        let (Some(next), None) = (after.next(), after.next()) else { return at };
        let kind = program.steps[next].kind();
        if !FOLLOWERS.contains(&kind) || program.outputs.contains(&at) {
            return at;
        }
        at = next;
        if kind != "batch_norm2d" {
            return at;
        }
    }
}

/// A plane of numbers as an image from black (the least) to white (the largest); all black where
/// they are all alike.
fn to_gray(plane: &Tensor) -> ArcArray<u8, Ix3> {
    let (low, high) = (plane.min().double_value(&[]), plane.max().double_value(&[]));
    let range = if high > low { high - low } else { 1.0 };
    to_image(&((plane - low) / range).unsqueeze(0))
}

/// `f32 [1 or 3, height, width]` in \[0, 1\] as an image.
fn to_image(x: &Tensor) -> ArcArray<u8, Ix3> {
    let size = x.size();
    let bytes = to_bytes(&x.permute([1, 2, 0]));
    let shape = (size[1] as usize, size[2] as usize, size[0] as usize);
    ArcArray::from_shape_vec(shape, bytes).expect("a byte for each pixel and channel")
}

/// How many images of this shape go through a network at a time where gradients are kept.
fn chunk_size(device: Device, shape: &[usize]) -> i64 {
    const NUMBERS: usize = 600_000;
    let most = if device.is_cuda() { 16 * NUMBERS } else { NUMBERS };
    (most / shape.iter().product::<usize>().max(1)).clamp(1, 64) as i64
}

/// A row of numbers on the processor.
fn to_f64_vec(row: &Tensor) -> Result<Vec<f64>> {
    Ok(Vec::try_from(row.detach().to_kind(Kind::Double).to_device(Device::Cpu))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use crate::testing;

    pub(super) fn model() -> Model {
        let layers = Sequential::new().input_shape([3, 12, 12]).add(Conv2d::new(4, 3)).add(Relu);
        let layers = layers.add(MaxPool2d::new(2)).add(Conv2d::new(6, 3)).add(Relu);
        let layers = layers.add(Flatten).add(Dense::new(5)).add(Softmax);
        let model = layers.build(Device::Cpu).unwrap();
        testing::settle(&model);
        // Some answer to every image, whatever weights were drawn.
        let bias = Tensor::full([4], 0.5, (Kind::Float, Device::Cpu));
        model.set_weight("conv2d.bias", &bias).unwrap();
        model
    }

    pub(super) fn image() -> Tensor {
        testing::numbers(&[3, 12, 12], 3)
    }

    #[test]
    fn everything_is_tidy() {
        let (model, x) = (model(), image());
        let figures = [
            kernels(&model, "conv2d").unwrap(),
            kernels(&model, "conv2d_1").unwrap(),
            feature_maps_of(&model, &["conv2d", "conv2d_1"], &x).unwrap(),
            activation_maximization(&model, "conv2d_1").unwrap().figure().unwrap(),
            grad_cam(&model, "conv2d_1", &x).unwrap().figure().unwrap(),
            saliency(&model, &x, None).unwrap().figure().unwrap(),
            integrated_gradients(&model, &x, 2).unwrap().figure().unwrap(),
            occlusion(&model, &x, None, 4).unwrap().figure().unwrap(),
        ];
        for figure in figures {
            assert!(figure.overlaps().is_empty(), "{figure:?}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        let (model, x) = (model(), image());
        let said = |error: Error| error.to_string();
        assert!(said(kernels(&model, "conv2d_9").unwrap_err()).contains("conv2d_9"));
        let error = said(kernels(&model, "max_pool2d").unwrap_err());
        assert!(error.contains("conv_layers()"), "{error}");
        let error = said(grad_cam(&model, "dense", &x).unwrap_err());
        assert!(error.contains("conv2d, conv2d_1"), "{error}");
        let error = said(saliency(&model, &x.narrow(1, 0, 6), None).unwrap_err());
        assert!(error.contains("[3, 12, 12], got [3, 6, 12]"), "{error}");
        assert!(said(saliency(&model, &x, 5).unwrap_err()).contains("a class from 0 to 4"));
        assert!(said(occlusion(&model, &x, None, 0).unwrap_err()).contains("got 0"));
    }

    #[test]
    fn an_output_is_read_after_its_activation() {
        let model = model();
        let place = model.step_index("test", "conv2d").unwrap();
        assert_eq!(model.inner().program.steps[after_activation(&model, place)].path, "relu");
    }
}
