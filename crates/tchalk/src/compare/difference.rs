//! The difference of two accuracies, and whether it is significant.

use super::McNemar;
use crate::display::{Content, Show};
use crate::train::Evaluation;

/// The difference of two accuracies.
#[derive(Clone, Copy, PartialEq)]
pub struct Difference {
    /// The first accuracy minus the second.
    pub accuracy: f64,
    /// Half the width of the difference's 95 % confidence interval. It is smaller where both networks
    /// were evaluated on the same examples in the same order.
    pub margin: f64,
}

/// What a [`Difference`] says about the first network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The first network is significantly better.
    Better,
    /// The first network is significantly worse.
    Worse,
    /// Chance alone could explain the difference.
    NotSignificant,
}

impl Difference {
    /// Whether the 95 % confidence interval excludes zero.
    pub fn is_significant(&self) -> bool {
        self.verdict() != Verdict::NotSignificant
    }

    /// Whether the first network is significantly better or worse.
    pub fn verdict(&self) -> Verdict {
        match self.accuracy {
            accuracy if accuracy > self.margin => Verdict::Better,
            accuracy if accuracy < -self.margin => Verdict::Worse,
            _ => Verdict::NotSignificant,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Better => "significantly better",
            Verdict::Worse => "significantly worse",
            Verdict::NotSignificant => "not significant: chance alone could explain it",
        })
    }
}

impl std::fmt::Debug for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (points, margin) = (100.0 * self.accuracy, 100.0 * self.margin);
        write!(f, "{points:+.2} percentage points (± {margin:.2}), {}", self.verdict())
    }
}

impl Show for Difference {
    fn content(&self) -> Content {
        Content::text(format!("{self:?}"))
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
    use ndarray::Array2;

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

    #[test]
    fn a_difference_is_shown_with_its_margin_and_verdict() {
        let small = Difference { accuracy: 0.004, margin: 0.009 };
        assert_eq!(
            format!("{small:?}"),
            "+0.40 percentage points (± 0.90), not significant: chance alone could explain it"
        );
        assert_eq!(Difference { accuracy: -0.1, margin: 0.009 }.verdict(), Verdict::Worse);
    }
}
