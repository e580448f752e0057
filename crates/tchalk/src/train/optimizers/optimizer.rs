//! What turns gradients into better weights.

use super::clip::Clip;
use crate::error::{Error, Result};
use tch::Tensor;

/// What turns gradients into better weights.
///
/// An optimizer describes a rule. What the rule keeps for each weight, such as a momentum, is stored
/// outside it, in [`Slots`], so that training can be saved, and layers can be frozen and unfrozen. An
/// optimizer of your own needs a learning rate and an update:
///
/// ```
/// use tchalk::prelude::*;
/// use tchalk::train::{Optimizer, Slots};
///
/// /// Moves every weight by the same amount, against the sign of its gradient.
/// #[derive(Debug)]
/// struct SignDescent(f64);
///
/// impl Optimizer for SignDescent {
///     fn learning_rate(&self) -> f64 {
///         self.0
///     }
///     fn update(&self, weight: &Tensor, gradient: &Tensor, _: &mut Slots, learning_rate: f64) {
///         let mut weight = weight.shallow_clone();
///         weight -= gradient.sign() * learning_rate;
///     }
/// }
///
/// let model = Sequential::new().input_shape([4]).add(Dense::new(2)).add(Softmax);
/// model.build(Device::Cpu)?.compile(SignDescent(1e-3), Loss::CategoricalCrossEntropy)?;
/// # Ok::<(), tchalk::Error>(())
/// ```
pub trait Optimizer: std::fmt::Debug + Send {
    /// The initial learning rate. Schedules and callbacks start from it.
    fn learning_rate(&self) -> f64;

    /// Changes one `weight` in place. Its `gradient` has the same shape; `learning_rate` is that of
    /// this step. Gradients are not tracked during the call.
    fn update(&self, weight: &Tensor, gradient: &Tensor, slots: &mut Slots, learning_rate: f64);

    /// Options that all optimizers share: decay, clipping, learning rates of parts of the network. By
    /// default none is used. [`compile`](crate::model::Model::compile) reads them once.
    fn options(&self) -> OptimizerOptions {
        OptimizerOptions::default()
    }

    /// Checks the optimizer's own numbers. Its learning rate and its [`OptimizerOptions`] are always
    /// checked.
    ///
    /// # Errors
    ///
    /// If a number is out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// What an optimizer keeps for one weight from step to step.
#[derive(Default)]
pub struct Slots {
    pub(crate) updates: u64,
    pub(crate) tensors: Vec<Tensor>,
}

impl Slots {
    /// The number of updates the weight has had.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// `COUNT` tensors with the shape of `weight`. Change them in place: they keep their values. They
    /// are zero before the first step.
    pub fn tensors<const COUNT: usize>(&mut self, weight: &Tensor) -> [Tensor; COUNT] {
        while self.tensors.len() < COUNT {
            self.tensors.push(weight.detach().zeros_like());
        }
        std::array::from_fn(|i| self.tensors[i].shallow_clone())
    }
}

impl std::fmt::Debug for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tensors after {} updates", self.tensors.len(), self.updates)
    }
}

/// Options that all optimizers share. Their builder methods have the same names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OptimizerOptions {
    /// The learning rate of a step is `learning_rate / (1 + decay * step)`.
    pub(crate) decay: f64,
    /// The part of its value that a weight loses at each step, times the learning rate.
    pub(crate) weight_decay: f64,
    /// For the description of the optimizer only.
    pub(crate) momentum: f64,
    pub(crate) clip: Option<Clip>,
    /// Path prefixes of parts of the network, and the factors of their learning rates.
    pub(crate) learning_rate_factors: Vec<(String, f64)>,
}

impl OptimizerOptions {
    /// The factor of the learning rate for the weight at `path`: that of the longest matching prefix.
    pub(crate) fn learning_rate_factor(&self, path: &str) -> f64 {
        let parts =
            self.learning_rate_factors.iter().filter(|(part, _)| is_path_prefix(path, part));
        parts.max_by_key(|(part, _)| part.len()).map_or(1.0, |&(_, factor)| factor)
    }

    pub(crate) fn check(&self) -> Result<()> {
        check_learning_rate("decay", self.decay)?;
        check_learning_rate("weight_decay", self.weight_decay)?;
        self.clip.map_or(Ok(()), Clip::check)?;
        self.learning_rate_factors.iter().try_for_each(|(part, factor)| {
            if factor.is_finite() && *factor >= 0.0 {
                return Ok(());
            }
            let hint = "0.1 gives that part a tenth of the learning rate.";
            Err(Error::invalid(
                format!("learning_rate_at({part:?}, {factor})"),
                "a factor of 0 or more",
                factor.to_string(),
                hint,
            ))
        })
    }

    /// Refuses a prefix that no weight of the network has.
    pub(crate) fn check_paths(&self, paths: &[String]) -> Result<()> {
        for (part, factor) in &self.learning_rate_factors {
            if !paths.iter().any(|path| is_path_prefix(path, part)) {
                return Err(Error::invalid(
                    format!("learning_rate_at({part:?}, {factor})"),
                    "the first names of a weight's path",
                    "no such path",
                    "weight_names() lists the paths. Give whole names, such as \"vgg16\" or \
                     \"vgg16/block5_conv1\".",
                ));
            }
        }
        Ok(())
    }
}

/// Whether `part` is `path`, or its beginning up to a `/` or a `.`.
fn is_path_prefix(path: &str, part: &str) -> bool {
    match path.strip_prefix(part) {
        Some(rest) => rest.is_empty() || rest.starts_with(['/', '.']) || part.is_empty(),
        None => false,
    }
}

/// The builder methods that all optimizers share. They set the field `options`.
macro_rules! common_options {
    ($optimizer:ident) => {
        impl $optimizer {
            /// Reduces the learning rate from step to step: `learning_rate / (1 + decay * step)`, like
            /// the `decay` of Keras before version 3.
            pub fn decay(mut self, decay: f64) -> $optimizer {
                self.options.decay = decay;
                self
            }

            /// Reduces every weight by `learning_rate * weight_decay` of its value at each step,
            /// independently of its gradient (Loshchilov and Hutter 2019), as in Keras.
            pub fn weight_decay(mut self, weight_decay: f64) -> $optimizer {
                self.options.weight_decay = weight_decay;
                self
            }

            /// Scales the gradient of each weight tensor down to this norm. Of several clipping methods
            /// the last one counts.
            pub fn clip_norm(mut self, max_norm: f64) -> $optimizer {
                self.options.clip = Some($crate::train::optimizers::clip::Clip::Norm(max_norm));
                self
            }

            /// Scales all gradients down together, so that their common norm is at most this. Their
            /// direction does not change.
            pub fn global_clip_norm(mut self, max_norm: f64) -> $optimizer {
                self.options.clip =
                    Some($crate::train::optimizers::clip::Clip::GlobalNorm(max_norm));
                self
            }

            /// Limits every number of the gradients to the range from `-max` to `max`.
            pub fn clip_value(mut self, max: f64) -> $optimizer {
                self.options.clip = Some($crate::train::optimizers::clip::Clip::Value(max));
                self
            }

            /// Multiplies the learning rate of a part of the network: of all weights whose path is
            /// `part` or starts with it, as in `learning_rate_at("vgg16", 0.1)`. The longest matching
            /// part counts. [`compile`](crate::model::Model::compile) refuses a part that the network
            /// does not have.
            pub fn learning_rate_at(mut self, part: impl Into<String>, factor: f64) -> $optimizer {
                self.options.learning_rate_factors.push((part.into(), factor));
                self
            }
        }
    };
}
pub(crate) use common_options;

/// Refuses a learning rate or a decay that is negative or not finite.
pub(crate) fn check_learning_rate(op: &str, rate: f64) -> Result<()> {
    if rate.is_finite() && rate >= 0.0 {
        return Ok(());
    }
    let (expected, hint) = if op.ends_with("decay") {
        ("a number of 0 or more", "1e-6 is a usual decay.")
    } else {
        ("a learning rate of 0 or more", "1e-3 is a usual learning rate.")
    };
    Err(Error::invalid(op, expected, rate.to_string(), hint))
}

/// Refuses a fraction, such as a momentum, that is not from 0 to below 1.
pub(crate) fn check_fraction(op: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(op, "a number from 0 to below 1", value.to_string(), ""))
}

/// Refuses an epsilon that is not above 0.
pub(crate) fn check_epsilon(op: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::invalid(op, "a number above 0", value.to_string(), "1e-7 is usual."))
}

/// The name of a type, from its `Debug` text.
pub(crate) fn type_name(written: &str) -> String {
    let end = written.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(written.len());
    if end == 0 { written.chars().take(40).collect() } else { written[..end].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_type_ends_before_its_fields() {
        assert_eq!(type_name("EarlyStopping { patience: 3 }"), "EarlyStopping");
        assert_eq!(type_name("Patience(3)"), "Patience");
        assert_eq!(type_name("Mutex { data: 1 }"), "Mutex");
    }

    fn options(parts: &[(&str, f64)]) -> OptimizerOptions {
        let parts = parts.iter().map(|&(part, factor)| (part.to_owned(), factor)).collect();
        OptimizerOptions { learning_rate_factors: parts, ..OptimizerOptions::default() }
    }

    #[test]
    fn the_longest_prefix_of_a_path_counts() {
        let options = options(&[("vgg16", 0.1), ("vgg16/block5_conv1", 0.5), ("dense", 2.0)]);
        assert_eq!(options.learning_rate_factor("vgg16/block1_conv1.weight"), 0.1);
        assert_eq!(options.learning_rate_factor("vgg16/block5_conv1.weight"), 0.5);
        assert_eq!(options.learning_rate_factor("dense.bias"), 2.0);
        assert_eq!(options.learning_rate_factor("dense_1.bias"), 1.0, "names count as a whole");
    }

    #[test]
    fn a_prefix_without_weights_is_refused() {
        let options = options(&[("vgg19", 0.1)]);
        let message = options.check_paths(&["vgg16/a.weight".into()]).unwrap_err().to_string();
        assert!(
            message.starts_with("learning_rate_at(\"vgg19\", 0.1): expected the first names"),
            "{message}"
        );
        assert!(message.contains("weight_names()"), "{message}");
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert!(options(&[("a", -1.0)]).check().is_err());
        assert!(
            OptimizerOptions { weight_decay: f64::NAN, ..OptimizerOptions::default() }
                .check()
                .is_err()
        );
        let clip = OptimizerOptions { clip: Some(Clip::Norm(0.0)), ..OptimizerOptions::default() };
        assert!(clip.check().unwrap_err().to_string().contains("clip_norm"));
    }
}
