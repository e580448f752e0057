//! Device, seed, budget, interrupts, progress.
//!
//! The seed, the budget and the interrupt flag are the only global state of the library, apart from the
//! statics of a notebook.

pub mod budget;
pub(crate) mod devices;
pub mod interrupt;
pub(crate) mod memory;
#[doc(hidden)]
pub mod notebook_static;
pub(crate) mod progress;
mod report;
pub mod seed;

pub use budget::Budget;
pub use devices::devices;
pub use report::report;
pub use seed::seed;
