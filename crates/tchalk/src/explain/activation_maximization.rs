//! Which image excites it most: for each kernel of a layer one that is found step by step.

use super::gradient_ascent::{AscentResult, GradientAscent, Start};
use super::{check_single_input, chunk_size, convolution_step, to_image};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Figure, TilePanel, drawn};
use crate::runtime::progress::Progress;
use crate::runtime::{self, Budget, memory};
use crate::text::thousands;
use tch::{Kind, Tensor};

const COLUMNS: usize = 12;
/// Of a layer with more kernels, so many are drawn in class.
const CLASS_KERNELS: usize = 64;
const CI_KERNELS: usize = 8;

/// How responses are looked for; [`responses`] does it with what is set from the start.
///
/// ```
/// use tchalk::prelude::*;
/// use tchalk::explain::ActivationMaximization;
/// let model = Sequential::new().input_shape([3, 16, 16]).add(Conv2d::new(4, 3)).add(Relu);
/// let model = model.build(Device::Cpu)?;
/// let found = ActivationMaximization::new("conv2d").steps(10).kernels(&[1, 3]).find(&model)?;
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

/// For each kernel of a layer the image that excites it most.
pub struct MaximizedActivations {
    layer: String,
    kernels: Vec<usize>,
    images: Tensor,
    before: Vec<f64>,
    after: Vec<f64>,
    /// How many were silent at first, and woken before the activation.
    from_pre_activation: usize,
    /// How many had to begin from colored noise.
    from_color_noise: usize,
    /// What was left out, and why.
    omitted: Vec<String>,
}

/// For each kernel of a convolution layer the image that excites it most: 40 steps of a 255th of
/// the range each, from gray noise.
///
/// # Errors
///
/// If there is no layer of that path, it gives no maps, or the reader pressed stop before the first
/// kernels were done.
pub fn activation_maximization(model: &Model, layer: &str) -> Result<MaximizedActivations> {
    ActivationMaximization::new(layer).run(model)
}

impl ActivationMaximization {
    /// The responses of a layer, by its path.
    pub fn new(layer: impl Into<String>) -> ActivationMaximization {
        let ascent = GradientAscent { steps: 40, step_size: 1.0 / 255.0, jitter: 0, blur: false };
        ActivationMaximization { layer: layer.into(), kernels: None, sample: None, ascent }
    }

    /// How many steps; 40 from the start.
    pub fn steps(mut self, steps: usize) -> ActivationMaximization {
        self.ascent.steps = steps;
        self
    }

    /// How far a pixel moves in a step, on average; a 255th of the range from the start.
    pub fn step_size(mut self, rate: f64) -> ActivationMaximization {
        self.ascent.step_size = rate;
        self
    }

    /// Only these kernels, counted from 0; all from the start (in a class or test budget the first
    /// ones).
    pub fn kernels(mut self, kernels: &[usize]) -> ActivationMaximization {
        self.kernels = Some(kernels.to_vec());
        self
    }

    /// Only so many of the kernels, evenly spread over the layer; the figure says so.
    pub fn sample(mut self, kernels: usize) -> ActivationMaximization {
        self.sample = Some(kernels);
        self
    }

    /// Before each step the image is shifted at random by up to so many pixels, and back after it:
    /// patterns become clearer.
    pub fn jitter(mut self, pixels: usize) -> ActivationMaximization {
        self.ascent.jitter = pixels;
        self
    }

    /// Every fourth step the image is blurred a little: patterns become smoother.
    pub fn blur(mut self) -> ActivationMaximization {
        self.ascent.blur = true;
        self
    }

    /// Looks for them.
    ///
    /// # Errors
    ///
    /// As [`responses`], or if there is no kernel of one of the numbers.
    pub fn run(&self, model: &Model) -> Result<MaximizedActivations> {
        const OP: &str = "explain::responses";
        let _kept = memory::keep();
        check_single_input(OP, model)?;
        let place = convolution_step(OP, model, &self.layer)?;
        let filters = model.inner().program.steps[place].shape[0];
        let mut kernels = match &self.kernels {
            Some(kernels) => kernels.clone(),
            None => (0..filters).collect(),
        };
        let mut notes = Vec::new();
        if let Some(count) = self.sample.filter(|&count| count < kernels.len()) {
            notes.push(format!("a sample, {count} of {} kernels", kernels.len()));
            kernels = (0..count).map(|i| kernels[i * kernels.len() / count]).collect();
        }
        if let Some(kernel) = kernels.iter().find(|&&kernel| kernel >= filters) {
            let expected = format!("kernels from 0 to {}", filters - 1);
            return Err(Error::invalid(OP, expected, kernel.to_string(), ""));
        }
        let shape = model.input_shape();
        if !matches!(shape[..], [1 | 3, _, _]) {
            let expected = "a network that takes images [1 or 3, height, width]";
            return Err(Error::invalid(OP, expected, format!("{shape:?}"), ""));
        }
        let budget = Budget::current()?;
        let most = match (budget, self.kernels.is_some()) {
            (Budget::Class, false) => CLASS_KERNELS,
            (Budget::Ci, false) => CI_KERNELS,
            _ => usize::MAX,
        };
        if kernels.len() > most {
            kernels.truncate(most);
            notes.push(format!("budget {}: {most} of {filters} kernels", budget.name()));
        }
        if kernels.is_empty() {
            return Err(Error::invalid(OP, "at least one kernel", "none", ""));
        }
        let seed = runtime::seed::derive("responses");
        let size = chunk_size(model.device(), &shape);
        let (mut images, mut before, mut after) = (Vec::new(), Vec::new(), Vec::new());
        let (mut unbent, mut colored) = (0, 0);
        let mut progress =
            Progress::of(format!("responses of {}", self.layer), "kernels", kernels.len());
        for (number, part) in kernels.chunks(size as usize).enumerate() {
            // Each part has a seed of its own, whatever else draws in between.
            let seed = seed.wrapping_add(number as i64 * 1_000_003);
            let climb = |kernels: &[usize], seed: i64, start: Start| {
                self.ascent.run(model, place, kernels, seed, start)
            };
            let Some(mut found) = climb(part, seed, Start::GrayNoise)? else { break };
            for (more, start) in (1..).zip([Start::PreActivation, Start::ColorNoise]) {
                let silent: Vec<usize> =
                    (0..part.len()).filter(|&i| found.after[i] == 0.0).collect();
                if silent.is_empty() {
                    break;
                }
                let again: Vec<usize> = silent.iter().map(|&i| part[i]).collect();
                let Some(other) = climb(&again, seed + more, start)? else { break };
                let woken = found.replace_silent(&silent, &other);
                match start {
                    Start::ColorNoise => colored += woken,
                    _ => unbent += woken,
                }
            }
            let AscentResult { x, before: first, after: last } = found;
            images.push(x);
            before.extend(first);
            after.extend(last);
            progress.done(before.len());
        }
        if before.is_empty() {
            return Err(Error::Interrupted { op: OP.into() });
        }
        if before.len() < kernels.len() {
            notes.push(format!("stopped after {} of {} kernels", before.len(), kernels.len()));
            kernels.truncate(before.len());
        }
        let images = Tensor::cat(&images, 0);
        let layer = self.layer.clone();
        Ok(MaximizedActivations {
            layer,
            kernels,
            images,
            before,
            after,
            from_pre_activation: unbent,
            from_color_noise: colored,
            omitted: notes,
        })
    }
}

impl MaximizedActivations {
    /// The images `f32 [kernels, channels, height, width]` in \[0, 1\].
    pub fn images(&self) -> Tensor {
        self.images.shallow_clone()
    }

    /// The numbers of the kernels, in the order of the images.
    pub fn kernels(&self) -> Vec<usize> {
        self.kernels.clone()
    }

    /// How strongly each kernel answers, on average over its map: to the noise that it began from
    /// (gray, or of all colors where it was silent at gray noise), and to its image.
    pub fn activations(&self) -> Vec<(f64, f64)> {
        self.before.iter().copied().zip(self.after.iter().copied()).collect()
    }

    /// The part of the kernels that answer more strongly to their image than to noise, 0 to 1.
    pub fn improved(&self) -> f64 {
        let pairs = self.before.iter().zip(&self.after);
        pairs.filter(|(before, after)| after > before).count() as f64 / self.before.len() as f64
    }

    /// How many kernels are dead here: they answer neither to noise nor to anything found on the way
    /// from it, and their images mean nothing.
    pub fn dead(&self) -> usize {
        let pairs = self.before.iter().zip(&self.after);
        pairs.filter(|&(&before, &after)| before == 0.0 && after == 0.0).count()
    }

    /// What was left out, what is dead, and what began otherwise; empty if nothing.
    fn notes(&self) -> String {
        let mut notes = self.omitted.clone();
        if self.from_pre_activation > 0 {
            notes.push(format!(
                "{} silent at first, woken before the activation",
                self.from_pre_activation
            ));
        }
        if self.from_color_noise > 0 {
            notes.push(format!("{} from colored noise", self.from_color_noise));
        }
        if self.dead() > 0 {
            notes.push(format!("{} dead: nothing wakes them", self.dead()));
        }
        notes.join("; ")
    }

    /// The images, 12 to a row, with their contrast brought to the same level.
    ///
    /// # Errors
    ///
    /// None for what [`responses`] made.
    pub fn figure(&self) -> Result<Figure> {
        let images: Vec<_> = (0..self.kernels.len() as i64)
            .map(|i| {
                let x = self.images.get(i);
                let spread = x.std(false).clamp_min(1e-6);
                to_image(&((&x - x.mean(Kind::Float)) / spread * 0.15 + 0.5))
            })
            .collect();
        let n = thousands(self.kernels.len());
        let title = format!("{}: what excites {n} kernels most", self.layer);
        Figure::grid(vec![TilePanel::in_detail(title, self.notes(), &images, COLUMNS).into()], 1)
    }
}

impl Clone for MaximizedActivations {
    fn clone(&self) -> MaximizedActivations {
        MaximizedActivations {
            layer: self.layer.clone(),
            kernels: self.kernels.clone(),
            images: self.images.shallow_clone(),
            before: self.before.clone(),
            after: self.after.clone(),
            from_pre_activation: self.from_pre_activation,
            from_color_noise: self.from_color_noise,
            omitted: self.omitted.clone(),
        }
    }
}

impl std::fmt::Debug for MaximizedActivations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = 100.0 * self.improved();
        let n = self.kernels.len();
        write!(f, "responses of {}: {n} kernels, {percent:.0} % answer more strongly", self.layer)?;
        let notes = self.notes();
        if notes.is_empty() { Ok(()) } else { write!(f, "; {notes}") }
    }
}

impl Show for MaximizedActivations {
    fn content(&self) -> Content {
        drawn(format!("{self:?}"), self.figure())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::model;
    use super::*;
    use crate::prelude::{Activation, Conv2d, Device, Sequential};

    #[test]
    fn kernels_answer_more_strongly() {
        let found = activation_maximization(&model(), "conv2d_1").unwrap();
        assert_eq!(found.images().size(), [6, 3, 12, 12]);
        assert_eq!(found.improved(), 1.0, "{:?}", found.activations());
    }

    #[test]
    fn dead_kernels_are_counted_and_no_success() {
        let layer = Conv2d::new(3, 3).activation(Activation::Relu);
        let model = Sequential::new().input_shape([3, 8, 8]).add(layer).build(Device::Cpu).unwrap();
        let bias = Tensor::from_slice(&[-1e3f32, 10.0, 10.0]);
        model.set_weight("conv2d.bias", &bias).unwrap();
        let found = activation_maximization(&model, "conv2d").unwrap();
        assert_eq!((found.dead(), found.activations()[0]), (1, (0.0, 0.0)));
        assert!((found.improved() - 2.0 / 3.0).abs() < 1e-12, "{found:?}");
        assert!(format!("{found:?}").ends_with("1 dead: nothing wakes them"), "{found:?}");
    }

    #[test]
    fn a_sample_is_spread_over_the_layer_and_says_so() {
        let found =
            ActivationMaximization::new("conv2d_1").steps(2).sample(3).run(&model()).unwrap();
        assert_eq!(found.kernels(), [0, 2, 4]);
        assert!(format!("{found:?}").contains("a sample, 3 of 6 kernels"), "{found:?}");
    }

    #[test]
    fn jitter_and_blur_still_climb_and_a_wrong_kernel_is_told() {
        let model = model();
        let search = ActivationMaximization::new("conv2d").jitter(2).blur();
        assert!(search.run(&model).unwrap().improved() > 0.7);
        let error = ActivationMaximization::new("conv2d").kernels(&[4]).run(&model).unwrap_err();
        assert!(error.to_string().contains("kernels from 0 to 3"), "{error}");
    }
}
