//! `cargo xtask lab`: JupyterLab at the tutorial.

use super::environment::{environment, program};
use crate::common::paths::Paths;
use crate::common::process::run_interactive;
use crate::setup::kernel;
use crate::setup::{self, Register};
use anyhow::{Result, bail};
use lexopt::{Arg, Parser, ValueExt};
use std::path::Path;
use std::process::{Command, Stdio};

/// The options of `cargo xtask lab`.
#[derive(Debug, Default, PartialEq)]
pub struct Options {
    no_browser: bool,
    port: Option<u16>,
}

impl Options {
    pub fn parse(mut arguments: Parser) -> Result<Options> {
        let mut options = Options::default();
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("no-browser") => options.no_browser = true,
                Arg::Long("port") => options.port = Some(arguments.value()?.parse()?),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}

/// JupyterLab's arguments, for `root` or not, and with a file that redirects the browser or not.
fn arguments(paths: &Paths, options: &Options, root: bool, by_file: bool) -> Vec<String> {
    let mut arguments = Vec::new();
    if options.no_browser {
        arguments.push("--no-browser".into());
    }
    if let Some(port) = options.port {
        arguments.push(format!("--port={port}"));
    }
    if root {
        // JupyterLab refuses to run as root without this.
        arguments.push("--allow-root".into());
    }
    let notebooks = paths.root.join("notebooks");
    // Without a browser the printed address has to lead to the tutorial.
    if by_file && !options.no_browser {
        // The link with its token is then in a file, and not in a list of processes.
        arguments.push(notebooks.join("tutorial.ipynb").to_string_lossy().into_owned());
    } else {
        arguments.push("--ServerApp.use_redirect_file=False".into());
        arguments.push(format!("--ServerApp.root_dir={}", notebooks.display()));
        arguments.push("--LabApp.default_url=/lab/tree/tutorial.ipynb".into());
    }
    arguments
}

/// Whether the browser can open the file with which Jupyter redirects it to the notebook. A browser from a snap
/// sees no hidden folders, and one outside WSL has other paths.
fn browser_reads_files() -> bool {
    std::env::var_os("WSL_DISTRO_NAME").is_none() && !Path::new("/snap/bin").is_dir()
}

/// Whether this runs as root.
#[cfg(unix)]
fn is_root() -> bool {
    // SAFETY: the call has no conditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// Opens JupyterLab at the tutorial, and waits until it ends.
pub fn open(paths: &Paths, options: &Options) -> Result<()> {
    let ready = setup::run(paths, Register::WithUser)?;
    if let Some(active) = ready.environment.active.as_ref().filter(|active| !active.has_lab) {
        bail!(
            "the active environment {} has no JupyterLab: install it there, or unset \
             TCHALK_LIBTORCH to have one made",
            active.prefix.display()
        );
    }
    let mut lab = program(paths, &ready, "jupyter");
    lab.arg("lab").args(arguments(paths, options, is_root(), browser_reads_files()));
    // A kernel is prewarmed while JupyterLab starts, so that the first cell need not wait for it.
    let prewarmed = Command::new(&ready.kernel)
        .arg("--prewarm")
        .envs(kernel::with_cargo_on_path(environment(paths, &ready)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = prewarmed {
        eprintln!("no kernel could be started in advance: {error}");
    }
    run_interactive(&mut lab)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_options_are_read_and_others_are_errors() {
        let parse = |words: &[&str]| Options::parse(Parser::from_args(words));
        let expected = Options { no_browser: true, port: Some(8899) };
        assert_eq!(parse(&["--port", "8899", "--no-browser"]).unwrap(), expected);
        assert!(parse(&["--port"]).is_err() && parse(&["--port", "many"]).is_err());
        assert!(parse(&["--prot", "1"]).unwrap_err().to_string().contains("--prot"));
    }

    #[test]
    fn jupyter_gets_the_options_and_allow_root() {
        let paths = Paths { root: "/c".into(), home: "/h".into(), state: "/s".into() };
        let options = Options { no_browser: true, port: Some(8899) };
        let notebook = "/c/notebooks/tutorial.ipynb";
        let list = arguments(&paths, &options, false, true);
        assert_eq!(list[..2], ["--no-browser", "--port=8899"]);
        assert!(list.iter().any(|it| it == "--LabApp.default_url=/lab/tree/tutorial.ipynb"));
        assert_eq!(arguments(&paths, &Options::default(), true, true), ["--allow-root", notebook]);
    }

    #[test]
    fn a_browser_that_cannot_read_files_gets_a_link() {
        let paths = Paths { root: "/c".into(), home: "/h".into(), state: "/s".into() };
        let list = arguments(&paths, &Options::default(), false, false);
        assert_eq!(list[0], "--ServerApp.use_redirect_file=False");
        assert!(list.iter().any(|it| it == "--ServerApp.root_dir=/c/notebooks"));
        assert!(
            list.iter().all(|it| it.starts_with("--")),
            "an argument for a notebook would lead to a file"
        );
    }
}
