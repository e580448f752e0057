//! Lines that begin with `!`: programs of the computer, run by its shell.
//!
//! A program runs beside the cell process, in a process group of its own. It reads nothing, its output is
//! limited as that of cells is, and an interrupt ends it; the variables are not concerned.

use crate::engine::compile_server::environment::restored;
use crate::engine::kernel_state::KernelState;
use crate::output::stream::Stream;
use anyhow::{Context, Result, bail};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long to wait for output after a program has ended: what it leaves running may keep its streams.
const LAST_OUTPUT: Duration = Duration::from_millis(300);

/// The program of a line that begins with `!`; `None` if the line is Rust, such as `!is_ready`.
pub fn in_line<'a>(line: &'a str, is_variable: &dyn Fn(&str) -> bool) -> Option<&'a str> {
    let command = line.trim().strip_prefix('!')?.trim();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (word, after) = command.split_at(command.find(|c| !is_word(c)).unwrap_or(command.len()));
    let is_rust = match word {
        "" => !command.starts_with(['.', '/', '~', '$', '"', '\'']),
        "true" | "false" => true,
        _ if word.starts_with(|c: char| c.is_ascii_digit()) => true,
        _ if ["(", "!(", "::", "["].iter().any(|call| after.starts_with(call)) => true,
        _ => is_variable(word),
    };
    (!is_rust && !command.is_empty()).then_some(command)
}

/// The programs at the beginning of a cell, and the Rust code after them, at the lines where it stands.
pub fn split<'a>(code: &'a str, is_variable: &dyn Fn(&str) -> bool) -> (Vec<&'a str>, String) {
    let mut commands = Vec::new();
    let mut rust = String::new();
    let mut lines = code.lines();
    for line in lines.by_ref() {
        match in_line(line, is_variable) {
            Some(command) => commands.push(command),
            None if line.trim().is_empty() || line.trim().starts_with("//") => {}
            None => {
                rust.push_str(line);
                break;
            }
        }
        rust.push('\n');
    }
    for line in lines {
        rust.push('\n');
        rust.push_str(line);
    }
    (commands, if rust.trim().is_empty() { String::new() } else { rust })
}

/// Runs a program by the shell until it ends. Publishes its output, and how it ended if it failed.
pub fn run(command: &str, kernel: &KernelState) -> Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).process_group(0);
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = restored(&mut shell).spawn().context("cannot start the shell")?;
    let (at_end, ended) = mpsc::channel();
    if let (Some(out), Some(err)) = (program.stdout.take(), program.stderr.take()) {
        follow(out, Stream::Out, kernel, at_end.clone());
        follow(err, Stream::Err, kernel, at_end);
    }
    let status = kernel.run_program(program)?;
    for _ in 0..2 {
        let _ = ended.recv_timeout(LAST_OUTPUT);
    }
    if kernel.is_interrupted() {
        bail!("stop was pressed: `{command}` has ended, and no variable is lost");
    }
    if !status.success() {
        kernel.write_stderr(&format!("{command}: {status}\n"));
    }
    Ok(())
}

/// Publishes a program's stream as it comes, on a thread of its own. Drops `at_end` when the stream ends.
fn follow(
    mut from: impl Read + Send + 'static,
    stream: Stream,
    kernel: &KernelState,
    at_end: mpsc::Sender<()>,
) {
    let publisher = kernel.publisher.clone();
    std::thread::spawn(move || {
        let (mut buffer, mut waiting) = ([0; 1 << 14], Vec::new());
        while let Ok(count) = from.read(&mut buffer)
            && count > 0
        {
            waiting.extend_from_slice(&buffer[..count]);
            // A character may be incomplete: its first bytes are kept for later.
            let complete = match std::str::from_utf8(&waiting) {
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                _ => waiting.len(),
            };
            publisher.append(stream, &String::from_utf8_lossy(&waiting[..complete]));
            waiting.drain(..complete);
        }
        let _ = at_end.send(());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_variable(word: &str) -> bool {
        ["ready", "model"].contains(&word)
    }

    #[test]
    fn programs_are_told_from_rust() {
        for (line, command) in [
            ("!ls", "ls"),
            (" ! ls -l | head ", "ls -l | head"),
            ("!./run.sh", "./run.sh"),
            ("!/bin/ls", "/bin/ls"),
            ("!nvidia-smi", "nvidia-smi"),
            ("!python3 -c 'print(1)'", "python3 -c 'print(1)'"),
            ("!$HOME/x", "$HOME/x"),
        ] {
            assert_eq!(in_line(line, &is_variable), Some(command), "{line}");
        }
        for line in [
            "!ready",
            "!model.is_frozen()",
            "!(a && b)",
            "!true",
            "!f(1)",
            "!matches!(a, 1)",
            "!0",
            "!a::B",
            "!",
            "ready",
            "!!ready",
            "!*reference",
            "!list[0]",
        ] {
            assert_eq!(in_line(line, &is_variable), None, "{line}");
        }
    }

    #[test]
    fn rust_after_programs_keeps_its_lines() {
        assert_eq!(split("!ls", &is_variable), (vec!["ls"], String::new()));
        assert_eq!(split("let a = 1;\n!ready", &is_variable).0, Vec::<&str>::new());
        let (commands, rust) = split("// first\n!ls\n\n!pwd\nlet a = 1;\na", &is_variable);
        assert_eq!(commands, ["ls", "pwd"]);
        assert_eq!(rust, "\n\n\n\nlet a = 1;\na");
    }
}
