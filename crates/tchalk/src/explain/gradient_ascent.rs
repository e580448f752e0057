//! How an image is changed, step by step, so that a kernel answers it more strongly.
//!
//! The weights stay as they are; the gradient says how each pixel would have to change. Its length
//! is brought to one (as root of the mean square), so that all kernels move at the same pace. A kernel
//! whose activation is silent at gray noise has no gradient to follow. It climbs before the activation,
//! then, at the place where it is nearest to waking, and if that does not wake it, once more from noise
//! of all colors. What is still silent is dead, and counted. Many kernels are done at once: each has
//! an image of its own in the batch, and of the network no more is computed than the layer needs; of
//! the layer itself, for each image only the one kernel.

use super::to_f64_vec;
use crate::error::Result;
use crate::model::Model;
use crate::runtime::{self, interrupt};
use tch::{Device, Kind, Tensor, no_grad};

/// How images climb.
#[derive(Debug, Clone, Copy)]
pub(super) struct GradientAscent {
    pub(super) steps: usize,
    pub(super) step_size: f64,
    pub(super) jitter: usize,
    pub(super) blur: bool,
}

/// Where a kernel's way begins, and what it climbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// From gray noise, by its answer.
    GrayNoise,
    /// From gray noise; until it wakes by its largest value before the activation.
    PreActivation,
    /// The same from colored noise.
    ColorNoise,
}

/// Images `[kernels, channels, height, width]` after the climb, and how strong the answers were
/// before and after.
pub(super) struct AscentResult {
    pub(super) x: Tensor,
    pub(super) before: Vec<f64>,
    pub(super) after: Vec<f64>,
}

impl AscentResult {
    /// Takes the place of what was silent (`silent[i]` here is `i` there) where another climb has
    /// woken it; how many that were.
    pub(super) fn replace_silent(&mut self, silent: &[usize], other: &AscentResult) -> usize {
        let mut woken = 0;
        for (row, &i) in silent.iter().enumerate().filter(|&(row, _)| other.after[row] != 0.0) {
            (self.before[i], self.after[i]) = (other.before[row], other.after[row]);
            self.x.get(i as i64).copy_(&other.x.get(row as i64));
            woken += 1;
        }
        woken
    }
}

impl GradientAscent {
    /// The images for some kernels of the layer at `place`; nothing if the reader pressed stop.
    pub(super) fn run(
        &self,
        model: &Model,
        place: usize,
        kernels: &[usize],
        seed: i64,
        start: Start,
    ) -> Result<Option<AscentResult>> {
        let shape: Vec<i64> = model.input_shape().iter().map(|&n| n as i64).collect();
        let (n, device) = (kernels.len() as i64, model.device());
        tch::manual_seed(seed);
        // Gray noise: the same in all channels, around the middle of the range.
        let noise = Tensor::rand([n, 1, shape[1], shape[2]], (Kind::Float, Device::Cpu));
        let noise = (noise * 20.0 + 128.0) / 255.0;
        let size = [n, shape[0], shape[1], shape[2]];
        let mut x = match start {
            Start::GrayNoise | Start::PreActivation => noise.expand(size, false).contiguous(),
            Start::ColorNoise => Tensor::rand(size, (Kind::Float, Device::Cpu)),
        };
        x = x.to_device(device);
        let mut rng = runtime::seed::host_rng("responses: jitter");
        let mut draw = || {
            let way = runtime::seed::below(2 * self.jitter + 1, &mut rng) as i64;
            way - self.jitter as i64
        };
        let mut before = Vec::new();
        for step in 0..self.steps {
            if interrupt::requested() {
                return Ok(None);
            }
            let shift = if self.jitter > 0 { [draw(), draw()] } else { [0, 0] };
            if self.jitter > 0 {
                x = x.roll(shift, [2, 3]);
            }
            let moved = x.detach().set_requires_grad(true);
            let (activation, pre_activation) =
                kernel_activations(model, place, kernels, &moved, start != Start::GrayNoise);
            if step == 0 {
                before = to_f64_vec(&activation)?;
            }
            let answers = match pre_activation {
                Some(strongest) => activation.where_self(&activation.gt(0.0), &strongest),
                None => activation,
            };
            let sum = answers.sum(Kind::Float);
            let gradient = Tensor::run_backward(&[sum], &[&moved], false, false).remove(0);
            x = no_grad(|| self.ascent_step(&moved, &gradient, step));
            if self.jitter > 0 {
                x = x.roll([-shift[0], -shift[1]], [2, 3]);
            }
        }
        let after =
            to_f64_vec(&no_grad(|| kernel_activations(model, place, kernels, &x, false).0))?;
        if before.is_empty() {
            before = after.clone();
        }
        Ok(Some(AscentResult { x: x.to_device(Device::Cpu), before, after }))
    }

    /// The images one step further along their gradients.
    fn ascent_step(&self, x: &Tensor, gradient: &Tensor, step: usize) -> Tensor {
        let axes = [1i64, 2, 3];
        let pixels: i64 = gradient.size()[1..].iter().product();
        let length = gradient.norm_scalaropt_dim(2.0, axes.as_slice(), true);
        let pace = (length / (pixels as f64).sqrt() + 1e-8).reciprocal_() * self.step_size;
        let mut next = x.addcmul(gradient, &pace);
        if self.blur && step % 4 == 3 {
            next = blurred(&next);
        }
        next.clamp_(0.0, 1.0)
    }
}

/// The answer of kernel `kernels[i]` to image `i`, the mean over all places after the activation; and,
/// where `unbent` asks for it and it can be told apart, the largest before the activation.
fn kernel_activations(
    model: &Model,
    place: usize,
    kernels: &[usize],
    x: &Tensor,
    with_pre_activation: bool,
) -> (Tensor, Option<Tensor>) {
    let program = &model.inner().program;
    let step = &program.steps[place];
    let access = program.inference();
    if let Some(cell) = step.built_layer() {
        let input = access.run(&[(program.inputs[0], x)], &[step.inputs[0]]).remove(0);
        let tensors = cell.tensors();
        let each = |bent| cell.layer.forward_each(&input, &tensors, kernels, bent);
        if let Some(maps) = each(true) {
            let bent = maps.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Float);
            let before = if with_pre_activation { each(false) } else { None };
            return (bent, before.map(|maps| maps.flatten(1, -1).amax(1i64, false)));
        }
    }
    let maps = access.run_to(x, place).mean_dim([2i64, 3].as_slice(), false, Kind::Float);
    let kernels: Vec<i64> = kernels.iter().map(|&kernel| kernel as i64).collect();
    let kernels = Tensor::from_slice(&kernels).to_device(x.device()).unsqueeze(1);
    (maps.gather(1, &kernels, false).squeeze_dim(1), None)
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
    use super::super::tests::model;
    use super::*;

    #[test]
    fn one_kernel_alone_answers_as_it_does_among_all() {
        let model = model();
        let place = model.step_index("test", "conv2d_1").unwrap();
        let x = crate::testing::numbers(&[3, 3, 12, 12], 1);
        let alone = no_grad(|| kernel_activations(&model, place, &[0, 4, 5], &x, false).0);
        let maps = model.activations(&["conv2d_1"], &x).unwrap().remove(0);
        let all = maps.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        for (image, kernel) in [(0, 0), (1, 4), (2, 5)] {
            let difference = alone.double_value(&[image]) - all.double_value(&[image, kernel]);
            assert!(difference.abs() < 1e-6, "{difference}");
        }
    }
}
