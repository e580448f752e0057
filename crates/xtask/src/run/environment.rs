//! The environment variables with which Jupyter and the kernel work.

use crate::common::paths::Paths;
use crate::setup::kernel;
use crate::setup::{self, Ready, Register};
use anyhow::Result;
use std::process::Command;

/// A program of the Python environment, with the variables that the kernel needs.
pub fn program(paths: &Paths, ready: &Ready, name: &str) -> Command {
    let program = match name {
        "python" => ready.environment.python(),
        _ => ready.environment.programs().join(name),
    };
    let mut command = Command::new(program);
    command.envs(environment(paths, ready)).current_dir(&paths.root);
    command
}

/// The variables for Jupyter and the kernel.
pub fn environment(paths: &Paths, ready: &Ready) -> Vec<(&'static str, String)> {
    let mut variables = kernel::environment(paths, &ready.rust_src);
    let mut folders = vec![ready.environment.programs()];
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let path = std::env::join_paths(folders).map(|path| path.to_string_lossy().into_owned());
    variables.extend(path.ok().map(|path| ("PATH", path)));
    // This checkout's kernel comes before others of the same name.
    let others = std::env::var("JUPYTER_PATH").unwrap_or_default();
    let jupyter = paths.jupyter().to_string_lossy().into_owned();
    let jupyter = if others.is_empty() { jupyter } else { format!("{jupyter}:{others}") };
    variables.push(("JUPYTER_PATH", jupyter));
    variables
}

/// Prints the environment as shell exports.
pub fn print(paths: &Paths) -> Result<()> {
    let ready = setup::run(paths, Register::CheckoutOnly)?;
    for (name, value) in environment(paths, &ready) {
        println!("export {name}={}", quoted(&value));
    }
    Ok(())
}

/// `value` quoted as one word for a shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_value_as_it_was() {
        let value = "a b'c$d\"e";
        let echo =
            Command::new("sh").args(["-c", &format!("printf %s {}", quoted(value))]).output();
        assert_eq!(String::from_utf8_lossy(&echo.unwrap().stdout), value);
    }
}
