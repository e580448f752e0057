//! What turns gradients into better weights: one optimizer a file, and what they share.

pub(super) mod adam;
pub(super) mod adamw;
mod clip;
mod fused;
pub(super) mod optimizer;
pub(super) mod optimizer_state;
pub(super) mod rmsprop;
pub(super) mod schedule;
pub(super) mod sgd;
