//! What every other room uses: paths, files, other programs, and the steps that a command reports.

pub mod cargo;
pub mod files;
pub mod fingerprint;
pub mod lock;
pub mod paths;
pub mod process;
pub mod rustc;
pub mod step;
pub mod text;
pub mod variables;
