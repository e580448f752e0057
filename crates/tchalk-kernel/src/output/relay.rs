//! A thread of the cell process that reads what the cells write, before Evcxr does.
//!
//! It tells the kernel what Evcxr does not pass on: that a cell panicked, or that a `?` met an error. It
//! passes on text that has no newline yet, and marks the end of each cell on both streams, so that the
//! output of two cells is never mixed up.

use crate::output::marker::{self, Marker};
use crate::output::stream::Stream;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Lines by which Evcxr's generated code and its loop report to the parent.
const USER_ERROR: &[u8] = b"EVCXR_ERROR_OCCURRED";
const PANIC: &[u8] = b"EVCXR_PANIC_NOTIFICATION";
const COMPLETE: &[u8] = b"EVCXR_EXECUTION_COMPLETE";
const BLOCK_BEGINS: &[u8] = b"EVCXR_BEGIN_CONTENT";
const BLOCK_ENDS: &[u8] = b"EVCXR_END_CONTENT";
/// How a line for the kernel or for Evcxr begins, also where it follows text without a newline.
const KERNEL_PREFIXES: [&[u8]; 2] = [b"EVCXR_", marker::PREFIX.as_bytes()];
/// Text without a newline is passed on after this long.
const PARTIAL_AFTER_MS: i32 = 100;
/// Text without a newline that is longer than this is passed on at once.
const MAX_LINE: usize = 1 << 16;

/// One stream: the pipe that cells write to, and the kernel's end.
pub struct Relay {
    from: File,
    to: File,
    /// What was read since the last newline.
    line: Vec<u8>,
    /// How much of `line` was already passed on as partial text.
    passed: usize,
    open: bool,
}

impl Relay {
    /// Replaces `stream` by a pipe.
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

    /// Reads what is available, and returns the lines that are now complete, without the part that was
    /// passed on.
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

    /// Passes on text that has no newline yet, up to byte `end` of the line.
    fn pass_partial(&mut self, end: usize) -> io::Result<()> {
        match self.take_partial(end) {
            Some(text) => write_line(&mut self.to, &Marker::text(text).line()),
            None => Ok(()),
        }
    }

    /// The text up to byte `end` of the line that was not passed on before.
    fn take_partial(&mut self, end: usize) -> Option<String> {
        let waiting = self.line.get(self.passed..end)?;
        // A character may be incomplete: its first bytes are kept for later.
        let complete = match std::str::from_utf8(waiting) {
            Err(error) if error.error_len().is_none() => self.passed + error.valid_up_to(),
            _ => end,
        };
        if complete <= self.passed {
            return None;
        }
        let text = String::from_utf8_lossy(&self.line[self.passed..complete]).into_owned();
        self.passed = complete;
        Some(text)
    }

    /// Keeps none of the text that was passed on: a cell may never write a newline.
    fn forget_passed(&mut self) {
        self.line.drain(..std::mem::take(&mut self.passed));
    }
}

/// How much of `line` is text for the reader: it ends where a part for the kernel begins, or may begin.
fn text_length(line: &[u8]) -> usize {
    kernel_part(line).unwrap_or_else(|| {
        let longest = KERNEL_PREFIXES.iter().map(|prefix| prefix.len() - 1).max().unwrap_or(0);
        let may_begin =
            |at: &usize| KERNEL_PREFIXES.iter().any(|prefix| prefix.starts_with(&line[*at..]));
        (line.len().saturating_sub(longest)..line.len()).find(may_begin).unwrap_or(line.len())
    })
}

/// Where in `line` a part for the kernel or for Evcxr begins.
fn kernel_part(line: &[u8]) -> Option<usize> {
    let begins = |prefix: &&[u8]| line.windows(prefix.len()).position(|window| window == *prefix);
    KERNEL_PREFIXES.iter().filter_map(begins).min()
}

fn write_line(to: &mut File, line: &str) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    to.write_all(&bytes)
}

/// Both streams of the cell process, until it closes them.
pub struct OutputRelay {
    out: Relay,
    err: Relay,
    /// The thread that runs the cells, by the number that a panic's report has for it.
    main_thread: u64,
    cells: u64,
    /// A cell is running. Evcxr reads standard output only then.
    running: bool,
    /// Between the lines that begin and end a value's content.
    in_block: bool,
}

impl OutputRelay {
    pub fn new(out: Relay, err: Relay, main_thread: u64) -> OutputRelay {
        OutputRelay { out, err, main_thread, cells: 0, running: false, in_block: false }
    }

    /// Passes on what the cells write until the process ends.
    pub fn run(mut self) -> io::Result<()> {
        while self.out.open {
            let Some([out_ready, err_ready]) = self.wait() else {
                self.pass_waiting_output()?;
                self.err.pass_partial(self.err.line.len())?;
                continue;
            };
            if err_ready {
                self.pass_errors()?;
            }
            if out_ready {
                for line in self.out.read()? {
                    self.pass_output(&line)?;
                }
                if self.out.line.len() > MAX_LINE && !self.in_block {
                    self.pass_partial_output(text_length(&self.out.line))?;
                    self.out.forget_passed();
                }
            }
        }
        // The process ends, within a cell or after the last one.
        self.pass_waiting_output()?;
        self.pass_all_errors()
    }

    /// Waits until one of the streams can be read, and says which; `None` when text without a newline
    /// has waited long enough.
    fn wait(&self) -> Option<[bool; 2]> {
        let relays = [&self.out, &self.err];
        let has_partial = relays.iter().any(|relay| relay.line.len() > relay.passed);
        let timeout = if has_partial { PARTIAL_AFTER_MS } else { -1 };
        let mut polls = relays.map(|relay| libc::pollfd {
            fd: if relay.open { relay.from.as_raw_fd() } else { -1 },
            events: libc::POLLIN,
            revents: 0,
        });
        // SAFETY: two valid pollfds; a negative descriptor is ignored.
        let count = unsafe { libc::poll(polls.as_mut_ptr(), 2, timeout) };
        (count != 0).then(|| polls.map(|poll| poll.revents != 0))
    }

    /// Passes on text that has no newline yet.
    fn pass_waiting_output(&mut self) -> io::Result<()> {
        let line = &self.out.line;
        let end = kernel_part(line).unwrap_or(line.len());
        if self.in_block { Ok(()) } else { self.pass_partial_output(end) }
    }

    fn pass_partial_output(&mut self, end: usize) -> io::Result<()> {
        if self.running {
            return self.out.pass_partial(end);
        }
        self.out.take_partial(end).map_or(Ok(()), |text| self.pass_aside(text))
    }

    /// Passes on what a thread has printed on standard output while no cell runs, when nobody reads there.
    fn pass_aside(&mut self, text: String) -> io::Result<()> {
        let marker = Marker::Text { text, stream: Some(Stream::Out) };
        write_line(&mut self.err.to, &marker.line())
    }

    /// Passes on a line that was printed while no cell runs, unless it begins the next cell.
    fn pass_idle_line(&mut self, line: &[u8]) -> io::Result<()> {
        let (text, marker) = line.split_at(kernel_part(line).unwrap_or(line.len()));
        let (text, marker) = (String::from_utf8_lossy(text), String::from_utf8_lossy(marker));
        match Marker::parse(&marker) {
            Some(Marker::Begin) => {
                self.running = true;
                if text.is_empty() { Ok(()) } else { self.pass_aside(text.into_owned()) }
            }
            Some(_) => {
                if !text.is_empty() {
                    self.pass_aside(text.into_owned())?;
                }
                write_line(&mut self.err.to, &marker)
            }
            None => self.pass_aside(format!("{text}{marker}\n")),
        }
    }

    /// Passes on a line of standard output, with a marker before those by which Evcxr reports.
    fn pass_output(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.running {
            return self.pass_idle_line(line);
        }
        let line = if self.in_block { line } else { split_text(line, &mut self.out.to)? };
        match line {
            USER_ERROR => write_line(&mut self.out.to, &Marker::Error.line())?,
            PANIC => {
                self.in_block = false;
                write_line(&mut self.out.to, &Marker::Panic.line())?;
            }
            COMPLETE => self.finish_cell()?,
            _ if line.starts_with(BLOCK_BEGINS) => self.in_block = true,
            BLOCK_ENDS => self.in_block = false,
            _ => {}
        }
        write_line(&mut self.out.to, &String::from_utf8_lossy(line))
    }

    /// Marks the end of a cell on both streams, after all that it wrote on standard error.
    fn finish_cell(&mut self) -> io::Result<()> {
        self.cells += 1;
        self.running = false;
        self.pass_all_errors()?;
        self.err.line.clear();
        self.err.passed = 0;
        let done = Marker::Done { cell: self.cells }.line();
        write_line(&mut self.err.to, &done)?;
        // Evcxr runs a first cell of its own, whose output it reads line by line before anybody else.
        if self.cells > 1 { write_line(&mut self.out.to, &done) } else { Ok(()) }
    }

    /// Passes on lines of standard error, with a marker where a report of the cells' thread begins.
    fn pass_errors(&mut self) -> io::Result<()> {
        for line in self.err.read()? {
            let line = split_text(&line, &mut self.err.to)?;
            let text = String::from_utf8_lossy(line);
            match panic_in(&text, self.main_thread) {
                Some(at) => {
                    let report = split_text_at(text.as_bytes(), at, &mut self.err.to)?;
                    write_line(&mut self.err.to, &Marker::Report { location: None }.line())?;
                    write_line(&mut self.err.to, &String::from_utf8_lossy(report))?;
                }
                None => write_line(&mut self.err.to, &text)?,
            }
        }
        if self.err.line.len() > MAX_LINE {
            self.err.pass_partial(text_length(&self.err.line))?;
            self.err.forget_passed();
        }
        Ok(())
    }

    /// Passes on all that was written on standard error.
    fn pass_all_errors(&mut self) -> io::Result<()> {
        while self.err.open && self.err.ready() {
            self.pass_errors()?;
        }
        self.err.pass_partial(self.err.line.len())
    }
}

/// Passes on the text before a line that is for the kernel, and returns that line.
fn split_text<'a>(line: &'a [u8], to: &mut File) -> io::Result<&'a [u8]> {
    split_text_at(line, kernel_part(line).unwrap_or(0), to)
}

fn split_text_at<'a>(line: &'a [u8], at: usize, to: &mut File) -> io::Result<&'a [u8]> {
    let (text, rest) = line.split_at(at);
    if !text.is_empty() {
        let text = String::from_utf8_lossy(text).into_owned();
        write_line(to, &Marker::text(text).line())?;
    }
    Ok(rest)
}

/// Where in a line the report of a panic begins. The panic of another thread does not end the cell.
fn panic_in(line: &str, main_thread: u64) -> Option<usize> {
    let at = line.find("thread '")?;
    let (thread, _) = line[at..].split_once(" panicked at ")?;
    let id = thread.rsplit_once(" (").and_then(|(_, id)| id.strip_suffix(')')?.parse().ok());
    id.is_none_or(|id: u64| id == main_thread).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A relay that reads one pipe and writes into another, and the other ends of both.
    fn relay() -> (Relay, io::PipeWriter, io::PipeReader) {
        let (from, writer) = io::pipe().unwrap();
        let (reader, to) = io::pipe().unwrap();
        let relay = Relay {
            from: File::from(OwnedFd::from(from)),
            to: File::from(OwnedFd::from(to)),
            line: Vec::new(),
            passed: 0,
            open: true,
        };
        (relay, writer, reader)
    }

    /// What the relay passes on of both streams when a cell writes these.
    fn relayed(stdout: &str, stderr: &str) -> (String, String) {
        let (out, mut out_writer, mut out_reader) = relay();
        let (err, mut err_writer, mut err_reader) = relay();
        err_writer.write_all(stderr.as_bytes()).unwrap();
        write!(out_writer, "{}\n{stdout}", Marker::Begin.line()).unwrap();
        drop((out_writer, err_writer));
        OutputRelay::new(out, err, 12).run().unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        out_reader.read_to_string(&mut out).unwrap();
        err_reader.read_to_string(&mut err).unwrap();
        (out, err)
    }

    #[test]
    fn the_end_of_a_cell_is_marked_on_both_streams_after_its_output() {
        let begin = Marker::Begin.line();
        let cells = format!("EVCXR_EXECUTION_COMPLETE\n{begin}\none\nEVCXR_EXECUTION_COMPLETE\n");
        let (out, err) = relayed(&cells, "oops\n");
        let [first, second] = [1, 2].map(|cell| Marker::Done { cell }.line());
        assert_eq!(
            out,
            format!("EVCXR_EXECUTION_COMPLETE\none\n{second}\nEVCXR_EXECUTION_COMPLETE\n")
        );
        assert_eq!(err, format!("oops\n{first}\n{second}\n"));
    }

    #[test]
    fn text_between_cells_travels_on_standard_error() {
        let (begin, shown) = (Marker::Begin.line(), "\u{1}tchalk {\"kind\":\"clear\"}");
        let (out, err) = relayed(
            &format!("EVCXR_EXECUTION_COMPLETE\nearly\nhalf {shown}\n 50 %{begin}\nlate\n"),
            "",
        );
        assert_eq!(out, "EVCXR_EXECUTION_COMPLETE\nlate\n");
        let between =
            |text: &str| Marker::Text { text: text.to_owned(), stream: Some(Stream::Out) }.line();
        let done = Marker::Done { cell: 1 }.line();
        let lines = [done, between("early\n"), between("half "), shown.into(), between(" 50 %")];
        assert_eq!(err, lines.join("\n") + "\n");
    }

    #[test]
    fn text_without_a_newline_does_not_hide_the_end_of_a_cell() {
        let (out, _) = relayed("50 %EVCXR_EXECUTION_COMPLETE\n", "");
        let partial = Marker::text("50 %".into()).line();
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
    fn a_block_is_passed_on_unchanged() {
        let block = "EVCXR_BEGIN_CONTENT text/html\n<b>EVCXR_ERROR</b>\nEVCXR_END_CONTENT\n";
        assert_eq!(relayed(block, "").0, block);
    }

    #[test]
    fn a_report_is_marked_if_the_cell_itself_panics() {
        let report = format!("{}\n", Marker::Report { location: None }.line());
        let before = format!("{}\n", Marker::text("50 % ".into()).line());
        let own = "thread 'main' (12) panicked at src/lib.rs:1:1:\nboom\n";
        assert_eq!(relayed("", own).1, format!("{report}{own}"));
        assert_eq!(relayed("", &format!("50 % {own}")).1, format!("{before}{report}{own}"));
        let other = "thread '<unnamed>' (13) panicked at src/lib.rs:1:1:\nboom\n";
        assert_eq!(relayed("", other).1, other);
        let old = "thread 'main' panicked at src/lib.rs:1:1:\n";
        assert_eq!(relayed("", old).1, format!("{report}{old}"));
    }

    #[test]
    fn a_line_without_a_newline_is_passed_on_and_not_kept() {
        let (mut out, mut writer, mut reader) = relay();
        let writer = std::thread::spawn(move || writer.write_all(&b".".repeat(40 * MAX_LINE)));
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        while out.open {
            assert!(out.read().unwrap().is_empty());
            if out.line.len() > MAX_LINE {
                out.pass_partial(text_length(&out.line)).unwrap();
                out.forget_passed();
            }
            assert!(out.line.len() <= MAX_LINE, "{} bytes are kept", out.line.len());
        }
        writer.join().unwrap().unwrap();
        drop(out);
        let text = reader.join().unwrap().unwrap();
        let passed: usize = text
            .lines()
            .map(|line| match Marker::parse(line) {
                Some(Marker::Text { text, .. }) => text.len(),
                other => panic!("{other:?}"),
            })
            .sum();
        assert!(passed >= 39 * MAX_LINE, "{passed}");
    }

    #[test]
    fn text_ends_where_a_part_for_the_kernel_begins_or_may_begin() {
        let text_of =
            |line: &[u8]| String::from_utf8_lossy(&line[..text_length(line)]).into_owned();
        assert_eq!(text_of(b"50 %EVCXR_EXECUTION_COMPLETE"), "50 %");
        assert_eq!(text_of(b"50 %EVC"), "50 %");
        assert_eq!(text_of(b"50 %\x01tch"), "50 %");
        assert_eq!(text_of(b"EVEN"), "EVEN");
    }

    #[test]
    fn text_without_a_newline_is_passed_on_at_the_end() {
        let (out, err) = relayed("half a line", "half an error");
        assert_eq!(out, format!("{}\n", Marker::text("half a line".into()).line()));
        assert_eq!(err, format!("{}\n", Marker::text("half an error".into()).line()));
    }
}
