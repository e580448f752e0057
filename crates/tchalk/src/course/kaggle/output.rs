//! A program that is run and watched: what it prints comes back without secrets, and the stop button
//! ends it.

use crate::error::{Error, Result};
use crate::runtime::interrupt::{self, GLANCE};
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Of more text only the end is kept.
const MOST_BYTES: usize = 1 << 16;
/// How long to wait for the last words of a program that has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How a program ended, and what it printed, without secrets.
pub(super) struct Output {
    pub(super) ended: Ended,
    /// Its answer, on standard output.
    pub(super) answer: String,
    /// Its complaints and its progress, on standard error.
    pub(super) complaint: String,
}

impl Output {
    /// Everything it printed.
    pub(super) fn text(&self) -> String {
        let parts = [self.answer.as_str(), self.complaint.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

/// What came so far on the two streams.
#[derive(Default)]
struct Printed([Vec<u8>; 2]);

/// How a program ended.
pub(super) enum Ended {
    /// By itself.
    With(ExitStatus),
    /// By us, because nothing came of it for this long.
    Silent(Duration),
}

/// Runs `command` to its end. `glance` is asked all the time how much has been done; a program that
/// neither prints nor does anything for as long as `patience` is ended.
pub(super) fn run(
    op: &str,
    mut command: Command,
    secrets: &[String],
    patience: Duration,
    mut glance: impl FnMut() -> u64,
) -> Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What it starts itself is ended with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let program = command.get_program().to_owned();
    let child = command.spawn().map_err(|error| {
        let hint = "This should be Kaggle's client: pip install kaggle";
        Error::io(program, error, hint)
    })?;
    let mut running = Running { child, ended: None };
    let (sender, pieces) = channel();
    if let (Some(out), Some(err)) = (running.child.stdout.take(), running.child.stderr.take()) {
        listen(0, out, sender.clone());
        listen(1, err, sender);
    }
    let (mut printed, mut done, mut heard) = (Printed::default(), 0, Instant::now());
    loop {
        if printed.collect(&pieces) {
            heard = Instant::now();
        }
        let now = glance();
        if now != done {
            (done, heard) = (now, Instant::now());
        }
        if let Some(status) = running.child.try_wait().unwrap_or(None) {
            running.ended = Some(status);
            break;
        }
        // The program ends with `running`, whichever way this is left.
        interrupt::check(op)?;
        if heard.elapsed() > patience {
            return Ok(printed.output(Ended::Silent(patience), secrets));
        }
        std::thread::sleep(GLANCE);
    }
    // Both streams end with the program, unless it has left somebody behind.
    let begun = Instant::now();
    while begun.elapsed() < LAST_WORDS {
        match pieces.recv_timeout(GLANCE) {
            Ok((stream, piece)) => printed.0[stream].extend(piece),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    let ended = Ended::With(running.ended.expect("it has ended"));
    Ok(printed.output(ended, secrets))
}

/// A program that does not outlive the one who waits for it.
struct Running {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended.is_some() {
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

fn listen(number: usize, mut stream: impl Read + Send + 'static, sender: Sender<(usize, Vec<u8>)>) {
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            if sender.send((number, piece[..count].to_vec())).is_err() {
                break;
            }
        }
    });
}

impl Printed {
    /// Takes what has come; whether anything has.
    fn collect(&mut self, pieces: &Receiver<(usize, Vec<u8>)>) -> bool {
        let mut any = false;
        while let Ok((stream, piece)) = pieces.try_recv() {
            self.0[stream].extend(piece);
            any = true;
        }
        for bytes in self.0.iter_mut().filter(|bytes| bytes.len() > 2 * MOST_BYTES) {
            // Cut at the end of a line: a secret that is cut in two would not be known.
            let from = bytes.len() - MOST_BYTES;
            let line = bytes[from..].iter().position(|&byte| byte == b'\n');
            bytes.drain(..line.map_or(bytes.len(), |end| from + end + 1));
        }
        any
    }

    fn output(&self, ended: Ended, secrets: &[String]) -> Output {
        let [answer, complaint] =
            [0, 1].map(|stream| without_secrets(&readable(&self.0[stream]), secrets));
        Output { ended, answer, complaint }
    }
}

/// The text as it would stand on a terminal: of lines that were written over, the last form.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(|line| line.trim_end_matches('\r'));
    let lines = lines.map(|line| line.rsplit('\r').next().unwrap_or(line).trim_end());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The text without what must not be shown: known secrets, whatever looks like a token or a key, what
/// follows `Bearer` or `Basic`, and the tail of addresses, in which signatures stand.
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
            if hidden && !bare.is_empty() || looks_secret(word) {
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

/// A token's beginning, or as many hexadecimal digits as a key has, anywhere in the word.
fn looks_secret(word: &str) -> bool {
    let mut pieces = word.split(|c: char| !c.is_ascii_alphanumeric());
    word.contains("KGAT_")
        || pieces.any(|piece| piece.len() >= 32 && piece.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_pass() {
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
    fn lines_that_were_written_over_are_read_once() {
        let text = readable(b"  0%|\r 50%|\r100%|##\nDone\r\n\n");
        assert_eq!(text, "100%|##\nDone");
    }
}
