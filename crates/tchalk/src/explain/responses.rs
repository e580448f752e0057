//! Which picture excites it most: found by changing a picture, step by step, so that a kernel
//! answers more strongly.
//!
//! The weights stay as they are; the gradient says how each pixel would have to change. Its length
//! is brought to one (as root of the mean square), so that all kernels move at the same pace. A kernel
//! whose activation is silent at grey noise has no gradient to follow. It climbs before the activation,
//! then, at the place where it is nearest to waking, and if that does not wake it, once more from noise
//! of all colours. What is still silent is dead, and counted. Many kernels are done at once: each has a picture of its own in the batch, and of the network no more
//! is computed than the layer needs; of the layer itself, for each picture only the one kernel.

use super::{chunk, convolution, only_input, to_picture};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Figure, TilePanel, thousands};
use crate::runtime::progress::Progress;
use crate::runtime::{self, Budget, interrupt};
use tch::{Device, Kind, Tensor, no_grad};

const COLUMNS: usize = 12;
/// Of a layer with more kernels, so many are drawn in class.
const CLASS_KERNELS: usize = 64;
const CI_KERNELS: usize = 8;

/// How responses are looked for; [`responses`] does it with what is set from the start.
///
/// ```
/// use tchalk::prelude::*;
/// use tchalk::explain::ResponsesOf;
/// let model = Sequential::new().input_shape([3, 16, 16]).add(Conv2d::new(4, 3)).add(Relu);
/// let model = model.build(Device::Cpu)?;
/// let found = ResponsesOf::new("conv2d").steps(10).kernels(&[1, 3]).find(&model)?;
/// assert_eq!(found.images().size(), [2, 3, 16, 16]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ResponsesOf {
    layer: String,
    steps: usize,
    rate: f64,
    kernels: Option<Vec<usize>>,
    sample: Option<usize>,
    jitter: usize,
    blur: bool,
}

/// Where a kernel's way begins, and what it climbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// From grey noise, by its answer.
    Grey,
    /// From grey noise; until it wakes by its largest value before the activation.
    Unbent,
    /// The same from coloured noise.
    Coloured,
}

/// For each kernel of a layer the picture that excites it most.
pub struct Responses {
    layer: String,
    kernels: Vec<usize>,
    images: Tensor,
    before: Vec<f64>,
    after: Vec<f64>,
    /// How many were silent at first, and woken before the activation.
    unbent: usize,
    /// How many had to begin from coloured noise.
    coloured: usize,
    /// What was left out; empty if nothing.
    note: String,
}

/// For each kernel of a convolution layer the picture that excites it most: 40 steps of a 255th of
/// the range each, from grey noise.
///
/// # Errors
///
/// If there is no layer of that path, it gives no maps, or the reader pressed stop before the first
/// kernels were done.
pub fn responses(model: &Model, layer: &str) -> Result<Responses> {
    ResponsesOf::new(layer).find(model)
}

impl ResponsesOf {
    /// The responses of a layer, by its path.
    pub fn new(layer: impl Into<String>) -> ResponsesOf {
        let layer = layer.into();
        let rate = 1.0 / 255.0;
        ResponsesOf { layer, steps: 40, rate, kernels: None, sample: None, jitter: 0, blur: false }
    }

    /// How many steps; 40 from the start.
    pub fn steps(mut self, steps: usize) -> ResponsesOf {
        self.steps = steps;
        self
    }

    /// How far a pixel moves in a step, on average; a 255th of the range from the start.
    pub fn rate(mut self, rate: f64) -> ResponsesOf {
        self.rate = rate;
        self
    }

    /// Only these kernels, counted from 0; all from the start (in a class or test budget the first
    /// ones).
    pub fn kernels(mut self, kernels: &[usize]) -> ResponsesOf {
        self.kernels = Some(kernels.to_vec());
        self
    }

    /// Only so many of the kernels, evenly spread over the layer; the figure says so.
    pub fn sample(mut self, kernels: usize) -> ResponsesOf {
        self.sample = Some(kernels);
        self
    }

    /// Before each step the picture is shifted at random by up to so many pixels, and back after it:
    /// patterns become clearer.
    pub fn jitter(mut self, pixels: usize) -> ResponsesOf {
        self.jitter = pixels;
        self
    }

    /// Every fourth step the picture is blurred a little: patterns become smoother.
    pub fn blur(mut self) -> ResponsesOf {
        self.blur = true;
        self
    }

    /// Looks for them.
    ///
    /// # Errors
    ///
    /// As [`responses`], or if there is no kernel of one of the numbers.
    pub fn find(&self, model: &Model) -> Result<Responses> {
        const OP: &str = "explain::responses";
        only_input(OP, model)?;
        let place = convolution(OP, model, &self.layer)?;
        let filters = model.inner().program.steps[place].shape[0];
        let mut kernels = match &self.kernels {
            Some(kernels) => kernels.clone(),
            None => (0..filters).collect(),
        };
        let mut note = String::new();
        if let Some(count) = self.sample.filter(|&count| count < kernels.len()) {
            note = format!("a sample, {count} of {} kernels", kernels.len());
            kernels = (0..count).map(|i| kernels[i * kernels.len() / count]).collect();
        }
        if let Some(kernel) = kernels.iter().find(|&&kernel| kernel >= filters) {
            let expected = format!("kernels from 0 to {}", filters - 1);
            return Err(Error::invalid(OP, expected, kernel.to_string(), ""));
        }
        let shape = model.input_shape();
        if !matches!(shape[..], [1 | 3, _, _]) {
            let expected = "a network that takes pictures [1 or 3, height, width]";
            return Err(Error::invalid(OP, expected, format!("{shape:?}"), ""));
        }
        let budget = Budget::current();
        let most = match (budget, self.kernels.is_some()) {
            (Budget::Class, false) => CLASS_KERNELS,
            (Budget::Ci, false) => CI_KERNELS,
            _ => usize::MAX,
        };
        if kernels.len() > most {
            kernels.truncate(most);
            note = format!("budget {}: {most} of {filters} kernels", budget.name());
        }
        if kernels.is_empty() {
            return Err(Error::invalid(OP, "at least one kernel", "none", ""));
        }
        let seed = runtime::seed::derive("responses");
        let size = chunk(model.device(), &shape);
        let (mut images, mut before, mut after) = (Vec::new(), Vec::new(), Vec::new());
        let (mut unbent, mut coloured) = (0, 0);
        let mut progress =
            Progress::of(format!("responses of {}", self.layer), "kernels", kernels.len());
        for (number, part) in kernels.chunks(size as usize).enumerate() {
            // Each part has a seed of its own, whatever else draws in between.
            let seed = seed.wrapping_add(number as i64 * 1_000_003);
            match self.climb(model, place, part, seed, Start::Grey)? {
                Some((x, mut first, mut last)) => {
                    for (more, start) in (1..).zip([Start::Unbent, Start::Coloured]) {
                        let silent: Vec<usize> =
                            (0..part.len()).filter(|&i| last[i] == 0.0).collect();
                        let again: Vec<usize> = silent.iter().map(|&i| part[i]).collect();
                        let found = match again.is_empty() {
                            true => None,
                            false => self.climb(model, place, &again, seed + more, start)?,
                        };
                        let Some((y, begun, ended)) = found else { break };
                        let woken = (0..silent.len()).filter(|&row| ended[row] != 0.0);
                        for (row, i) in woken.map(|row| (row, silent[row])) {
                            (first[i], last[i]) = (begun[row], ended[row]);
                            x.get(i as i64).copy_(&y.get(row as i64));
                            match start {
                                Start::Coloured => coloured += 1,
                                _ => unbent += 1,
                            }
                        }
                    }
                    images.push(x);
                    before.extend(first);
                    after.extend(last);
                    progress.done(before.len());
                }
                None => break,
            }
        }
        if before.is_empty() {
            return Err(Error::Interrupted { op: OP.into() });
        }
        if before.len() < kernels.len() {
            kernels.truncate(before.len());
            note = format!("stopped after {} of {filters} kernels", kernels.len());
        }
        let images = Tensor::cat(&images, 0);
        let layer = self.layer.clone();
        Ok(Responses { layer, kernels, images, before, after, unbent, coloured, note })
    }

    /// The pictures for some kernels, and how strong their answers were before and after; nothing if
    /// the reader pressed stop.
    #[allow(clippy::type_complexity)]
    fn climb(
        &self,
        model: &Model,
        place: usize,
        kernels: &[usize],
        seed: i64,
        start: Start,
    ) -> Result<Option<(Tensor, Vec<f64>, Vec<f64>)>> {
        let shape: Vec<i64> = model.input_shape().iter().map(|&n| n as i64).collect();
        let (n, device) = (kernels.len() as i64, model.device());
        tch::manual_seed(seed);
        // Grey noise: the same in all channels, around the middle of the range.
        let noise = Tensor::rand([n, 1, shape[1], shape[2]], (Kind::Float, Device::Cpu));
        let noise = (noise * 20.0 + 128.0) / 255.0;
        let size = [n, shape[0], shape[1], shape[2]];
        let mut x = match start {
            Start::Grey | Start::Unbent => noise.expand(size, false).contiguous(),
            Start::Coloured => Tensor::rand(size, (Kind::Float, Device::Cpu)),
        };
        x = x.to_device(device);
        let mut rng = runtime::seed::host_rng("responses: jitter");
        let mut before = Vec::new();
        for step in 0..self.steps {
            if interrupt::requested() {
                return Ok(None);
            }
            let mut draw = || {
                let way = runtime::seed::below(2 * self.jitter + 1, &mut rng) as i64;
                way - self.jitter as i64
            };
            let shift = if self.jitter > 0 { [draw(), draw()] } else { [0, 0] };
            let moved = if self.jitter > 0 { x.roll(shift, [2, 3]) } else { x.shallow_clone() };
            let moved = moved.detach().set_requires_grad(true);
            let bent = answers(model, place, kernels, &moved, true);
            if step == 0 {
                before = Vec::<f64>::try_from(
                    bent.detach().to_kind(Kind::Double).to_device(Device::Cpu),
                )?;
            }
            let answers = match start {
                Start::Grey => bent,
                _ => {
                    let strongest = answers(model, place, kernels, &moved, false);
                    bent.where_self(&bent.gt(0.0), &strongest)
                }
            };
            let gradient =
                Tensor::run_backward(&[answers.sum(Kind::Float)], &[&moved], false, false);
            x = no_grad(|| {
                let gradient = &gradient[0];
                let power =
                    (gradient * gradient).mean_dim([1i64, 2, 3].as_slice(), true, Kind::Float);
                let mut next = &moved + gradient / (power.sqrt() + 1e-8) * self.rate;
                if self.blur && step % 4 == 3 {
                    next = blurred(&next);
                }
                let next = next.clamp(0.0, 1.0);
                if self.jitter > 0 { next.roll([-shift[0], -shift[1]], [2, 3]) } else { next }
            });
        }
        let last = no_grad(|| answers(model, place, kernels, &x, true));
        let after = Vec::<f64>::try_from(last.to_kind(Kind::Double).to_device(Device::Cpu))?;
        if before.is_empty() {
            before = after.clone();
        }
        Ok(Some((x.to_device(Device::Cpu), before, after)))
    }
}

/// The answer of kernel `kernels[i]` to picture `i`: the mean over all places after the activation
/// (`bent`) or, where that can be told apart, the largest before it.
fn answers(model: &Model, place: usize, kernels: &[usize], x: &Tensor, bent: bool) -> Tensor {
    let program = &model.inner().program;
    let step = &program.steps[place];
    let access = program.using();
    if let Some(cell) = step.cell() {
        let input = access.run(&[(program.inputs[0], x)], &[step.inputs[0]]).remove(0);
        if let Some(each) = cell.layer.forward_each(&input, &cell.tensors(), kernels, bent) {
            return match bent {
                true => each.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Float),
                false => each.flatten(1, -1).amax(1i64, false),
            };
        }
    }
    let maps = access.run_to(x, place).mean_dim([2i64, 3].as_slice(), false, Kind::Float);
    let kernels: Vec<i64> = kernels.iter().map(|&kernel| kernel as i64).collect();
    let kernels = Tensor::from_slice(&kernels).to_device(x.device()).unsqueeze(1);
    maps.gather(1, &kernels, false).squeeze_dim(1)
}

/// Each pixel as a weighted mean of itself and its eight neighbours.
fn blurred(x: &Tensor) -> Tensor {
    let channels = x.size()[1];
    let row = Tensor::from_slice(&[0.1f32, 0.8, 0.1]).to_device(x.device());
    let kernel = row.outer(&row).view([1, 1, 3, 3]).expand([channels, 1, 3, 3], false).contiguous();
    let padded = x.replication_pad2d([1, 1, 1, 1]);
    padded.conv2d(&kernel, None::<Tensor>, [1, 1], [0, 0], [1, 1], channels)
}

impl Responses {
    /// The pictures `f32 [kernels, channels, height, width]` in \[0, 1\].
    pub fn images(&self) -> Tensor {
        self.images.shallow_clone()
    }

    /// The numbers of the kernels, in the order of the pictures.
    pub fn kernels(&self) -> Vec<usize> {
        self.kernels.clone()
    }

    /// How strongly each kernel answers, on average over its map: to the noise that it began from
    /// (grey, or of all colours where it was silent at grey noise), and to its picture.
    pub fn activations(&self) -> Vec<(f64, f64)> {
        self.before.iter().copied().zip(self.after.iter().copied()).collect()
    }

    /// The part of the kernels that answer more strongly to their picture than to noise, 0 to 1.
    pub fn improved(&self) -> f64 {
        let pairs = self.before.iter().zip(&self.after);
        pairs.filter(|(before, after)| after > before).count() as f64 / self.before.len() as f64
    }

    /// How many kernels are dead here: they answer neither to noise nor to anything found on the way
    /// from it, and their pictures mean nothing.
    pub fn dead(&self) -> usize {
        let pairs = self.before.iter().zip(&self.after);
        pairs.filter(|&(&before, &after)| before == 0.0 && after == 0.0).count()
    }

    /// What was left out, what is dead, and what began otherwise; empty if nothing.
    fn notes(&self) -> String {
        let mut notes = vec![self.note.clone()];
        if self.unbent > 0 {
            notes.push(format!("{} silent at first, woken before the activation", self.unbent));
        }
        if self.coloured > 0 {
            notes.push(format!("{} from coloured noise", self.coloured));
        }
        if self.dead() > 0 {
            notes.push(format!("{} dead: nothing wakes them", self.dead()));
        }
        notes.retain(|note| !note.is_empty());
        notes.join("; ")
    }

    /// The pictures, 12 to a row, with their contrast brought to the same level.
    ///
    /// # Errors
    ///
    /// None for what [`responses`] made.
    pub fn figure(&self) -> Result<Figure> {
        let pictures: Vec<_> = (0..self.kernels.len() as i64)
            .map(|i| {
                let x = self.images.get(i);
                let spread = x.std(false).clamp_min(1e-6);
                to_picture(&((&x - x.mean(Kind::Float)) / spread * 0.15 + 0.5))
            })
            .collect();
        let n = thousands(self.kernels.len() as f64);
        let title = format!("{}: what excites {n} kernels most", self.layer);
        Figure::grid(vec![TilePanel::in_detail(title, self.notes(), &pictures, COLUMNS).into()], 1)
    }
}

impl Clone for Responses {
    fn clone(&self) -> Responses {
        Responses {
            layer: self.layer.clone(),
            kernels: self.kernels.clone(),
            images: self.images.shallow_clone(),
            before: self.before.clone(),
            after: self.after.clone(),
            unbent: self.unbent,
            coloured: self.coloured,
            note: self.note.clone(),
        }
    }
}

impl std::fmt::Debug for Responses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = 100.0 * self.improved();
        let n = self.kernels.len();
        write!(f, "responses of {}: {n} kernels, {percent:.0} % answer more strongly", self.layer)?;
        let notes = self.notes();
        if notes.is_empty() { Ok(()) } else { write!(f, "; {notes}") }
    }
}

impl Show for Responses {
    fn content(&self) -> Content {
        match self.figure() {
            Ok(figure) => {
                Content::html(format!("{self:?}"), figure.content().as_html().unwrap_or_default())
            }
            Err(error) => Content::text(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::model;
    use super::*;
    use crate::prelude::{Activation, Conv2d, Sequential};

    #[test]
    fn kernels_answer_more_strongly() {
        let found = responses(&model(), "conv2d_1").unwrap();
        assert_eq!(found.images().size(), [6, 3, 12, 12]);
        assert_eq!(found.improved(), 1.0, "{:?}", found.activations());
    }

    #[test]
    fn dead_kernels_are_counted_and_no_success() {
        let layer = Conv2d::new(3, 3).activation(Activation::Relu);
        let model = Sequential::new().input_shape([3, 8, 8]).add(layer).build(Device::Cpu).unwrap();
        let bias = Tensor::from_slice(&[-1e3f32, 10.0, 10.0]);
        model.set_weight("conv2d.bias", &bias).unwrap();
        let found = responses(&model, "conv2d").unwrap();
        assert_eq!((found.dead(), found.activations()[0]), (1, (0.0, 0.0)));
        assert!((found.improved() - 2.0 / 3.0).abs() < 1e-12, "{found:?}");
        assert!(format!("{found:?}").ends_with("1 dead: nothing wakes them"), "{found:?}");
    }

    #[test]
    fn one_kernel_alone_answers_as_it_does_among_all() {
        let model = model();
        let place = model.place("test", "conv2d_1").unwrap();
        let x = crate::testing::numbers(&[3, 3, 12, 12], 1);
        let alone = no_grad(|| answers(&model, place, &[0, 4, 5], &x, true));
        let maps = model.activations(&["conv2d_1"], &x).unwrap().remove(0);
        let all = maps.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        for (picture, kernel) in [(0, 0), (1, 4), (2, 5)] {
            let difference = alone.double_value(&[picture]) - all.double_value(&[picture, kernel]);
            assert!(difference.abs() < 1e-6, "{difference}");
        }
    }

    #[test]
    fn a_sample_is_spread_over_the_layer_and_says_so() {
        let found = ResponsesOf::new("conv2d_1").steps(2).sample(3).find(&model()).unwrap();
        assert_eq!(found.kernels(), [0, 2, 4]);
        assert!(format!("{found:?}").contains("a sample, 3 of 6 kernels"), "{found:?}");
    }

    #[test]
    fn jitter_and_blur_still_climb_and_a_wrong_kernel_is_told() {
        let model = model();
        let search = ResponsesOf::new("conv2d").jitter(2).blur();
        assert!(search.find(&model).unwrap().improved() > 0.7);
        let error = ResponsesOf::new("conv2d").kernels(&[4]).find(&model).unwrap_err();
        assert!(error.to_string().contains("kernels from 0 to 3"), "{error}");
    }
}
