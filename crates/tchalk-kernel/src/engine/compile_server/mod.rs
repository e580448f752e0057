//! Cells that are compiled without cargo ("quick cells").
//!
//! For each cell Evcxr runs `cargo build`, and cargo takes a tenth of a second to find out that nothing
//! but the cell has changed. So what Evcxr finds as `cargo` is this program again ([`cargo_shim`]). It
//! asks the kernel over a socket beside the session's folder, and runs the real cargo if the kernel says
//! so. When cargo runs, a compiler wrapper records the rustc command ([`rustc_command`]), and the kernel
//! takes a fingerprint of all that cargo checks ([`fingerprint`]): manifest, lock file, configurations,
//! arguments, environment, compiler, the sources of path dependencies. While that is unchanged, cargo is
//! not asked again, neither to build nor to check a cell whose types cannot be inferred.
//!
//! *The waiting compiler* ([`server`]). A cell is compiled by a rustc that was started while the previous
//! cell was compiled. Its crate is a fixed root file that names the crates and then includes its standard
//! input. It has loaded the library and waits for the cell (about 90 MB, most of it shared). It calls
//! `rust-lld` directly, without the C compiler, where `rust-lld` exists. The library is a `dylib`,
//! optimized; cells are not optimized, and link to it.
//!
//! *The runtime crate.* The code that Evcxr writes into every cell (the store of variables, the error of
//! `?`) is replaced by names from a small crate that is compiled once for each template ([`rewrite`],
//! `cell_runtime.rs`), only if its hash is the one the crate was written for. Lines keep their numbers. A
//! cell that redefines a variable returns the old value to the store if it fails ([`rollback`]), and the
//! kernel declares it to Evcxr again with a hidden cell; that works where the cell does not use the old
//! value. The crate also contains instances of generic code for types that are common in notebooks
//! (`instances.rs`): how their variables are stored, shown and dropped. It is not optimized, since cells
//! use such instances only then.
//!
//! *rust-analyzer*, inside Evcxr, examines every crate it knows whenever a cell has a `let`. It finds the
//! same shim (in a `CARGO_HOME` that only this process has), and learns of few crates only
//! ([`metadata_filter`]).
//!
//! *Settings of the reader.* cargo and rust-analyzer get compiler, wrappers, flags and target by
//! variables, which override configuration files ([`cargo_shim`]). The linkers `mold` and `lld` are hidden
//! from Evcxr ([`setup`]): with `lld` it runs a first cell twice before anything reads the output of cells,
//! and hangs.
//!
//! *Fallback.* A cell that does not compile in this way is compiled by cargo's own rustc command on
//! Evcxr's own text, and only that one reports errors. If the quick way fails three times in a row where
//! the plain one works, it is not used until cargo runs again. A release may bring compiled dependencies
//! ([`prebuilt`]). The file `quick/log` in the session's folder says how each build was made;
//! `TCHALK_QUICK_CELLS=0` leaves all builds to cargo.

mod build_request;
pub mod cargo_shim;
pub mod environment;
mod fingerprint;
mod metadata_filter;
mod prebuilt;
mod rewrite;
mod rollback;
mod rustc_command;
pub mod server;
pub mod setup;
