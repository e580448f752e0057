//! The random numbers of an augmentation.

use crate::runtime::seed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tch::{Device, Tensor};

/// Random numbers for a batch, one for each image: drawn by the host, so that they are the same on
/// every device, and moved to where the images are.
///
/// They depend on the seed and on the place of the transformation in the chain alone. libtorch's one
/// generator is not touched: Dropout draws what it would have drawn without augmentation.
#[derive(Debug)]
pub struct Draws {
    rng: ChaCha8Rng,
    count: usize,
    device: Device,
}

impl Draws {
    pub(super) fn new(seed: u64, place: usize, count: usize, device: Device) -> Draws {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(place as u64);
        Draws { rng, count, device }
    }

    /// For each image a whole number from 0 to below `n`, on the host.
    pub fn places(&mut self, n: usize) -> Vec<i64> {
        (0..self.count).map(|_| seed::below(n, &mut self.rng) as i64).collect()
    }

    /// For each image whether it is chosen, with this probability; on the host.
    pub fn chances(&mut self, probability: f64) -> Vec<bool> {
        (0..self.count).map(|_| f64::from(seed::unit(&mut self.rng)) < probability).collect()
    }

    /// `f32 [n]`, from `low` to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> Tensor {
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
    fn draws_are_even_and_differ_by_seed_and_place() {
        let mut draws = Draws::new(1, 0, 20_000, Device::Cpu);
        let numbers = draws.between(-2.0, 4.0);
        assert!((numbers.mean(Kind::Double).double_value(&[]) - 1.0).abs() < 0.05);
        assert!(numbers.min().double_value(&[]) >= -2.0 && numbers.max().double_value(&[]) < 4.0);
        let heads = draws.chances(0.25).into_iter().filter(|&head| head).count();
        assert!((4_700..5_300).contains(&heads), "{heads}");
        let first = |seed, place| Draws::new(seed, place, 4, Device::Cpu).between(0.0, 1.0);
        assert!(first(1, 0).equal(&first(1, 0)));
        assert!(!first(1, 0).equal(&first(2, 0)) && !first(1, 0).equal(&first(1, 1)));
    }
}
