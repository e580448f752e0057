//! The initial values of weights.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// The initial values of a weight.
///
/// In the formulas, inputs is the number of values that one output depends on, and outputs is the number
/// of outputs that one value influences; both count the pixels of the window.
///
/// ```
/// use tchalk::layers::Initializer;
/// use tchalk::prelude::*;
/// let dense = Dense::new(2).kernel_initializer(Initializer::Constant(0.5));
/// let model = Sequential::new().input_shape([2]).add(dense).build(Device::Cpu)?;
/// let y = model.call(&Tensor::from_slice2(&[[1f32, 3.0]]))?;
/// assert_eq!(y, Tensor::from_slice2(&[[2f32, 2.0]]));
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initializer {
    /// Uniform in ±√(6 / (inputs + outputs)): keeps the size of signals and gradients alike from
    /// layer to layer (Glorot and Bengio 2010). Keras's default for kernels.
    #[default]
    GlorotUniform,
    /// Normal with variance 2 / (inputs + outputs), truncated at two standard deviations of the original
    /// distribution.
    GlorotNormal,
    /// Uniform in ±√(6 / inputs), for layers before a [`Relu`](super::Relu), which sets half of the values
    /// to zero (He et al. 2015).
    HeUniform,
    /// Normal with variance 2 / inputs, truncated like [`Initializer::GlorotNormal`].
    HeNormal,
    /// All zero: Keras's default for biases.
    Zeros,
    /// All one.
    Ones,
    /// All this value.
    Constant(f64),
    /// Each output equals one input: a convolution that changes nothing. With more outputs than inputs,
    /// the inputs repeat.
    Dirac,
}

/// The standard deviation of a standard normal distribution that is truncated at ±2.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

impl Initializer {
    /// A tensor of this shape, in `f32` on the CPU, drawn from libtorch's generator.
    ///
    /// For kernels the shape is libtorch's: `[outputs, inputs]` or `[outputs, inputs, height, width]`.
    pub(crate) fn fill(self, shape: &[usize]) -> Tensor {
        let sizes: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        let mut filled = Tensor::zeros(&sizes, (Kind::Float, Device::Cpu));
        let (inputs, outputs) = fans(shape);
        let (inputs, both) = (inputs as f64, (inputs + outputs) as f64);
        match self {
            Initializer::Zeros => filled,
            Initializer::Ones => filled.fill_(1.0),
            Initializer::Constant(value) => filled.fill_(value),
            Initializer::GlorotUniform => uniform(filled, (6.0 / both).sqrt()),
            Initializer::HeUniform => uniform(filled, (6.0 / inputs).sqrt()),
            Initializer::GlorotNormal => truncated_normal(filled, (2.0 / both).sqrt()),
            Initializer::HeNormal => truncated_normal(filled, (2.0 / inputs).sqrt()),
            Initializer::Dirac => {
                dirac(&mut filled, &sizes);
                filled
            }
        }
    }
}

fn uniform(mut filled: Tensor, limit: f64) -> Tensor {
    filled.uniform_(-limit, limit)
}

/// Draws from a normal distribution truncated at two of its standard deviations, and scales the result
/// to the standard deviation `deviation`.
fn truncated_normal(mut filled: Tensor, deviation: f64) -> Tensor {
    // erf(2/√2): how much of the distribution lies inside.
    const INSIDE: f64 = 0.954_499_736_103_641_6;
    let scale = std::f64::consts::SQRT_2 * deviation / TRUNCATED_DEVIATION;
    filled.uniform_(-INSIDE, INSIDE).erfinv() * scale
}

fn dirac(filled: &mut Tensor, sizes: &[i64]) {
    let inputs = sizes.get(1).copied().unwrap_or(1);
    for output in 0..sizes.first().copied().unwrap_or(0) {
        let mut element = filled.get(output);
        if sizes.len() > 1 {
            element = element.get(output % inputs);
        }
        for &size in &sizes[2.min(sizes.len())..] {
            element = element.get(size / 2);
        }
        let _ = element.fill_(1.0);
    }
}

/// The number of values that one output depends on, and of outputs that one value influences.
fn fans(shape: &[usize]) -> (usize, usize) {
    match shape {
        [] => (1, 1),
        [size] => (*size, *size),
        [outputs, inputs, window @ ..] => {
            let field: usize = window.iter().product();
            (inputs * field, outputs * field)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variance_and_largest(initializer: Initializer) -> (f64, f64) {
        tch::manual_seed(1);
        let weight = initializer.fill(&[64, 32, 3, 3]);
        let variance = f64::try_from(weight.var(false)).unwrap();
        (variance, f64::try_from(weight.abs().max()).unwrap())
    }

    #[test]
    fn glorot_s_limit_depends_on_both_sides() {
        let limit = (6.0f64 / (32.0 * 9.0 + 64.0 * 9.0)).sqrt();
        let (variance, largest) = variance_and_largest(Initializer::GlorotUniform);
        assert!(largest <= limit && largest > 0.99 * limit, "{largest} of {limit}");
        assert!((variance - limit * limit / 3.0).abs() < 0.05 * variance);
    }

    #[test]
    fn he_s_limit_depends_on_the_inputs() {
        let limit = (6.0f64 / (32.0 * 9.0)).sqrt();
        let (variance, largest) = variance_and_largest(Initializer::HeUniform);
        assert!(largest <= limit && largest > 0.99 * limit, "{largest} of {limit}");
        assert!((variance - limit * limit / 3.0).abs() < 0.05 * variance);
    }

    #[test]
    fn normal_weights_are_truncated_and_have_the_right_variance() {
        let cases = [
            (Initializer::GlorotNormal, 2.0 / (96.0 * 9.0)),
            (Initializer::HeNormal, 2.0 / (32.0 * 9.0)),
        ];
        for (initializer, wanted) in cases {
            let (variance, largest) = variance_and_largest(initializer);
            assert!((variance - wanted).abs() < 0.03 * wanted, "{initializer:?} {variance}");
            let cut = 2.0 * f64::sqrt(wanted) / TRUNCATED_DEVIATION;
            assert!(largest <= cut * 1.0001 && largest > 0.95 * cut, "{initializer:?} {largest}");
        }
    }

    #[test]
    fn constant_initializers() {
        for (initializer, value) in [
            (Initializer::Ones, 1.0),
            (Initializer::Constant(0.25), 0.25),
            (Initializer::Zeros, 0.0),
        ] {
            let filled = initializer.fill(&[3, 2]);
            assert_eq!(filled, filled.ones_like() * value, "{initializer:?}");
        }
        assert_eq!(Initializer::HeUniform.fill(&[]).size(), [0i64; 0]);
    }

    #[test]
    fn a_dirac_convolution_changes_nothing() {
        let x = Tensor::arange(2 * 4 * 4, (Kind::Float, Device::Cpu)).view([1, 2, 4, 4]);
        let same = Initializer::Dirac.fill(&[2, 2, 3, 3]);
        assert_eq!(x.conv2d(&same, None::<&Tensor>, [1, 1], [1, 1], [1, 1], 1), x);
        let each = Initializer::Dirac.fill(&[2, 1, 3, 3]);
        assert_eq!(x.conv2d(&each, None::<&Tensor>, [1, 1], [1, 1], [1, 1], 2), x);
        let twice = Initializer::Dirac.fill(&[4, 2, 1, 1]);
        let y = x.conv2d(&twice, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1);
        assert_eq!(y, Tensor::cat(&[&x, &x], 1));
        assert_eq!(Initializer::Dirac.fill(&[3, 3]), Tensor::eye(3, (Kind::Float, Device::Cpu)));
    }
}
