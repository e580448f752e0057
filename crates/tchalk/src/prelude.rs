//! Everything a notebook needs, in one `use`.
//!
//! ```
//! use tchalk::prelude::*;
//! ```

pub use crate::data::{Dataset, Picture, Split, TensorSet};
pub use crate::datasets;
pub use crate::display::{self, Show};
pub use crate::layers::{Conv2d, Dense, Dropout, Flatten, MaxPool2d, Padding, Relu, Softmax};
pub use crate::model::{Model, Sequential};
pub use crate::plot::Figure;
pub use crate::runtime::{self, Budget};
pub use crate::table::Table;
pub use crate::train::{
    Adam, AdamW, Evaluation, Fit, History, Loss, Metric, Predictions, RmsProp, Schedule, Sgd,
};
pub use tch::{Device, Kind, Tensor};
