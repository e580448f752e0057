//! Dropout: values left out at random while learning.

use super::{Layer, Mode, Shape, config};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Leaves out a random part of the values while learning, so that the network cannot lean on any
/// single one; the others grow by as much as is missing. Does nothing when the network is used.
///
/// # Shapes
///
/// Output like the input; no weights.
///
/// ```
/// use tchalk::layers::{Dropout, Layer, Mode};
/// use tchalk::tch::{Device, Kind, Tensor};
/// let x = Tensor::ones([1_000], (Kind::Float, Device::Cpu));
/// assert_eq!(Dropout::new(0.5).forward(&x, &[], Mode::Inference), x);
/// let dropped = Dropout::new(0.5).forward(&x, &[], Mode::Training);
/// assert_eq!((dropped.eq(0.0) + dropped.eq(2.0)).sum(Kind::Int64).int64_value(&[]), 1_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    rate: f64,
}

impl Dropout {
    /// Leaves out the fraction `rate` of the values, from 0 (none) to below 1.
    pub fn new(rate: f64) -> Dropout {
        Dropout { rate }
    }
}

impl Layer for Dropout {
    fn kind(&self) -> &'static str {
        "dropout"
    }

    fn written(&self) -> String {
        format!("Dropout::new({})", self.rate)
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        if !(0.0..1.0).contains(&self.rate) {
            let hint = "0.25 leaves out a quarter of the values.";
            return Err(Error::invalid(
                self.written(),
                "a rate from 0 to below 1",
                self.rate.to_string(),
                hint,
            ));
        }
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], mode: Mode) -> Tensor {
        x.dropout(self.rate, mode == Mode::Training)
    }

    fn config(&self) -> serde_json::Value {
        config::of(self)
    }

    fn depends_on_mode(&self) -> bool {
        true
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn a_rate_of_a_half_keeps_the_mean_and_nothing_happens_in_use() {
        tch::manual_seed(3);
        let x = Tensor::ones([100_000], (Kind::Float, Device::Cpu));
        let dropped = Dropout::new(0.5).forward(&x, &[], Mode::Training);
        let mean = f64::try_from(dropped.mean(Kind::Float)).unwrap();
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!(dropped.eq_tensor(&x).any().int64_value(&[]) == 0, "kept values are doubled");
        assert_eq!(Dropout::new(0.5).forward(&x, &[], Mode::Inference), x);
    }

    #[test]
    fn a_rate_of_one_is_refused() {
        let message = Dropout::new(1.0).output_shape(&vec![8], "flatten").unwrap_err().to_string();
        assert!(message.starts_with("Dropout::new(1): expected a rate"), "{message}");
        assert!(Dropout::new(f64::NAN).output_shape(&vec![8], "flatten").is_err());
    }
}
