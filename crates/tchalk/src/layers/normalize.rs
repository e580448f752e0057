//! Normalization with a given mean and standard deviation.

use super::{Layer, Mode, Shape};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Subtracts a given mean from each channel and divides it by a given standard deviation, as a
/// pre-trained network expects its input.
///
/// # Shapes
///
/// Input `[channels, height, width]` or `[features]`, output like it; no weights. `mean` and
/// `deviation` have one number for each channel or feature.
///
/// ```
/// use tchalk::layers::{Layer, Mode, Normalize};
/// use tchalk::tch::Tensor;
/// let layer = Normalize::new([0.5, 10.0], [0.25, 2.0]);
/// let y = layer.forward(&Tensor::from_slice2(&[[1f32, 14.0]]), &[], Mode::Inference);
/// assert_eq!(y, Tensor::from_slice2(&[[2f32, 2.0]]));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Normalize {
    /// The mean and the standard deviation of each channel.
    pub fn new(mean: impl Into<Vec<f64>>, deviation: impl Into<Vec<f64>>) -> Normalize {
        Normalize { mean: mean.into(), deviation: deviation.into() }
    }
}

impl Layer for Normalize {
    fn kind(&self) -> &'static str {
        "normalize"
    }

    fn repr(&self) -> String {
        format!("Normalize::new({}, {})", short(&self.mean), short(&self.deviation))
    }

    fn output_shape(&self, input: &Shape, from: &str) -> Result<Shape> {
        let channels = input.first().copied().unwrap_or(0);
        if self.mean.len() != channels || self.deviation.len() != channels {
            return Err(Error::invalid(
                self.repr(),
                format!("{} channels", self.mean.len().max(self.deviation.len())),
                format!("{channels} from {from:?}"),
                "mean and deviation have one number for each channel.",
            ));
        }
        let usable = self.mean.iter().all(|mean| mean.is_finite())
            && self.deviation.iter().all(|&it| it.is_finite() && it != 0.0);
        if !usable {
            let got = format!("{} and {}", short(&self.mean), short(&self.deviation));
            let hint = "For a channel that never varies use 1.";
            return Err(Error::invalid(self.repr(), "numbers that divide", got, hint));
        }
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], _mode: Mode) -> Tensor {
        let mut shape = vec![1i64; x.dim()];
        shape[1] = -1;
        let row = |values: &[f64]| {
            let tensor = Tensor::from_slice(values).to_kind(Kind::Float).to_device(x.device());
            tensor.to_kind(x.kind()).view(shape.as_slice())
        };
        (x - row(&self.mean)) / row(&self.deviation)
    }
}

/// Up to four numbers with three digits each, or the number of numbers.
fn short(values: &[f64]) -> String {
    if values.len() > 4 {
        return format!("[… {} numbers]", values.len());
    }
    let digits = |&value: &f64| match value.abs() {
        0.0 => "0".into(),
        size if size >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.2e}"),
    };
    format!("[{}]", values.iter().map(digits).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repr_rounds_numbers() {
        let layer = Normalize::new([123.0 / 255.0, 0.5, 0.0], [1.0 / 255.0; 3]);
        assert_eq!(layer.repr(), "Normalize::new([0.482, 0.500, 0], [3.92e-3, 3.92e-3, 3.92e-3])");
        let layer = Normalize::new([0.0; 512], [1.0; 512]);
        assert_eq!(layer.repr(), "Normalize::new([… 512 numbers], [… 512 numbers])");
    }

    #[test]
    fn numbers_and_channels_must_agree() {
        let refusal =
            |layer: Normalize| layer.output_shape(&vec![3, 8, 8], "input").unwrap_err().to_string();
        assert!(refusal(Normalize::new([0.5], [0.5])).contains("expected 1 channels, got 3"));
        assert!(refusal(Normalize::new([0.5; 3], [0.5; 2])).contains("expected 3 channels, got 3"));
        assert!(refusal(Normalize::new([0.5; 3], [1.0, 0.0, 1.0])).contains("numbers that divide"));
        assert!(refusal(Normalize::new([f64::NAN; 3], [1.0; 3])).contains("numbers that divide"));
    }
}
