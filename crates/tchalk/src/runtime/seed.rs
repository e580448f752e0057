//! One seed for all random numbers.
//!
//! Each random operation has its own generator, made of the seed, its purpose, and the number of earlier
//! operations for that purpose. So a second `image_grid` shows other images than the first, and a notebook
//! that is run again from the top shows the same ones.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::HashMap;
use std::sync::Mutex;

struct State {
    seed: u64,
    counts: Option<HashMap<String, u64>>,
}

static STATE: Mutex<State> = Mutex::new(State { seed: 42, counts: None });

/// Sets the seed, 42 by default, and restarts all generators.
///
/// ```
/// use tchalk::prelude::*;
/// runtime::seed(7);
/// let first = datasets::shapes()?.train.sample(3)?.labels();
/// runtime::seed(7);
/// assert_eq!(datasets::shapes()?.train.sample(3)?.labels(), first);
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn seed(value: u64) {
    let mut state = STATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    *state = State { seed: value, counts: None };
}

/// The next seed for this purpose; not negative, as libtorch requires.
pub(crate) fn derive(purpose: &str) -> i64 {
    (rng(purpose).next_u64() >> 1) as i64
}

/// The next generator for this purpose.
pub(crate) fn rng(purpose: &str) -> ChaCha8Rng {
    let mut state = STATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let seed = state.seed;
    let count = state.counts.get_or_insert_default().entry(purpose.to_owned()).or_default();
    *count += 1;
    generator(seed, purpose, *count)
}

fn generator(seed: u64, purpose: &str, count: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&count.to_le_bytes());
    for (i, byte) in purpose.bytes().enumerate() {
        key[16 + i % 16] ^= byte.rotate_left((i / 16) as u32);
    }
    ChaCha8Rng::from_seed(key)
}

/// A uniform integer from 0 to below `n`.
pub(crate) fn below(n: usize, rng: &mut ChaCha8Rng) -> usize {
    // The largest numbers would favor small results, so they are rejected.
    let n = n as u64;
    let limit = u64::MAX - u64::MAX % n;
    loop {
        let drawn = rng.next_u64();
        if drawn < limit {
            return (drawn % n) as usize;
        }
    }
}

/// A uniform number from 0 to below 1.
pub(crate) fn unit(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32
}

/// A uniform number from `low` to below `high`.
pub(crate) fn uniform(low: f32, high: f32, rng: &mut ChaCha8Rng) -> f32 {
    low + (high - low) * unit(rng)
}

/// Shuffles the items.
pub(crate) fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(i + 1, rng));
    }
}

/// `count` different numbers below `n`, in random order.
pub(crate) fn choose(n: usize, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    shuffle(&mut all, rng);
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_differ_by_seed_purpose_and_count() {
        let first = |seed, purpose, count| generator(seed, purpose, count).next_u64();
        let values = [first(1, "a", 1), first(2, "a", 1), first(1, "b", 1), first(1, "a", 2)];
        for (i, a) in values.iter().enumerate() {
            assert!(!values[i + 1..].contains(a));
        }
        assert_eq!(values[0], first(1, "a", 1));
    }

    #[test]
    fn chosen_numbers_are_distinct_and_in_range() {
        let mut chosen = choose(10, 10, &mut generator(1, "a", 1));
        chosen.sort();
        assert_eq!(chosen, (0..10).collect::<Vec<_>>());
        assert_eq!(choose(10, 3, &mut generator(1, "a", 1)).len(), 3);
    }

    #[test]
    fn integers_are_uniform() {
        let mut rng = generator(5, "below", 1);
        let mut counts = [0; 7];
        (0..70_000).for_each(|_| counts[below(7, &mut rng)] += 1);
        assert!(counts.iter().all(|&n| (9_500..10_500).contains(&n)), "{counts:?}");
    }
}
