//! Dropout.

use super::{Layer, Mode, Shape};
use crate::error::{Error, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// The number of values that share a stream of random numbers, independent of the number of threads.
const STREAM_LENGTH: usize = 1 << 16;

/// Sets a random fraction of the values to zero in training, so that the network cannot depend on any
/// single one, and scales the others up to keep the mean. It does nothing in inference.
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
    /// Drops the fraction `rate` of the values, from 0 (none) to below 1.
    pub fn new(rate: f64) -> Dropout {
        Dropout { rate }
    }
}

impl Dropout {
    /// The factors for `x`: 0 for dropped values. On a CPU libtorch draws these numbers in one thread,
    /// which takes a tenth of a small network's step.
    fn mask(&self, x: &Tensor, seed: u64) -> Tensor {
        let mask = x.detach().empty_like();
        let count = mask.numel();
        if count == 0 {
            return mask;
        }
        // SAFETY: a new, dense tensor of `count` numbers of type f32, to which there is no other handle.
        let values =
            unsafe { std::slice::from_raw_parts_mut(mask.data_ptr().cast::<f32>(), count) };
        let kept = ((1.0 - self.rate) * 2f64.powi(32)).round() as u64;
        let scale = (1.0 / (1.0 - self.rate)) as f32;
        let threads = (tch::get_num_threads().max(1) as usize).min(count.div_ceil(STREAM_LENGTH));
        let share = count.div_ceil(STREAM_LENGTH).div_ceil(threads) * STREAM_LENGTH;
        std::thread::scope(|scope| {
            let mut parts = values.chunks_mut(share).enumerate();
            let first = parts.next();
            for (i, part) in parts {
                scope.spawn(move || fill_mask(part, seed, i * share / STREAM_LENGTH, kept, scale));
            }
            if let Some((_, part)) = first {
                fill_mask(part, seed, 0, kept, scale);
            }
        });
        mask
    }
}

/// Fills `values` with `scale` where a random number of 32 bits is below `kept`, elsewhere with 0.
fn fill_mask(values: &mut [f32], seed: u64, stream: usize, kept: u64, scale: f32) {
    let mut bytes = [0; 4096];
    for (i, values) in values.chunks_mut(STREAM_LENGTH).enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((stream + i) as u64);
        for values in values.chunks_mut(bytes.len() / 4) {
            rng.fill_bytes(&mut bytes);
            for (value, four) in values.iter_mut().zip(bytes.chunks_exact(4)) {
                let drawn = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                *value = if u64::from(drawn) < kept { scale } else { 0.0 };
            }
        }
    }
}

impl Layer for Dropout {
    fn kind(&self) -> &'static str {
        "dropout"
    }

    fn repr(&self) -> String {
        format!("Dropout::new({})", self.rate)
    }

    fn output_shape(&self, input: &Shape, _from: &str) -> Result<Shape> {
        if !(0.0..1.0).contains(&self.rate) {
            let hint = "0.25 drops a quarter of the values.";
            return Err(Error::invalid(
                self.repr(),
                "a rate from 0 to below 1",
                self.rate.to_string(),
                hint,
            ));
        }
        Ok(input.clone())
    }

    fn forward(&self, x: &Tensor, _weights: &[Tensor], mode: Mode) -> Tensor {
        let active = mode == Mode::Training && self.rate > 0.0;
        match active && x.device() == Device::Cpu && x.kind() == Kind::Float {
            true => {
                // From libtorch's generator, which training seeds again at each step.
                let seed = Tensor::randint(i64::MAX, [1], (Kind::Int64, Device::Cpu));
                x * self.mask(x, seed.int64_value(&[0]) as u64)
            }
            false => x.dropout(self.rate, active),
        }
    }

    fn depends_on_mode(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn a_rate_of_a_half_keeps_the_mean_and_inference_changes_nothing() {
        tch::manual_seed(3);
        let x = Tensor::ones([100_000], (Kind::Float, Device::Cpu));
        let dropped = Dropout::new(0.5).forward(&x, &[], Mode::Training);
        let mean = f64::try_from(dropped.mean(Kind::Float)).unwrap();
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!(dropped.eq_tensor(&x).any().int64_value(&[]) == 0, "kept values are doubled");
        assert_eq!(Dropout::new(0.5).forward(&x, &[], Mode::Inference), x);
    }

    #[test]
    fn the_seed_decides_what_is_dropped_and_not_the_number_of_threads() {
        let x = Tensor::ones([3, 7, 100, 100], (Kind::Float, Device::Cpu));
        let last = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        let drop = |x: &Tensor, seed: u64, rate: f64| x * Dropout::new(rate).mask(x, seed);
        let first = drop(&x, 5, 0.3);
        assert_eq!(first, drop(&x, 5, 0.3));
        assert_ne!(first, drop(&x, 6, 0.3));
        assert_eq!(drop(&last, 5, 0.3).stride(), last.stride());
        let part = first.eq(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        // Within four standard deviations of 210,000 draws.
        assert!((part - 0.3).abs() < 0.004, "{part}");
        // Streams differ from one another.
        let row = |at: i64| first.reshape([-1]).narrow(0, at, 1_000);
        assert_ne!(row(0), row(STREAM_LENGTH as i64));
        assert_eq!(drop(&x, 5, 0.0), x);
        let none = Tensor::zeros([0, 4], (Kind::Float, Device::Cpu));
        assert_eq!(drop(&none, 5, 0.5).size(), [0, 4]);
    }

    #[test]
    fn dropped_values_have_no_gradient() {
        let x = Tensor::ones([400], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let y = Dropout::new(0.5).forward(&x, &[], Mode::Training);
        y.sum(Kind::Float).backward();
        assert_eq!(x.grad(), y.detach());
    }

    #[test]
    fn a_rate_of_one_is_refused() {
        let message = Dropout::new(1.0).output_shape(&vec![8], "flatten").unwrap_err().to_string();
        assert!(message.starts_with("Dropout::new(1): expected a rate"), "{message}");
        assert!(Dropout::new(f64::NAN).output_shape(&vec![8], "flatten").is_err());
    }
}
