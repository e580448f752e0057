//! The random choices of a training: orders, splits, and the seed of each step.
//!
//! All of them depend only on one seed, the number of the epoch, and the number of the step. So a resumed
//! training makes the same choices as one that was not interrupted.

use crate::runtime::seed::shuffle;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tch::Tensor;

fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// A random order of the examples for an epoch, the same on every device.
pub(crate) fn shuffled_order(seed: u64, epoch: usize, examples: usize) -> Tensor {
    let mut order: Vec<i64> = (0..examples as i64).collect();
    shuffle(&mut order, &mut generator(seed, epoch as u64));
    Tensor::from_slice(&order)
}

/// The seed of a step. It is not negative, as libtorch requires.
pub(crate) fn step_seed(seed: u64, epoch: usize, step: usize) -> i64 {
    let mixed = seed ^ ((epoch as u64) << 40) ^ step as u64;
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 1) as i64
}

/// The seed of a part of a batch after the first; the first part uses that of the step.
pub(crate) fn part_seed(seed: i64, part: usize) -> i64 {
    let mixed = seed as u64 ^ ((part as u64) << 52);
    (mixed.wrapping_mul(0xD134_2543_DE82_EF95) >> 1) as i64
}

/// Splits the indices of the examples into two parts, in order. The second has about `fraction` of each
/// class.
pub(crate) fn stratified_split(seed: u64, labels: &[usize], fraction: f64) -> (Vec<i64>, Vec<i64>) {
    let classes = labels.iter().max().map_or(0, |&most| most + 1);
    let mut rng = generator(seed, 0);
    let mut held = vec![false; labels.len()];
    // The rounding error of a class is carried to the next, so that the total is right.
    let mut carry = 0.0;
    for class in 0..classes {
        let mut indices: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
        shuffle(&mut indices, &mut rng);
        let share = indices.len() as f64 * fraction + carry;
        let count = share.round().clamp(0.0, indices.len() as f64);
        carry = share - count;
        indices.iter().take(count as usize).for_each(|&index| held[index] = true);
    }
    let part = |second: bool| {
        let indices = (0..labels.len()).filter(|&i| held[i] == second);
        indices.map(|i| i as i64).collect()
    };
    (part(false), part(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_has_the_same_part_of_every_class() {
        let labels: Vec<usize> = (0..1000).map(|i| usize::from(i % 10 == 0)).collect();
        let (kept, held) = stratified_split(5, &labels, 0.2);
        assert_eq!((kept.len(), held.len()), (800, 200));
        assert_eq!(held.iter().filter(|&&i| labels[i as usize] == 1).count(), 20);
        let mut all = [kept.clone(), held].concat();
        all.sort();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert_ne!(stratified_split(6, &labels, 0.2).0, kept, "another seed, another split");
        assert_eq!(stratified_split(5, &labels, 0.2).0, kept);
    }

    #[test]
    fn epochs_have_orders_of_their_own() {
        assert_ne!(shuffled_order(1, 1, 100), shuffled_order(1, 2, 100));
        assert_eq!(shuffled_order(1, 2, 100), shuffled_order(1, 2, 100));
        assert_eq!(
            shuffled_order(3, 1, 100).sort(0, false).0,
            Tensor::arange(100, (tch::Kind::Int64, tch::Device::Cpu))
        );
    }

    #[test]
    fn steps_and_their_parts_have_seeds_of_their_own() {
        let steps = (1..20).flat_map(|epoch| (0..50).map(move |step| step_seed(7, epoch, step)));
        let parts = steps.flat_map(|seed| [seed, part_seed(seed, 1), part_seed(seed, 2)]);
        let mut seeds: Vec<i64> = parts.collect();
        seeds.sort();
        seeds.dedup();
        assert_eq!(seeds.len(), 3 * 19 * 50);
        assert!(seeds[0] >= 0);
    }
}
