//! What does the data look like? Many numbers for each image, brought down to two or three that
//! can be drawn.
//!
//! [`Pca`] finds the directions in which the images differ most; [`Tsne`] places similar images
//! beside each other. Both end in an [`Embedding`]: points that know their labels, and often their
//! images.
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
mod fitted_pca;
mod neighbors;
mod observations;
mod pca;
mod scatter_plot;
mod spectrum;
mod tsne;

pub use embedding::Embedding;
pub use fitted_pca::FittedPca;
pub use observations::{Observations, Rows};
pub use pca::Pca;
pub use tsne::Tsne;

use ndarray::Array2;
use tch::{Device, Kind, Tensor};

/// Numbers `[rows, columns]` as an array.
pub(crate) fn to_array(plane: &Tensor) -> Array2<f32> {
    let size = plane.size();
    let flat = plane.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1);
    let values = Vec::<f32>::try_from(flat).expect("numbers on the CPU");
    let shape = (size[0] as usize, size[1] as usize);
    Array2::from_shape_vec(shape, values).expect("a number for each index")
}
