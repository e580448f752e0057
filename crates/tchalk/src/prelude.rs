//! Everything a notebook needs, in one `use`.
//!
//! ```
//! use tchalk::prelude::*;
//! ```

pub use crate::data::augment::{
    RandomBrightness, RandomContrast, RandomCrop, RandomErasing, RandomFlip, RandomRotation,
    RandomShift, RandomZoom,
};
pub use crate::data::{Augmentation, Dataset, Picture, Split, TensorSet};
pub use crate::datasets;
pub use crate::display::{self, Show};
pub use crate::explore::{Embedding, FittedPca, Pca, Tsne};
pub use crate::layers::{Conv2d, Dense, Dropout, Flatten, MaxPool2d, Padding, Relu, Softmax};
pub use crate::model::{Model, Sequential};
pub use crate::plot::{Figure, Scatter3d};
pub use crate::runtime::{self, Budget};
pub use crate::table::Table;
pub use crate::train::{Evaluation, Fit, History, Loss, Predictions, RmsProp, Sgd};
pub use tch::{Device, Kind, Tensor};
