//! tchalk teaches deep-learning image classification in Rust notebooks, over libtorch.
//!
//! ```
//! use tchalk::prelude::*;
//!
//! let shapes = datasets::shapes()?; // 5,000 + 1,000 images that the library draws itself
//! let train = shapes.train.take(500).to_tensors(Device::Cpu);
//! let model = Sequential::new()
//!     .input_shape([3, 32, 32])
//!     .add(Flatten)
//!     .add(Dense::new(10))
//!     .add(Softmax)
//!     .build(Device::Cpu)?;
//! model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)?;
//! let history = model.fit(&train, Fit::new().epochs(3).batch_size(50))?;
//! assert_eq!(history.len(), 3);
//! # Ok::<(), tchalk::Error>(())
//! ```
//!
//! The rooms, from the ground up: [`error`], [`display`], [`runtime`]; [`table`], [`plot`], [`data`]
//! (reached through [`datasets`] and [`kaggle`]), [`explore`]; [`layers`]; [`model`]; [`train`]; [`applications`],
//! [`compare`], [`ensemble`], [`evaluate`], [`explain`]; [`course`]; and the [`prelude`], which is all that a
//! notebook has to import. Those who know Keras find their way with [`for_keras_users`].

pub mod applications;
pub mod compare;
pub mod course;
pub mod data;
pub mod datasets;
pub mod display;
pub mod ensemble;
pub mod error;
pub mod evaluate;
pub mod explain;
pub mod explore;
mod fetch;
mod files;
pub mod for_keras_users;
pub mod layers;
pub mod model;
pub mod plot;
pub mod prelude;
pub mod runtime;
pub mod table;
#[cfg(test)]
mod testing;
mod text;
pub mod train;

pub use course::{check, kaggle};
pub use error::{Error, Result};
/// Tables of numbers and the binding to libtorch, so that the types a notebook infers can be named.
pub use {ndarray, tch};
