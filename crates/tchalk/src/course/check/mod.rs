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
//! try. There is no one right answer. A convolutional network, a dense one, one with skip connections
//! are all good answers, and the figures are what this data set is known for: a classifier that only
//! weighs pixels gets 92 % of MNIST right (LeCun, Bottou, Bengio and Haffner 1998 report 91.6 % with
//! slightly other preparation), a small convolutional network 99 %. The checks look at the network, its
//! settings and its record, not at the text of a cell.
//!
//! ```
//! use tchalk::prelude::*;
//! let train = datasets::strokes()?.train.take(50).to_tensors(Device::Cpu);
//! let model = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
//! let model = model.build(Device::Cpu)?;
//! let list = check::model(&model, &train);
//! assert!(!list.passes());
//! assert!(format!("{list:?}").contains("! end: it ends in Dense::new(10)"));
//! # Ok::<(), tchalk::Error>(())
//! ```

pub(crate) mod checklist;
mod compiled;
mod end;
mod model;
mod score;
mod structure;
#[cfg(test)]
mod tests;
mod training;
mod validation;

pub use checklist::Checklist;
pub use compiled::compiled;
pub use model::model;
pub use score::score;
pub use training::training;
pub use validation::validation;
