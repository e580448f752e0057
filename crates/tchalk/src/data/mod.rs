//! What an image set is: images, labels, and the names of the classes.
//!
//! A [`Dataset`] has two [`Split`]s, train and test. A split's images are bytes,
//! `[n, height, width, channels]`; [`Split::to_tensors`] turns them into a [`TensorSet`] for a
//! network. Readers call [`crate::datasets`] for the sets there are.

pub mod augment;
pub(crate) mod cifar;
mod csv_table;
mod dataset;
pub(crate) mod digits_csv;
pub(crate) mod folder;
pub(crate) mod idx;
mod image;
pub(crate) mod image_decoder;
mod preprocessing;
pub(crate) mod shapes;
mod split;
mod split_figures;
mod stream;
pub(crate) mod strokes;
mod tensor_set;

pub use augment::Augmentation;
pub use csv_table::CsvTable;
pub use dataset::Dataset;
pub use folder::ImageFolder;
pub use image::Image;
pub use image_decoder::AspectRatio;
pub use split::Split;
pub use stream::ImageStream;
pub use tensor_set::TensorSet;
pub(crate) use tensor_set::to_bytes;
