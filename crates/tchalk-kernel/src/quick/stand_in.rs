//! What Evcxr finds as `cargo` and `rustup`, and what cargo finds as the compiler's wrapper.

use super::prebuilt;
use super::recipe::{Recipe, library_name};
use super::workshop::{Answer, Question, RESULT};
use super::{CARGO, CARGO_HOME, FOLDER, HOME, RECORD, SOCKET, view};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};

/// Becomes cargo's or rustup's stand-in, or the compiler's wrapper, if this program was started as
/// one; returns otherwise.
pub fn enter_if_asked() {
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

/// Whether the kernel may know how to do without cargo.
fn compiles(arguments: &[OsString]) -> bool {
    let command = arguments.iter().find(|argument| !argument.to_string_lossy().starts_with('-'));
    command.is_some_and(|name| name == "build" || name == "check")
}

fn cargo(arguments: Vec<OsString>) -> ! {
    let Some(real) = std::env::var_os(CARGO) else {
        eprintln!("{CARGO} is not set: this cargo works inside a kernel only");
        exit(101);
    };
    if view::asks_for_configuration(&arguments) {
        exit(0);
    }
    let mut command = Command::new(real);
    at_home(&mut command).args(&arguments);
    // How cells are compiled is the kernel's affair, and no configuration's.
    command.env("RUSTC_WORKSPACE_WRAPPER", "");
    let is_wrapped = std::env::var_os("RUSTC_WRAPPER").is_some();
    if !is_wrapped {
        command.env("RUSTC_WRAPPER", "");
    }
    if std::env::var_os("RUSTFLAGS").is_none() {
        command.env("RUSTFLAGS", "");
    }
    if view::is_asked_for(&arguments) {
        tell_less(&mut command);
    }
    if is_trial() {
        keep_lock_file(&mut command);
    }
    if !compiles(&arguments) {
        fail(&command.exec());
    }
    let mut kernel = None;
    // Another wrapper may be in charge.
    if !is_wrapped {
        if let Ok(program) = std::env::current_exe().and_then(|program| program.canonicalize()) {
            command.env("RUSTC_WRAPPER", program).env(RECORD, Recipe::file(Path::new(FOLDER)));
        }
        kernel = ask(&arguments);
    }
    if let Some((Answer::Done { code, stdout, stderr }, _)) = &kernel {
        let _ = std::io::stderr().write_all(stderr.as_bytes());
        let _ = std::io::stdout().write_all(stdout.as_bytes());
        if *code == 0 {
            tell_place(&arguments);
        }
        exit(*code);
    }
    if let Some((_, stream)) = &kernel
        && let Ok(stream) = stream.try_clone()
    {
        end_with(stream);
    }
    match command.status() {
        Ok(status) => {
            DONE.store(true, Ordering::SeqCst);
            if status.success() {
                tell_place(&arguments);
            }
            if let Some((_, mut stream)) = kernel {
                let _ = writeln!(stream, "{}", status.success());
            }
            exit(status.code().unwrap_or(101))
        }
        Err(error) => fail(&error),
    }
}

/// Tells Evcxr where the cell's library is, by the session's plain name. cargo says it with all links
/// followed, and Evcxr cannot load what has a blank in its path.
fn tell_place(arguments: &[OsString]) {
    let Some(file) = std::env::var_os(RESULT).map(PathBuf::from) else { return };
    let mut after = arguments.iter().skip_while(|argument| *argument != "--target").skip(1);
    if let (Some(session), Some(target)) = (file.parent(), after.next()) {
        let library = session.join("target").join(target).join("debug").join(library_name());
        // Without it Evcxr goes by what cargo says.
        let _ = std::fs::write(&file, library.as_os_str().as_encoded_bytes());
    }
}

/// cargo has ended: what the kernel does from now on is of no concern.
static DONE: AtomicBool = AtomicBool::new(false);

/// When the kernel hangs up, because the reader has pressed stop or because it is gone, ends this
/// process, cargo, and all that cargo has started.
fn end_with(mut kernel: UnixStream) {
    // SAFETY: setpgid has no preconditions. Only a group of our own is ended below.
    if unsafe { libc::setpgid(0, 0) } != 0 {
        return;
    }
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut kernel, &mut std::io::sink());
        if !DONE.load(Ordering::SeqCst) {
            // SAFETY: a signal to our own group.
            unsafe { libc::kill(0, libc::SIGKILL) };
        }
    });
}

/// Gives cargo or rustup back the home that it had outside.
fn at_home(command: &mut Command) -> &mut Command {
    match std::env::var_os(HOME) {
        Some(home) => command.env(CARGO_HOME, home),
        None => command.env_remove(CARGO_HOME),
    }
}

/// Runs cargo, and passes on what rust-analyzer has to know of its answer.
fn tell_less(command: &mut Command) -> ! {
    match command.stderr(Stdio::inherit()).output() {
        Ok(output) => {
            let answer = view::of(&output.stdout).unwrap_or(output.stdout);
            let _ = std::io::stdout().write_all(&answer);
            exit(output.status.code().unwrap_or(101))
        }
        Err(error) => fail(&error),
    }
}

/// Whether Evcxr wants to know if there is such a dependency: for that it puts a manifest with nothing
/// else in it in the session's place.
fn is_trial() -> bool {
    let manifest = std::fs::read_to_string("Cargo.toml").unwrap_or_default();
    manifest.contains("\"evcxr_dummy_validate_dep\"")
}

/// Runs cargo, and puts the lock file back: cargo drops from it what the trial's manifest does not
/// name, and would build other versions of all of it.
fn keep_lock_file(command: &mut Command) -> ! {
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

/// The kernel's answer, and the connection on which it wants to hear how cargo fared.
fn ask(arguments: &[OsString]) -> Option<(Answer, UnixStream)> {
    let mut stream = UnixStream::connect(std::env::var_os(SOCKET)?).ok()?;
    let question = Question {
        arguments: super::texts(arguments)?,
        environment: super::environment()?,
        folder: std::env::current_dir().ok()?,
    };
    writeln!(stream, "{}", serde_json::to_string(&question).ok()?).ok()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    Some((serde_json::from_str(&line).ok()?, stream))
}

/// Evcxr asks rustup where cargo is, to spare itself a detour.
fn rustup(name: &Path, arguments: Vec<OsString>) -> ! {
    let own = name_of_cargo(name);
    if arguments == ["which", "cargo"] {
        println!("{}", own.display());
        exit(0);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others =
        std::env::split_paths(&path).filter(|folder| Some(folder.as_path()) != own.parent());
    if let Some(program) = others.map(|folder| folder.join("rustup")).find(|file| file.is_file()) {
        fail(&at_home(&mut Command::new(program)).args(&arguments).exec());
    }
    exit(127)
}

/// The stand-in for cargo beside the one for rustup, which was perhaps started by its name alone.
fn name_of_cargo(rustup: &Path) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match rustup.parent() {
        Some(folder) if folder.is_absolute() => folder.join("cargo"),
        _ => std::env::split_paths(&path).next().unwrap_or_default().join("cargo"),
    }
}

/// Writes down how a cell is compiled, and compiles it; what is compiled already is taken.
fn record(arguments: Vec<OsString>) -> ! {
    let file = std::env::var_os(RECORD).unwrap_or_default();
    if let Some(recipe) = Recipe::of_cell(&arguments) {
        // A recipe that cannot be written is one that is not used.
        let _ = recipe.write(Path::new(&file));
    } else if prebuilt::take(&arguments).is_some() {
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
    fn only_compilations_are_asked_about() {
        let arguments = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(compiles(&arguments("--offline build --target x")));
        assert!(compiles(&arguments("check --target x")));
        assert!(!compiles(&arguments("--offline metadata --target build")));
    }

    #[test]
    fn cargo_is_found_beside_rustup() {
        assert_eq!(name_of_cargo(Path::new("/s/quick/rustup")), Path::new("/s/quick/cargo"));
    }
}
