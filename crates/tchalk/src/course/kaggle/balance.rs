//! Whether the answers have each digit about as often as the training set.

/// How often answers and known images have each digit.
pub(super) struct Balance {
    counts: [usize; 10],
    /// The share of each digit among the known images.
    shares: [f64; 10],
    /// Pearson's measure for two lots drawn from one urn, nine degrees of freedom.
    chi_square: f64,
}

/// Chance alone exceeds this once in a thousand times (chi-square, nine degrees of freedom).
const CHANCE: f64 = 27.877;
/// A share that is off by more than this part of itself is worth a word.
const MUCH: f64 = 0.2;

/// What is to be said about the counts.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// As is to be expected.
    Even,
    /// This digit is nearly all there is; its share.
    OneDigit(usize, f64),
    /// These never occur, though they should.
    Missing(Vec<usize>),
    /// This digit is off by more than chance explains: its share, and the one to be expected.
    Off(usize, f64, f64),
}

impl Balance {
    /// The counts of the answers against those of the known images.
    pub(super) fn new(counts: [usize; 10], known: [usize; 10]) -> Balance {
        let (n, m) = (total(&counts), total(&known));
        let shares = known.map(|count| count as f64 / m.max(1.0));
        let chi_square = (0..10).map(|digit| {
            let (count, known) = (counts[digit] as f64, known[digit] as f64);
            let together = (count + known) / (n + m).max(1.0);
            let part = |count: f64, all: f64| {
                let expected = all * together;
                if expected > 0.0 { (count - expected).powi(2) / expected } else { 0.0 }
            };
            part(count, n) + part(known, m)
        });
        Balance { counts, shares, chi_square: chi_square.sum() }
    }

    fn share(&self, digit: usize) -> f64 {
        self.counts[digit] as f64 / total(&self.counts).max(1.0)
    }

    /// The part of the answers that must be wrong if the unknown images have the digits as often as
    /// the known ones: what some digits have too many, others lack.
    pub(super) fn least_wrong(&self) -> f64 {
        (0..10).map(|digit| (self.share(digit) - self.shares[digit]).max(0.0)).sum()
    }

    pub(super) fn verdict(&self) -> Verdict {
        let most = (0..10).max_by_key(|&digit| self.counts[digit]).unwrap_or(0);
        if self.share(most) >= 0.9 {
            return Verdict::OneDigit(most, self.share(most));
        }
        let n = total(&self.counts);
        // A few expected ones may be missing by chance.
        let missing = (0..10).filter(|&i| self.counts[i] == 0 && n * self.shares[i] >= 10.0);
        let missing: Vec<usize> = missing.collect();
        if !missing.is_empty() {
            return Verdict::Missing(missing);
        }
        let off = |digit: usize| (self.share(digit) / self.shares[digit].max(1e-9) - 1.0).abs();
        let worst = (0..10).max_by(|&a, &b| off(a).total_cmp(&off(b))).unwrap_or(0);
        match self.chi_square > CHANCE && off(worst) > MUCH {
            true => Verdict::Off(worst, self.share(worst), self.shares[worst]),
            false => Verdict::Even,
        }
    }

    /// The digit that is off most, and by how many percentage points.
    pub(super) fn widest(&self) -> (usize, f64) {
        let off = |digit: usize| 100.0 * (self.share(digit) - self.shares[digit]);
        let worst = (0..10).max_by(|&a, &b| off(a).abs().total_cmp(&off(b).abs())).unwrap_or(0);
        (worst, off(worst))
    }
}

fn total(counts: &[usize; 10]) -> f64 {
    counts.iter().sum::<usize>() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [usize; 10] = [4132, 4684, 4177, 4351, 4072, 3795, 4137, 4401, 4063, 4188];

    #[test]
    fn chi_square_is_scipy_s() {
        // scipy.stats.chi2_contingency([[10, 20, 30, 0, …], [20, 20, 20, 0, …]]) on three columns
        let few = |a, b, c| [a, b, c, 0, 0, 0, 0, 0, 0, 0];
        let balance = Balance::new(few(10, 20, 30), few(20, 20, 20));
        assert!((balance.chi_square - 16.0 / 3.0).abs() < 1e-9, "{}", balance.chi_square);
    }

    #[test]
    fn shares_like_the_training_set_s_are_even() {
        let counts = KNOWN.map(|count| count * 2 / 3);
        let balance = Balance::new(counts, KNOWN);
        assert_eq!(balance.verdict(), Verdict::Even);
        assert!(balance.least_wrong() < 1e-3);
        // In a few rows chance makes large differences, and digits may be missing.
        assert_eq!(Balance::new([1, 2, 0, 1, 0, 1, 1, 3, 0, 1], KNOWN).verdict(), Verdict::Even);
    }

    #[test]
    fn what_is_off_is_named() {
        let all = |digit: usize| std::array::from_fn(|i| if i == digit { 28_000 } else { 0 });
        assert_eq!(Balance::new(all(3), KNOWN).verdict(), Verdict::OneDigit(3, 1.0));
        let mut counts = KNOWN.map(|count| count * 2 / 3);
        counts[1] += std::mem::take(&mut counts[5]);
        let balance = Balance::new(counts, KNOWN);
        assert_eq!(balance.verdict(), Verdict::Missing(vec![5]));
        assert!((balance.least_wrong() - 3795.0 / 42_000.0).abs() < 1e-3);
        let mut counts = KNOWN.map(|count| count * 2 / 3);
        counts[7] += 1_000;
        counts[9] -= 1_000;
        let Verdict::Off(digit, share, usual) = Balance::new(counts, KNOWN).verdict() else {
            panic!("it is off")
        };
        assert!(digit == 9 && share < usual);
        counts[9] += 500;
        counts[8] -= 500;
        let (digit, points) = Balance::new(counts, KNOWN).widest();
        assert!(digit == 7 && (3.4..3.7).contains(&points), "{digit} {points}");
    }
}
