//! Activation functions: layers of their own, and the activation inside another layer.

use super::{Layer, Mode, Shape, shape_text};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// An activation without settings: a layer that computes `$function` of each value.
macro_rules! activation {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $function:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name;

        impl Layer for $name {
            fn kind(&self) -> &'static str {
                $kind
            }

            fn repr(&self) -> String {
                stringify!($name).into()
            }

            fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
                Ok(input.clone())
            }

            fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
                $function(x)
            }
        }
    };
}

activation!(
    /// The rectified linear unit: negative values become zero, the others stay. Without an activation
    /// between them, two layers of sums compute no more than one.
    ///
    /// # Shapes
    ///
    /// Output like the input; no weights.
    ///
    /// ```
    /// use tchalk::layers::{Layer, Mode, Relu};
    /// use tchalk::tch::Tensor;
    /// let y = Relu.forward(&Tensor::from_slice(&[-1f32, 0.0, 7.0]), &[], Mode::Inference);
    /// assert_eq!(y, Tensor::from_slice(&[0f32, 0.0, 7.0]));
    /// ```
    Relu, "relu", Tensor::relu
);

activation!(
    /// [`Relu`] with a maximum: values above 6 become 6. MobileNet uses it because such numbers fit into
    /// few bits.
    ///
    /// # Shapes
    ///
    /// Output like the input; no weights.
    ///
    /// ```
    /// use tchalk::layers::{Layer, Mode, Relu6};
    /// use tchalk::tch::Tensor;
    /// let y = Relu6.forward(&Tensor::from_slice(&[-1f32, 0.5, 7.0]), &[], Mode::Inference);
    /// assert_eq!(y, Tensor::from_slice(&[0f32, 0.5, 6.0]));
    /// ```
    Relu6, "relu6", Tensor::relu6
);

activation!(
    /// The sigmoid-weighted linear unit, also called swish: x times the sigmoid of x. It is like
    /// [`Relu`], but smooth, and slightly negative below zero.
    ///
    /// # Shapes
    ///
    /// Output like the input; no weights.
    ///
    /// ```
    /// use tchalk::layers::{Layer, Mode, Silu};
    /// use tchalk::tch::Tensor;
    /// let y = Silu.forward(&Tensor::from_slice(&[-1f32, 0.0, 2.0]), &[], Mode::Inference);
    /// let y = Vec::<f32>::try_from(&y).unwrap();
    /// assert!((y[0] + 0.268_941).abs() < 1e-6 && y[1] == 0.0 && (y[2] - 1.761_594).abs() < 1e-6);
    /// ```
    Silu, "silu", Tensor::silu
);

activation!(
    /// The hyperbolic tangent: maps each value to a number from −1 to 1.
    ///
    /// # Shapes
    ///
    /// Output like the input; no weights.
    ///
    /// ```
    /// use tchalk::layers::{Layer, Mode, Tanh};
    /// use tchalk::tch::Tensor;
    /// let y = Tanh.forward(&Tensor::from_slice(&[-1f32, 0.0, 20.0]), &[], Mode::Inference);
    /// let y = Vec::<f32>::try_from(&y).unwrap();
    /// assert!((y[0] + 0.761_594).abs() < 1e-6 && y[1] == 0.0 && y[2] == 1.0);
    /// ```
    Tanh, "tanh", Tensor::tanh
);

activation!(
    /// The logistic function 1 / (1 + exp(−x)): maps each value to a number from 0 to 1. For classes
    /// that exclude each other use [`Softmax`].
    ///
    /// # Shapes
    ///
    /// Output like the input; no weights.
    ///
    /// ```
    /// use tchalk::layers::{Layer, Mode, Sigmoid};
    /// use tchalk::tch::Tensor;
    /// let y = Sigmoid.forward(&Tensor::from_slice(&[-1f32, 0.0, 2.0]), &[], Mode::Inference);
    /// let y = Vec::<f32>::try_from(&y).unwrap();
    /// assert!((y[0] - 0.268_941).abs() < 1e-6 && y[1] == 0.5 && (y[2] - 0.880_797).abs() < 1e-6);
    /// ```
    Sigmoid, "sigmoid", Tensor::sigmoid
);

/// Turns the logits of the classes into probabilities: positive numbers whose sum is 1.
///
/// # Shapes
///
/// Input `[classes]`, output `[classes]`; no weights.
///
/// ```
/// use tchalk::layers::{Layer, Mode, Softmax};
/// use tchalk::tch::Tensor;
/// let y = Softmax.forward(&Tensor::from_slice2(&[[1f32, 1.0]]), &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice2(&[[0.5f32, 0.5]]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Softmax;

impl Layer for Softmax {
    fn kind(&self) -> &'static str {
        "softmax"
    }

    fn repr(&self) -> String {
        "Softmax".into()
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        if input.len() != 1 {
            return Err(Error::invalid(
                self.repr(),
                "one logit for each class [classes]",
                format!("{} from {from:?}", shape_text(input)),
                "Try adding Flatten and Dense::new(number of classes) before it.",
            ));
        }
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.softmax(-1, None)
    }
}

/// [`Relu`] with a small slope for negative values, so that every unit keeps a gradient.
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Layer, LeakyRelu, Mode};
/// use tchalk::tch::Tensor;
/// let layer = LeakyRelu::new().negative_slope(0.25);
/// let y = layer.forward(&Tensor::from_slice(&[-2f32, 0.0, 7.0]), &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice(&[-0.5f32, 0.0, 7.0]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakyRelu {
    negative_slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> LeakyRelu {
        LeakyRelu::new()
    }
}

impl LeakyRelu {
    /// With Keras's slope, 0.3.
    pub fn new() -> LeakyRelu {
        LeakyRelu { negative_slope: 0.3 }
    }

    /// The factor for negative values, at least 0.
    pub fn negative_slope(mut self, slope: f64) -> LeakyRelu {
        self.negative_slope = slope;
        self
    }
}

impl Layer for LeakyRelu {
    fn kind(&self) -> &'static str {
        "leaky_relu"
    }

    fn repr(&self) -> String {
        format!("LeakyRelu::new().negative_slope({})", self.negative_slope)
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        check_setting(self, "a slope of at least 0", self.negative_slope)?;
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.relu() + x.clamp_max(0.0) * self.negative_slope
    }
}

/// The exponential linear unit: positive values stay, negative ones become α (exp(x) − 1), which
/// approaches −α.
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Elu, Layer, Mode};
/// use tchalk::tch::Tensor;
/// let y = Elu::new().forward(&Tensor::from_slice(&[-1f32, 0.0, 7.0]), &[], Mode::Inference);
/// let y = Vec::<f32>::try_from(&y).unwrap();
/// assert!((y[0] + 0.632_121).abs() < 1e-6 && y[1] == 0.0 && y[2] == 7.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elu {
    alpha: f64,
}

impl Default for Elu {
    fn default() -> Elu {
        Elu::new()
    }
}

impl Elu {
    /// With Keras's α, 1.
    pub fn new() -> Elu {
        Elu { alpha: 1.0 }
    }

    /// The limit below zero, at least 0.
    pub fn alpha(mut self, alpha: f64) -> Elu {
        self.alpha = alpha;
        self
    }
}

impl Layer for Elu {
    fn kind(&self) -> &'static str {
        "elu"
    }

    fn repr(&self) -> String {
        format!("Elu::new().alpha({})", self.alpha)
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        check_setting(self, "an alpha of at least 0", self.alpha)?;
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        if self.alpha == 1.0 { x.elu() } else { x.relu() + x.clamp_max(0.0).expm1() * self.alpha }
    }
}

/// The Gaussian error linear unit: x times the probability that a normally distributed number is below
/// x. It is like [`Relu`], but smooth (Hendrycks and Gimpel 2016).
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Gelu, Layer, Mode};
/// use tchalk::tch::Tensor;
/// let y = Gelu::new().forward(&Tensor::from_slice(&[-1f32, 0.0, 2.0]), &[], Mode::Inference);
/// let y = Vec::<f32>::try_from(&y).unwrap();
/// assert!((y[0] + 0.158_655).abs() < 1e-6 && y[1] == 0.0 && (y[2] - 1.954_500).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gelu {
    approximate: bool,
}

impl Gelu {
    /// The exact function, Keras's default.
    pub fn new() -> Gelu {
        Gelu { approximate: false }
    }

    /// Whether to use the approximation by a hyperbolic tangent, with which some published networks
    /// were trained. It differs by 0.0005 at most.
    pub fn approximate(mut self, approximate: bool) -> Gelu {
        self.approximate = approximate;
        self
    }
}

impl Layer for Gelu {
    fn kind(&self) -> &'static str {
        "gelu"
    }

    fn repr(&self) -> String {
        if self.approximate { "Gelu::new().approximate(true)" } else { "Gelu::new()" }.into()
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        x.gelu(if self.approximate { "tanh" } else { "none" })
    }
}

/// Refuses a setting that is negative or not finite.
fn check_setting(layer: &dyn Layer, expected: &str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid(layer.repr(), expected, value.to_string(), ""))
}

/// The enum of all activations: those without settings, then those with some.
macro_rules! activation_enum {
    ($($unit:ident),+; $($with_settings:ident),+) => {
        /// The activation inside a [`Dense`](super::Dense) layer or a convolution, as Keras's
        /// `activation=`. Each activation layer turns into one:
        ///
        /// ```
        /// use tchalk::prelude::*;
        /// let model = Sequential::new()
        ///     .input_shape([3, 32, 32])
        ///     .add(Conv2d::new(8, 3).activation(Relu))
        ///     .build(Device::Cpu)?;
        /// assert_eq!(model.layer_names(), ["conv2d"]);
        /// let y = model.call(&Tensor::randn([1, 3, 32, 32], (Kind::Float, Device::Cpu)))?;
        /// assert!(y.min().double_value(&[]) >= 0.0);
        /// # Ok::<(), tchalk::Error>(())
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Activation {
            $(#[doc = concat!("See [`", stringify!($unit), "`].")] $unit,)+
            $(#[doc = concat!("See [`", stringify!($with_settings), "`].")]
            $with_settings($with_settings),)+
        }

        impl Activation {
            /// The layer that computes the same.
            fn layer(&self) -> &dyn Layer {
                match self {
                    $(Activation::$unit => &$unit,)+
                    $(Activation::$with_settings(layer) => layer,)+
                }
            }
        }

        $(impl From<$unit> for Activation {
            fn from(_: $unit) -> Activation {
                Activation::$unit
            }
        })+

        $(impl From<$with_settings> for Activation {
            fn from(layer: $with_settings) -> Activation {
                Activation::$with_settings(layer)
            }
        })+
    };
}

activation_enum!(Relu, Relu6, Silu, Tanh, Sigmoid, Softmax; LeakyRelu, Elu, Gelu);

impl Activation {
    /// The activation of each value.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        self.layer().forward(x, &[], Mode::Inference)
    }
}

/// `.activation(Relu)`, or nothing, as it stands after the call that makes a layer.
pub(super) fn repr(activation: Option<Activation>) -> String {
    activation.map_or(String::new(), |it| format!(".activation({})", it.layer().repr()))
}

/// Refuses an activation that cannot take the layer's output.
pub(super) fn check(activation: Option<Activation>, output: &Shape, layer: &str) -> Result<()> {
    activation.map_or(Ok(()), |it| it.layer().output_shape(output, layer).map(|_| ()))
}

/// The layer's output after its activation.
pub(super) fn apply(activation: Option<Activation>, mut x: Tensor) -> Tensor {
    match activation {
        None => x,
        // In place: the backward pass needs only the result.
        Some(Activation::Relu) => x.relu_(),
        Some(other) => other.forward(&x),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Conv2d, Dense};
    use super::*;

    #[test]
    fn an_activation_inside_a_layer_computes_what_the_layer_after_it_does() {
        let x = Tensor::from_slice2(&[[-3f32, -1.0, 0.5, 7.0]]);
        let weights = [Tensor::eye(4, (tch::Kind::Float, tch::Device::Cpu)), x.zeros_like().get(0)];
        let all: [Activation; 9] = [
            Relu.into(),
            Relu6.into(),
            LeakyRelu::new().into(),
            Elu::new().into(),
            Gelu::new().into(),
            Silu.into(),
            Tanh.into(),
            Sigmoid.into(),
            Softmax.into(),
        ];
        for activation in all {
            let inside = Dense::new(4).activation(activation);
            let y = inside.forward(&x, &weights, Mode::Inference);
            assert_eq!(y, activation.forward(&x), "{inside:?}");
            let logits =
                inside.without_softmax().map(|it| it.forward(&x, &weights, Mode::Inference));
            assert_eq!(logits, (activation == Activation::Softmax).then(|| x.shallow_clone()));
        }
    }

    #[test]
    fn an_activation_refuses_an_output_that_it_cannot_take() {
        let layer = Conv2d::new(8, 3).activation(Softmax);
        assert_eq!(layer.repr(), "Conv2d::new(8, 3).activation(Softmax)");
        let error = layer.output_shape(&vec![3, 8, 8], "input").unwrap_err();
        assert!(error.to_string().starts_with("Softmax: "), "{error}");
        assert!(LeakyRelu::new().negative_slope(-1.0).output_shape(&vec![3], "input").is_err());
        assert!(Elu::new().alpha(f64::NAN).output_shape(&vec![3], "input").is_err());
    }
}
