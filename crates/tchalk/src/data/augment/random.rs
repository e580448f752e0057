//! The random numbers of an augmentation.

use crate::runtime::seed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tch::{Device, Tensor};

/// Random numbers for a batch, one for each image. The CPU draws them, so they are the same on every
/// device.
///
/// They depend only on the seed and on the transformation's index in the chain. libtorch's generator
/// is not used, so Dropout draws the same numbers with and without augmentation.
#[derive(Debug)]
pub struct RandomStream {
    rng: ChaCha8Rng,
    count: usize,
    device: Device,
}

impl RandomStream {
    pub(super) fn new(seed: u64, index: usize, count: usize, device: Device) -> RandomStream {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index as u64);
        RandomStream { rng, count, device }
    }

    /// For each image an integer from 0 to below `n`.
    pub fn integers(&mut self, n: usize) -> Vec<i64> {
        (0..self.count).map(|_| seed::below(n, &mut self.rng) as i64).collect()
    }

    /// For each image `true` with this probability.
    pub fn bernoulli(&mut self, probability: f64) -> Vec<bool> {
        (0..self.count).map(|_| f64::from(seed::unit(&mut self.rng)) < probability).collect()
    }

    /// For each image a number from `low` to `high`: `f32 [n]` on the device of the images.
    pub fn uniform(&mut self, low: f64, high: f64) -> Tensor {
        let number = |rng: &mut _| low as f32 + (high - low) as f32 * seed::unit(rng);
        let numbers: Vec<f32> = (0..self.count).map(|_| number(&mut self.rng)).collect();
        Tensor::from_slice(&numbers).to_device(self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn numbers_are_uniform_and_differ_by_seed_and_index() {
        let mut random = RandomStream::new(1, 0, 20_000, Device::Cpu);
        let numbers = random.uniform(-2.0, 4.0);
        assert!((numbers.mean(Kind::Double).double_value(&[]) - 1.0).abs() < 0.05);
        assert!(numbers.min().double_value(&[]) >= -2.0 && numbers.max().double_value(&[]) < 4.0);
        let heads = random.bernoulli(0.25).into_iter().filter(|&head| head).count();
        assert!((4_700..5_300).contains(&heads), "{heads}");
        let first = |seed, index| RandomStream::new(seed, index, 4, Device::Cpu).uniform(0.0, 1.0);
        assert!(first(1, 0).equal(&first(1, 0)));
        assert!(!first(1, 0).equal(&first(2, 0)) && !first(1, 0).equal(&first(1, 1)));
    }
}
