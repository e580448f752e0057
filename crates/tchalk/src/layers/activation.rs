//! The bend that a layer applies to its own output.

use super::{Elu, Gelu, Layer, LeakyRelu, Mode, Relu, Relu6, Shape, Sigmoid, Silu, Softmax, Tanh};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// The bend that [`Dense`](super::Dense) or a convolution applies to its own output, as Keras's
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
    /// See [`Relu`].
    Relu,
    /// See [`Relu6`].
    Relu6,
    /// See [`LeakyRelu`].
    LeakyRelu(LeakyRelu),
    /// See [`Elu`].
    Elu(Elu),
    /// See [`Gelu`].
    Gelu(Gelu),
    /// See [`Silu`].
    Silu,
    /// See [`Tanh`].
    Tanh,
    /// See [`Sigmoid`].
    Sigmoid,
    /// See [`Softmax`].
    Softmax,
}

impl Activation {
    /// The layer that does the same on its own.
    fn layer(self) -> Box<dyn Layer> {
        match self {
            Activation::Relu => Box::new(Relu),
            Activation::Relu6 => Box::new(Relu6),
            Activation::LeakyRelu(layer) => Box::new(layer),
            Activation::Elu(layer) => Box::new(layer),
            Activation::Gelu(layer) => Box::new(layer),
            Activation::Silu => Box::new(Silu),
            Activation::Tanh => Box::new(Tanh),
            Activation::Sigmoid => Box::new(Sigmoid),
            Activation::Softmax => Box::new(Softmax),
        }
    }
}

/// `.activation(Relu)`, or nothing, behind the call that makes a layer.
pub(super) fn repr(activation: Option<Activation>) -> String {
    activation.map_or(String::new(), |it| format!(".activation({})", it.layer().repr()))
}

/// Refuses an activation that cannot take the layer's output.
pub(super) fn check(activation: Option<Activation>, output: &Shape, layer: &str) -> Result<()> {
    activation.map_or(Ok(()), |it| it.layer().output_shape(output, layer).map(|_| ()))
}

/// The layer's output, bent.
pub(super) fn apply(activation: Option<Activation>, mut x: Tensor) -> Tensor {
    match activation {
        None => x,
        // In place: the way back needs only what comes out.
        Some(Activation::Relu) => x.relu_(),
        Some(other) => other.layer().forward(&x, &[], Mode::Inference),
    }
}

impl From<Relu> for Activation {
    fn from(_: Relu) -> Activation {
        Activation::Relu
    }
}

impl From<Relu6> for Activation {
    fn from(_: Relu6) -> Activation {
        Activation::Relu6
    }
}

impl From<LeakyRelu> for Activation {
    fn from(layer: LeakyRelu) -> Activation {
        Activation::LeakyRelu(layer)
    }
}

impl From<Elu> for Activation {
    fn from(layer: Elu) -> Activation {
        Activation::Elu(layer)
    }
}

impl From<Gelu> for Activation {
    fn from(layer: Gelu) -> Activation {
        Activation::Gelu(layer)
    }
}

impl From<Silu> for Activation {
    fn from(_: Silu) -> Activation {
        Activation::Silu
    }
}

impl From<Tanh> for Activation {
    fn from(_: Tanh) -> Activation {
        Activation::Tanh
    }
}

impl From<Sigmoid> for Activation {
    fn from(_: Sigmoid) -> Activation {
        Activation::Sigmoid
    }
}

impl From<Softmax> for Activation {
    fn from(_: Softmax) -> Activation {
        Activation::Softmax
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Conv2d, Dense};
    use super::*;

    #[test]
    fn an_activation_inside_is_the_layer_behind() {
        let x = Tensor::from_slice2(&[[-3f32, -1.0, 0.5, 7.0]]);
        let weights = [Tensor::eye(4, (tch::Kind::Float, tch::Device::Cpu)), x.zeros_like().get(0)];
        let all: [(Activation, Box<dyn Layer>); 9] = [
            (Relu.into(), Box::new(Relu)),
            (Relu6.into(), Box::new(Relu6)),
            (LeakyRelu::new().into(), Box::new(LeakyRelu::new())),
            (Elu::new().into(), Box::new(Elu::new())),
            (Gelu::new().into(), Box::new(Gelu::new())),
            (Silu.into(), Box::new(Silu)),
            (Tanh.into(), Box::new(Tanh)),
            (Sigmoid.into(), Box::new(Sigmoid)),
            (Softmax.into(), Box::new(Softmax)),
        ];
        for (activation, behind) in all {
            let inside = Dense::new(4).activation(activation);
            let bent = inside.forward(&x, &weights, Mode::Inference);
            assert_eq!(bent, behind.forward(&x, &[], Mode::Inference), "{inside:?}");
            let logits =
                inside.without_softmax().map(|it| it.forward(&x, &weights, Mode::Inference));
            assert_eq!(logits, (activation == Activation::Softmax).then(|| x.shallow_clone()));
        }
    }

    #[test]
    fn what_the_activation_cannot_take_is_refused_and_said() {
        let layer = Conv2d::new(8, 3).activation(Softmax);
        assert_eq!(layer.repr(), "Conv2d::new(8, 3).activation(Softmax)");
        let error = layer.output_shape(&vec![3, 8, 8], "input").unwrap_err().to_string();
        assert!(error.starts_with("Softmax: expected class scores"), "{error}");
    }
}
