//! Dropout: values left out at random while learning.

use super::{Layer, Mode, Shape};
use crate::error::{Error, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// So many values share a stream of random numbers, whoever draws them.
const STREAM_LENGTH: usize = 1 << 16;

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

impl Dropout {
    /// What `x` is multiplied by: 0 for what is left out. On a processor libtorch draws these numbers
    /// one after another by one thread, a tenth of the time of a small network's step.
    fn mask(&self, x: &Tensor, seed: u64) -> Tensor {
        let mask = x.detach().empty_like();
        let count = mask.numel();
        if count == 0 {
            return mask;
        }
        // SAFETY: a new tensor of so many numbers of type f32 without gaps, which nobody else knows.
        let values =
            unsafe { std::slice::from_raw_parts_mut(mask.data_ptr().cast::<f32>(), count) };
        let kept = ((1.0 - self.rate) * 2f64.powi(32)).round() as u64;
        let grown = (1.0 / (1.0 - self.rate)) as f32;
        let threads = (tch::get_num_threads().max(1) as usize).min(count.div_ceil(STREAM_LENGTH));
        let share = count.div_ceil(STREAM_LENGTH).div_ceil(threads) * STREAM_LENGTH;
        std::thread::scope(|scope| {
            let mut parts = values.chunks_mut(share).enumerate();
            let first = parts.next();
            for (i, part) in parts {
                scope.spawn(move || fill_mask(part, seed, i * share / STREAM_LENGTH, kept, grown));
            }
            if let Some((_, part)) = first {
                fill_mask(part, seed, 0, kept, grown);
            }
        });
        mask
    }
}

/// Fills `values` with `grown` where a random number of 32 bits is below `kept`, elsewhere with 0.
fn fill_mask(values: &mut [f32], seed: u64, stream: usize, kept: u64, grown: f32) {
    let mut bytes = [0; 4096];
    for (i, values) in values.chunks_mut(STREAM_LENGTH).enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((stream + i) as u64);
        for values in values.chunks_mut(bytes.len() / 4) {
            rng.fill_bytes(&mut bytes);
            for (value, four) in values.iter_mut().zip(bytes.chunks_exact(4)) {
                let drawn = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                *value = if u64::from(drawn) < kept { grown } else { 0.0 };
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
            let hint = "0.25 leaves out a quarter of the values.";
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
        let left_out = mode == Mode::Training && self.rate > 0.0;
        match left_out && x.device() == Device::Cpu && x.kind() == Kind::Float {
            true => {
                // Follows libtorch's generator, which training starts anew at each step.
                let seed = Tensor::randint(i64::MAX, [1], (Kind::Int64, Device::Cpu));
                x * self.mask(x, seed.int64_value(&[0]) as u64)
            }
            false => x.dropout(self.rate, left_out),
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
    fn the_seed_decides_what_is_left_out_and_not_the_number_of_threads() {
        let x = Tensor::ones([3, 7, 100, 100], (Kind::Float, Device::Cpu));
        let last = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        let drop = |x: &Tensor, seed: u64, rate: f64| x * Dropout::new(rate).mask(x, seed);
        let first = drop(&x, 5, 0.3);
        assert_eq!(first, drop(&x, 5, 0.3));
        assert_ne!(first, drop(&x, 6, 0.3));
        assert_eq!(drop(&last, 5, 0.3).stride(), last.stride());
        let part = first.eq(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        // Within four standard deviations of a draw of 210,000.
        assert!((part - 0.3).abs() < 0.004, "{part}");
        // Streams differ from one another.
        let row = |at: i64| first.reshape([-1]).narrow(0, at, 1_000);
        assert_ne!(row(0), row(STREAM_LENGTH as i64));
        assert_eq!(drop(&x, 5, 0.0), x);
        let none = Tensor::zeros([0, 4], (Kind::Float, Device::Cpu));
        assert_eq!(drop(&none, 5, 0.5).size(), [0, 4]);
    }

    #[test]
    fn what_is_left_out_has_no_gradient() {
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
