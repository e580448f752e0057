//! Running other programs.

use crate::variables::OF_CARGO;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// The first line that a program prints on standard output, if it runs and succeeds.
pub fn first_line(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    (output.status.success()).then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// cargo, without what [`remove_harmful`](crate::variables::remove_harmful) keeps from it: conda's Rust names its
/// target, and what cargo makes would then lie in a folder of that name.
pub fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    for name in OF_CARGO {
        cargo.env_remove(name);
    }
    cargo
}

/// What cargo says of its configuration in a folder, origins included, all of it or that of one `key`;
/// `None` if it says nothing.
pub fn cargo_config(folder: &Path, key: Option<&str>) -> Option<String> {
    let mut cargo = cargo();
    cargo.args(["-Z", "unstable-options", "config", "get", "--show-origin"]).args(key);
    // It is only asked; nothing is built with what is not stable.
    cargo.env("RUSTC_BOOTSTRAP", "1").current_dir(folder).stdin(Stdio::null());
    let output = cargo.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program whose output the user sees.
pub fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    succeeded(&program, command.status().with_context(|| format!("cannot start {program}"))?)
}

/// Runs a program that answers Ctrl-C itself. The terminal sends it to both, and if this one ended, the
/// shell would take the terminal away before the other one's question is answered.
pub fn run_in_charge(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    end_with_this_program(command);
    let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    let status = deaf_to_interrupts(|| child.wait())?;
    succeeded(&program, status)
}

/// Lets the system end a program when this one is killed: nobody would be left to do it.
#[cfg(target_os = "linux")]
fn end_with_this_program(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: between fork and exec there is this one call to the system.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}

/// This system knows no such thing.
#[cfg(not(target_os = "linux"))]
fn end_with_this_program(_: &mut Command) {}

/// Does `work` while Ctrl-C does nothing here. What was started before still hears it.
#[cfg(unix)]
fn deaf_to_interrupts<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: no handler of ours is set, only the system's own for doing nothing.
    let before = unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let result = work();
    // SAFETY: puts back what was there before.
    unsafe { libc::signal(libc::SIGINT, before) };
    result
}

/// Ctrl-C is left as it is on this system.
#[cfg(not(unix))]
fn deaf_to_interrupts<T>(work: impl FnOnce() -> T) -> T {
    work()
}

fn succeeded(program: &str, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("{program} failed ({status})");
    }
    Ok(())
}

/// Runs a program silently; what it printed is told only if it fails, with a remedy if the cause is
/// plain.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let remedy = remedy(&text).map_or(String::new(), |remedy| format!("\n{remedy}"));
    let first: Vec<_> = command.get_args().take(3).map(|it| it.to_string_lossy()).collect();
    let program = format!("{program} {}", first.join(" "));
    bail!("{program} failed ({}):\n{}{remedy}", output.status, cause(&text));
}

/// What a program that failed has said of the cause: all from the first line that tells of an error, or
/// its last words, if none does. Of very much, the middle is left out.
pub fn cause(output: &str) -> String {
    const FIRST: usize = 40;
    const LAST: usize = 20;
    let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    let tells = |line: &&str| {
        let line = line.to_lowercase();
        ["error", "fatal", "panicked", "cannot", "could not", "undefined reference"]
            .iter()
            .any(|word| line.contains(word))
    };
    let from = lines.iter().position(tells).unwrap_or(lines.len().saturating_sub(FIRST));
    let lines = &lines[from..];
    if lines.len() <= FIRST + LAST {
        return lines.join("\n");
    }
    let (first, last) = (&lines[..FIRST], &lines[lines.len() - LAST..]);
    let between = lines.len() - FIRST - LAST;
    format!("{}\n  … {between} more lines …\n{}", first.join("\n"), last.join("\n"))
}

/// What to do about a failure whose cause can be read off its output.
pub fn remedy(output: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| output.contains(word));
    if says(&["No space left on device"]) {
        Some(
            "The disk is full: make room (about 6 GB are needed), or set TCHALK_HOME to a larger disk.",
        )
    } else if says(&["--offline was specified", "you're using offline mode"]) {
        Some(
            "A crate that a notebook needs is not in cargo's folder: run `cargo fetch` here, and then the \
             command again.",
        )
    } else if says(&[
        "Failed to establish a new connection",
        "Temporary failure in name resolution",
        "Could not resolve host",
        "ConnectTimeoutError",
        "NameResolutionError",
        "failed to download",
        "Couldn't connect",
        "Connection refused",
    ]) {
        Some(
            "There is no way to the network: connect, or set the usual proxy variables \
             (HTTPS_PROXY), and run the command again. What is already done is kept.",
        )
    } else if says(&["No matching distribution found"]) {
        Some(
            "pip found no package for this Python and this system. From a bundle: it was made for others \
             (`cargo xtask bundle OUT --python NAME`). From the network: it is not reached (HTTPS_PROXY, \
             PIP_INDEX_URL), or there is none for machines of this kind.",
        )
    } else if says(&["THESE PACKAGES DO NOT MATCH THE HASHES"]) {
        Some(
            "A download was damaged or tampered with. Run the command again; if it stays, report it.",
        )
    } else if says(&["No module named venv", "ensurepip is not available"]) {
        Some(
            "Python's venv module is missing: on Debian and Ubuntu, `sudo apt install python3-venv`.",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_network_is_told_from_a_full_disk() {
        let pip = "WARNING: Retrying after connection broken by 'NewConnectionError: Failed to \
                   establish a new connection'";
        assert!(remedy(pip).unwrap().contains("no way to the network"));
        assert!(remedy("OSError: [Errno 28] No space left on device").unwrap().contains("full"));
        let missing = "ERROR: No matching distribution found for torch==2.11.0";
        assert!(remedy(missing).unwrap().contains("for this Python and this system"));
        assert!(remedy(&format!("{pip}\n{missing}")).unwrap().contains("no way to the network"));
        let offline = "failed to download `x`\nattempting to make an HTTP request, but --offline was specified";
        assert!(remedy(offline).unwrap().contains("cargo fetch"), "the network is not asked");
        assert_eq!(remedy("error[E0308]: mismatched types"), None);
    }

    #[test]
    #[cfg(unix)]
    fn whoever_waits_for_a_program_in_charge_survives_ctrl_c() {
        let after = |end: &str| {
            let script = format!("sleep 0.5; kill -INT $PPID; {end}");
            run_in_charge(Command::new("sh").args(["-c", &script]))
        };
        after("exit 0").unwrap();
        assert!(after("exit 3").unwrap_err().to_string().contains("sh failed"));
        // The program itself hears it.
        let killed = run_in_charge(Command::new("sh").args(["-c", "kill -INT $$; sleep 5"]));
        assert!(killed.unwrap_err().to_string().contains("signal: 2"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_in_charge_ends_with_whoever_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("pid");
        let script =
            format!("echo $$ > '{0}.part'; mv '{0}.part' '{0}'; exec sleep 60", told.display());
        // SAFETY: the child only starts a program and waits for it.
        let waiting = unsafe { libc::fork() };
        if waiting == 0 {
            let _ = run_in_charge(Command::new("sh").args(["-c", &script]));
            // SAFETY: nothing of this process's is to be tidied up by its copy.
            unsafe { libc::_exit(0) };
        }
        let soon = |is_so: &dyn Fn() -> bool| {
            (0..500).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                is_so()
            })
        };
        assert!(soon(&|| told.exists()));
        // SAFETY: the process is this test's own, and not yet waited for.
        unsafe {
            libc::kill(waiting, libc::SIGKILL);
            libc::waitpid(waiting, std::ptr::null_mut(), 0);
        }
        let status = format!("/proc/{}/stat", std::fs::read_to_string(&told).unwrap().trim());
        let has_ended =
            || std::fs::read_to_string(&status).map_or(true, |text| text.contains(") Z "));
        assert!(soon(&has_ended));
    }

    #[test]
    fn cargo_is_not_told_of_a_target() {
        assert!(cargo().get_envs().any(|it| it == (OsStr::new("CARGO_BUILD_TARGET"), None)));
    }

    #[test]
    fn the_cause_is_told_from_its_first_line_on() {
        let before = "Compiling x\n".repeat(50);
        let after = "  in that file\n".repeat(50);
        let told = cause(&format!("{before}error: the cause\n{after}"));
        assert_eq!(told.lines().next(), Some("error: the cause"));
        assert_eq!(told.lines().count(), 51);
        let long = cause(&format!("error: the cause\n{}the end\n", "x\n".repeat(500)));
        assert!(long.starts_with("error: the cause") && long.ends_with("the end"));
        assert!(long.lines().count() < 70);
        assert_eq!(cause("a\nlast words"), "a\nlast words");
    }

    #[test]
    fn a_program_that_fails_tells_its_last_words() {
        let error = run_quietly(Command::new("sh").args(["-c", "echo last words; exit 3"]));
        assert!(error.unwrap_err().to_string().contains("last words"));
        assert_eq!(first_line("surely-no-such-program", &[]), None);
    }
}
