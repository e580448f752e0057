//! Training: the options of `fit`, and the trainer that runs it.
//!
//! `trainer.rs` holds the loop over epochs and steps, `train_step.rs` the mathematics of one step.

pub(super) mod augment;
mod budget_clock;
mod checkpoint_file;
mod data;
mod epoch_sums;
mod feature_cache;
pub(super) mod learning_rate_finder;
pub(super) mod options;
pub(super) mod precision;
mod progress;
mod random;
mod replicas;
mod train_step;
mod trainer;
mod weight_backup;
