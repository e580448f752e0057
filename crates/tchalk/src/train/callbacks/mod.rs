//! The callbacks that come with the library.

mod checkpoint;
mod csv_log;
mod early_stopping;
mod monitor;
mod moving_average;
mod print;
mod reduce_on_plateau;
mod stop_at;

pub use checkpoint::Checkpoint;
pub use csv_log::CsvLog;
pub use early_stopping::EarlyStopping;
pub use moving_average::MovingAverage;
pub use print::Print;
pub use reduce_on_plateau::ReduceOnPlateau;
pub use stop_at::StopAt;

pub(crate) use monitor::lower_is_better;
