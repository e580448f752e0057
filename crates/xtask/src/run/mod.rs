//! What is done with a set-up checkout: JupyterLab, notebooks, the site, benchmarks.
//!
//! `site.rs` executes the notebooks that have changed, draws the gallery, documents the library, and has
//! `python/write_site.py` write the pages. Links between notebooks become links between their pages, and
//! every link is followed. `bench.rs` runs each program beside its rival in one run, with the accuracy of
//! both; `cargo xtask evidence WHAT` repeats the longer measurements that documents quote.

pub mod bench;
pub mod environment;
pub mod examples;
pub mod lab;
pub mod notebooks;
pub mod references;
pub mod site;
