//! Gradient ascent on images: each step changes an image so that one kernel's activation grows.
//!
//! The weights stay fixed. The gradient of the activation with respect to the pixels is normalized to a
//! root mean square of one, so all kernels move at the same speed. A batch holds one image for each of
//! many kernels. The network runs only up to the layer, and the layer computes only one kernel for each
//! image.
//!
//! A kernel with a rectifier may be zero for the first image, and then there is no gradient. For such
//! kernels the ascent follows the largest value before the activation ([`Start::PreActivation`]), and if
//! that does not help, it starts again from colored noise ([`Start::ColorNoise`]).

use super::filter_outputs::filter_outputs;
use super::pixels::to_f64_vec;
use crate::error::Result;
use crate::layers::Conv2d;
use crate::model::Model;
use crate::runtime::interrupt;
use crate::runtime::seed::{below, rng};
use rand_chacha::ChaCha8Rng;
use std::any::Any;
use tch::{Device, Kind, Tensor, no_grad};

/// The settings of an ascent.
#[derive(Debug, Clone, Copy)]
pub(super) struct GradientAscent {
    pub(super) steps: usize,
    pub(super) step_size: f64,
    pub(super) jitter: usize,
    pub(super) blur: bool,
}

/// From which image an ascent starts, and which value it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Gray noise; the activation.
    GrayNoise,
    /// Gray noise; the largest value before the activation, while the activation is zero.
    PreActivation,
    /// Colored noise; the same.
    ColorNoise,
}

/// The kernels of one layer, each with an image of its own.
#[derive(Clone, Copy)]
pub(super) struct KernelBatch<'a> {
    pub(super) model: &'a Model,
    /// The layer's step in the model's program.
    pub(super) step: usize,
    pub(super) kernels: &'a [usize],
}

/// Images `[kernels, channels, height, width]` after an ascent, and each kernel's mean activation for
/// the first and the last image.
pub(super) struct AscentResult {
    pub(super) images: Tensor,
    pub(super) activations: Vec<(f64, f64)>,
}

impl AscentResult {
    /// The rows of kernels that are still inactive.
    pub(super) fn inactive(&self) -> Vec<usize> {
        (0..self.activations.len()).filter(|&row| self.activations[row].1 == 0.0).collect()
    }

    /// Takes over the images of `other`, whose rows belong to `rows` here, where the kernel has become
    /// active there. The number of these images.
    pub(super) fn replace_inactive(&mut self, rows: &[usize], other: &AscentResult) -> usize {
        let active = |from: &usize| other.activations[*from].1 != 0.0;
        let replaced: Vec<usize> = (0..rows.len()).filter(active).collect();
        for &from in &replaced {
            self.activations[rows[from]] = other.activations[from];
            self.images.get(rows[from] as i64).copy_(&other.images.get(from as i64));
        }
        replaced.len()
    }
}

impl GradientAscent {
    /// One image for each kernel; `None` if the reader interrupts.
    pub(super) fn run(
        &self,
        batch: KernelBatch<'_>,
        seed: i64,
        start: Start,
    ) -> Result<Option<AscentResult>> {
        let mut x = batch.noise(seed, start);
        let mut rng = rng("responses: jitter");
        let mut before = None;
        for step in 0..self.steps {
            if interrupt::requested() {
                return Ok(None);
            }
            let shift = self.random_shift(&mut rng);
            if let Some(shift) = shift {
                x = x.roll(shift, [2, 3]);
            }
            let leaf = x.detach().set_requires_grad(true);
            let (activation, objective) = batch.objective(&leaf, start);
            if before.is_none() {
                before = Some(to_f64_vec(&activation)?);
            }
            let sum = objective.sum(Kind::Float);
            let gradient = Tensor::run_backward(&[sum], &[&leaf], false, false).remove(0);
            x = no_grad(|| self.ascent_step(&leaf, &gradient, step));
            if let Some([down, right]) = shift {
                x = x.roll([-down, -right], [2, 3]);
            }
        }
        let after = to_f64_vec(&no_grad(|| batch.activations(&x, false).0))?;
        let before = before.unwrap_or_else(|| after.clone());
        let activations = before.into_iter().zip(after).collect();
        Ok(Some(AscentResult { images: x.to_device(Device::Cpu), activations }))
    }

    /// Up to `jitter` pixels in each direction; `None` without jitter.
    fn random_shift(&self, rng: &mut ChaCha8Rng) -> Option<[i64; 2]> {
        let mut shift = || below(2 * self.jitter + 1, rng) as i64 - self.jitter as i64;
        (self.jitter > 0).then(|| [shift(), shift()])
    }

    /// The images after one step along their gradients.
    fn ascent_step(&self, x: &Tensor, gradient: &Tensor, step: usize) -> Tensor {
        let axes = [1i64, 2, 3];
        let pixels: i64 = gradient.size()[1..].iter().product();
        let norm = gradient.norm_scalaropt_dim(2.0, axes.as_slice(), true);
        let scale = (norm / (pixels as f64).sqrt() + 1e-8).reciprocal_() * self.step_size;
        let mut next = x.addcmul(gradient, &scale);
        if self.blur && step % 4 == 3 {
            next = blurred(&next);
        }
        next.clamp_(0.0, 1.0)
    }
}

impl KernelBatch<'_> {
    /// The first images, on the network's device.
    fn noise(self, seed: i64, start: Start) -> Tensor {
        let shape: Vec<i64> = self.model.input_shape().iter().map(|&n| n as i64).collect();
        let n = self.kernels.len() as i64;
        let size = [n, shape[0], shape[1], shape[2]];
        tch::manual_seed(seed);
        // Gray noise is equal in all channels, around the middle of the range. It is drawn in any case,
        // so that colored noise does not begin with the same random numbers.
        let gray = Tensor::rand([n, 1, shape[1], shape[2]], (Kind::Float, Device::Cpu));
        let gray = (gray * 20.0 + 128.0) / 255.0;
        let x = match start {
            Start::GrayNoise | Start::PreActivation => gray.expand(size, false).contiguous(),
            Start::ColorNoise => Tensor::rand(size, (Kind::Float, Device::Cpu)),
        };
        x.to_device(self.model.device())
    }

    /// Each kernel's mean activation, and the value that the ascent follows.
    fn objective(self, x: &Tensor, start: Start) -> (Tensor, Tensor) {
        let (activation, pre_activation) = self.activations(x, start != Start::GrayNoise);
        let objective = match pre_activation {
            Some(largest) => activation.where_self(&activation.gt(0.0), &largest),
            None => activation.shallow_clone(),
        };
        (activation, objective)
    }

    /// The mean over the map of kernel `kernels[i]` for image `i`, after the activation. With
    /// `with_pre_activation` also the largest value before the activation, where the layer can compute
    /// it.
    fn activations(self, x: &Tensor, with_pre_activation: bool) -> (Tensor, Option<Tensor>) {
        let program = &self.model.inner().program;
        let step = &program.steps[self.step];
        let access = program.inference();
        let built = step.built_layer();
        let layer = built.and_then(|it| (&*it.layer as &dyn Any).downcast_ref::<Conv2d>());
        if let (Some(built), Some(layer @ Conv2d { groups: 1, .. })) = (built, layer) {
            let input = access.run(&[(program.inputs[0], x)], &[step.inputs[0]]).remove(0);
            let maps = filter_outputs(layer, &input, &built.tensors(), self.kernels);
            let largest = with_pre_activation.then(|| maps.flatten(1, -1).amax(1i64, false));
            let maps = layer.activation.map_or(maps.shallow_clone(), |it| it.forward(&maps));
            return (maps.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Float), largest);
        }
        let maps = access.run_to(x, self.step).mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        let kernels: Vec<i64> = self.kernels.iter().map(|&kernel| kernel as i64).collect();
        let kernels = Tensor::from_slice(&kernels).to_device(x.device()).unsqueeze(1);
        (maps.gather(1, &kernels, false).squeeze_dim(1), None)
    }
}

/// Each pixel as a weighted mean of itself and its eight neighbors.
fn blurred(x: &Tensor) -> Tensor {
    let channels = x.size()[1];
    let row = Tensor::from_slice(&[0.1f32, 0.8, 0.1]).to_device(x.device());
    let kernel = row.outer(&row).view([1, 1, 3, 3]).expand([channels, 1, 3, 3], false).contiguous();
    let padded = x.replication_pad2d([1, 1, 1, 1]);
    padded.conv2d(&kernel, None::<Tensor>, [1, 1], [0, 0], [1, 1], channels)
}

#[cfg(test)]
mod tests {
    use super::super::testing::model;
    use super::*;

    #[test]
    fn a_single_kernel_has_the_activation_that_it_has_in_the_whole_layer() {
        let model = model();
        let step = model.step_index("test", "conv2d_1").unwrap();
        let batch = KernelBatch { model: &model, step, kernels: &[0, 4, 5] };
        let x = crate::testing::random_tensor(&[3, 3, 12, 12], 1);
        let alone = no_grad(|| batch.activations(&x, false).0);
        let maps = model.activations(&["conv2d_1"], &x).unwrap().remove(0);
        let all = maps.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        for (image, kernel) in [(0, 0), (1, 4), (2, 5)] {
            let difference = alone.double_value(&[image]) - all.double_value(&[image, kernel]);
            assert!(difference.abs() < 1e-6, "{difference}");
        }
    }
}
