//! What has a network learned? Looking into its layers and its answers.
//!
//! | question about a convolution layer | function |
//! |---|---|
//! | What are its weights? | [`kernels`] |
//! | What does it give for an image? | [`feature_maps`] |
//! | Which image activates a kernel most? | [`activation_maximization`] |
//! | Which images are similar to a layer? | [`embedding`] |
//!
//! | question about an answer | function |
//! |---|---|
//! | Where in the image does it come from? | [`grad_cam`] |
//! | Does that map depend on what was learned? | [`grad_cam_sanity_check`] |
//! | Which pixels would change it? | [`saliency`], [`integrated_gradients`] |
//! | What happens when a part of the image is covered? | [`occlusion`] |
//!
//! Layers are named by their paths, also inside nested models: `vgg16/block5_conv3`. Images are an
//! [`Image`](crate::data::Image) of the size that the network takes, or a tensor `[channels, height,
//! width]` in \[0, 1\].
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
mod filter_outputs;
mod grad_cam;
mod grad_cam_sanity_check;
mod gradient_ascent;
mod input;
mod integrated_gradients;
mod kernels;
mod layer_step;
mod occlusion;
mod pixels;
mod saliency;
#[cfg(test)]
mod testing;

pub use activation_maximization::{
    ActivationMaximization, MaximizedActivations, activation_maximization,
};
pub use attribution::Attribution;
pub use embedding::embedding;
pub use feature_maps::{feature_maps, feature_maps_of};
pub use grad_cam::{GradCam, grad_cam};
pub use grad_cam_sanity_check::{GradCamSanityCheck, grad_cam_sanity_check};
pub use input::AsInput;
pub use integrated_gradients::integrated_gradients;
pub use kernels::kernels;
pub use occlusion::occlusion;
pub use saliency::saliency;

#[cfg(test)]
mod tests {
    use super::testing::{image, model};
    use super::*;
    use crate::error::Error;

    #[test]
    fn figures_have_no_overlaps() {
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
    fn wrong_arguments_are_refused() {
        let (model, x) = (model(), image());
        let message = |error: Error| error.to_string();
        assert!(message(kernels(&model, "conv2d_9").unwrap_err()).contains("conv2d_9"));
        let error = message(kernels(&model, "max_pool2d").unwrap_err());
        assert!(error.contains("conv_layers()"), "{error}");
        let error = message(grad_cam(&model, "dense", &x).unwrap_err());
        assert!(error.contains("conv2d, conv2d_1"), "{error}");
        let error = message(saliency(&model, &x.narrow(1, 0, 6), None).unwrap_err());
        assert!(error.contains("[3, 12, 12], got [3, 6, 12]"), "{error}");
        assert!(message(saliency(&model, &x, 5).unwrap_err()).contains("a class from 0 to 4"));
        assert!(message(occlusion(&model, &x, None, 0).unwrap_err()).contains("got 0"));
    }
}
