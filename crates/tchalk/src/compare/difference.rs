//! The difference of two accuracies, and whether it is significant.

use crate::display::{Content, Show};

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

#[cfg(test)]
mod tests {
    use super::*;

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
