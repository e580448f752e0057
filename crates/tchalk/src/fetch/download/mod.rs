//! Files from the network.
//!
//! [`fetch`] brings one file into a folder, whatever happens on the way: it resumes what broke off,
//! tries again after a pause, goes on to a mirror, and lets only one process fetch. A file gets its
//! name only after all that was published about it fits, so what lies in the folder under its own
//! name is whole. Beside it may lie:
//!
//! | file | holds |
//! |---|---|
//! | `NAME.part` | what came so far; kept after a break, for the next call |
//! | `NAME.part.json` | from which address, and by what the server knows that version |
//! | `.NAME.lock` | nothing; locked by the process that fetches |
//! | `NAME.sha256` | where no sum was published: the sum of the first download |
//!
//! [`fetch_range`] reads a part of a file, and keeps nothing.

mod partial;
mod request;
#[cfg(test)]
pub(crate) mod server;
#[cfg(test)]
mod tests;

use self::partial::Partial;
use self::request::{Event, RequestError, ResponseHead};
use super::cache;
use super::checksum::{sha256_of, sha256_of_file};
use super::remote_file::RemoteFile;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::runtime::interrupt::{self, POLL_INTERVAL};
use crate::runtime::progress::{Progress, Unit};
use crate::text::bytes;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// However often a transfer makes headway and breaks again, some time it is enough.
const MAX_REQUESTS: usize = 40;

/// How long to wait for what.
#[derive(Clone)]
struct Timeouts {
    /// For any machine at all to be reached, over all addresses: without a network this is soon known.
    connect_budget: Duration,
    /// For an answer from a machine that was reached.
    answer: Duration,
    /// For the next piece.
    piece: Duration,
    /// Before another request to the same address; there are as many as pauses, and one more.
    pauses: Vec<Duration>,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect_budget: Duration::from_millis(1_800),
            answer: Duration::from_secs(30),
            piece: Duration::from_secs(30),
            pauses: [1, 3, 8].map(Duration::from_secs).to_vec(),
        }
    }
}

/// The file of `source`, in `folder`: the one that is there already, or else fetched now.
///
/// What is there is checked again, by the published numbers or by the sum of the first download. A
/// damaged file is removed and fetched anew.
///
/// # Errors
///
/// [`Error::Download`] if no address gave the file, with the reason for each, or if `TCHALK_OFFLINE`
/// forbids to ask; [`Error::Io`] if the folder cannot be written or the disk is full;
/// [`Error::Interrupted`] after the stop button. What came so far stays, for the next call.
pub(crate) fn fetch(source: &RemoteFile, folder: &Path) -> Result<PathBuf> {
    if let Some(path) = cached(source, folder)? {
        return Ok(path);
    }
    check_allowed(source)?;
    fetch_with(source, folder, &Timeouts::default())
}

/// The file of `source` in `folder`, if it is there and undamaged. Never asks the network.
pub(crate) fn cached(source: &RemoteFile, folder: &Path) -> Result<Option<PathBuf>> {
    let path = folder.join(source.name());
    if !path.is_file() {
        return Ok(None);
    }
    Ok(fault(source, &path)?.is_none().then_some(path))
}

/// Bytes `range` of the file of `source`, without the rest of it.
///
/// # Errors
///
/// As for [`fetch`]; also if no address serves parts of files.
pub(crate) fn fetch_range(source: &RemoteFile, range: Range<u64>) -> Result<Vec<u8>> {
    check_allowed(source)?;
    fetch_range_with(source, range, &Timeouts::default())
}

/// Refuses to ask the network where the reader has forbidden it.
fn check_allowed(source: &RemoteFile) -> Result<()> {
    if !cache::is_offline() {
        return Ok(());
    }
    let problem = format!("{} is set, so the network was not asked", cache::OFFLINE_VARIABLE);
    Err(Error::download(source.name(), problem, ""))
}

/// Keeps `bytes` in `folder` as the file of `source`, whole or not at all, with their sum for later
/// readings; where another process has kept them meanwhile, its file stays.
pub(crate) fn store(source: &RemoteFile, folder: &Path, bytes: &[u8]) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|error| write_error(folder, error))?;
    let _lock = lock(source, folder, &mut Progress::new(source.name(), Unit::Bytes))?;
    if let Some(path) = cached(source, folder)? {
        return Ok(path);
    }
    let path = folder.join(source.name());
    let full = |error| write_error(&path, error);
    std::fs::write(checksum_file(&path), checksum_line(source, &sha256_of(bytes))).map_err(full)?;
    write_atomically(&path, |file| file.write_all(bytes)).map_err(full)?;
    Ok(path)
}

/// What [`record`] holds.
fn checksum_line(source: &RemoteFile, sum: &str) -> String {
    format!("{sum}  {}\n", source.name())
}

fn fetch_with(source: &RemoteFile, folder: &Path, patience: &Timeouts) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|error| write_error(folder, error))?;
    let mut transfer = Transfer::new(source, patience);
    let _lock = lock(source, folder, &mut transfer.progress)?;
    // Another process may have fetched it meanwhile.
    if let Some(path) = cached(source, folder)? {
        return Ok(path);
    }
    let path = folder.join(source.name());
    if path.exists() {
        std::fs::remove_file(&path).map_err(|error| write_error(&path, error))?;
        let _ = std::fs::remove_file(checksum_file(&path));
    }
    let mut partial = Partial::open(&path).map_err(|error| write_error(&path, error))?;
    transfer.try_urls(|transfer, address| {
        transfer.download_file(address, &mut partial)?;
        transfer.verify_and_rename(&mut partial, &path)
    })?;
    let size = std::fs::metadata(&path).map_or(0, |data| data.len());
    transfer.progress.finish(&format!("fetched, {}", bytes(size)));
    Ok(path)
}

fn fetch_range_with(
    source: &RemoteFile,
    range: Range<u64>,
    patience: &Timeouts,
) -> Result<Vec<u8>> {
    let mut transfer = Transfer::new(source, patience);
    let mut part = Vec::new();
    if !range.is_empty() {
        transfer.try_urls(|transfer, address| {
            part = transfer.download_part(address, &range)?;
            Ok(())
        })?;
    }
    Ok(part)
}

/// Why an attempt ended.
enum AttemptError {
    /// Another request may succeed.
    Retry(String),
    /// This address is of no use.
    NextUrl(String),
    /// This machine cannot be reached.
    Unreachable(String),
    /// No address is of any use: the disk is full, or the reader pressed stop.
    Abort(Error),
}

/// What is under way for one file.
struct Transfer<'a> {
    remote: &'a RemoteFile,
    timeouts: &'a Timeouts,
    progress: Progress,
    /// How long may be spent on finding any machine.
    reach: Duration,
    /// How many bytes of the file are here, and how many there have been at most.
    received: u64,
    most_received: u64,
}

impl<'a> Transfer<'a> {
    fn new(remote: &'a RemoteFile, timeouts: &'a Timeouts) -> Transfer<'a> {
        let progress = Progress::new(remote.name(), Unit::Bytes);
        Transfer {
            remote,
            timeouts,
            progress,
            reach: timeouts.connect_budget,
            received: 0,
            most_received: 0,
        }
    }

    /// Tries one address after the other, each several times, until one attempt succeeds.
    fn try_urls(
        &mut self,
        mut attempt: impl FnMut(&mut Self, &str) -> Result<(), AttemptError>,
    ) -> Result<()> {
        let mut failures: Vec<(&String, String)> = Vec::new();
        let mut all_unreachable = true;
        for address in self.remote.urls() {
            let mut pauses = self.timeouts.pauses.iter();
            let mut requests = 0;
            let why = loop {
                let before = self.most_received;
                requests += 1;
                let why = match attempt(self, address) {
                    Ok(()) => return Ok(()),
                    Err(AttemptError::Abort(error)) => return Err(error),
                    Err(AttemptError::Unreachable(why)) => break why,
                    Err(AttemptError::NextUrl(why)) => {
                        all_unreachable = false;
                        break why;
                    }
                    Err(AttemptError::Retry(why)) => why,
                };
                all_unreachable = false;
                if self.most_received > before {
                    // There was headway: this address deserves all its attempts again.
                    pauses = self.timeouts.pauses.iter();
                }
                match pauses.next() {
                    Some(pause) if requests < MAX_REQUESTS => {
                        self.progress.note(&format!("{why}; trying again"));
                        self.sleep(*pause)?;
                        self.progress.restart_rate();
                    }
                    _ => break why,
                }
            };
            failures.push((address, why));
        }
        let (problem, hint) = if all_unreachable {
            let reasons: Vec<String> = failures.into_iter().map(|(_, why)| why).collect();
            let problem = format!("the network could not be reached: {}", reasons.join("; "));
            (problem, "Check the connection to the network, then run this again.")
        } else {
            let lines = failures.iter().map(|(address, why)| format!("{address} – {why}"));
            let lines = lines.collect::<Vec<_>>().join("; ");
            let hint = "Run this again: what came so far is kept. Or put the file there by hand.";
            (format!("no address gave the file: {lines}"), hint)
        };
        Err(Error::download(self.remote.name(), problem, hint))
    }

    /// Sends a request and waits for the first lines of its answer.
    fn send_request(
        &mut self,
        address: &str,
        range: Option<(u64, Option<u64>)>,
        validator: Option<&str>,
    ) -> Result<(ResponseHead, Receiver<Event>), AttemptError> {
        let events = request::send(address, range, validator);
        // Half of what is left, so that every address has its turn and the sum stays bounded.
        let (begun, allowance) = (Instant::now(), self.reach / 2);
        match self.next(&events, allowance) {
            Ok(Event::Connected) => self.reach = self.timeouts.connect_budget,
            Ok(event) => {
                self.reach = self.reach.saturating_sub(begun.elapsed());
                return Err(event_error(event));
            }
            Err(AttemptError::Retry(_)) => {
                self.reach = self.reach.saturating_sub(begun.elapsed());
                let host = address.split('/').nth(2).unwrap_or(address);
                return Err(AttemptError::Unreachable(format!("{host} does not answer")));
            }
            Err(stop) => return Err(stop),
        }
        match self.next(&events, self.timeouts.answer)? {
            Event::Head(head) => Ok((head, events)),
            event => Err(event_error(event)),
        }
    }

    /// The next event, unless the reader presses stop or it takes too long.
    fn next(&self, events: &Receiver<Event>, limit: Duration) -> Result<Event, AttemptError> {
        let begun = Instant::now();
        loop {
            self.check_interrupt().map_err(AttemptError::Abort)?;
            match events.recv_timeout(POLL_INTERVAL) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(AttemptError::Retry("the connection broke".into()));
                }
                Err(RecvTimeoutError::Timeout) if begun.elapsed() >= limit => {
                    let why = format!("nothing came for {:.0} s", limit.as_secs_f64());
                    return Err(AttemptError::Retry(why));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Whether the reader pressed stop.
    fn check_interrupt(&self) -> Result<()> {
        if !interrupt::requested() {
            return Ok(());
        }
        let kept = match self.received {
            0 => String::new(),
            have => format!(" ({} are kept, for the next time)", bytes(have)),
        };
        Err(Error::Interrupted { op: format!("fetching {}{kept}", self.remote.name()) })
    }

    fn sleep(&self, pause: Duration) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < pause {
            self.check_interrupt()?;
            std::thread::sleep(POLL_INTERVAL.min(pause));
        }
        Ok(())
    }

    /// Fetches what is missing of the file.
    fn download_file(&mut self, address: &str, partial: &mut Partial) -> Result<(), AttemptError> {
        let full = |error| AttemptError::Abort(write_error(partial.path(), error));
        self.received = partial.length().map_err(full)?;
        if self.received > 0 && self.remote.published_size() == Some(self.received) {
            return Ok(()); // Only the check was missing.
        }
        let validator = partial.validator(address);
        // A published sum will tell whether the parts fit together; without one, the server has to.
        let resume = self.received > 0 && (validator.is_some() || self.remote.has_checksum());
        let rest = resume.then_some((self.received, None));
        let (head, events) = self.send_request(address, rest, validator.as_deref())?;
        let (start, total) = match head.status {
            206 if resume && head.range.is_some_and(|(first, _)| first == self.received) => {
                (self.received, head.range.and_then(|(_, total)| total))
            }
            200 => (0, head.length),
            206 | 416 => {
                partial
                    .discard()
                    .map_err(|error| AttemptError::Abort(write_error(partial.path(), error)))?;
                let why = "what was kept of the file does not fit it any more; starting over";
                return Err(AttemptError::Retry(why.into()));
            }
            status => return Err(status_error(status)),
        };
        if head.is_page {
            return Err(AttemptError::NextUrl("a web page came in place of the file".into()));
        }
        self.check_size(total)?;
        if total.is_some_and(|total| total > self.remote.max_size()) {
            return Err(AttemptError::NextUrl("it is larger than any file of this kind".into()));
        }
        let path = partial.path().to_owned();
        let full = |error| AttemptError::Abort(write_error(&path, error));
        partial.begin(address, head.validator.as_deref(), start).map_err(full)?;
        self.received = start;
        loop {
            match self.next(&events, self.timeouts.piece)? {
                Event::Bytes(piece) => {
                    self.received += piece.len() as u64;
                    if self.received > total.unwrap_or(self.remote.max_size()) {
                        partial.discard().map_err(full)?;
                        return Err(AttemptError::NextUrl(
                            "more comes than the file can hold".into(),
                        ));
                    }
                    partial.write(&piece).map_err(full)?;
                    self.most_received = self.most_received.max(self.received);
                    self.progress.set_total(total.or(self.remote.published_size()));
                    self.progress.done(self.received as usize);
                }
                Event::End if total.is_none_or(|total| total == self.received) => return Ok(()),
                Event::End => {
                    let why = format!("it broke off after {}", bytes(self.received));
                    return Err(AttemptError::Retry(why));
                }
                event => return Err(event_error(event)),
            }
        }
    }

    /// Checks what came, and gives it its name.
    fn verify_and_rename(
        &mut self,
        partial: &mut Partial,
        path: &Path,
    ) -> Result<(), AttemptError> {
        let full = |error| AttemptError::Abort(write_error(path, error));
        partial.sync().map_err(full)?;
        if let Some(fault) = self.remote.mismatch(partial.path()).map_err(AttemptError::Abort)? {
            let resumed = partial.is_resumed();
            partial.discard().map_err(full)?;
            let why = format!("what came is not the file: {fault}");
            // Parts of two versions may have been put together: once more, from the beginning.
            return Err(if resumed {
                AttemptError::Retry(why)
            } else {
                AttemptError::NextUrl(why)
            });
        }
        if !self.remote.has_checksum() {
            let sum = sha256_of_file(partial.path()).map_err(AttemptError::Abort)?;
            std::fs::write(checksum_file(path), checksum_line(self.remote, &sum)).map_err(full)?;
        }
        partial.rename(path).map_err(full)
    }

    /// Whether the file there is as long as was published.
    fn check_size(&self, total: Option<u64>) -> Result<(), AttemptError> {
        match (total, self.remote.published_size()) {
            (Some(total), Some(size)) if total != size => {
                let why = format!("the file there has {total} bytes, published are {size}");
                Err(AttemptError::NextUrl(why))
            }
            _ => Ok(()),
        }
    }

    /// A part of the file.
    fn download_part(
        &mut self,
        address: &str,
        range: &Range<u64>,
    ) -> Result<Vec<u8>, AttemptError> {
        let (head, events) =
            self.send_request(address, Some((range.start, Some(range.end - 1))), None)?;
        match (head.status, head.range) {
            (206, Some((first, total))) if first == range.start => self.check_size(total)?,
            (200 | 206, _) => {
                return Err(AttemptError::NextUrl("it does not serve parts of files".into()));
            }
            (416, _) => return Err(AttemptError::NextUrl("the file there is shorter".into())),
            (status, _) => return Err(status_error(status)),
        }
        let wanted = range.end - range.start;
        let mut part = Vec::new();
        loop {
            match self.next(&events, self.timeouts.piece)? {
                Event::Bytes(piece) => {
                    part.extend_from_slice(&piece);
                    if part.len() as u64 > wanted {
                        return Err(AttemptError::NextUrl("more comes than was asked for".into()));
                    }
                    self.progress.set_total(Some(wanted));
                    self.progress.done(part.len());
                }
                Event::End if part.len() as u64 == wanted => return Ok(part),
                Event::End => return Err(AttemptError::Retry("it broke off".into())),
                event => return Err(event_error(event)),
            }
        }
    }
}

/// What a status other than success means.
fn status_error(status: u16) -> AttemptError {
    let reason = ureq::http::StatusCode::from_u16(status).ok();
    let reason = reason.and_then(|status| status.canonical_reason()).unwrap_or("no success");
    let why = format!("the server answers {status} ({reason})");
    match status {
        408 | 425 | 429 | 500..600 => AttemptError::Retry(why),
        _ => AttemptError::NextUrl(why),
    }
}

/// What an event means that is not the one to come now.
fn event_error(event: Event) -> AttemptError {
    match event {
        Event::Failed(RequestError::Unreachable(why)) => AttemptError::Unreachable(why),
        Event::Failed(RequestError::Broken(why)) => AttemptError::Retry(why),
        Event::Failed(RequestError::Final(why)) => AttemptError::NextUrl(why),
        _ => AttemptError::Retry("the connection broke".into()),
    }
}

/// What is wrong with a file that has its name already; `None` if nothing is.
fn fault(source: &RemoteFile, path: &Path) -> Result<Option<String>> {
    if let Some(fault) = source.mismatch(path)? {
        return Ok(Some(fault));
    }
    if source.has_checksum() {
        return Ok(None);
    }
    let Ok(line) = std::fs::read_to_string(checksum_file(path)) else {
        return Ok(None); // Put there by hand.
    };
    let (expected, found) = (line.split_whitespace().next().unwrap_or(""), sha256_of_file(path)?);
    Ok((expected != found).then(|| format!("its SHA-256 is {found}, at first it was {expected}")))
}

/// Where the sum of the first download is.
fn checksum_file(path: &Path) -> PathBuf {
    sibling(path, "", ".sha256")
}

/// `path` with something before and after its name.
fn sibling(path: &Path, before: &str, after: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{before}{name}{after}"))
}

/// Waits until no other process fetches this file. The lock ends with the process that has it.
fn lock(source: &RemoteFile, folder: &Path, progress: &mut Progress) -> Result<Option<File>> {
    let path = sibling(&folder.join(source.name()), ".", ".lock");
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| write_error(&path, error))?;
    let (begun, mut told) = (Instant::now(), false);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {}
            // Some network drives have no locks: the rename at the end is still all or nothing.
            Err(TryLockError::Error(_)) => return Ok(None),
        }
        interrupt::check(&format!("waiting for {}, which another process fetches", source.name()))?;
        if !told && begun.elapsed() > Duration::from_secs(1) {
            told = true;
            progress.note("another notebook is fetching it; waiting");
        }
        std::thread::sleep(2 * POLL_INTERVAL);
    }
}

/// The system's refusal to write, with what to do about it.
fn write_error(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind;
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "The disk is full: make room and run this again, or set TCHALK_HOME to a larger disk."
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "Downloads cannot be kept there: set TCHALK_HOME to a folder you may write to."
        }
        _ => "Downloads are kept in this folder; TCHALK_HOME names another one.",
    };
    Error::io(path, error, hint)
}
