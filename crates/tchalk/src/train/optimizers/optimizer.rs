//! What turns gradients into better weights.

use super::clip::Clip;
use crate::error::{Error, Result};
use tch::Tensor;

/// What turns gradients into better weights.
///
/// An optimizer is a plain description: what it remembers of each weight is kept for it, in a
/// [`Slots`], so that training can be saved and goes on when layers are frozen or freed. One of your
/// own needs a rate and an update:
///
/// ```
/// use tchalk::prelude::*;
/// use tchalk::train::{Memory, Optimizer};
///
/// /// Goes the same way at every step, however steep it is.
/// #[derive(Debug)]
/// struct SignDescent(f64);
///
/// impl Optimizer for SignDescent {
///     fn rate(&self) -> f64 {
///         self.0
///     }
///     fn update(&self, weight: &Tensor, gradient: &Tensor, _memory: &mut Memory, rate: f64) {
///         let mut weight = weight.shallow_clone();
///         weight -= gradient.sign() * rate;
///     }
/// }
///
/// let model = Sequential::new().input_shape([4]).add(Dense::new(2)).add(Softmax);
/// model.build(Device::Cpu)?.compile(SignDescent(1e-3), Loss::CategoricalCrossEntropy)?;
/// # Ok::<(), tchalk::Error>(())
/// ```
pub trait Optimizer: std::fmt::Debug + Send {
    /// The learning rate it begins with. Schedules and callbacks start from it.
    fn learning_rate(&self) -> f64;

    /// Changes one `weight` in place, given its `gradient`, of the same shape, and the `rate` of this
    /// step. Called without gradient tracking.
    fn update(&self, weight: &Tensor, gradient: &Tensor, slots: &mut Slots, learning_rate: f64);

    /// What all optimizers have in common: decay, clipping, rates of parts; nothing by default.
    /// Asked once, by [`compile`](crate::model::Model::compile).
    fn options(&self) -> OptimizerOptions {
        OptimizerOptions::default()
    }

    /// Whether the numbers make sense; the rate and the [`Options`] are looked at anyway.
    ///
    /// # Errors
    ///
    /// If not, saying which.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// What an optimizer remembers of one weight from step to step.
#[derive(Default)]
pub struct Slots {
    pub(crate) updates: u64,
    pub(crate) tensors: Vec<Tensor>,
}

impl Slots {
    /// How often the weight has been changed before.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// `COUNT` tensors of the form of `weight`, which keep what is written into them in place; all
    /// zeros before the first step.
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

/// What all optimizers have in common. Set by their methods of the same names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OptimizerOptions {
    /// How fast the rate falls from step to step: `rate / (1 + decay * step)`.
    pub(crate) decay: f64,
    /// How fast weights shrink by themselves.
    pub(crate) weight_decay: f64,
    /// The part of its speed that a weight keeps from step to step.
    pub(crate) momentum: f64,
    pub(crate) clip: Option<Clip>,
    /// Parts of the network by the beginning of their path, and what their rate is multiplied by.
    pub(crate) learning_rate_factors: Vec<(String, f64)>,
}

impl OptimizerOptions {
    /// What the rate of the weight at `path` is multiplied by: the longest matching beginning counts.
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
            let hint = "0.1 lets that part learn at a tenth of the rate.";
            Err(Error::invalid(
                format!("learning_rate_at({part:?}, {factor})"),
                "a factor of 0 or more",
                factor.to_string(),
                hint,
            ))
        })
    }

    /// Refuses a part that no weight of the network belongs to.
    pub(crate) fn check_paths(&self, paths: &[String]) -> Result<()> {
        for (part, factor) in &self.learning_rate_factors {
            if !paths.iter().any(|path| is_path_prefix(path, part)) {
                return Err(Error::invalid(
                    format!("learning_rate_at({part:?}, {factor})"),
                    "the beginning of a weight's path",
                    "no such path",
                    "weight_names() lists them; whole names count: \"vgg16\" or \
                     \"vgg16/block5_conv1\".",
                ));
            }
        }
        Ok(())
    }
}

/// Whether `part` is `path` or its beginning up to a `/` or a `.`.
fn is_path_prefix(path: &str, part: &str) -> bool {
    match path.strip_prefix(part) {
        Some(rest) => rest.is_empty() || rest.starts_with(['/', '.']) || part.is_empty(),
        None => false,
    }
}

/// The builder methods that all optimizers share, over their field `options`.
macro_rules! common_options {
    ($optimizer:ident) => {
        impl $optimizer {
            /// Lets the rate fall from step to step: `rate / (1 + decay * step)`, as the `decay` of
            /// Keras before its version 3 did.
            pub fn decay(mut self, decay: f64) -> $optimizer {
                self.options.decay = decay;
                self
            }

            /// Lets every weight shrink by itself, by `rate * weight_decay` of its value at each
            /// step, apart from its gradient (Loshchilov and Hutter 2019), as in Keras.
            pub fn weight_decay(mut self, weight_decay: f64) -> $optimizer {
                self.options.weight_decay = weight_decay;
                self
            }

            /// Shortens the gradient of each weight tensor to this length at most. Of several ways
            /// to clip the last one named counts.
            pub fn clip_norm(mut self, most: f64) -> $optimizer {
                self.options.clip = Some($crate::train::optimizers::clip::Clip::Norm(most));
                self
            }

            /// Shortens all gradients together to this length at most, so that their directions
            /// stay.
            pub fn global_clip_norm(mut self, most: f64) -> $optimizer {
                self.options.clip = Some($crate::train::optimizers::clip::Clip::GlobalNorm(most));
                self
            }

            /// Keeps every single number of the gradients within `most` of zero.
            pub fn clip_value(mut self, most: f64) -> $optimizer {
                self.options.clip = Some($crate::train::optimizers::clip::Clip::Value(most));
                self
            }

            /// Multiplies the rate of one part of the network: of all weights whose path is `part`
            /// or begins with it, as in `learning_rate_at("vgg16", 0.1)`. Of several that match, the longest
            /// counts. [`compile`](crate::model::Model::compile) refuses a part that is not there.
            pub fn learning_rate_at(mut self, part: impl Into<String>, factor: f64) -> $optimizer {
                self.options.learning_rate_factors.push((part.into(), factor));
                self
            }
        }
    };
}
pub(crate) use common_options;

/// A learning rate is a small number that is not negative.
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

/// A fraction such as a momentum lies from 0 to below 1.
pub(crate) fn check_fraction(op: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(op, "a number from 0 to below 1", value.to_string(), ""))
}

/// The small number that keeps a divisor away from zero.
pub(crate) fn check_epsilon(op: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::invalid(op, "a number above 0", value.to_string(), "1e-7 is usual."))
}

/// The name of a type, from what it writes of itself.
pub(crate) fn type_name(written: &str) -> String {
    let end = written.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(written.len());
    if end == 0 { written.chars().take(40).collect() } else { written[..end].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_called_by_its_type() {
        assert_eq!(type_name("EarlyStopping { patience: 3 }"), "EarlyStopping");
        assert_eq!(type_name("Patience(3)"), "Patience");
        assert_eq!(type_name("Mutex { data: 1 }"), "Mutex");
    }

    fn options(parts: &[(&str, f64)]) -> OptimizerOptions {
        let parts = parts.iter().map(|&(part, factor)| (part.to_owned(), factor)).collect();
        OptimizerOptions { learning_rate_factors: parts, ..OptimizerOptions::default() }
    }

    #[test]
    fn the_longest_beginning_of_a_path_counts() {
        let options = options(&[("vgg16", 0.1), ("vgg16/block5_conv1", 0.5), ("dense", 2.0)]);
        assert_eq!(options.learning_rate_factor("vgg16/block1_conv1.weight"), 0.1);
        assert_eq!(options.learning_rate_factor("vgg16/block5_conv1.weight"), 0.5);
        assert_eq!(options.learning_rate_factor("dense.bias"), 2.0);
        assert_eq!(options.learning_rate_factor("dense_1.bias"), 1.0, "names count as a whole");
    }

    #[test]
    fn a_part_that_is_not_there_is_refused() {
        let options = options(&[("vgg19", 0.1)]);
        let message = options.check_paths(&["vgg16/a.weight".into()]).unwrap_err().to_string();
        assert!(
            message.starts_with("learning_rate_at(\"vgg19\", 0.1): expected the beginning"),
            "{message}"
        );
        assert!(message.contains("weight_names()"), "{message}");
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
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
