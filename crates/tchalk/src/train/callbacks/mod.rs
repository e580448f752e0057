//! What is called during training: the trait [`Callback`](callback::Callback), what its methods are
//! given, and the callbacks that come with the library.

pub(super) mod callback;
pub(super) mod checkpoint;
pub(super) mod csv_log;
pub(super) mod early_stopping;
mod monitor;
pub(super) mod moving_average;
pub(super) mod print;
pub(super) mod reduce_on_plateau;
pub(super) mod run;
pub(super) mod stop_at;
