//! Finding a learning rate: a range test.

use super::random::{shuffled_order, step_seed};
use super::replicas::Replicas;
use super::train_step::{TrainStep, trainable_weights};
use crate::data::TensorSet;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Figure, Line, LinePanel};
use crate::runtime::progress::Progress;
use crate::runtime::{self, interrupt, memory};
use crate::train::batch_source::BatchSource;
use crate::train::callbacks::run::{copy_weights, set_weights};
use crate::train::catch_torch_error;
use crate::train::compile::{check_input, check_labels, compiled_loss};

/// The decay of the moving average of the loss.
const SMOOTHING: f64 = 0.9;
/// The slope is measured over this number of steps in both directions.
const WINDOW: usize = 2;

/// The learning rate range test: some training steps with a growing learning rate show where the loss
/// falls fastest and where it diverges (Smith 2015).
///
/// ```
/// use tchalk::prelude::*;
/// let train = datasets::shapes()?.train.take(320).to_tensors(Device::Cpu);
/// let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
/// let model = layers.add(Softmax).build(Device::Cpu)?;
/// model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
/// let curve = model.find_learning_rate(&train, LearningRateFinder::new().steps(30))?;
/// println!("try {:?}", curve.suggestion());
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LearningRateFinder {
    from: f64,
    to: f64,
    steps: usize,
    batch_size: usize,
}

impl Default for LearningRateFinder {
    fn default() -> LearningRateFinder {
        LearningRateFinder::new()
    }
}

impl LearningRateFinder {
    /// 100 steps with learning rates from 1e-5 to 1, on batches of 32.
    pub fn new() -> LearningRateFinder {
        LearningRateFinder { from: 1e-5, to: 1.0, steps: 100, batch_size: 32 }
    }

    /// The smallest and the largest learning rate.
    pub fn range(mut self, from: f64, to: f64) -> LearningRateFinder {
        (self.from, self.to) = (from, to);
        self
    }

    /// The number of steps. The learning rate grows by the same factor at each.
    pub fn steps(mut self, steps: usize) -> LearningRateFinder {
        self.steps = steps;
        self
    }

    /// The number of examples of each step. Use the batch size of the training.
    pub fn batch_size(mut self, size: usize) -> LearningRateFinder {
        self.batch_size = size;
        self
    }

    fn learning_rate(&self, step: usize) -> f64 {
        let part = step as f64 / (self.steps - 1) as f64;
        self.from * (self.to / self.from).powf(part)
    }

    /// Runs the steps. They change the weights and the optimizer state.
    fn run_steps(&self, learner: &TrainStep<'_>, set: &TensorSet) -> Result<LearningRateCurve> {
        let (source, seed) =
            (BatchSource::new(set.clone()), runtime::seed::derive("find_rate") as u64);
        let (program, device) = (&learner.inner.program, learner.inner.device);
        let per_epoch = set.len().div_ceil(self.batch_size);
        let (mut rates, mut losses, mut stopped) = (Vec::new(), Vec::new(), false);
        let mut progress = Progress::of("trying", "learning rates", self.steps);
        let mut batches = Vec::new();
        for step in 0..self.steps {
            if interrupt::requested() {
                stopped = true;
                break;
            }
            if batches.is_empty() {
                let order = shuffled_order(seed, step / per_epoch + 1, set.len());
                batches = order.split(self.batch_size as i64, 0);
                batches.reverse();
            }
            let positions = batches.pop().expect("a set has at least one batch");
            let (batch, rate) =
                (source.batch(program, &positions, device), self.learning_rate(step));
            let learned = learner.run(&batch, step_seed(seed, 1, step), |_| rate)?;
            let value = learned.loss.double_value(&[]);
            if !value.is_finite() {
                break;
            }
            rates.push(rate);
            losses.push(value);
            progress.done(step + 1);
            let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
            if value > 4.0 * best && step > self.steps / 10 {
                break;
            }
        }
        Ok(LearningRateCurve::new(rates, losses, stopped))
    }
}

/// The loss at each learning rate that was tried.
#[derive(Clone, PartialEq)]
pub struct LearningRateCurve {
    learning_rates: Vec<f64>,
    losses: Vec<f64>,
    smoothed: Vec<f64>,
    stopped: bool,
}

impl LearningRateCurve {
    fn new(learning_rates: Vec<f64>, losses: Vec<f64>, stopped: bool) -> LearningRateCurve {
        let mut mean = 0.0;
        let smoothed = losses.iter().enumerate().map(|(i, loss)| {
            mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss;
            // The average starts at 0, so it is too small at first.
            mean / (1.0 - SMOOTHING.powi(i as i32 + 1))
        });
        let smoothed = smoothed.collect();
        LearningRateCurve { learning_rates, losses, smoothed, stopped }
    }

    /// The learning rates, in the order in which they were tried.
    pub fn learning_rates(&self) -> Vec<f64> {
        self.learning_rates.clone()
    }

    /// The loss of the batch at each learning rate.
    pub fn losses(&self) -> Vec<f64> {
        self.losses.clone()
    }

    /// A learning rate to start with: the one at which the smoothed loss falls fastest. None where it
    /// never falls.
    pub fn suggestion(&self) -> Option<f64> {
        // The first values are those of single batches.
        let first = (self.smoothed.len() / 10).max(WINDOW);
        let last = self.smoothed.len().saturating_sub(WINDOW);
        let lowest = (first..self.smoothed.len())
            .min_by(|&a, &b| self.smoothed[a].total_cmp(&self.smoothed[b]))?;
        let slope = |i: usize| self.smoothed[i + WINDOW] - self.smoothed[i - WINDOW];
        let steepest = (first..lowest.min(last)).min_by(|&a, &b| slope(a).total_cmp(&slope(b)))?;
        // Smaller slopes are rounding errors.
        (slope(steepest) < -1e-9).then_some(self.learning_rates[steepest])
    }

    /// The loss against the logarithm of the learning rate.
    ///
    /// # Errors
    ///
    /// If nothing was tried.
    pub fn plot(&self) -> Result<Figure> {
        let points = |values: &[f64]| {
            let pairs = self.learning_rates.iter().zip(values);
            pairs.map(|(rate, loss)| (rate.log10(), *loss)).collect::<Vec<_>>()
        };
        let panel = LinePanel::new("loss")
            .x_label("logarithm of the learning rate (-3 is 0.001)")
            .line(Line::new("smoothed", points(&self.smoothed)))
            .line(Line::new("each batch", points(&self.losses)).dashed());
        let figure = Figure::grid(vec![panel.into()], 1)?;
        Ok(match self.suggestion() {
            Some(rate) => {
                figure.title(format!("the loss falls fastest at a learning rate of {rate:.1e}"))
            }
            None => figure.title("the loss does not fall at any of these learning rates"),
        })
    }
}

impl std::fmt::Debug for LearningRateCurve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (count, end) =
            (self.learning_rates.len(), self.learning_rates.last().copied().unwrap_or(f64::NAN));
        write!(f, "the loss at {count} learning rates up to {end:.1e}; ")?;
        match self.suggestion() {
            Some(rate) => write!(f, "it falls fastest at {rate:.1e}")?,
            None => write!(f, "it falls at none of them")?,
        }
        if self.stopped { write!(f, " (stopped early)") } else { Ok(()) }
    }
}

impl Show for LearningRateCurve {
    fn content(&self) -> Content {
        self.plot().map_or_else(|_| Content::text(format!("{self:?}")), |figure| figure.content())
    }
}

impl Model {
    /// Trains for some steps with a growing learning rate, and returns the loss at each. Weights and
    /// optimizer state are restored afterwards.
    ///
    /// It ends early if the loss is four times its best, or on an interrupt.
    ///
    /// # Errors
    ///
    /// If the model is not compiled, the set does not fit, a number of the finder is out of range, or
    /// libtorch refuses a step. The weights are restored then, too.
    pub fn find_learning_rate(
        &self,
        set: &TensorSet,
        finder: LearningRateFinder,
    ) -> Result<LearningRateCurve> {
        const OP: &str = "Model::find_learning_rate";
        let inner = self.inner();
        let (loss, loss_input) = compiled_loss(inner, OP)?;
        check_input(OP, inner, set)?;
        check_labels(OP, inner, set)?;
        let good = finder.from > 0.0 && finder.to > finder.from && finder.to.is_finite();
        if !good || finder.steps < 10 || finder.batch_size == 0 {
            let expected = "a growing learning rate above 0, in at least 10 steps";
            return Err(Error::invalid("LearningRateFinder", expected, format!("{finder:?}"), ""));
        }
        let program = &inner.program;
        if trainable_weights(program, &program.inputs, loss_input.step(program)).is_empty() {
            return Err(Error::invalid(OP, "weights to train", "none: all are frozen", ""));
        }
        let before = copy_weights(self);
        let state = inner.compiled().as_ref().map(|compiled| compiled.optimizer_state.state_dict());
        let replicas = Replicas::none();
        let learner = TrainStep {
            inner,
            replicas: &replicas,
            loss: &loss,
            loss_input,
            mixed_precision: false,
        };
        let _kept = memory::keep_freed_memory();
        let curve = catch_torch_error(OP, || finder.run_steps(&learner, set));
        set_weights(self, &before)?;
        if let (Some(state), Some(compiled)) = (state, inner.compiled().as_mut()) {
            // Of all weights: those of frozen layers may be trained again.
            let weights = program.weights().into_iter().map(|weight| (weight.name, weight.tensor));
            compiled
                .optimizer_state
                .load_state_dict(&state, &weights.collect::<Vec<_>>())
                .map_err(|problem| {
                    Error::invalid(OP, "the optimizer as it was before", problem, "")
                })?;
        }
        curve
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggestion_is_where_the_loss_falls_fastest() {
        let finder = LearningRateFinder::new().range(1e-5, 1.0).steps(51);
        let rates: Vec<f64> = (0..51).map(|step| finder.learning_rate(step)).collect();
        assert!((rates[50] - 1.0).abs() < 1e-9 && (rates[10] - 1e-4).abs() < 1e-9);
        // Flat, a fall around 1e-2.5, and a rise at the end.
        let loss = |rate: f64| {
            let x = rate.log10();
            2.0 / (1.0 + (4.0 * (x + 2.5)).exp()) + if x > -0.5 { 8.0 * (x + 0.5) } else { 0.0 }
        };
        let curve =
            LearningRateCurve::new(rates.clone(), rates.iter().map(|&r| loss(r)).collect(), false);
        let suggestion = curve.suggestion().unwrap().log10();
        assert!((-2.6..-1.5).contains(&suggestion), "{suggestion}");
        let flat = LearningRateCurve::new(rates.clone(), vec![1.0; 51], false);
        assert_eq!(flat.suggestion(), None);
        assert!(format!("{flat:?}").contains("falls at none"), "{flat:?}");
    }
}
