//! What the cells write, on its way to the kernel.
//!
//! Inside the cell process a thread reads both streams before Evcxr does. It tells the kernel what
//! Evcxr keeps to itself (that a cell panicked, that a `?` met an error), passes on text that has no
//! newline yet, and marks the end of each cell on both streams, so that nothing is mixed up or left
//! behind.

use crate::marker::Marker;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Lines by which Evcxr's generated code and its loop report to the parent.
const USER_ERROR: &[u8] = b"EVCXR_ERROR_OCCURRED";
const PANIC: &[u8] = b"EVCXR_PANIC_NOTIFICATION";
const COMPLETE: &[u8] = b"EVCXR_EXECUTION_COMPLETE";
const BLOCK_BEGINS: &[u8] = b"EVCXR_BEGIN_CONTENT";
const BLOCK_ENDS: &[u8] = b"EVCXR_END_CONTENT";
/// What a line for the kernel or for Evcxr begins with, also where it follows text without newline.
const FOR_THE_KERNEL: [&[u8]; 2] = [b"EVCXR_", b"\x01tchalk "];
/// Text without a newline is passed on after this long.
const PARTIAL_AFTER_MS: i32 = 100;
/// And so is text of this length.
const LONG: usize = 1 << 16;

/// One stream: the pipe that cells write to, and the kernel's end.
pub struct Relay {
    from: File,
    to: File,
    /// What came since the last newline.
    line: Vec<u8>,
    /// How much of `line` was already passed on as partial text.
    passed: usize,
    open: bool,
}

impl Relay {
    /// Puts a pipe in the place of `stream`.
    pub fn replace(stream: i32) -> io::Result<Relay> {
        let mut ends = [0; 2];
        // SAFETY: plain system calls on descriptors that this function owns; each result is checked.
        unsafe {
            let kept = libc::dup(stream);
            if kept < 0 || libc::pipe(ends.as_mut_ptr()) < 0 {
                return Err(io::Error::last_os_error());
            }
            for fd in [kept, ends[0]] {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            }
            let writer = OwnedFd::from_raw_fd(ends[1]);
            if libc::dup2(writer.as_raw_fd(), stream) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Relay {
                from: File::from_raw_fd(ends[0]),
                to: File::from_raw_fd(kept),
                line: Vec::new(),
                passed: 0,
                open: true,
            })
        }
    }

    /// Reads what is there, and returns the lines that are complete now, less what was passed on.
    fn read(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut buffer = [0; 1 << 16];
        let n = self.from.read(&mut buffer)?;
        self.open = n > 0;
        let mut lines = Vec::new();
        let mut rest = &buffer[..n];
        while let Some(end) = rest.iter().position(|&b| b == b'\n') {
            self.line.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            lines.push(self.line.split_off(std::mem::take(&mut self.passed)));
            self.line.clear();
        }
        self.line.extend_from_slice(rest);
        Ok(lines)
    }

    /// Whether there is more to read now.
    fn ready(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.from.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd, no waiting.
        unsafe { libc::poll(&mut poll, 1, 0) > 0 && poll.revents & libc::POLLIN != 0 }
    }

    /// Passes on text that has no newline yet, up to `end` of what came since the last one.
    fn pass_partial(&mut self, end: usize) -> io::Result<()> {
        let Some(waiting) = self.line.get(self.passed..end) else { return Ok(()) };
        // A character may be cut in the middle: keep its first bytes for later.
        let complete = match std::str::from_utf8(waiting) {
            Err(error) if error.error_len().is_none() => self.passed + error.valid_up_to(),
            _ => end,
        };
        if complete > self.passed {
            let text = String::from_utf8_lossy(&self.line[self.passed..complete]).into_owned();
            write_line(&mut self.to, &Marker::Partial { text }.line())?;
            self.passed = complete;
        }
        Ok(())
    }

    /// Passes on what is long already, and keeps none of it: a cell may never write a newline.
    fn pass_long(&mut self) -> io::Result<()> {
        if self.line.len() <= LONG {
            return Ok(());
        }
        self.pass_partial(text_before_mark(&self.line))?;
        self.line.drain(..std::mem::take(&mut self.passed));
        Ok(())
    }
}

/// How much of `line` is text for the reader: it ends where a mark begins, or may begin.
fn text_before_mark(line: &[u8]) -> usize {
    mark(line).unwrap_or_else(|| {
        let longest = FOR_THE_KERNEL.iter().map(|mark| mark.len() - 1).max().unwrap_or(0);
        let may_begin =
            |at: &usize| FOR_THE_KERNEL.iter().any(|mark| mark.starts_with(&line[*at..]));
        (line.len().saturating_sub(longest)..line.len()).find(may_begin).unwrap_or(line.len())
    })
}

/// Where in `line` something for the kernel begins.
fn mark(line: &[u8]) -> Option<usize> {
    let begins = |mark: &&[u8]| line.windows(mark.len()).position(|window| window == *mark);
    FOR_THE_KERNEL.iter().filter_map(begins).min()
}

fn write_line(to: &mut File, line: &str) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    to.write_all(&bytes)
}

/// Follows both streams until the cell process closes them; `main` is the thread that runs the cells,
/// and `begun` is called when a first cell has run.
pub fn run(mut out: Relay, mut err: Relay, main: u64, begun: fn()) -> io::Result<()> {
    let mut cells = 0;
    let mut in_block = false;
    while out.open {
        let unfinished = |relay: &Relay| relay.line.len() > relay.passed;
        let wait = if unfinished(&out) || unfinished(&err) { PARTIAL_AFTER_MS } else { -1 };
        let pollable = |relay: &Relay| libc::pollfd {
            fd: if relay.open { relay.from.as_raw_fd() } else { -1 },
            events: libc::POLLIN,
            revents: 0,
        };
        let mut polls = [pollable(&out), pollable(&err)];
        // SAFETY: two valid pollfds; a negative descriptor is ignored.
        if unsafe { libc::poll(polls.as_mut_ptr(), 2, wait) } == 0 {
            if !in_block {
                out.pass_partial(mark(&out.line).unwrap_or(out.line.len()))?;
            }
            err.pass_partial(err.line.len())?;
            continue;
        }
        if polls[1].revents != 0 {
            pass_errors(&mut err, main)?;
        }
        if polls[0].revents != 0 {
            for line in out.read()? {
                let line = if in_block { &line[..] } else { split_text(&line, &mut out.to)? };
                match line {
                    USER_ERROR => write_line(&mut out.to, &Marker::Error.line())?,
                    PANIC => {
                        in_block = false;
                        write_line(&mut out.to, &Marker::Panic.line())?;
                    }
                    COMPLETE => {
                        cells += 1;
                        if cells == 1 {
                            begun();
                        }
                        finish_errors(&mut err, cells, main)?;
                        // Evcxr runs a first cell of its own before anybody reads what it
                        // passes on, and waits until that has been read.
                        if cells > 1 {
                            write_line(&mut out.to, &Marker::Done { cell: cells }.line())?;
                        }
                    }
                    _ if line.starts_with(BLOCK_BEGINS) => in_block = true,
                    BLOCK_ENDS => in_block = false,
                    _ => {}
                }
                write_line(&mut out.to, &String::from_utf8_lossy(line))?;
            }
            if !in_block {
                out.pass_long()?;
            }
        }
    }
    // The process ends, within a cell or after the last.
    if !in_block {
        out.pass_partial(mark(&out.line).unwrap_or(out.line.len()))?;
    }
    pass_all_errors(&mut err, main)
}

/// Passes on the text before a line that is meant for the kernel, and returns that line.
fn split_text<'a>(line: &'a [u8], to: &mut File) -> io::Result<&'a [u8]> {
    let at = mark(line).unwrap_or(0);
    pass_before(line, at, to)
}

fn pass_before<'a>(line: &'a [u8], at: usize, to: &mut File) -> io::Result<&'a [u8]> {
    let (text, rest) = line.split_at(at);
    if !text.is_empty() {
        let text = String::from_utf8_lossy(text).into_owned();
        write_line(to, &Marker::Partial { text }.line())?;
    }
    Ok(rest)
}

/// Passes on lines of standard error, and marks where a report of the cells' own thread begins.
fn pass_errors(err: &mut Relay, main: u64) -> io::Result<()> {
    for line in err.read()? {
        let line = split_text(&line, &mut err.to)?;
        let text = String::from_utf8_lossy(line);
        match panic_in(&text, main) {
            Some(at) => {
                let report = pass_before(text.as_bytes(), at, &mut err.to)?;
                write_line(&mut err.to, &Marker::Report { place: None }.line())?;
                write_line(&mut err.to, &String::from_utf8_lossy(report))?;
            }
            None => write_line(&mut err.to, &text)?,
        }
    }
    err.pass_long()
}

/// Where in a line the report of a panic begins, if it was not another thread that panicked: that is
/// not the end of the cell.
fn panic_in(line: &str, main: u64) -> Option<usize> {
    let at = line.find("thread '")?;
    let (thread, _) = line[at..].split_once(" panicked at ")?;
    let id = thread.rsplit_once(" (").and_then(|(_, id)| id.strip_suffix(')')?.parse().ok());
    id.is_none_or(|id: u64| id == main).then_some(at)
}

/// Passes on all that was written on standard error.
fn pass_all_errors(err: &mut Relay, main: u64) -> io::Result<()> {
    while err.open && err.ready() {
        pass_errors(err, main)?;
    }
    err.pass_partial(err.line.len())
}

/// Passes on all that the finished cell wrote on standard error, and marks the end.
fn finish_errors(err: &mut Relay, cell: u64, main: u64) -> io::Result<()> {
    pass_all_errors(err, main)?;
    err.line.clear();
    err.passed = 0;
    write_line(&mut err.to, &Marker::Done { cell }.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A relay that reads one pipe and writes into another, and the far ends of both.
    fn relay() -> (Relay, io::PipeWriter, io::PipeReader) {
        let (from, feed) = io::pipe().unwrap();
        let (drain, to) = io::pipe().unwrap();
        let relay = Relay {
            from: File::from(OwnedFd::from(from)),
            to: File::from(OwnedFd::from(to)),
            line: Vec::new(),
            passed: 0,
            open: true,
        };
        (relay, feed, drain)
    }

    /// What comes out of both streams when a cell writes these.
    fn relayed(stdout: &str, stderr: &str) -> (String, String) {
        let (out, mut out_feed, mut out_drain) = relay();
        let (err, mut err_feed, mut err_drain) = relay();
        err_feed.write_all(stderr.as_bytes()).unwrap();
        out_feed.write_all(stdout.as_bytes()).unwrap();
        drop((out_feed, err_feed));
        run(out, err, 12, || {}).unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        out_drain.read_to_string(&mut out).unwrap();
        err_drain.read_to_string(&mut err).unwrap();
        (out, err)
    }

    #[test]
    fn the_end_of_a_cell_is_marked_on_both_streams_after_its_output() {
        let cells = "EVCXR_EXECUTION_COMPLETE\none\nEVCXR_EXECUTION_COMPLETE\n";
        let (out, err) = relayed(cells, "oops\n");
        let [first, second] = [1, 2].map(|cell| Marker::Done { cell }.line());
        assert_eq!(
            out,
            format!("EVCXR_EXECUTION_COMPLETE\none\n{second}\nEVCXR_EXECUTION_COMPLETE\n")
        );
        assert_eq!(err, format!("oops\n{first}\n{second}\n"));
    }

    #[test]
    fn text_without_a_newline_does_not_hide_the_end_of_a_cell() {
        let (out, _) = relayed("50 %EVCXR_EXECUTION_COMPLETE\n", "");
        let partial = Marker::Partial { text: "50 %".into() }.line();
        assert!(out.starts_with(&format!("{partial}\n")), "{out:?}");
        assert!(out.ends_with("\nEVCXR_EXECUTION_COMPLETE\n"), "{out:?}");
    }

    #[test]
    fn panics_and_errors_are_announced() {
        let (out, _) = relayed("EVCXR_ERROR_OCCURRED\nEVCXR_PANIC_NOTIFICATION\n", "");
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(Marker::parse(lines[0]), Some(Marker::Error));
        assert_eq!(Marker::parse(lines[2]), Some(Marker::Panic));
    }

    #[test]
    fn what_lies_inside_a_block_is_left_alone() {
        let block = "EVCXR_BEGIN_CONTENT text/html\n<b>EVCXR_ERROR</b>\nEVCXR_END_CONTENT\n";
        assert_eq!(relayed(block, "").0, block);
    }

    #[test]
    fn a_report_is_marked_if_the_cell_itself_panics() {
        let report = format!("{}\n", Marker::Report { place: None }.line());
        let before = format!("{}\n", Marker::Partial { text: "50 % ".into() }.line());
        let own = "thread 'main' (12) panicked at src/lib.rs:1:1:\nboom\n";
        assert_eq!(relayed("", own).1, format!("{report}{own}"));
        assert_eq!(relayed("", &format!("50 % {own}")).1, format!("{before}{report}{own}"));
        let other = "thread '<unnamed>' (13) panicked at src/lib.rs:1:1:\nboom\n";
        assert_eq!(relayed("", other).1, other);
        let old = "thread 'main' panicked at src/lib.rs:1:1:\n";
        assert_eq!(relayed("", old).1, format!("{report}{old}"));
    }

    #[test]
    fn a_line_without_end_is_passed_on_and_not_kept() {
        let (mut out, mut feed, mut drain) = relay();
        let writer = std::thread::spawn(move || feed.write_all(&b".".repeat(40 * LONG)));
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            drain.read_to_string(&mut text).map(|_| text)
        });
        while out.open {
            assert!(out.read().unwrap().is_empty());
            out.pass_long().unwrap();
            assert!(out.line.len() <= LONG, "{} bytes are kept", out.line.len());
        }
        writer.join().unwrap().unwrap();
        drop(out);
        let text = reader.join().unwrap().unwrap();
        let passed: usize = text
            .lines()
            .map(|line| match Marker::parse(line) {
                Some(Marker::Partial { text }) => text.len(),
                other => panic!("{other:?}"),
            })
            .sum();
        assert!(passed >= 39 * LONG, "{passed}");
    }

    #[test]
    fn long_text_ends_where_a_mark_begins_or_may_begin() {
        let text_of =
            |line: &[u8]| String::from_utf8_lossy(&line[..text_before_mark(line)]).into_owned();
        assert_eq!(text_of(b"50 %EVCXR_EXECUTION_COMPLETE"), "50 %");
        assert_eq!(text_of(b"50 %EVC"), "50 %");
        assert_eq!(text_of(b"50 %\x01tch"), "50 %");
        assert_eq!(text_of(b"EVEN"), "EVEN");
    }

    #[test]
    fn what_was_written_before_the_end_is_passed_on() {
        let (out, err) = relayed("half a line", "half an error");
        assert_eq!(out, format!("{}\n", Marker::Partial { text: "half a line".into() }.line()));
        assert_eq!(err, format!("{}\n", Marker::Partial { text: "half an error".into() }.line()));
    }
}
