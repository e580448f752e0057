//! What does the data look like? Many numbers for each picture, brought down to two or three that
//! can be drawn.
//!
//! [`Pca`] finds the directions in which the pictures differ most; [`Tsne`] places similar pictures
//! beside each other. Both end in an [`Embedding`]: points that know their labels, and often their
//! pictures.
//!
//! ```
//! use tchalk::prelude::*;
//! let sample = datasets::shapes()?.train.take(120);
//! let points = Pca::new(10).fit_transform(&sample)?;
//! let map = Tsne::new(2).perplexity(10.0).iterations(60).fit(&points)?;
//! assert_eq!(map.points().shape(), [120, 2]);
//! # Ok::<(), tchalk::Error>(())
//! ```

mod affinities;
mod barnes_hut;
mod embedding;
mod looks;
mod neighbours;
mod observations;
mod pca;
mod spectrum;
mod tsne;

pub use embedding::Embedding;
pub use observations::{Observations, Rows};
pub use pca::{FittedPca, Pca};
pub use tsne::Tsne;
