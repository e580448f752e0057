//! The programs that Evcxr finds as `cargo` and `rustup`, and that cargo finds as compiler wrapper.

use super::build_request::{BuildRequest, BuildResponse};
use super::environment::{
    self, CARGO, CARGO_HOME, FOLDER, LIBRARY_PATH_FILE, ORIGINAL_CARGO_HOME, PATH, RECORD, SOCKET,
};
use super::metadata_filter;
use super::prebuilt;
use super::rustc_command::{RustcCommand, library_name};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};

/// Becomes the shim of cargo or rustup, or the compiler wrapper, if this program was started as one;
/// returns otherwise.
pub fn run_if_requested() {
    let mut arguments = std::env::args_os();
    let Some(name) = arguments.next().map(PathBuf::from) else { return };
    let arguments: Vec<OsString> = arguments.collect();
    match name.file_name().and_then(|name| name.to_str()) {
        Some("cargo") => cargo(arguments),
        Some("rustup") => rustup(&name, arguments),
        _ if std::env::var_os(RECORD).is_some() => record(arguments),
        _ => {}
    }
}

/// Whether the kernel may be able to do this without cargo.
fn is_compilation(arguments: &[OsString]) -> bool {
    let command = arguments.iter().find(|argument| !argument.to_string_lossy().starts_with('-'));
    command.is_some_and(|name| name == "build" || name == "check")
}

fn cargo(arguments: Vec<OsString>) -> ! {
    let Some(real) = std::env::var_os(CARGO) else {
        eprintln!("{CARGO} is not set: this cargo only works inside a kernel");
        exit(101);
    };
    if metadata_filter::is_config_request(&arguments) {
        exit(0);
    }
    let is_wrapped = std::env::var_os("RUSTC_WRAPPER").is_some();
    let mut command = cargo_command(real, &arguments, is_wrapped);
    if metadata_filter::is_metadata_request(&arguments) {
        run_filtered(&mut command);
    }
    if is_dependency_check() {
        run_keeping_lock_file(&mut command);
    }
    if !is_compilation(&arguments) {
        fail(&command.exec());
    }
    // With another wrapper in the environment, cargo is left alone.
    if is_wrapped {
        run_reporting(&mut command, &arguments, None);
    }
    if let Ok(program) = std::env::current_exe().and_then(|program| program.canonicalize()) {
        command.env("RUSTC_WRAPPER", program).env(RECORD, RustcCommand::file(Path::new(FOLDER)));
    }
    match ask_server(&arguments) {
        Some((BuildResponse::Done { code, stdout, stderr }, _)) => {
            let _ = std::io::stderr().write_all(stderr.as_bytes());
            let _ = std::io::stdout().write_all(stdout.as_bytes());
            if code == 0 {
                write_library_path(&arguments);
            }
            exit(code)
        }
        Some((BuildResponse::RunCargo, kernel)) => {
            run_reporting(&mut command, &arguments, Some(kernel))
        }
        None => run_reporting(&mut command, &arguments, None),
    }
}

/// The real cargo. The kernel decides how cells are compiled, whatever a configuration says.
fn cargo_command(real: OsString, arguments: &[OsString], is_wrapped: bool) -> Command {
    let mut command = Command::new(real);
    with_original_home(&mut command).args(arguments).env("RUSTC_WORKSPACE_WRAPPER", "");
    if !is_wrapped {
        command.env("RUSTC_WRAPPER", "");
    }
    if std::env::var_os("RUSTFLAGS").is_none() {
        command.env("RUSTFLAGS", "");
    }
    command
}

/// Runs cargo, and reports to the kernel whether it succeeded.
fn run_reporting(
    command: &mut Command,
    arguments: &[OsString],
    mut kernel: Option<UnixStream>,
) -> ! {
    if let Some(stream) = kernel.as_ref().and_then(|stream| stream.try_clone().ok()) {
        end_when_closed(stream);
    }
    match command.status() {
        Ok(status) => {
            DONE.store(true, Ordering::SeqCst);
            if status.success() {
                write_library_path(arguments);
            }
            if let Some(stream) = &mut kernel {
                let _ = writeln!(stream, "{}", status.success());
            }
            exit(status.code().unwrap_or(101))
        }
        Err(error) => fail(&error),
    }
}

/// Tells Evcxr where the cell's library is, by the plain path of the session. cargo reports it with all
/// links resolved, and Evcxr cannot load a path that contains a space.
fn write_library_path(arguments: &[OsString]) {
    let Some(file) = std::env::var_os(LIBRARY_PATH_FILE).map(PathBuf::from) else { return };
    let mut after = arguments.iter().skip_while(|argument| *argument != "--target").skip(1);
    if let (Some(session), Some(target)) = (file.parent(), after.next()) {
        let library = session.join("target").join(target).join("debug").join(library_name());
        // Without it Evcxr uses the path that cargo reports.
        let _ = std::fs::write(&file, library.as_os_str().as_encoded_bytes());
    }
}

/// cargo has ended: from now on the kernel may close the connection.
static DONE: AtomicBool = AtomicBool::new(false);

/// When the kernel closes the connection, after an interrupt or because it has ended, ends this process,
/// cargo, and all processes of cargo.
fn end_when_closed(mut kernel: UnixStream) {
    // SAFETY: setpgid has no preconditions. Only this process's own group is ended below.
    if unsafe { libc::setpgid(0, 0) } != 0 {
        return;
    }
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut kernel, &mut std::io::sink());
        if !DONE.load(Ordering::SeqCst) {
            // SAFETY: a signal to this process's own group.
            unsafe { libc::kill(0, libc::SIGKILL) };
        }
    });
}

/// Gives cargo or rustup its original home.
fn with_original_home(command: &mut Command) -> &mut Command {
    match std::env::var_os(ORIGINAL_CARGO_HOME) {
        Some(home) => command.env(CARGO_HOME, home),
        None => command.env_remove(CARGO_HOME),
    }
}

/// Runs cargo, and passes on the part of its answer that rust-analyzer needs.
fn run_filtered(command: &mut Command) -> ! {
    match command.stderr(Stdio::inherit()).output() {
        Ok(output) => {
            let answer = metadata_filter::filtered(&output.stdout).unwrap_or(output.stdout);
            let _ = std::io::stdout().write_all(&answer);
            exit(output.status.code().unwrap_or(101))
        }
        Err(error) => fail(&error),
    }
}

/// Whether Evcxr checks that a dependency exists: for that it replaces the session's manifest by one with
/// nothing else in it.
fn is_dependency_check() -> bool {
    let manifest = std::fs::read_to_string("Cargo.toml").unwrap_or_default();
    manifest.contains("\"evcxr_dummy_validate_dep\"")
}

/// Runs cargo, and restores the lock file: cargo removes from it what the check's manifest does not name,
/// and would then build other versions of all of it.
fn run_keeping_lock_file(command: &mut Command) -> ! {
    let lock = std::fs::read("Cargo.lock");
    let status = command.status();
    if let Ok(lock) = lock {
        let _ = std::fs::write("Cargo.lock", lock);
    }
    match status {
        Ok(status) => exit(status.code().unwrap_or(101)),
        Err(error) => fail(&error),
    }
}

/// The kernel's response, and the connection on which to report whether cargo succeeded.
fn ask_server(arguments: &[OsString]) -> Option<(BuildResponse, UnixStream)> {
    let mut stream = UnixStream::connect(std::env::var_os(SOCKET)?).ok()?;
    let request = BuildRequest {
        arguments: environment::texts(arguments)?,
        environment: environment::current()?,
        folder: std::env::current_dir().ok()?,
    };
    writeln!(stream, "{}", serde_json::to_string(&request).ok()?).ok()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    Some((serde_json::from_str(&line).ok()?, stream))
}

/// Evcxr asks rustup where cargo is.
fn rustup(name: &Path, arguments: Vec<OsString>) -> ! {
    let own = cargo_beside(name);
    if arguments == ["which", "cargo"] {
        println!("{}", own.display());
        exit(0);
    }
    let path = std::env::var_os(PATH).unwrap_or_default();
    let others =
        std::env::split_paths(&path).filter(|folder| Some(folder.as_path()) != own.parent());
    if let Some(program) = others.map(|folder| folder.join("rustup")).find(|file| file.is_file()) {
        fail(&with_original_home(&mut Command::new(program)).args(&arguments).exec());
    }
    exit(127)
}

/// The shim of cargo beside that of rustup, which may have been started by its name alone.
fn cargo_beside(rustup: &Path) -> PathBuf {
    let path = std::env::var_os(PATH).unwrap_or_default();
    match rustup.parent() {
        Some(folder) if folder.is_absolute() => folder.join("cargo"),
        _ => std::env::split_paths(&path).next().unwrap_or_default().join("cargo"),
    }
}

/// Records how a cell is compiled, and compiles it; a crate that is compiled already is copied.
fn record(arguments: Vec<OsString>) -> ! {
    let file = std::env::var_os(RECORD).unwrap_or_default();
    if let Some(command) = RustcCommand::of_cell(&arguments) {
        // Without a record cargo builds the next cell as well.
        let _ = command.write(Path::new(&file));
    } else if prebuilt::copy(&arguments).is_some() {
        exit(0);
    }
    let mut rustc = arguments.into_iter();
    let Some(program) = rustc.next() else { exit(101) };
    fail(&Command::new(program).args(rustc).exec())
}

fn fail(error: &std::io::Error) -> ! {
    eprintln!("error: {error}");
    exit(101)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_compilations_are_sent_to_the_kernel() {
        let arguments = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(is_compilation(&arguments("--offline build --target x")));
        assert!(is_compilation(&arguments("check --target x")));
        assert!(!is_compilation(&arguments("--offline metadata --target build")));
    }

    #[test]
    fn cargo_is_found_beside_rustup() {
        assert_eq!(cargo_beside(Path::new("/s/quick/rustup")), Path::new("/s/quick/cargo"));
    }
}
