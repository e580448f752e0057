//! Releases, and bundles for classrooms without a network.
//!
//! `dist.rs` packs the files that git tracks, and `prebuilt/`: the kernel, the compiled glue, the
//! library's dependencies, the sources of the standard library, the licenses of all of these
//! (`licenses.rs`), and a manifest that says with what they were made. None contains a path of the
//! machine. The glue is linked where the release is unpacked. cargo's own notes contain paths, so cargo
//! compiles dependencies again; but their file names, `libNAME-HASH`, stand for package, version,
//! features, profile, flags and compiler. The compiler wrapper takes the file of that name instead
//! (`engine/compile_server/prebuilt.rs` of the kernel). Build scripts run; those that compile C are
//! replaced (`build_script.rs`). A part that does not fit the machine is left out, and set-up says why.
//!
//! `bundle.rs` adds, for classrooms without a network, the sources of all crates, the wheels of the lock
//! files, data and weights (`bundle_data.rs`), a manifest (`bundle_manifest.rs`) and checksums of
//! everything. `start.sh` unpacks what xtask itself needs and calls `cargo xtask setup --from`
//! (`setup_from_bundle.rs`), which verifies all checksums, installs wheels without an index, replaces the
//! registry by the folder of crates, and copies the data into the cache.

mod build_script;
pub mod bundle;
mod bundle_data;
mod bundle_manifest;
mod checksums;
pub mod dist;
mod licenses;
pub mod setup_from_bundle;
