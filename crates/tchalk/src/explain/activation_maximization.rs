//! Activation maximization: for each kernel of a layer the image that activates it most.

use super::gradient_ascent::{AscentResult, GradientAscent, KernelBatch, Start};
use super::input::{check_single_input, chunk_size};
use super::layer_step::convolution_step;
use super::pixels::to_image;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Figure, ThumbnailPanel, figure_content};
use crate::runtime::progress::Progress;
use crate::runtime::{self, Budget, memory};
use crate::text::thousands;
use tch::{Kind, Tensor};

const OP: &str = "explain::activation_maximization";
const COLUMNS: usize = 12;
/// With the budget `class`, at most this many kernels of a layer.
const CLASS_KERNELS: usize = 64;
/// With the budget `ci`, at most this many kernels of a layer.
const CI_KERNELS: usize = 8;

/// The settings of an activation maximization; [`activation_maximization`] uses the defaults.
///
/// ```
/// use tchalk::prelude::*;
/// use tchalk::explain::ActivationMaximization;
/// let model = Sequential::new().input_shape([3, 16, 16]).add(Conv2d::new(4, 3)).add(Relu);
/// let model = model.build(Device::Cpu)?;
/// let found = ActivationMaximization::new("conv2d").steps(10).kernels(&[1, 3]).run(&model)?;
/// assert_eq!(found.images().size(), [2, 3, 16, 16]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ActivationMaximization {
    layer: String,
    kernels: Option<Vec<usize>>,
    sample: Option<usize>,
    ascent: GradientAscent,
}

/// For each kernel of a layer the image that activates it most.
pub struct MaximizedActivations {
    layer: String,
    kernels: Vec<usize>,
    images: Tensor,
    /// The mean activation of each kernel for the first and the last image.
    activations: Vec<(f64, f64)>,
    /// How many kernels were inactive at first and were activated through the values before the
    /// activation.
    from_pre_activation: usize,
    /// How many kernels needed colored noise to start from.
    from_color_noise: usize,
    /// Which kernels were omitted, and why.
    omitted: Vec<String>,
}

/// For each kernel of a convolution layer the image that activates it most, found by gradient ascent:
/// 40 steps from gray noise, in which a pixel changes by 1/255 on average.
///
/// # Errors
///
/// If there is no layer of that path, its output is not `[filters, height, width]`, or the reader
/// interrupts before the first images are finished.
pub fn activation_maximization(model: &Model, layer: &str) -> Result<MaximizedActivations> {
    ActivationMaximization::new(layer).run(model)
}

impl ActivationMaximization {
    /// The defaults for a layer, by its path.
    pub fn new(layer: impl Into<String>) -> ActivationMaximization {
        let ascent = GradientAscent { steps: 40, step_size: 1.0 / 255.0, jitter: 0, blur: false };
        ActivationMaximization { layer: layer.into(), kernels: None, sample: None, ascent }
    }

    /// The number of steps; 40 by default.
    pub fn steps(mut self, steps: usize) -> ActivationMaximization {
        self.ascent.steps = steps;
        self
    }

    /// How much a pixel changes in a step on average; 1/255 of the range by default.
    pub fn step_size(mut self, step_size: f64) -> ActivationMaximization {
        self.ascent.step_size = step_size;
        self
    }

    /// Only these kernels, counted from 0. By default all kernels; with the budgets `class` and `ci` the
    /// first 64 and 8.
    pub fn kernels(mut self, kernels: &[usize]) -> ActivationMaximization {
        self.kernels = Some(kernels.to_vec());
        self
    }

    /// Only this number of kernels, evenly spread over the layer; the figure says so.
    pub fn sample(mut self, kernels: usize) -> ActivationMaximization {
        self.sample = Some(kernels);
        self
    }

    /// Shifts the image before each step by up to `pixels` in a random direction, and back after it.
    /// Patterns become clearer.
    pub fn jitter(mut self, pixels: usize) -> ActivationMaximization {
        self.ascent.jitter = pixels;
        self
    }

    /// Blurs the image a little in every fourth step. Patterns become smoother.
    pub fn blur(mut self) -> ActivationMaximization {
        self.ascent.blur = true;
        self
    }

    /// Finds the images.
    ///
    /// # Errors
    ///
    /// As for [`activation_maximization`], or if there is no kernel of one of the numbers.
    pub fn run(&self, model: &Model) -> Result<MaximizedActivations> {
        let _kept = memory::keep_freed_memory();
        check_single_input(OP, model)?;
        let step = convolution_step(OP, model, &self.layer)?;
        let shape = model.input_shape();
        if !matches!(shape[..], [1 | 3, _, _]) {
            let expected = "a network for images [1 or 3, height, width]";
            return Err(Error::invalid(OP, expected, format!("{shape:?}"), ""));
        }
        let (kernels, omitted) =
            self.selected_kernels(model.inner().program.steps[step].shape[0])?;
        let mut found = MaximizedActivations {
            layer: self.layer.clone(),
            kernels: Vec::new(),
            images: Tensor::new(),
            activations: Vec::new(),
            from_pre_activation: 0,
            from_color_noise: 0,
            omitted,
        };
        let seed = runtime::seed::derive("responses");
        let what = format!("activation maximization of {}", self.layer);
        let mut progress = Progress::of(what, "kernels", kernels.len());
        let mut images = Vec::new();
        for (number, part) in
            kernels.chunks(chunk_size(model.device(), &shape) as usize).enumerate()
        {
            // Each part has its own seed, so other random draws in between do not matter.
            let seed = seed.wrapping_add(number as i64 * 1_000_003);
            let batch = KernelBatch { model, step, kernels: part };
            let Some(result) = found.maximize(&self.ascent, batch, seed)? else { break };
            images.push(result.images);
            found.activations.extend(result.activations);
            found.kernels.extend(part);
            progress.done(found.kernels.len());
        }
        if images.is_empty() {
            return Err(Error::Interrupted { op: OP.into() });
        }
        if found.kernels.len() < kernels.len() {
            let (done, all) = (found.kernels.len(), kernels.len());
            found.omitted.push(format!("interrupted after {done} of {all} kernels"));
        }
        found.images = Tensor::cat(&images, 0);
        Ok(found)
    }

    /// The kernels of a layer with `filters` kernels, and which of them are omitted.
    fn selected_kernels(&self, filters: usize) -> Result<(Vec<usize>, Vec<String>)> {
        let mut kernels = self.kernels.clone().unwrap_or_else(|| (0..filters).collect());
        let mut omitted = Vec::new();
        if let Some(count) = self.sample.filter(|&count| count < kernels.len()) {
            omitted.push(format!("a sample, {count} of {} kernels", kernels.len()));
            kernels = (0..count).map(|i| kernels[i * kernels.len() / count]).collect();
        }
        if let Some(kernel) = kernels.iter().find(|&&kernel| kernel >= filters) {
            let expected = format!("kernels from 0 to {}", filters - 1);
            return Err(Error::invalid(OP, expected, kernel.to_string(), ""));
        }
        let budget = Budget::current()?;
        let limit = match (budget, self.kernels.is_some()) {
            (Budget::Class, false) => CLASS_KERNELS,
            (Budget::Ci, false) => CI_KERNELS,
            _ => usize::MAX,
        };
        if kernels.len() > limit {
            kernels.truncate(limit);
            omitted.push(format!("budget {}: {limit} of {filters} kernels", budget.name()));
        }
        match kernels.is_empty() {
            true => Err(Error::invalid(OP, "at least one kernel", "none", "")),
            false => Ok((kernels, omitted)),
        }
    }
}

impl MaximizedActivations {
    /// The images for some kernels. Inactive kernels get two more attempts, which are counted.
    fn maximize(
        &mut self,
        ascent: &GradientAscent,
        batch: KernelBatch<'_>,
        seed: i64,
    ) -> Result<Option<AscentResult>> {
        let Some(mut result) = ascent.run(batch, seed, Start::GrayNoise)? else { return Ok(None) };
        let attempts = [
            (Start::PreActivation, &mut self.from_pre_activation),
            (Start::ColorNoise, &mut self.from_color_noise),
        ];
        for (attempt, (start, count)) in (1..).zip(attempts) {
            let inactive = result.inactive();
            if inactive.is_empty() {
                break;
            }
            let kernels: Vec<usize> = inactive.iter().map(|&row| batch.kernels[row]).collect();
            let again = KernelBatch { kernels: &kernels, ..batch };
            let Some(other) = ascent.run(again, seed + attempt, start)? else { break };
            *count += result.replace_inactive(&inactive, &other);
        }
        Ok(Some(result))
    }

    /// The images `f32 [kernels, channels, height, width]` in \[0, 1\].
    pub fn images(&self) -> Tensor {
        self.images.shallow_clone()
    }

    /// The numbers of the kernels, in the order of the images.
    pub fn kernels(&self) -> Vec<usize> {
        self.kernels.clone()
    }

    /// The activation of each kernel, averaged over its map: for the noise that its image started from,
    /// and for its image.
    pub fn activations(&self) -> Vec<(f64, f64)> {
        self.activations.clone()
    }

    /// The fraction of kernels whose activation is higher for their image than for noise, 0 to 1.
    pub fn improved(&self) -> f64 {
        let improved = self.activations.iter().filter(|(before, after)| after > before);
        improved.count() as f64 / self.activations.len() as f64
    }

    /// The number of dead kernels: they are inactive for noise and for every image that was tried, and
    /// their images mean nothing.
    pub fn dead(&self) -> usize {
        self.activations.iter().filter(|&&activations| activations == (0.0, 0.0)).count()
    }

    /// Which kernels were omitted, are dead, or started otherwise; empty if none.
    fn notes(&self) -> String {
        let counts = [
            (self.from_pre_activation, "inactive at first, found before the activation"),
            (self.from_color_noise, "from colored noise"),
            (self.dead(), "dead: no image activates them"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts = counts.map(|(count, what)| format!("{count} {what}"));
        self.omitted.iter().cloned().chain(counts).collect::<Vec<_>>().join("; ")
    }

    /// The images, 12 to a row, all with the same contrast.
    ///
    /// # Errors
    ///
    /// None for a result of [`activation_maximization`].
    pub fn figure(&self) -> Result<Figure> {
        let images: Vec<_> = (0..self.kernels.len() as i64)
            .map(|i| {
                let x = self.images.get(i);
                let spread = x.std(false).clamp_min(1e-6);
                to_image(&((&x - x.mean(Kind::Float)) / spread * 0.15 + 0.5))
            })
            .collect();
        let n = thousands(self.kernels.len());
        let title = format!("{}: images that activate {n} kernels most", self.layer);
        Figure::grid(
            vec![ThumbnailPanel::in_detail(title, self.notes(), &images, COLUMNS).into()],
            1,
        )
    }
}

impl Clone for MaximizedActivations {
    fn clone(&self) -> MaximizedActivations {
        MaximizedActivations {
            layer: self.layer.clone(),
            kernels: self.kernels.clone(),
            images: self.images.shallow_clone(),
            activations: self.activations.clone(),
            from_pre_activation: self.from_pre_activation,
            from_color_noise: self.from_color_noise,
            omitted: self.omitted.clone(),
        }
    }
}

impl std::fmt::Debug for MaximizedActivations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (layer, n, percent) = (&self.layer, self.kernels.len(), 100.0 * self.improved());
        write!(
            f,
            "images for {n} kernels of {layer}: {percent:.0} % are activated more than by noise"
        )?;
        let notes = self.notes();
        if notes.is_empty() { Ok(()) } else { write!(f, "; {notes}") }
    }
}

impl Show for MaximizedActivations {
    fn content(&self) -> Content {
        figure_content(format!("{self:?}"), self.figure())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::model;
    use super::*;
    use crate::prelude::{Activation, Conv2d, Device, Sequential};

    #[test]
    fn images_activate_their_kernels_more_than_noise() {
        let found = activation_maximization(&model(), "conv2d_1").unwrap();
        assert_eq!(found.images().size(), [6, 3, 12, 12]);
        assert_eq!(found.improved(), 1.0, "{:?}", found.activations());
    }

    #[test]
    fn dead_kernels_are_counted_and_not_improved() {
        let layer = Conv2d::new(3, 3).activation(Activation::Relu);
        let model = Sequential::new().input_shape([3, 8, 8]).add(layer).build(Device::Cpu).unwrap();
        let bias = Tensor::from_slice(&[-1e3f32, 10.0, 10.0]);
        model.set_weight("conv2d.bias", &bias).unwrap();
        let found = activation_maximization(&model, "conv2d").unwrap();
        assert_eq!((found.dead(), found.activations()[0]), (1, (0.0, 0.0)));
        assert!((found.improved() - 2.0 / 3.0).abs() < 1e-12, "{found:?}");
        assert!(found.notes().starts_with("1 dead"), "{found:?}");
    }

    #[test]
    fn a_sample_is_spread_over_the_layer_and_noted() {
        let found =
            ActivationMaximization::new("conv2d_1").steps(2).sample(3).run(&model()).unwrap();
        assert_eq!(found.kernels(), [0, 2, 4]);
        assert_eq!(found.omitted, ["a sample, 3 of 6 kernels"]);
    }

    #[test]
    fn jitter_and_blur_improve_too_and_a_wrong_kernel_is_refused() {
        let model = model();
        let settings = ActivationMaximization::new("conv2d").jitter(2).blur();
        assert!(settings.run(&model).unwrap().improved() > 0.7);
        let error = ActivationMaximization::new("conv2d").kernels(&[4]).run(&model).unwrap_err();
        assert!(error.to_string().contains("kernels from 0 to 3"), "{error}");
    }
}
