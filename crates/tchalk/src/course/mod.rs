//! The course's own part: what the exercise asks of a participant beyond the library.
//!
//! | question | module |
//! |---|---|
//! | is my answer to the exercise right? | [`check`] |
//! | do the claims of the Keras course hold here? | [`Claim`] |
//! | how do I take part in Kaggle's competition? | [`kaggle`] |

pub mod check;
mod checklist;
mod claims;
mod finding;
pub mod kaggle;

pub use claims::Claim;
