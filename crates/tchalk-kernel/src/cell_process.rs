//! The process in which a notebook's cells run.
//!
//! Evcxr starts this program again for it and talks to it over its standard streams. Before Evcxr's
//! own loop begins, both streams are led through a thread that tells the kernel what Evcxr keeps to
//! itself (that a cell panicked, that a `?` met an error), passes on text that has no newline yet,
//! and marks the end of each cell on both streams, so that nothing is mixed up or left behind.

use crate::marker::Marker;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const IS_CELL_PROCESS: &str = "EVCXR_IS_RUNTIME";
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

/// Becomes the cell process, or the compiler wrapper, if Evcxr started this program as one; returns
/// otherwise.
pub fn enter_if_asked() {
    if std::env::var_os(IS_CELL_PROCESS).is_some() {
        die_with_parent();
        ignore_signals();
        if let Err(error) = relay_streams() {
            eprintln!("the kernel cannot follow the cell's output: {error}");
        }
    }
    evcxr::runtime_hook();
}

/// A cell that loops for ever must not outlive a kernel that was killed.
fn die_with_parent() {
    #[cfg(target_os = "linux")]
    // SAFETY: prctl with PR_SET_PDEATHSIG takes one integer and touches no memory of ours.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
    #[cfg(not(target_os = "linux"))]
    std::thread::spawn(|| {
        // SAFETY: getppid has no preconditions.
        let parent = unsafe { libc::getppid() };
        loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
            // SAFETY: as above; the parent's number changes when it dies.
            if unsafe { libc::getppid() } != parent {
                std::process::exit(1);
            }
        }
    });
}

/// The stop button sends SIGINT, and a new cell SIGUSR1. Until the library has put its own handlers in
/// place there is nothing to interrupt gently, and the default would end the process and lose every
/// variable.
fn ignore_signals() {
    // SAFETY: SIG_IGN is a valid disposition for both.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_IGN);
        libc::signal(libc::SIGUSR1, libc::SIG_IGN);
    }
}

/// Replaces standard output and error by pipes and starts the thread that reads them.
fn relay_streams() -> io::Result<()> {
    let out = Relay::replace(libc::STDOUT_FILENO)?;
    let err = Relay::replace(libc::STDERR_FILENO)?;
    std::thread::Builder::new().name("relay".into()).spawn(move || {
        // The kernel is gone: nobody reads what the cells print any more.
        if run(out, err).is_err() {
            std::process::exit(0);
        }
    })?;
    Ok(())
}

/// One stream: the pipe that cells write to, and the kernel's end.
struct Relay {
    from: File,
    to: File,
    /// What came since the last newline.
    line: Vec<u8>,
    /// How much of `line` was already passed on as partial text.
    passed: usize,
    open: bool,
}

impl Relay {
    fn replace(stream: i32) -> io::Result<Relay> {
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

    /// Passes on text that has waited for its newline.
    fn pass_partial(&mut self) -> io::Result<()> {
        // A character may be cut in the middle: keep its first bytes for later.
        let complete = match std::str::from_utf8(&self.line[self.passed..]) {
            Ok(_) => self.line.len(),
            Err(error) => self.passed + error.valid_up_to(),
        };
        if complete > self.passed {
            let text = String::from_utf8_lossy(&self.line[self.passed..complete]).into_owned();
            write_line(&mut self.to, &Marker::Partial { text }.line())?;
            self.passed = complete;
        }
        Ok(())
    }
}

fn write_line(to: &mut File, line: &str) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    to.write_all(&bytes)
}

/// Follows both streams until the cell process closes them.
fn run(mut out: Relay, mut err: Relay) -> io::Result<()> {
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
            if !in_block && !FOR_THE_KERNEL.iter().any(|mark| out.line.starts_with(mark)) {
                out.pass_partial()?;
            }
            err.pass_partial()?;
            continue;
        }
        if polls[1].revents != 0 {
            pass_errors(&mut err)?;
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
                        finish_errors(&mut err, cells)?;
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
        }
    }
    Ok(())
}

/// Passes on the text before a line that is meant for the kernel, and returns that line.
fn split_text<'a>(line: &'a [u8], to: &mut File) -> io::Result<&'a [u8]> {
    let starts = |mark: &&[u8]| line.windows(mark.len()).position(|window| window == *mark);
    match FOR_THE_KERNEL.iter().filter_map(starts).min() {
        None | Some(0) => Ok(line),
        Some(at) => {
            let text = String::from_utf8_lossy(&line[..at]).into_owned();
            write_line(to, &Marker::Partial { text }.line())?;
            Ok(&line[at..])
        }
    }
}

fn pass_errors(err: &mut Relay) -> io::Result<()> {
    for line in err.read()? {
        write_line(&mut err.to, &String::from_utf8_lossy(&line))?;
    }
    Ok(())
}

/// Passes on all that the finished cell wrote on standard error, and marks the end.
fn finish_errors(err: &mut Relay, cell: u64) -> io::Result<()> {
    while err.open && err.ready() {
        pass_errors(err)?;
    }
    err.pass_partial()?;
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
        run(out, err).unwrap();
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
}
