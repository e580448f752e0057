//! Several networks side by side, on the same examples.
//!
//! | question | answer |
//! |---|---|
//! | On which images do networks differ, and is one significantly better? | [`Predictions::compare`], [`Ensemble::compare`](crate::ensemble::Ensemble::compare), [`Submission::compare`](crate::course::kaggle::Submission::compare): a [`Comparison`] |
//! | Is the difference of two accuracies significant? | [`Evaluation::difference`]: a [`Difference`]; [`McNemar`] for the same images |
//! | How good is each network, and how long did it train? | [`Scoreboard`] |
//! | What do they say together? | [`Predictions::average`], [`Predictions::vote`], [`Predictions::stacking_features`] |
//!
//! [`Evaluation::difference`]: crate::train::Evaluation::difference
//! [`Predictions::compare`]: crate::train::Predictions::compare
//! [`Predictions::average`]: crate::train::Predictions::average
//! [`Predictions::vote`]: crate::train::Predictions::vote
//! [`Predictions::stacking_features`]: crate::train::Predictions::stacking_features

mod combine;
mod comparison;
mod comparison_figures;
mod difference;
mod mcnemar;
mod scoreboard;
#[cfg(test)]
mod testing;

pub(crate) use combine::vote_shares;
pub use comparison::Comparison;
pub(crate) use comparison::Images;
pub use difference::{Difference, Verdict};
pub use mcnemar::McNemar;
pub use scoreboard::Scoreboard;
