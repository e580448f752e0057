//! Two networks asked about the same images, compared one by one.

/// So many standard errors to each side hold 95 % of what chance does.
pub(super) const Z_95: f64 = 1.959_963_984_540_054;

/// How two networks fared on the same images. What both know, or neither, says nothing about which
/// is better; the others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct McNemar {
    pub(crate) examples: usize,
    pub(crate) both_correct: usize,
    pub(crate) only_first: usize,
    pub(crate) only_second: usize,
}

impl McNemar {
    /// Of whether each was right about each image, in one order.
    pub(crate) fn from_correct(first: &[bool], second: &[bool]) -> McNemar {
        let count = |wanted: (bool, bool)| {
            first.iter().zip(second).filter(|&(&a, &b)| (a, b) == wanted).count()
        };
        McNemar {
            examples: first.len(),
            both_correct: count((true, true)),
            only_first: count((true, false)),
            only_second: count((false, true)),
        }
    }

    pub(crate) fn neither_correct(self) -> usize {
        self.examples - self.both_correct - self.only_first - self.only_second
    }

    /// By how much the first's accuracy is higher.
    pub(crate) fn difference(self) -> f64 {
        (self.only_first as f64 - self.only_second as f64) / self.examples as f64
    }

    /// What chance alone could do to that difference, with 95 % confidence (Bonett and Price 2012,
    /// which holds for few images as well).
    pub(crate) fn margin(self) -> f64 {
        let n = self.examples as f64 + 2.0;
        let of_all = |count: usize| (count as f64 + 1.0) / n;
        let (first, second) = (of_all(self.only_first), of_all(self.only_second));
        Z_95 * ((first + second - (first - second).powi(2)) / n).sqrt()
    }

    /// How likely so unequal a result is between networks that are equally good: McNemar's exact
    /// test, two-sided.
    pub(crate) fn p_value(self) -> f64 {
        let n = self.only_first + self.only_second;
        // The lower tail of the binomial distribution with one half, summed in logarithms.
        let mut term = -(n as f64) * std::f64::consts::LN_2;
        let mut tail = term.exp();
        for k in 1..=self.only_first.min(self.only_second) {
            term += ((n - k + 1) as f64 / k as f64).ln();
            tail += term.exp();
        }
        (2.0 * tail).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paired(only_first: usize, only_second: usize, examples: usize) -> McNemar {
        McNemar { examples, both_correct: 0, only_first, only_second }
    }

    #[test]
    fn each_image_is_counted_once() {
        let first = [true, true, true, false, false, true];
        let second = [true, false, false, true, false, true];
        let paired = McNemar::from_correct(&first, &second);
        let expected = McNemar { examples: 6, both_correct: 2, only_first: 2, only_second: 1 };
        assert_eq!((paired, paired.neither_correct()), (expected, 1));
        assert!((paired.difference() - 1.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn the_margin_is_bonett_and_price_s() {
        // 1.96 times the root of 92 / 1002 - (30 / 1002)², divided by the root of 1002.
        assert!((paired(60, 30, 1000).margin() - 0.018_67).abs() < 5e-6);
    }

    #[test]
    fn a_handful_of_images_decides_nothing() {
        // McNemar's exact test: five to none has p = 0.06, six to none p = 0.03.
        let clear = |count| {
            let paired = paired(count, 0, 1000);
            (paired.difference() > paired.margin(), paired.p_value() < 0.05)
        };
        assert_eq!(clear(5), (false, false));
        assert_eq!(clear(6), (true, true));
    }

    #[test]
    fn the_test_is_the_binomial_one() {
        // 2 · (1 + 6 + 15) / 64 for 2 of 6; 1 for a draw and where they never differ.
        let p = |first, second| paired(first, second, 5_000).p_value();
        assert!((p(4, 2) - 44.0 / 64.0).abs() < 1e-12);
        assert_eq!((p(3, 3), p(0, 0)), (1.0, 1.0));
        assert!((p(10, 0) - 2.0 / 1024.0).abs() < 1e-12);
        assert!(p(2000, 1000) < 1e-60);
    }
}
