//! Running other programs.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::process::{Command, ExitStatus, Stdio};

/// The first line that a program prints on standard output, if it succeeds.
pub fn first_line(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    (output.status.success()).then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Runs a program whose output the user sees.
pub fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    require_success(&program, command.status().with_context(|| format!("cannot start {program}"))?)
}

/// Runs a program that handles Ctrl-C itself. The terminal sends it to both programs; if this one ended, the
/// shell would take the terminal back before the other program has asked its question.
pub fn run_interactive(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    die_with_this_process(command);
    let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    let status = ignoring_interrupts(|| child.wait())?;
    require_success(&program, status)
}

/// Lets the system end a program when this process is killed.
#[cfg(target_os = "linux")]
fn die_with_this_process(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: the closure makes one system call between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_this_process(_: &mut Command) {}

/// Runs `work` while this process ignores Ctrl-C. A program that was started before still receives it.
#[cfg(unix)]
fn ignoring_interrupts<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the system's own handler for ignoring is set, and no handler of ours.
    let before = unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let result = work();
    // SAFETY: restores the handler that was set before.
    unsafe { libc::signal(libc::SIGINT, before) };
    result
}

#[cfg(not(unix))]
fn ignoring_interrupts<T>(work: impl FnOnce() -> T) -> T {
    work()
}

fn require_success(program: &str, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("{program} failed ({status})");
    }
    Ok(())
}

/// Runs a program without showing its output. If it fails, the error has the cause from its output, and a
/// remedy if the cause is known.
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

/// The part of a failed program's output that gives the cause: everything from the first line with an error,
/// or the last lines if there is none. The middle of a long output is left out.
pub fn cause(output: &str) -> String {
    const FIRST: usize = 40;
    const LAST: usize = 20;
    let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    let is_error = |line: &&str| {
        let line = line.to_lowercase();
        ["error", "fatal", "panicked", "cannot", "could not", "undefined reference"]
            .iter()
            .any(|word| line.contains(word))
    };
    let from = lines.iter().position(is_error).unwrap_or(lines.len().saturating_sub(FIRST));
    let lines = &lines[from..];
    if lines.len() <= FIRST + LAST {
        return lines.join("\n");
    }
    let (first, last) = (&lines[..FIRST], &lines[lines.len() - LAST..]);
    let between = lines.len() - FIRST - LAST;
    format!("{}\n  … {between} more lines …\n{}", first.join("\n"), last.join("\n"))
}

/// What to do about a failure, if its output shows a known cause.
pub fn remedy(output: &str) -> Option<&'static str> {
    let contains = |phrases: &[&str]| phrases.iter().any(|phrase| output.contains(phrase));
    if contains(&["No space left on device"]) {
        Some(
            "The disk is full: make room (about 6 GB are needed), or set TCHALK_HOME to a folder on a larger disk.",
        )
    } else if contains(&["--offline was specified", "you're using offline mode"]) {
        Some(
            "A crate that a notebook needs is not downloaded: run `cargo fetch` here, and then the command \
             again.",
        )
    } else if contains(&[
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
            "The network cannot be reached: connect, or set the proxy variables (HTTPS_PROXY), and run the \
             command again. Finished steps are kept.",
        )
    } else if contains(&["No matching distribution found"]) {
        Some(
            "pip found no package for this Python and this system. A bundle may be made for another Python \
             (`cargo xtask bundle OUT --python NAME`). Over the network, check HTTPS_PROXY and \
             PIP_INDEX_URL; there may also be no package for this kind of machine.",
        )
    } else if contains(&["THESE PACKAGES DO NOT MATCH THE HASHES"]) {
        Some(
            "A download was damaged or changed. Run the command again; if the error stays, report it.",
        )
    } else if contains(&["No module named venv", "ensurepip is not available"]) {
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
    fn a_missing_network_and_a_full_disk_have_different_remedies() {
        let pip = "WARNING: Retrying after connection broken by 'NewConnectionError: Failed to \
                   establish a new connection'";
        assert!(remedy(pip).unwrap().contains("network cannot be reached"));
        assert!(remedy("OSError: [Errno 28] No space left on device").unwrap().contains("full"));
        let missing = "ERROR: No matching distribution found for torch==2.11.0";
        assert!(remedy(missing).unwrap().contains("for this Python and this system"));
        assert!(
            remedy(&format!("{pip}\n{missing}")).unwrap().contains("network cannot be reached")
        );
        let offline = "failed to download `x`\nattempting to make an HTTP request, but --offline was specified";
        assert!(remedy(offline).unwrap().contains("cargo fetch"), "no network was involved");
        assert_eq!(remedy("error[E0308]: mismatched types"), None);
    }

    #[test]
    #[cfg(unix)]
    fn waiting_for_an_interactive_program_survives_ctrl_c() {
        let after = |end: &str| {
            let script = format!("sleep 0.5; kill -INT $PPID; {end}");
            run_interactive(Command::new("sh").args(["-c", &script]))
        };
        after("exit 0").unwrap();
        assert!(after("exit 3").unwrap_err().to_string().contains("sh failed"));
        // The program itself receives it.
        let killed = run_interactive(Command::new("sh").args(["-c", "kill -INT $$; sleep 5"]));
        assert!(killed.unwrap_err().to_string().contains("signal: 2"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_interactive_program_ends_with_the_process_that_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        let script =
            format!("echo $$ > '{0}.part'; mv '{0}.part' '{0}'; exec sleep 60", pid_file.display());
        // SAFETY: the child only starts a program and waits for it.
        let waiting = unsafe { libc::fork() };
        if waiting == 0 {
            let _ = run_interactive(Command::new("sh").args(["-c", &script]));
            // SAFETY: the copy of this process must not clean up.
            unsafe { libc::_exit(0) };
        }
        let soon = |is_so: &dyn Fn() -> bool| {
            (0..500).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                is_so()
            })
        };
        assert!(soon(&|| pid_file.exists()));
        // SAFETY: the process is this test's child, and has not been waited for.
        unsafe {
            libc::kill(waiting, libc::SIGKILL);
            libc::waitpid(waiting, std::ptr::null_mut(), 0);
        }
        let status = format!("/proc/{}/stat", std::fs::read_to_string(&pid_file).unwrap().trim());
        let has_ended =
            || std::fs::read_to_string(&status).map_or(true, |text| text.contains(") Z "));
        assert!(soon(&has_ended));
    }

    #[test]
    fn the_cause_begins_at_the_first_line_with_an_error() {
        let before = "Compiling x\n".repeat(50);
        let after = "  in that file\n".repeat(50);
        let text = cause(&format!("{before}error: the cause\n{after}"));
        assert_eq!(text.lines().next(), Some("error: the cause"));
        assert_eq!(text.lines().count(), 51);
        let long = cause(&format!("error: the cause\n{}the end\n", "x\n".repeat(500)));
        assert!(long.starts_with("error: the cause") && long.ends_with("the end"));
        assert!(long.lines().count() < 70);
        assert_eq!(cause("a\nlast words"), "a\nlast words");
    }

    #[test]
    fn a_failed_program_s_output_is_in_the_error() {
        let error = run_quietly(Command::new("sh").args(["-c", "echo last words; exit 3"]));
        assert!(error.unwrap_err().to_string().contains("last words"));
        assert_eq!(first_line("surely-no-such-program", &[]), None);
    }
}
