//! The score to expect, from images that were held out.

use crate::train::{Evaluation, wilson_interval};

/// A score and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ExpectedScore {
    pub(super) low: f64,
    pub(super) score: f64,
    pub(super) high: f64,
}

impl ExpectedScore {
    /// The score to expect on `images` new images of the same kind as the held-out ones.
    ///
    /// Chance enters twice: in which images were held out, and in which are predicted. The two Wilson
    /// intervals are combined as Newcombe does for a difference (*Interval estimation for
    /// the difference between independent proportions*, 1998).
    pub(super) fn new(evaluation: &Evaluation, images: usize) -> ExpectedScore {
        ExpectedScore::of(evaluation.accuracy, evaluation.examples, images)
    }

    fn of(score: f64, examples: usize, images: usize) -> ExpectedScore {
        let (low, high) = wilson_interval(score, examples.max(1));
        let (least, most) = wilson_interval(score, images.max(1));
        ExpectedScore {
            low: (score - (score - low).hypot(score - least)).max(0.0),
            score,
            high: (score + (high - score).hypot(most - score)).min(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::seed::unit;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn nineteen_of_twenty_scores_lie_within() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut share =
            |n: usize| (0..n).filter(|_| unit(&mut rng) < 0.97).count() as f64 / n as f64;
        let within = (0..600).filter(|_| {
            let (held_out, test) = (share(420), share(280));
            let expected = ExpectedScore::of(held_out, 420, 280);
            (expected.low..=expected.high).contains(&test)
        });
        let covered = within.count() as f64 / 600.0;
        assert!((0.92..0.99).contains(&covered), "{covered}");
    }

    #[test]
    fn more_images_make_it_narrower() {
        let width = |examples, images| {
            let expected = ExpectedScore::of(0.99, examples, images);
            expected.high - expected.low
        };
        assert!(width(4_200, 28_000) < width(420, 28_000));
        assert!(width(4_200, 28_000) < width(4_200, 280));
        let perfect = ExpectedScore::of(1.0, 100, 100);
        assert!(perfect.high == 1.0 && perfect.low < 0.97, "{perfect:?}");
    }
}
