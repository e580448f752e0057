//! McNemar's test: is one of two networks significantly better on the same examples?

use super::Difference;
use crate::train::{Evaluation, Z_95};

/// Two networks on the same examples, counted by which of them is right.
///
/// Only the examples on which exactly one of them is right say which network is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct McNemar {
    /// The number of examples.
    pub examples: usize,
    /// How many examples both networks classify correctly.
    pub both_correct: usize,
    /// How many examples only the first network classifies correctly.
    pub only_first: usize,
    /// How many examples only the second network classifies correctly.
    pub only_second: usize,
}

impl McNemar {
    /// Counts examples; each list says of each example whether a network is right.
    pub(crate) fn from_correct(first: &[bool], second: &[bool]) -> McNemar {
        let count = |case: (bool, bool)| {
            first.iter().zip(second).filter(|&(&a, &b)| (a, b) == case).count()
        };
        McNemar {
            examples: first.len(),
            both_correct: count((true, true)),
            only_first: count((true, false)),
            only_second: count((false, true)),
        }
    }

    /// How many examples neither network classifies correctly.
    pub fn neither_correct(self) -> usize {
        self.examples - self.both_correct - self.only_first - self.only_second
    }

    /// The first network's accuracy minus the second's, with its 95 % margin (Bonett and Price 2012,
    /// which also holds for few examples).
    pub fn difference(self) -> Difference {
        let accuracy = (self.only_first as f64 - self.only_second as f64) / self.examples as f64;
        let n = self.examples as f64 + 2.0;
        let fraction = |count: usize| (count as f64 + 1.0) / n;
        let (first, second) = (fraction(self.only_first), fraction(self.only_second));
        let margin = Z_95 * ((first + second - (first - second).powi(2)) / n).sqrt();
        Difference { accuracy, margin }
    }

    /// The p-value of McNemar's exact test, two-sided: the probability of so unequal a result between
    /// equally good networks. Below 0.05 the difference counts as significant.
    pub fn p_value(self) -> f64 {
        let n = self.only_first + self.only_second;
        // The lower tail of the binomial distribution with p = 1/2, summed in logarithms.
        let mut term = -(n as f64) * std::f64::consts::LN_2;
        let mut lower = term.exp();
        for k in 1..=self.only_first.min(self.only_second) {
            term += ((n - k + 1) as f64 / k as f64).ln();
            lower += term.exp();
        }
        (2.0 * lower).min(1.0)
    }
}

impl Evaluation {
    /// This accuracy minus another's, and whether the difference is significant. Where both networks
    /// were evaluated on the same examples, only the examples on which exactly one of them is right
    /// count ([`McNemar`]).
    pub fn difference(&self, other: &Evaluation) -> Difference {
        match self.correct_beside(other) {
            Some((first, second)) => McNemar::from_correct(first, second).difference(),
            None => Difference {
                accuracy: self.accuracy - other.accuracy,
                margin: self.margin().hypot(other.margin()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Verdict;
    use ndarray::Array2;

    fn counts(only_first: usize, only_second: usize, examples: usize) -> McNemar {
        McNemar { examples, both_correct: 0, only_first, only_second }
    }

    #[test]
    fn each_example_is_counted_once() {
        let first = [true, true, true, false, false, true];
        let second = [true, false, false, true, false, true];
        let found = McNemar::from_correct(&first, &second);
        let expected = McNemar { examples: 6, both_correct: 2, only_first: 2, only_second: 1 };
        assert_eq!((found, found.neither_correct()), (expected, 1));
        assert!((found.difference().accuracy - 1.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn the_margin_is_that_of_bonett_and_price() {
        // 1.96 times the root of 92 / 1002 - (30 / 1002)², divided by the root of 1002.
        assert!((counts(60, 30, 1000).difference().margin - 0.018_67).abs() < 5e-6);
    }

    #[test]
    fn a_few_examples_are_not_significant() {
        // McNemar's exact test: five to none has p = 0.06, six to none p = 0.03.
        let significant = |count| {
            let counts = counts(count, 0, 1000);
            (counts.difference().is_significant(), counts.p_value() < 0.05)
        };
        assert_eq!(significant(5), (false, false));
        assert_eq!(significant(6), (true, true));
    }

    #[test]
    fn the_p_value_is_that_of_the_binomial_test() {
        // 2 · (1 + 6 + 15) / 64 for 2 of 6; 1 for a draw and where they never differ.
        let p = |first, second| counts(first, second, 5_000).p_value();
        assert!((p(4, 2) - 44.0 / 64.0).abs() < 1e-12);
        assert_eq!((p(3, 3), p(0, 0)), (1.0, 1.0));
        assert!((p(10, 0) - 2.0 / 1024.0).abs() < 1e-12);
        assert!(p(2000, 1000) < 1e-60);
    }

    /// 1,000 examples of two classes; `correct` says which are classified correctly.
    fn evaluation(labels: &[usize], correct: impl Fn(usize) -> bool) -> Evaluation {
        let rows = Array2::from_shape_fn((1000, 2), |(i, class)| {
            if (class == labels[i]) == correct(i) { 0.9 } else { 0.1 }
        });
        Evaluation::from_probabilities(&rows, labels, Vec::new())
    }

    #[test]
    fn the_margin_is_smaller_on_the_same_examples() {
        // Both are right on 600, only the first on 60, only the second on 30.
        let labels: Vec<usize> = (0..1000).map(|i| i % 2).collect();
        let first = evaluation(&labels, |i| i < 660);
        let second = evaluation(&labels, |i| i < 600 || (660..690).contains(&i));
        let difference = first.difference(&second);
        assert!((difference.accuracy - 0.03).abs() < 1e-9);
        assert!((difference.margin - 0.018_67).abs() < 5e-5, "{}", difference.margin);
        assert_eq!(difference.verdict(), Verdict::Better);
        // The same accuracies on other examples are not significant.
        let other: Vec<usize> = labels.iter().map(|label| 1 - label).collect();
        let elsewhere = evaluation(&other, |i| i < 630);
        assert_eq!(first.difference(&elsewhere).verdict(), Verdict::NotSignificant);
    }
}
