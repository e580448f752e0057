//! Everything a notebook needs, in one `use`.
//!
//! ```
//! use tchalk::prelude::*;
//! ```

pub use crate::data::{Dataset, Picture, Split, TensorSet};
pub use crate::datasets;
pub use crate::display::{self, Show};
pub use crate::ensemble::{Ensemble, View};
pub use crate::evaluate::{Calibration, Comparison, ConfusionMatrix, Report};
pub use crate::explain;
pub use crate::layers::{Add, Average, Concatenate, Merge};
pub use crate::layers::{
    Conv2d, Dense, Dropout, Flatten, Layer, MaxPool2d, Padding, Relu, Softmax,
};
pub use crate::model::{CallLayer, CallMerge, Input, Model, Sequential, Summary, Symbol};
pub use crate::plot::{Diagram, Figure};
pub use crate::runtime::{self, Budget};
pub use crate::table::Table;
pub use crate::train::{Evaluation, Fit, History, Loss, Predictions, RmsProp, Sgd};
pub use tch::{Device, Kind, Tensor};
