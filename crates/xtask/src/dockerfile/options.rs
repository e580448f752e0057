//! What `cargo xtask try-dockerfile` was asked for.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

#[derive(Debug, Default, PartialEq)]
pub struct Options {
    /// The folder in which stages are made; must be empty or not there.
    pub work: PathBuf,
    /// A clean Debian root, as debootstrap makes it: what stands for Debian's image.
    pub base: PathBuf,
    /// Which Dockerfile, if not the checkout's.
    pub file: Option<PathBuf>,
    pub build_args: Vec<(String, String)>,
    /// Folders that stand for stages, by name.
    pub contexts: Vec<(String, PathBuf)>,
    /// Variables that steps see and no image keeps, as Docker's proxy variables are.
    pub variables: Vec<(String, String)>,
    /// Files of this machine that steps find under another name, as a proxy's certificate.
    pub lent: Vec<(PathBuf, PathBuf)>,
    /// The container's user, if not the image's, and more variables for it.
    pub user: Option<String>,
    pub run_variables: Vec<(String, String)>,
    /// Run in the container once it is healthy.
    pub probe: Option<String>,
}

pub const USAGE: &str = "cargo xtask try-dockerfile WORK --base DEBIAN_ROOT [--file FILE] \
    [--build-arg NAME=VALUE]… [--build-context NAME=FOLDER]… [--env NAME=VALUE]… \
    [--lend FILE=/run/NAME]… [--user USER] [--run-env NAME=VALUE]… [--probe COMMAND]";

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if !argument.starts_with("--") {
                if options.work != PathBuf::new() {
                    bail!("one folder is enough, got {argument:?} too\n{USAGE}");
                }
                options.work = std::path::absolute(argument)?;
                continue;
            }
            let value =
                rest.next().with_context(|| format!("{argument} needs a value\n{USAGE}"))?;
            let pair = || {
                let pair = value.split_once('=');
                pair.with_context(|| format!("{argument} needs NAME=VALUE, got {value:?}"))
            };
            match argument.as_str() {
                "--base" => options.base = std::path::absolute(value)?,
                "--file" => options.file = Some(std::path::absolute(value)?),
                "--probe" => options.probe = Some(value.clone()),
                "--user" => options.user = Some(value.clone()),
                "--run-env" => {
                    let (name, value) = pair()?;
                    options.run_variables.push((name.into(), value.into()));
                }
                "--build-arg" => {
                    let (name, value) = pair()?;
                    options.build_args.push((name.into(), value.into()));
                }
                "--env" => {
                    let (name, value) = pair()?;
                    options.variables.push((name.into(), value.into()));
                }
                "--build-context" => {
                    let (name, folder) = pair()?;
                    options.contexts.push((name.into(), std::path::absolute(folder)?));
                }
                "--lend" => {
                    let (file, name) = pair()?;
                    if !name.starts_with("/run/") {
                        bail!("--lend puts files below /run/, which no image keeps; got {name:?}");
                    }
                    options.lent.push((std::path::absolute(file)?, name.into()));
                }
                other => bail!("{other} is not an option here\n{USAGE}"),
            }
        }
        if options.work == PathBuf::new() || options.base == PathBuf::new() {
            bail!("a folder to work in and --base are needed\n{USAGE}");
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_refused() {
        let parse =
            |line: &str| Options::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let options = parse("/w --base /d --build-arg A=1=2 --lend /etc/x=/run/x").unwrap();
        assert_eq!((options.work, options.base), ("/w".into(), "/d".into()));
        assert_eq!(options.build_args, [("A".into(), "1=2".into())]);
        for (line, words) in [
            ("/w", "are needed"),
            ("/w --base", "needs a value"),
            ("/w /x --base /d", "one folder"),
            ("/w --base /d --lend /a=/etc/b", "below /run/"),
            ("/w --base /d --build-arg A", "NAME=VALUE"),
            ("/w --base /d --bass 1", "--bass"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
