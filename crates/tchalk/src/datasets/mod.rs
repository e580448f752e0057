//! The available image sets.
//!
//! | call | images |
//! |---|---|
//! | [`cifar10`] | 50,000 + 10,000 color photos of ten kinds of things |
//! | [`mnist`] | 60,000 + 10,000 handwritten digits |
//! | [`fashion_mnist`] | 60,000 + 10,000 pieces of clothing |
//! | [`shapes`] | 5,000 + 1,000 drawn shapes, built in |
//! | [`strokes`] | 6,000 + 1,000 drawn digits, built in |
//! | [`image_folder`], [`image_dataset`] | your own, in a folder for each class |
//!
//! [`crate::kaggle::digit_recognizer`] reads the competition's digits.
//!
//! A set is searched in the folder that `TCHALK_DATA_DIR` names, then in the cache, then on the network,
//! unless `TCHALK_OFFLINE=1` forbids that. If CIFAR-10 or MNIST is not available, images that the library
//! draws itself stand in for it. [`Dataset::source`](crate::data::Dataset::source) always
//! says which of them was loaded, and why.

mod cifar10;
mod digits;
mod folders;
mod samples;

pub use cifar10::cifar10;
pub use digits::{fashion_mnist, mnist};
pub use folders::{image_dataset, image_folder};
pub use samples::{shapes, strokes};

pub(crate) use digits::mnist_from;
pub(crate) use samples::digit_classes;
