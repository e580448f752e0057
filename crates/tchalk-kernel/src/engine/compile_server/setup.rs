//! Puts the shims where Evcxr looks for programs, and starts the compile server.

use super::environment::{
    BUILD_TARGET, CARGO, CARGO_HOME, FOLDER, ORIGINAL_CARGO_HOME, PATH, SOCKET, SWITCH,
    set_original,
};
use super::server;
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Linkers that Evcxr uses where it finds them; the system's own is used instead.
const LINKERS: [&str; 2] = ["mold", "lld"];
/// The subfolder with replacements for folders that contain such linkers.
const LINKS: &str = "links";

/// Makes Evcxr, in this process, find the shim in place of cargo, and starts the server that answers it at
/// `socket`. Must be called before any other thread is started. If it fails, cargo builds all cells.
pub fn start(session: &Path, socket: &Path) {
    let is_off = std::env::var_os(SWITCH).is_some_and(|value| value == "0");
    let installed = install_shims(session);
    let started =
        installed.and_then(|()| if is_off { Ok(()) } else { start_server(session, socket) });
    if let Err(error) = started {
        eprintln!("tchalk-kernel: cargo builds all cells: {error:#}");
    }
}

/// Puts the shims where Evcxr looks for programs.
fn install_shims(session: &Path) -> Result<()> {
    let path = std::env::var_os(PATH).context("PATH is not set")?;
    let cargo = real_cargo(&path).context("there is no cargo on the PATH")?;
    let folder = session.join(FOLDER);
    fs::create_dir_all(folder.join("src"))?;
    fs::create_dir_all(folder.join("bin"))?;
    let program = std::env::current_exe()?;
    for name in ["cargo", "rustup", "bin/cargo"] {
        symlink(&program, folder.join(name))?;
    }
    // rustc reads the cell from its standard input under the name that it has for cargo's rustc.
    symlink("/dev/fd/0", folder.join("src/lib.rs"))?;
    let others = without_linkers(&path, &folder.join(LINKS))?;
    let folders = std::iter::once(folder.clone()).chain(others);
    let with_shims = std::env::join_paths(folders)?;
    let home = std::env::var_os(CARGO_HOME);
    // SAFETY: no other thread exists yet that could read the environment.
    unsafe {
        std::env::set_var(PATH, with_shims);
        std::env::set_var(CARGO_HOME, folder);
        if let Some(home) = &home {
            std::env::set_var(ORIGINAL_CARGO_HOME, home);
        }
        std::env::set_var(CARGO, cargo);
    }
    let target = std::env::var_os(BUILD_TARGET);
    set_original([(PATH, Some(path)), (CARGO_HOME, home), (BUILD_TARGET, target)]);
    // SAFETY: as above.
    unsafe { std::env::set_var(BUILD_TARGET, host_triple()?) };
    Ok(())
}

/// The target triple of this machine.
fn host_triple() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not name its host")
}

/// The search path of programs without certain linkers: a folder that contains one is replaced by links
/// to everything else in it.
fn without_linkers(path: &OsStr, links: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for (number, folder) in std::env::split_paths(path).enumerate() {
        if !LINKERS.iter().any(|name| folder.join(name).is_file()) {
            folders.push(folder);
            continue;
        }
        let replacement = links.join(number.to_string());
        fs::create_dir_all(&replacement)?;
        for entry in fs::read_dir(&folder)?.flatten() {
            if !LINKERS.iter().any(|name| entry.file_name() == *name) {
                symlink(folder.join(entry.file_name()), replacement.join(entry.file_name()))?;
            }
        }
        folders.push(replacement);
    }
    Ok(folders)
}

/// Starts the thread that answers the shim.
fn start_server(session: &Path, socket: &Path) -> Result<()> {
    let listener = UnixListener::bind(socket)
        .with_context(|| format!("cannot create the socket {}", socket.display()))?;
    // SAFETY: no other thread exists yet that could read the environment.
    unsafe { std::env::set_var(SOCKET, socket) };
    let session = session.to_owned();
    std::thread::Builder::new()
        .name("compile server".into())
        .spawn(move || server::serve(&listener, &session))?;
    Ok(())
}

/// Removes from a session's folder what only a running kernel needs.
pub fn remove_shims(session: &Path) {
    for name in ["cargo", "rustup", "bin/cargo", "src/lib.rs", "log"] {
        let _ = fs::remove_file(session.join(FOLDER).join(name));
    }
    let _ = fs::remove_dir_all(session.join(FOLDER).join(LINKS));
}

/// The toolchain's own cargo, not rustup's, which would search for it each time.
fn real_cargo(path: &OsStr) -> Option<PathBuf> {
    let from_rustup = Command::new("rustup").args(["which", "cargo"]).output();
    if let Ok(output) = from_rustup
        && output.status.success()
    {
        return Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()));
    }
    std::env::split_paths(path).map(|folder| folder.join("cargo")).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_linkers_are_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, programs: &[&str]| {
            let programs_folder = folder.path().join(name);
            fs::create_dir(&programs_folder).unwrap();
            programs
                .iter()
                .for_each(|program| fs::write(programs_folder.join(program), "").unwrap());
            programs_folder
        };
        let (with, without) = (make("with", &["lld", "ld.lld", "cc"]), make("without", &["cc"]));
        let path = std::env::join_paths([&without, &with]).unwrap();
        let folders = without_linkers(&path, &folder.path().join("links")).unwrap();
        assert_eq!(folders[0], without);
        assert!(folders[1].join("cc").is_file() && folders[1].join("ld.lld").is_file());
        assert!(folders.iter().all(|folder| !folder.join("lld").exists()));
    }
}
