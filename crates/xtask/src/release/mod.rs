//! Releases, and bundles for classrooms without a network.

mod build_script;
pub mod bundle;
mod bundle_data;
mod bundle_manifest;
mod checksums;
pub mod dist;
mod licenses;
pub mod setup_from_bundle;
