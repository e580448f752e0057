//! Everything a notebook needs, in one `use`.
//!
//! ```
//! use tchalk::prelude::*;
//! ```

pub use crate::applications::{self, Prediction, Preprocessing, Weights};
pub use crate::compare::{Comparison, Scoreboard};
pub use crate::course::kaggle::{Submission, SubmissionCheck};
pub use crate::course::{Claim, check, kaggle};
pub use crate::data::augment::{
    RandomBrightness, RandomContrast, RandomCrop, RandomErasing, RandomFlip, RandomRotation,
    RandomShift, RandomZoom,
};
pub use crate::data::{
    AspectRatio, Augmentation, CsvTable, Dataset, Image, ImageFolder, ImageStream, Split, TensorSet,
};
pub use crate::datasets;
pub use crate::display::{self, Show};
pub use crate::ensemble::{Ensemble, TestTimeAugmentation};
pub use crate::evaluate::{Calibration, ClassificationReport, ConfusionMatrix};
pub use crate::explain;
pub use crate::explore::{Embedding, FittedPca, Pca, Tsne};
pub use crate::layers::{
    Activation, AdaptiveAveragePool2d, Add, Average, AveragePool2d, BatchNorm2d, Concatenate,
    Conv2d, Dense, DepthwiseConv2d, Dropout, Elu, Flatten, Gelu, GlobalAveragePool2d,
    GlobalMaxPool2d, Initializer, Layer, LeakyRelu, MaxPool2d, Merge, Normalize, PadChannels,
    Padding, Relu, Relu6, Rescale, Reshape, Resize, Sigmoid, Silu, Softmax, Tanh, ZeroPad2d,
};
pub use crate::model::{CallLayer, CallMerge, Input, Model, Sequential, Summary, Symbol};
pub use crate::plot::{Diagram, Figure, Scatter3d};
pub use crate::runtime::{self, Budget};
pub use crate::table::Table;
pub use crate::train::{
    Adam, AdamW, Checkpoint, CsvLog, EarlyStopping, Evaluation, Fit, History, LearningRateFinder,
    Loss, Metric, MovingAverage, Precision, Predictions, Print, ReduceOnPlateau, RmsProp, Schedule,
    Sgd, StopAt,
};
pub use tch::{Device, Kind, Tensor};
