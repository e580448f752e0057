//! A subprocess: what it prints comes back without secrets, and an interrupt ends it.

use crate::error::{Error, Result};
use crate::runtime::interrupt::{self, POLL_INTERVAL};
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Of more text only the end is kept.
const MAX_BYTES: usize = 1 << 16;
/// How long to wait for the rest of the output of a program that has ended.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// How a program ended, and what it printed, without secrets.
pub(super) struct Output {
    pub(super) exit: Exit,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Output {
    /// Everything it printed.
    pub(super) fn text(&self) -> String {
        let parts = [self.stdout.as_str(), self.stderr.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

/// What has come on the two streams.
#[derive(Default)]
struct Streams([Vec<u8>; 2]);

/// How a program ended.
pub(super) enum Exit {
    /// By itself.
    Status(ExitStatus),
    /// It was killed, since it did nothing for this long.
    TimedOut(Duration),
}

/// Runs `command` to its end. `work_done` is asked again and again how much has been done; a program
/// that neither prints nor does anything for as long as `timeout` is killed.
pub(super) fn run(
    op: &str,
    mut command: Command,
    secrets: &[String],
    timeout: Duration,
    mut work_done: impl FnMut() -> u64,
) -> Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // In a process group of its own, so that what it starts is killed with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let program = command.get_program().to_owned();
    let child = command.spawn().map_err(|error| {
        let hint = "This should be Kaggle's client: pip install kaggle";
        Error::io(program, error, hint)
    })?;
    let mut running = Running { child, has_ended: false };
    let (sender, pieces) = channel();
    if let (Some(out), Some(err)) = (running.child.stdout.take(), running.child.stderr.take()) {
        read_stream(0, out, sender.clone());
        read_stream(1, err, sender);
    }
    let mut streams = Streams::default();
    let (mut done, mut active) = (0, Instant::now());
    let status = loop {
        let printed = streams.collect(&pieces);
        let now = work_done();
        if printed || now != done {
            (done, active) = (now, Instant::now());
        }
        if let Some(status) = running.child.try_wait().unwrap_or(None) {
            running.has_ended = true;
            break status;
        }
        // Whichever way this function is left, `running` kills the program.
        interrupt::check(op)?;
        if active.elapsed() > timeout {
            return Ok(streams.output(Exit::TimedOut(timeout), secrets));
        }
        std::thread::sleep(POLL_INTERVAL);
    };
    streams.drain(&pieces);
    Ok(streams.output(Exit::Status(status), secrets))
}

/// A program that is killed when this is dropped.
struct Running {
    child: Child,
    has_ended: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        #[cfg(unix)]
        // SAFETY: a signal to the group that this child leads; it has not been waited for.
        unsafe {
            libc::kill(-(self.child.id() as libc::pid_t), libc::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_stream(
    number: usize,
    mut stream: impl Read + Send + 'static,
    sender: Sender<(usize, Vec<u8>)>,
) {
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            if sender.send((number, piece[..count].to_vec())).is_err() {
                break;
            }
        }
    });
}

impl Streams {
    /// Takes what has come, and says whether anything has.
    fn collect(&mut self, pieces: &Receiver<(usize, Vec<u8>)>) -> bool {
        let mut any = false;
        while let Ok((stream, piece)) = pieces.try_recv() {
            self.0[stream].extend(piece);
            any = true;
        }
        for bytes in self.0.iter_mut().filter(|bytes| bytes.len() > 2 * MAX_BYTES) {
            // Cut at the end of a line: half a secret would not be recognized.
            let from = bytes.len() - MAX_BYTES;
            let line = bytes[from..].iter().position(|&byte| byte == b'\n');
            bytes.drain(..line.map_or(bytes.len(), |end| from + end + 1));
        }
        any
    }

    /// Takes the rest. Both streams end with the program, unless it has left a process behind.
    fn drain(&mut self, pieces: &Receiver<(usize, Vec<u8>)>) {
        let begun = Instant::now();
        while begun.elapsed() < DRAIN_TIMEOUT {
            match pieces.recv_timeout(POLL_INTERVAL) {
                Ok((stream, piece)) => self.0[stream].extend(piece),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    fn output(&self, exit: Exit, secrets: &[String]) -> Output {
        let [stdout, stderr] =
            [0, 1].map(|stream| without_secrets(&readable(&self.0[stream]), secrets));
        Output { exit, stdout, stderr }
    }
}

/// The text as a terminal shows it: of lines that were overwritten, the last form.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(|line| line.trim_end_matches('\r'));
    let lines = lines.map(|line| line.rsplit('\r').next().unwrap_or(line).trim_end());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The text without what must not be shown: known secrets, whatever looks like a token or a key, what
/// follows `Bearer` or `Basic`, and the query of addresses, in which signatures stand.
fn without_secrets(text: &str, secrets: &[String]) -> String {
    const HIDDEN: &str = "[hidden]";
    let mut text = text.to_owned();
    for secret in secrets {
        text = text.replace(secret.as_str(), HIDDEN);
    }
    let line = |line: &str| {
        let mut after = false;
        let words = line.split(' ').map(|word| {
            let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let hidden = std::mem::replace(&mut after, matches!(bare, "Bearer" | "Basic"));
            if hidden && !bare.is_empty() || resembles_secret(word) {
                return HIDDEN.to_owned();
            }
            match (word.contains("://"), word.split_once('?')) {
                (true, Some((address, _))) => format!("{address}?{HIDDEN}"),
                _ => word.to_owned(),
            }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether the word holds a token's beginning, or as many hexadecimal digits as a key has.
fn resembles_secret(word: &str) -> bool {
    let mut pieces = word.split(|c: char| !c.is_ascii_alphanumeric());
    word.contains("KGAT_")
        || pieces.any(|piece| piece.len() >= 32 && piece.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden() {
        let secrets = ["hunter22".to_owned()];
        let clean = |text: &str| without_secrets(text, &secrets);
        assert_eq!(clean("key=hunter22!"), "key=[hidden]!");
        assert_eq!(clean("{\"key\":\"0123456789abcdef0123456789ABCDEF\"} x"), "[hidden] x");
        assert_eq!(clean("Authorization: Bearer abc.def"), "Authorization: Bearer [hidden]");
        assert_eq!(clean("token KGAT_1a2b3c"), "token [hidden]");
        assert_eq!(clean("at https://x.y/z?sig=1 now"), "at https://x.y/z?[hidden] now");
        let plain = "403 Client Error: Forbidden for url: https://api.kaggle.com/v1/x";
        assert_eq!(clean(plain), plain);
    }

    #[test]
    fn overwritten_lines_are_read_once() {
        let text = readable(b"  0%|\r 50%|\r100%|##\nDone\r\n\n");
        assert_eq!(text, "100%|##\nDone");
    }
}
