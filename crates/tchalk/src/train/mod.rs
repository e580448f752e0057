//! How a network learns: compile, fit, evaluate, predict.
//!
//! - `compile.rs` chooses optimizer and loss, and holds what a compiled network keeps.
//! - `optimizers`: what turns gradients into better weights, and schedules of the learning rate.
//! - `measure`: losses, metrics, evaluations, predictions, histories and their notes.
//! - `callbacks`: what is called during training, and the [`Run`] that it is given.
//! - `fit`: the options of a training, and the `Trainer` that runs its epochs and steps.
//!
//! `fit` takes a batch from `batch_source.rs`, augments it, and gives it to `fit/train_step.rs`: the
//! forward pass up to the step that the loss reads, the backward pass, and the update by
//! `optimizers/optimizer_state.rs`. `fit/epoch_sums.rs` adds up loss and metrics on the device;
//! `measure/evaluation.rs` measures the validation set. Where nothing below a step is trained, its
//! outputs are computed once (`fit/feature_cache.rs`). With several devices each has a replica and a
//! part of the batch (`fit/replicas.rs`).
//!
//! All random choices follow from one seed, the epoch and the step (`fit/random.rs`), so a training that
//! is resumed from a checkpoint (`fit/checkpoint_file.rs`) has exactly the results of one that was not
//! interrupted. A budget with a time limit measures the first two seconds and then plans the epochs that
//! fit (`fit/budget_clock.rs`). What a network was trained on is kept with it (`measure/leakage.rs`), so
//! that evaluations can report leakage.
//!
//! On a CPU, convolutions get their input channels-last (`memory_layout.rs`), an update is one loop
//! (`optimizers/fused.rs`), and freed memory stays in the process for the next step
//! (`runtime/memory.rs`). Errors that libtorch raises become an [`Error`](crate::Error) in
//! `catch_panic.rs`. Callbacks get a [`Run`]; the model is not locked while they run.

mod batch_source;
mod callbacks;
mod catch_panic;
mod compile;
mod fit;
mod measure;
mod memory_layout;
mod optimizers;

pub use callbacks::callback::{Callback, CallbackResult, CallbackState};
pub use callbacks::checkpoint::Checkpoint;
pub use callbacks::csv_log::CsvLog;
pub use callbacks::early_stopping::EarlyStopping;
pub use callbacks::moving_average::MovingAverage;
pub use callbacks::print::Print;
pub use callbacks::reduce_on_plateau::ReduceOnPlateau;
pub use callbacks::run::Run;
pub use callbacks::stop_at::StopAt;
pub use fit::augment::Augment;
pub use fit::learning_rate_finder::{LearningRateCurve, LearningRateFinder};
pub use fit::options::Fit;
pub use fit::precision::Precision;
pub use measure::evaluation::Evaluation;
pub use measure::history::{Epoch, History};
pub use measure::loss::Loss;
pub use measure::metric::Metric;
pub use measure::note::{Note, Shortened, StoppedAt};
pub use measure::predictions::Predictions;
pub use optimizers::adam::Adam;
pub use optimizers::adamw::AdamW;
pub use optimizers::optimizer::{Optimizer, OptimizerOptions, Slots};
pub use optimizers::rmsprop::RmsProp;
pub use optimizers::schedule::Schedule;
pub use optimizers::sgd::Sgd;

pub(crate) use batch_source::inference_batch_size;
pub(crate) use catch_panic::catch_torch_error;
pub(crate) use compile::check_input;
pub(crate) use measure::evaluation::{Z_95, wilson_interval};
pub(crate) use measure::leakage::{TrainingFacts, leakage_notes_of_all, set_fingerprint};
pub(crate) use measure::loss::LossInput;
pub(crate) use measure::predictions::argmax;
pub(crate) use memory_layout::channels_last_on_cpu;
pub(crate) use optimizers::optimizer_state::OptimizerSummary;
