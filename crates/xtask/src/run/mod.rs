//! What is done with a set-up checkout: JupyterLab, notebooks, the site, benchmarks.

pub mod bench;
pub mod environment;
pub mod examples;
pub mod lab;
pub mod notebooks;
pub mod references;
pub mod site;
