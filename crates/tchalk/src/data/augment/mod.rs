//! Augmentation: random changes of images that leave the label as it is.
//!
//! ```
//! use tchalk::prelude::*;
//! let augmentation = Augmentation::new().random_flip().random_crop(4);
//! let x = datasets::shapes()?.train.take(8).to_tensors(Device::Cpu).x();
//! let other = augmentation.apply(&x, 1)?; // another seed, other images
//! assert_eq!(other.size(), x.size());
//! # Ok::<(), tchalk::Error>(())
//! ```

mod affine;
mod augmentation;
mod brightness;
mod contrast;
mod crop;
mod erasing;
mod flip;
mod pixels;
mod random;
mod rearrangement;
mod rotation;
mod shift;
mod transform;
mod zoom;

pub use augmentation::Augmentation;
pub use brightness::RandomBrightness;
pub use contrast::RandomContrast;
pub use crop::RandomCrop;
pub use erasing::RandomErasing;
pub use flip::RandomFlip;
pub use random::RandomStream;
pub use rearrangement::Rearrangement;
pub use rotation::RandomRotation;
pub use shift::RandomShift;
pub use transform::{Change, Transform};
pub use zoom::RandomZoom;
