//! Is my answer right? Checks for the exercise, each a short list in plain words.
//!
//! | question | call |
//! |---|---|
//! | can this network tell ten digits apart? | [`model()`] |
//! | does it learn in a sensible way? | [`compiled`] |
//! | how did the training go? | [`training`] |
//! | may I trust that validation set? | [`validation`] |
//! | is this a good score? | [`score`] |
//!
//! A check never stops a notebook: what is wrong is a line of the list, with the reason and what to
//! try. There is no single right answer. A convolutional network, a dense one, one with skip connections
//! are all good answers. The figures are what this data set is known for: a classifier that only
//! weighs pixels gets 92 % of MNIST right (LeCun, Bottou, Bengio and Haffner 1998 report 91.6 % with
//! slightly other preparation), a small convolutional network 99 %. The checks look at the network, its
//! settings and its history, not at the text of a cell.
//!
//! Each check first gathers its facts into a struct. A table of rules in order then answers one topic
//! after the other: the first rule that applies is the line of the list.
//!
//! ```
//! use tchalk::prelude::*;
//! let train = datasets::strokes()?.train.take(50).to_tensors(Device::Cpu);
//! let model = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
//! let model = model.build(Device::Cpu)?;
//! let list = check::model(&model, &train);
//! assert_eq!(list.problems(), [check::Finding::SingleLayer]);
//! assert_eq!(list.advice(), [check::Finding::NoSoftmax]);
//! # Ok::<(), tchalk::Error>(())
//! ```

mod network;
mod output;
mod score;
mod settings;
mod structure;
#[cfg(test)]
mod tests;
mod training;
mod validation;

pub use super::checklist::{Checklist, Severity};
pub use super::finding::Finding;
pub use network::model;
pub use score::score;
pub use settings::compiled;
pub use training::training;
pub use validation::validation;
