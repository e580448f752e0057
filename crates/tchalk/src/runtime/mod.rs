//! Where the library runs: device, seed, budget, interruption.
//!
//! The seed, the budget and the interrupt flag are all the state the library keeps besides what the
//! reader holds in variables.

pub mod budget;
pub(crate) mod devices;
pub mod interrupt;
pub(crate) mod memory;
pub(crate) mod progress;
mod report;
pub mod seed;

pub use budget::Budget;
pub use devices::devices;
pub use report::report;
pub use seed::seed;
