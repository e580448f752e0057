//! Kaggle's competition *Digit Recognizer*: MNIST's digits in CSV files, those to be guessed without
//! their labels.
//!
//! | question | call |
//! |---|---|
//! | where are the digits? | [`digit_recognizer`], which says where they came from |
//! | where are the two files? | [`files()`] |
//! | may I download and submit from here? | [`credentials`] |
//! | fetch them with my account | [`download`] |
//! | what am I to hand in? | [`sample_submission`] |
//! | my answers as a file | [`Submission`], [`Submission::save_in`] |
//! | is it right? | [`Submission::check`] |
//! | where do two networks differ? | [`Submission::compare`] |
//! | hand it in | [`Submission::submit`] |
//!
//! ```
//! use tchalk::prelude::*;
//! # let answers: Vec<usize> = (0..28_000).map(|image| image % 10).collect();
//! let submission = Submission::from_labels(answers)?; // or Submission::new(&model.predict(…)?)?
//! assert_eq!(submission.len(), 28_000);
//! println!("{:?}", submission.table(5));
//! # Ok::<(), tchalk::Error>(())
//! ```
//!
//! A word on the leaderboard. The competition's images are MNIST's, and MNIST's labels are public: a
//! score of 1.0 there was looked up, not learned, since MNIST's own test images lie among those to
//! be guessed. A small network that has learned from `train.csv` alone comes to 0.99 and somewhat
//! more; an honest record that tells how it was done is 0.99757, by fifteen networks together that
//! also saw rotated, scaled and shifted copies (C. Deotte, *25 Million Images! 0.99757 MNIST*). Of two
//! scores near 0.997, chance decides which is higher.
//!
//! Commands and credentials are the official client's (`pip install kaggle`; read from versions 1.7.4
//! and 2.2.5). The library never shows, logs or keeps a key: only the client reads it.

mod archive;
mod check;
mod client;
mod client_error;
mod competition;
mod credentials;
mod digits;
mod download;
mod environment;
mod expected_score;
mod files;
mod image_order;
mod sample;
mod submission;
mod submission_file;
mod submit;
mod subprocess;
#[cfg(all(test, unix))]
mod testing;
mod timestamp;

pub use check::SubmissionCheck;
pub use credentials::{Credentials, credentials};
pub use digits::{digit_recognizer, read_digits};
pub use download::download;
pub use files::{Files, files, write_digits};
pub use sample::sample_submission;
pub use submission::Submission;
pub use submit::Submitted;
