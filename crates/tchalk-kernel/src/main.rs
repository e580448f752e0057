//! The Jupyter kernel of tchalk: [Evcxr](https://docs.rs/evcxr) with a classroom layer.
//!
//! One program in several roles. Jupyter starts it with `--connection-file FILE`, and it serves one
//! notebook; Evcxr, inside it, starts it again as the process in which the cells run, and for each cell
//! as what it takes for cargo; and set-up calls it with `--warm` to prepare the session template that
//! every later start is cloned from.

mod advice;
mod anew;
mod cell_process;
mod compile_error;
mod completeness;
mod engine;
mod engine_thread;
mod history;
mod kernel_info;
mod limit;
mod magic;
mod marker;
mod message;
mod place;
mod presses;
mod publish;
mod quick;
mod relay;
mod report;
mod requests;
mod reserve;
mod server;
mod session;
mod standard_input;
mod tail;
mod user_dir;
mod wire;

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

const USAGE: &str = "\
tchalk-kernel: the Jupyter kernel of tchalk (started by Jupyter, not by hand)

  --connection-file FILE   serve one notebook over the sockets that FILE names
  --warm [TEMPLATE]        prepare the session template (what `cargo xtask setup` does); what
                           another TEMPLATE has built of the same dependencies is taken over
  --reserve                warm up, and wait for a notebook to serve
  --version                print the version

Both need TCHALK_STATE (the folder of the checkout's sessions) and TCHALK_LIBRARY (the tchalk crate).";

fn main() -> Result<()> {
    quick::enter_if_asked();
    cell_process::enter_if_asked();
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("--connection-file") => {
            let file = arguments.next().context("--connection-file needs a file name")?;
            server::serve(&PathBuf::from(file))
        }
        Some("--warm") => session::warm(arguments.next().map(PathBuf::from).as_deref()),
        Some("--reserve") => reserve::wait_in_reserve(),
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
