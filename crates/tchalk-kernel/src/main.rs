//! The Jupyter kernel of tchalk: [Evcxr](https://docs.rs/evcxr) with additions for a class.
//!
//! One program in several roles. Jupyter starts it with `--connection-file FILE`, and it serves one
//! notebook over five sockets ([`server`]). Evcxr, inside it, starts it again as the *cell process*, which
//! loads and runs each compiled cell, and as the `cargo` that builds each cell. Set-up calls it with
//! `--warm` to build the session template, and a kernel starts it with `--prewarm` for the next notebook.
//!
//! The rooms, from the ground up; each uses those before it:
//! * [`text`] and [`home`]: formatting, and the two folders of the environment.
//! * [`protocol`]: Jupyter's messages.
//! * [`output`]: what cells print, from the cell process to the page.
//! * [`engine`]: running cells with Evcxr, and compiling them without cargo.
//! * [`session`]: the kernel's folder, its template, and prewarmed kernels.
//! * [`server`]: the sockets.

mod engine;
mod home;
mod output;
mod protocol;
mod server;
mod session;
mod text;

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

const USAGE: &str = "\
tchalk-kernel: the Jupyter kernel of tchalk (started by Jupyter, not by hand)

  --connection-file FILE   serve one notebook over the sockets that FILE names
  --warm [TEMPLATE]        build the session template (as `cargo xtask setup` does); dependencies
                           that another TEMPLATE contains are not compiled again
  --prewarm                start an engine, and wait for a notebook to serve
  --version                print the version

All but the last need TCHALK_STATE (the folder of the checkout's sessions) and TCHALK_LIBRARY (the
tchalk crate).";

fn main() -> Result<()> {
    engine::compile_server::cargo_shim::run_if_requested();
    output::cell_process::run_if_requested();
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("--connection-file") => {
            let file = arguments.next().context("--connection-file needs a file name")?;
            server::serve(&PathBuf::from(file))
        }
        Some("--warm") => session::template::build(arguments.next().map(PathBuf::from).as_deref()),
        Some("--prewarm") => server::serve_prewarmed(),
        Some("--version") => {
            println!("tchalk-kernel {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Some("--help") | None => {
            println!("{USAGE}");
            Ok(())
        }
        Some(other) => bail!("unknown option {other}\n\n{USAGE}"),
    }
}
