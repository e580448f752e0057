//! Cells that are compiled without cargo.
//!
//! For each cell Evcxr runs `cargo build`, and cargo spends a tenth of a second on finding out that
//! nothing but the cell has changed. So what Evcxr finds as `cargo` is this program again
//! ([`stand_in`]). It asks the kernel, which knows the rustc command that cargo used last and all that
//! cargo would look at ([`stamp`]). While nothing of it has changed, the kernel compiles the cell
//! itself ([`workshop`]), with a rustc that was started in advance and waits, the library loaded, for
//! nothing but the cell ([`recipe`], [`lean`]). Whatever is unusual is left to cargo, and a cell that
//! does not compile this way is compiled in cargo's way before anybody is told so.

mod keep;
mod lean;
mod prebuilt;
mod recipe;
mod stamp;
mod stand_in;
mod view;
mod workshop;

pub use stand_in::enter_if_asked;
pub use workshop::{close, stop_build};

use crate::session;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Names the real cargo, for the stand-in.
const CARGO: &str = "TCHALK_CARGO";
/// Names the socket at which the kernel takes the stand-in's questions.
const SOCKET: &str = "TCHALK_QUICK";
/// Names the file into which the compiler's command is written.
const RECORD: &str = "TCHALK_RECORD";
/// cargo's own home, as it was before another was put in its place.
const HOME: &str = "TCHALK_CARGO_HOME";
/// `0` leaves all cells to cargo.
const SWITCH: &str = "TCHALK_QUICK_CELLS";
/// The folder of a session in which all this happens.
const FOLDER: &str = "quick";

/// Linkers that Evcxr takes where it finds them: the system's own serves.
const LINKERS: [&str; 2] = ["mold", "lld"];
/// The part of that folder that stands for folders with such linkers.
const LINKS: &str = "links";

/// Where programs are looked for: by name, and, by rust-analyzer, in cargo's home.
const PATH: &str = "PATH";
const CARGO_HOME: &str = "CARGO_HOME";
/// What cargo builds for, whatever a configuration says: rust-analyzer asks.
const BUILD_TARGET: &str = "CARGO_BUILD_TARGET";
/// What the three were before the stand-ins were put there.
static OUTSIDE: OnceLock<[(&str, Option<OsString>); 3]> = OnceLock::new();

/// This process's environment; `None` if something in it is no text.
fn environment() -> Option<BTreeMap<String, String>> {
    std::env::vars_os()
        .map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The arguments as text; `None` if one of them is none.
fn texts(arguments: &[OsString]) -> Option<Vec<String>> {
    arguments.iter().map(|argument| argument.to_str().map(str::to_owned)).collect()
}

/// Makes Evcxr, in this process, find the stand-in when it looks for cargo, and serves it. To be called
/// before any other thread is started. Where it cannot be done, cargo does what it always did.
pub fn start(session: &Path) {
    let is_off = std::env::var_os(SWITCH).is_some_and(|value| value == "0");
    let served = stand_ins(session).and_then(|()| if is_off { Ok(()) } else { serve(session) });
    if let Err(error) = served {
        eprintln!("tchalk-kernel: cells are left to cargo: {error:#}");
    }
}

/// Puts the stand-ins where Evcxr looks for programs.
fn stand_ins(session: &Path) -> Result<()> {
    let path = std::env::var_os(PATH).context("PATH is not set")?;
    let cargo = real_cargo(&path).context("there is no cargo")?;
    let folder = session.join(FOLDER);
    fs::create_dir_all(folder.join("src"))?;
    fs::create_dir_all(folder.join("bin"))?;
    let program = std::env::current_exe()?;
    for name in ["cargo", "rustup", "bin/cargo"] {
        symlink(&program, folder.join(name))?;
    }
    // rustc reads the cell from its standard input under the name that cargo's rustc has for it.
    symlink("/dev/fd/0", folder.join("src/lib.rs"))?;
    let others = without_linkers(&path, &folder.join(LINKS))?;
    let folders = std::iter::once(folder.clone()).chain(others);
    let with_stand_ins = std::env::join_paths(folders)?;
    let home = std::env::var_os(CARGO_HOME);
    // SAFETY: no other thread exists yet that could read the environment.
    unsafe {
        std::env::set_var(PATH, with_stand_ins);
        std::env::set_var(CARGO_HOME, folder);
        if let Some(home) = &home {
            std::env::set_var(HOME, home);
        }
        std::env::set_var(CARGO, cargo);
    }
    let target = std::env::var_os(BUILD_TARGET);
    let _ = OUTSIDE.set([(PATH, Some(path)), (CARGO_HOME, home), (BUILD_TARGET, target)]);
    // SAFETY: as above.
    unsafe { std::env::set_var(BUILD_TARGET, this_machine()?) };
    Ok(())
}

/// This machine, as rustc calls it.
fn this_machine() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not name its host")
}

/// The folders in which programs are looked for, without the linkers that Evcxr takes where it finds
/// them: a folder that has one is replaced by links to all else in it.
fn without_linkers(path: &OsStr, links: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for (number, folder) in std::env::split_paths(path).enumerate() {
        if !LINKERS.iter().any(|name| folder.join(name).is_file()) {
            folders.push(folder);
            continue;
        }
        let instead = links.join(number.to_string());
        fs::create_dir_all(&instead)?;
        for entry in fs::read_dir(&folder)?.flatten() {
            if !LINKERS.iter().any(|name| entry.file_name() == *name) {
                symlink(folder.join(entry.file_name()), instead.join(entry.file_name()))?;
            }
        }
        folders.push(instead);
    }
    Ok(folders)
}

/// Answers the stand-in for cargo.
fn serve(session: &Path) -> Result<()> {
    let socket = session::socket(session);
    let listener =
        UnixListener::bind(&socket).with_context(|| format!("cannot make {}", socket.display()))?;
    // SAFETY: no other thread exists yet that could read the environment.
    unsafe { std::env::set_var(SOCKET, socket) };
    let session = session.to_owned();
    std::thread::Builder::new()
        .name("workshop".into())
        .spawn(move || workshop::serve(&listener, &session))?;
    Ok(())
}

/// Removes from a session's folder what belongs to a running kernel only.
pub fn tidy(session: &Path) {
    for name in ["cargo", "rustup", "bin/cargo", "src/lib.rs", "log"] {
        let _ = fs::remove_file(session.join(FOLDER).join(name));
    }
    let _ = fs::remove_dir_all(session.join(FOLDER).join(LINKS));
}

/// A variable of this process as it was outside; `None` if it is for the stand-ins only.
pub fn outside(name: &OsStr, value: OsString) -> Option<OsString> {
    if [CARGO, SOCKET, HOME].iter().any(|own| name == *own) {
        return None;
    }
    match OUTSIDE.get().and_then(|outside| outside.iter().find(|(changed, _)| name == *changed)) {
        Some((_, before)) => before.clone(),
        None => Some(value),
    }
}

/// Gives a process that this one starts the environment as it was outside.
pub fn leave(command: &mut Command) -> &mut Command {
    for (name, before) in OUTSIDE.get().into_iter().flatten() {
        match before {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env_remove(CARGO).env_remove(SOCKET).env_remove(HOME)
}

/// cargo's home as it was outside.
fn cargo_home() -> Option<PathBuf> {
    let outside = OUTSIDE.get().map(|outside| outside[1].1.clone());
    outside.unwrap_or_else(|| std::env::var_os(CARGO_HOME)).map(PathBuf::from)
}

/// The toolchain's own cargo, not rustup's, which would have to look for it each time.
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
    fn evcxr_finds_no_linkers_and_all_else() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, programs: &[&str]| {
            let place = folder.path().join(name);
            fs::create_dir(&place).unwrap();
            programs.iter().for_each(|program| fs::write(place.join(program), "").unwrap());
            place
        };
        let (with, without) = (make("with", &["lld", "ld.lld", "cc"]), make("without", &["cc"]));
        let path = std::env::join_paths([&without, &with]).unwrap();
        let folders = without_linkers(&path, &folder.path().join("links")).unwrap();
        assert_eq!(folders[0], without);
        assert!(folders[1].join("cc").is_file() && folders[1].join("ld.lld").is_file());
        assert!(folders.iter().all(|folder| !folder.join("lld").exists()));
    }
}
