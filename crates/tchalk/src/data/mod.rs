//! What a picture set is: pictures, labels, and the names of the classes.
//!
//! A [`Dataset`] has two [`Split`]s, train and test. A split's pictures are bytes,
//! `[n, height, width, channels]`; [`Split::to_tensors`] turns them into a [`TensorSet`] for a
//! network. Readers call [`crate::datasets`] for the sets there are.

pub mod augment;
pub(crate) mod bundle;
pub(crate) mod cifar;
mod dataset;
mod figures;
pub(crate) mod idx;
mod picture;
pub(crate) mod shapes;
mod sizes;
mod split;
mod tensor_set;

pub use augment::Augmentation;
pub use dataset::Dataset;
pub use picture::Picture;
pub use split::Split;
pub use tensor_set::TensorSet;
