//! The checksums of files that are copied to other machines: `SHA256SUMS`, in the format of `sha256sum`.

use crate::common::files::{files_below, write_file};
use crate::common::process::{first_line, run_quietly};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// The name of the list, in the folder of its files.
pub const LIST: &str = "SHA256SUMS";

/// The system's program, of Linux or macOS.
fn program() -> Result<Command> {
    let known: [(&str, &[&str]); 2] = [("sha256sum", &[]), ("shasum", &["-a", "256"])];
    let (name, options) = known
        .into_iter()
        .find(|(name, _)| first_line(name, &["--version"]).is_some())
        .context("there is neither sha256sum nor shasum to verify files with")?;
    let mut command = Command::new(name);
    command.args(options);
    Ok(command)
}

/// Writes the list for all files of a folder except the list itself.
pub fn write(folder: &Path) -> Result<()> {
    let mut names = Vec::new();
    for file in files_below(folder)? {
        names.push(file.strip_prefix(folder)?.to_owned());
    }
    names.retain(|name| name != Path::new(LIST));
    names.sort();
    write_for(folder, &names)
}

/// Writes the list for these files of a folder.
pub fn write_for(folder: &Path, names: &[impl AsRef<OsStr>]) -> Result<()> {
    write_file(&folder.join(LIST), &of(folder, names)?)
}

/// The list for these files of a folder.
fn of(folder: &Path, names: &[impl AsRef<OsStr>]) -> Result<String> {
    let mut text = String::new();
    // The length of a command line is limited.
    for some in names.chunks(500) {
        let output = program()?.args(some).current_dir(folder).output()?;
        if !output.status.success() {
            bail!("no sums: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        text += &String::from_utf8(output.stdout)?;
    }
    Ok(text)
}

/// The checksum and the file name in a line of a list.
pub fn entry(line: &str) -> Option<(&str, &str)> {
    let (sum, file) = line.split_once(char::is_whitespace)?;
    Some((sum, file.trim_start_matches([' ', '*']).trim_start_matches("./")))
}

/// Verifies the files of a folder's list that exist.
pub fn check_present(folder: &Path) -> Result<()> {
    let file = folder.join(LIST);
    let list = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    let listed: Vec<(&str, &str)> =
        list.lines().filter_map(entry).filter(|(_, name)| folder.join(name).is_file()).collect();
    let names: Vec<&str> = listed.iter().map(|(_, name)| *name).collect();
    let found = of(folder, &names)?;
    let found = found.lines().filter_map(entry);
    let mut pairs = listed.iter().zip(found);
    match pairs.find(|((listed, _), (found, _))| !listed.eq_ignore_ascii_case(found)) {
        None => Ok(()),
        Some(((_, name), _)) => bail!(
            "{name} in {} does not have the checksum in {LIST}: download it again",
            folder.display()
        ),
    }
}

/// Verifies all files of a folder's list.
pub fn check(folder: &Path) -> Result<()> {
    let mut sums = program()?;
    sums.args(["--check", "--quiet", LIST]).current_dir(folder);
    run_quietly(&mut sums)
        .with_context(|| format!("{} was not copied completely: copy it again", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data/a file"), "1").unwrap();
        std::fs::write(folder.path().join("b"), "2").unwrap();
        write(folder.path()).unwrap();
        write(folder.path()).unwrap();
        let list = std::fs::read_to_string(folder.path().join(LIST)).unwrap();
        assert_eq!(list.lines().count(), 2, "{list}");
        check(folder.path()).unwrap();
        std::fs::write(folder.path().join("data/a file"), "3").unwrap();
        let error = format!("{:#}", check(folder.path()).unwrap_err());
        assert!(error.contains("data/a file") && error.contains("copy it again"), "{error}");
    }

    #[test]
    fn only_existing_files_are_verified() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "1").unwrap();
        std::fs::write(folder.path().join("b"), "2").unwrap();
        write(folder.path()).unwrap();
        std::fs::remove_file(folder.path().join("b")).unwrap();
        check_present(folder.path()).unwrap();
        std::fs::write(folder.path().join("a"), "3").unwrap();
        let error = check_present(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("a in ") && error.contains("download it again"), "{error}");
        assert_eq!(entry("0123456789ab *./a file"), Some(("0123456789ab", "a file")));
    }
}
