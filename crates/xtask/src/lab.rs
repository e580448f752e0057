//! Using what was set up: JupyterLab, executed notebooks, the environment for a shell.

use crate::command::{run as run_command, run_in_charge};
use crate::paths::Paths;
use crate::setup::{self, Ready, Register};
use crate::{kernel, step};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How `cargo xtask lab` was asked to open.
#[derive(Debug, Default, PartialEq)]
pub struct Options {
    no_browser: bool,
    port: Option<u16>,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--no-browser" => options.no_browser = true,
                "--port" => {
                    let number = rest.next().context("--port needs a number")?;
                    let port =
                        number.parse().ok().with_context(|| format!("no port: {number:?}"))?;
                    options.port = Some(port);
                }
                other => bail!("cargo xtask lab knows --no-browser and --port N, got {other:?}"),
            }
        }
        Ok(options)
    }
}

/// A program of the Python environment, with all that the kernel needs around it.
fn program(paths: &Paths, ready: &Ready, name: &str) -> Command {
    let program = match name {
        "python" => ready.environment.python(),
        _ => ready.environment.programs().join(name),
    };
    let mut command = Command::new(program);
    command.envs(environment(paths, ready)).current_dir(&paths.root);
    command
}

/// The variables in which everything works.
pub fn environment(paths: &Paths, ready: &Ready) -> Vec<(&'static str, String)> {
    let mut variables = kernel::environment(paths, &ready.rust_src);
    let mut folders = vec![ready.environment.programs()];
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let path = std::env::join_paths(folders).map(|path| path.to_string_lossy().into_owned());
    variables.extend(path.ok().map(|path| ("PATH", path)));
    // The checkout's own description comes first, whatever else Jupyter knows.
    let others = std::env::var("JUPYTER_PATH").unwrap_or_default();
    let jupyter = paths.jupyter().to_string_lossy().into_owned();
    let jupyter = if others.is_empty() { jupyter } else { format!("{jupyter}:{others}") };
    variables.push(("JUPYTER_PATH", jupyter));
    variables
}

/// What JupyterLab is told, as `root` or not, and by way of a file for the browser or not.
fn arguments(paths: &Paths, options: &Options, root: bool, by_file: bool) -> Vec<String> {
    let mut arguments = Vec::new();
    if options.no_browser {
        arguments.push("--no-browser".into());
    }
    if let Some(port) = options.port {
        arguments.push(format!("--port={port}"));
    }
    if root {
        // It refuses root's sessions unless told that they are meant.
        arguments.push("--allow-root".into());
    }
    let notebooks = paths.root.join("notebooks");
    // Without a browser the printed address has to lead to the tutorial.
    if by_file && !options.no_browser {
        // The link with its token then stands in a file, and in no list of processes.
        arguments.push(notebooks.join("tutorial.ipynb").to_string_lossy().into_owned());
    } else {
        arguments.push("--ServerApp.use_redirect_file=False".into());
        arguments.push(format!("--ServerApp.root_dir={}", notebooks.display()));
        arguments.push("--LabApp.default_url=/lab/tree/tutorial.ipynb".into());
    }
    arguments
}

/// Whether the browser can open the file by which Jupyter sends it to the notebook. A browser from a snap
/// sees no hidden folder, and one outside WSL has other paths.
fn reads_our_files() -> bool {
    std::env::var_os("WSL_DISTRO_NAME").is_none() && !Path::new("/snap/bin").is_dir()
}

/// Whether this runs as root.
#[cfg(unix)]
fn is_root() -> bool {
    // SAFETY: it only asks, and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// There is no root on this system.
#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// Opens JupyterLab at the tutorial, and stays until it ends.
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
    lab.arg("lab").args(arguments(paths, options, is_root(), reads_our_files()));
    // A kernel warms up while JupyterLab starts, so that the first cell need not wait for it.
    let reserve = Command::new(&ready.kernel)
        .arg("--prewarm")
        .envs(kernel::inside(environment(paths, &ready)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = reserve {
        eprintln!("no kernel could be started in advance: {error}");
    }
    run_in_charge(&mut lab)
}

/// Sets up, runs the tutorial, and says where it is.
pub fn tutorial(paths: &Paths) -> Result<()> {
    let ready = setup::run(paths, Register::WithUser)?;
    let notebook = paths.root.join("notebooks/tutorial.ipynb");
    let page = step::step("the tutorial, from top to bottom", || {
        execute(paths, &ready, &notebook, &paths.pages(), &[])
    })?;
    println!("\nThe executed tutorial: {}", page.with_extension("ipynb").display());
    println!("As a page for any browser: {}", page.display());
    println!("To work with it yourself: cargo xtask lab");
    Ok(())
}

/// Executes notebooks.
pub fn run(paths: &Paths, notebooks: &[String]) -> Result<()> {
    let ready = setup::run(paths, Register::CheckoutOnly)?;
    for notebook in notebooks {
        let path = std::path::absolute(notebook)?;
        println!("{notebook}");
        execute(paths, &ready, &path, &paths.pages(), &[])?;
    }
    Ok(())
}

/// Executes one notebook, and returns its page. A variable set to `None` is removed.
pub fn execute(
    paths: &Paths,
    ready: &Ready,
    notebook: &Path,
    pages: &Path,
    variables: &[(&str, Option<&str>)],
) -> Result<PathBuf> {
    let mut python = program(paths, ready, "python");
    for (name, value) in variables {
        match value {
            Some(value) => python.env(name, value),
            None => python.env_remove(name),
        };
    }
    // Nobody waits here for the next notebook.
    python.env("TCHALK_RESERVE", "0");
    python
        .arg(paths.root.join("python/run_notebook.py"))
        .arg(notebook)
        .arg("--output-dir")
        .arg(pages);
    run_command(&mut python)
        .with_context(|| format!("{} did not run through", notebook.display()))?;
    let name = notebook.file_name().context("a notebook has a name")?;
    Ok(pages.join(name).with_extension("html"))
}

/// Prints the environment as shell exports.
pub fn print_env(paths: &Paths) -> Result<()> {
    let ready = setup::run(paths, Register::CheckoutOnly)?;
    for (name, value) in environment(paths, &ready) {
        println!("export {name}={}", quoted(&value));
    }
    Ok(())
}

/// `value` as one word of a shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_refused() {
        let parse = |words: &[&str]| {
            Options::parse(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
        };
        let expected = Options { no_browser: true, port: Some(8899) };
        assert_eq!(parse(&["--port", "8899", "--no-browser"]).unwrap(), expected);
        assert!(parse(&["--port"]).unwrap_err().to_string().contains("needs a number"));
        assert!(parse(&["--port", "many"]).is_err());
        assert!(parse(&["--prot", "1"]).unwrap_err().to_string().contains("--prot"));
    }

    #[test]
    fn jupyter_is_told_what_was_asked_and_that_root_is_meant() {
        let paths = Paths { root: "/c".into(), home: "/h".into(), state: "/s".into() };
        let asked = Options { no_browser: true, port: Some(8899) };
        let notebook = "/c/notebooks/tutorial.ipynb";
        let told = arguments(&paths, &asked, false, true);
        assert_eq!(told[..2], ["--no-browser", "--port=8899"]);
        assert!(told.iter().any(|it| it == "--LabApp.default_url=/lab/tree/tutorial.ipynb"));
        assert_eq!(arguments(&paths, &Options::default(), true, true), ["--allow-root", notebook]);
    }

    #[test]
    fn a_browser_that_cannot_read_our_files_gets_a_link() {
        let paths = Paths { root: "/c".into(), home: "/h".into(), state: "/s".into() };
        let told = arguments(&paths, &Options::default(), false, false);
        assert_eq!(told[0], "--ServerApp.use_redirect_file=False");
        assert!(told.iter().any(|it| it == "--ServerApp.root_dir=/c/notebooks"));
        assert!(
            told.iter().all(|it| it.starts_with("--")),
            "a notebook would make it a file again"
        );
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let value = "a b'c$d\"e";
        let echo =
            Command::new("sh").args(["-c", &format!("printf %s {}", quoted(value))]).output();
        assert_eq!(String::from_utf8_lossy(&echo.unwrap().stdout), value);
    }
}
