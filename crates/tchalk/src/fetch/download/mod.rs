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
use self::request::{Event, Failure, Head};
use super::cache;
use super::checksum::{sha256_of, sha256_of_file};
use super::remote_file::Source;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::runtime::interrupt::{self, GLANCE};
use crate::runtime::progress::{Progress, Unit};
use crate::text::bytes;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// However often a transfer makes headway and breaks again, some time it is enough.
const MOST_REQUESTS: usize = 40;

/// How long to wait for what.
#[derive(Clone)]
struct Patience {
    /// For any machine at all to be reached, over all addresses: without a network this is soon known.
    reach: Duration,
    /// For an answer from a machine that was reached.
    answer: Duration,
    /// For the next piece.
    piece: Duration,
    /// Before another request to the same address; there are as many as pauses, and one more.
    pauses: Vec<Duration>,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            reach: Duration::from_millis(1_800),
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
pub(crate) fn fetch(source: &Source, folder: &Path) -> Result<PathBuf> {
    if let Some(path) = kept(source, folder)? {
        return Ok(path);
    }
    check_allowed(source)?;
    fetch_with(source, folder, &Patience::default())
}

/// The file of `source` in `folder`, if it is there and undamaged. Never asks the network.
pub(crate) fn kept(source: &Source, folder: &Path) -> Result<Option<PathBuf>> {
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
pub(crate) fn fetch_range(source: &Source, range: Range<u64>) -> Result<Vec<u8>> {
    check_allowed(source)?;
    fetch_range_with(source, range, &Patience::default())
}

/// Refuses to ask the network where the reader has forbidden it.
fn check_allowed(source: &Source) -> Result<()> {
    if !cache::is_offline() {
        return Ok(());
    }
    let problem = format!("{} is set, so the network was not asked", cache::OFFLINE);
    Err(Error::download(source.name(), problem, ""))
}

/// Keeps `bytes` in `folder` as the file of `source`, whole or not at all, with their sum for later
/// readings; where another process has kept them meanwhile, its file stays.
pub(crate) fn keep(source: &Source, folder: &Path, bytes: &[u8]) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|error| refused(folder, error))?;
    let _lock = lock(source, folder, &mut Progress::new(source.name(), Unit::Bytes))?;
    if let Some(path) = kept(source, folder)? {
        return Ok(path);
    }
    let path = folder.join(source.name());
    let full = |error| refused(&path, error);
    std::fs::write(record(&path), sum_line(source, &sha256_of(bytes))).map_err(full)?;
    write_atomically(&path, |file| file.write_all(bytes)).map_err(full)?;
    Ok(path)
}

/// What [`record`] holds.
fn sum_line(source: &Source, sum: &str) -> String {
    format!("{sum}  {}\n", source.name())
}

fn fetch_with(source: &Source, folder: &Path, patience: &Patience) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|error| refused(folder, error))?;
    let mut transfer = Transfer::new(source, patience);
    let _lock = lock(source, folder, &mut transfer.progress)?;
    // Another process may have fetched it meanwhile.
    if let Some(path) = kept(source, folder)? {
        return Ok(path);
    }
    let path = folder.join(source.name());
    if path.exists() {
        std::fs::remove_file(&path).map_err(|error| refused(&path, error))?;
        let _ = std::fs::remove_file(record(&path));
    }
    let mut partial = Partial::open(&path).map_err(|error| refused(&path, error))?;
    transfer.over_all_addresses(|transfer, address| {
        transfer.whole(address, &mut partial)?;
        transfer.accept(&mut partial, &path)
    })?;
    let size = std::fs::metadata(&path).map_or(0, |data| data.len());
    transfer.progress.finish(&format!("fetched, {}", bytes(size)));
    Ok(path)
}

fn fetch_range_with(source: &Source, range: Range<u64>, patience: &Patience) -> Result<Vec<u8>> {
    let mut transfer = Transfer::new(source, patience);
    let mut part = Vec::new();
    if !range.is_empty() {
        transfer.over_all_addresses(|transfer, address| {
            part = transfer.part(address, &range)?;
            Ok(())
        })?;
    }
    Ok(part)
}

/// Why an attempt ended.
enum Stop {
    /// Another request may succeed.
    Again(String),
    /// This address is of no use.
    Next(String),
    /// This machine cannot be reached.
    Unreachable(String),
    /// No address is of any use: the disk is full, or the reader pressed stop.
    Enough(Error),
}

/// What is under way for one file.
struct Transfer<'a> {
    source: &'a Source,
    patience: &'a Patience,
    progress: Progress,
    /// How long may be spent on finding any machine.
    reach: Duration,
    /// How many bytes of the file are here, and how many there have been at most.
    have: u64,
    most: u64,
}

impl<'a> Transfer<'a> {
    fn new(source: &'a Source, patience: &'a Patience) -> Transfer<'a> {
        let progress = Progress::new(source.name(), Unit::Bytes);
        Transfer { source, patience, progress, reach: patience.reach, have: 0, most: 0 }
    }

    /// Tries one address after the other, each several times, until one attempt succeeds.
    fn over_all_addresses(
        &mut self,
        mut attempt: impl FnMut(&mut Self, &str) -> Result<(), Stop>,
    ) -> Result<()> {
        let mut failures: Vec<(&String, String)> = Vec::new();
        let mut all_unreachable = true;
        for address in self.source.addresses() {
            let mut pauses = self.patience.pauses.iter();
            let mut requests = 0;
            let why = loop {
                let before = self.most;
                requests += 1;
                let why = match attempt(self, address) {
                    Ok(()) => return Ok(()),
                    Err(Stop::Enough(error)) => return Err(error),
                    Err(Stop::Unreachable(why)) => break why,
                    Err(Stop::Next(why)) => {
                        all_unreachable = false;
                        break why;
                    }
                    Err(Stop::Again(why)) => why,
                };
                all_unreachable = false;
                if self.most > before {
                    // There was headway: this address deserves all its attempts again.
                    pauses = self.patience.pauses.iter();
                }
                match pauses.next() {
                    Some(pause) if requests < MOST_REQUESTS => {
                        self.progress.note(&format!("{why}; trying again"));
                        self.sleep(*pause)?;
                        self.progress.start_over();
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
        Err(Error::download(self.source.name(), problem, hint))
    }

    /// Sends a request and waits for the first lines of its answer.
    fn ask(
        &mut self,
        address: &str,
        range: Option<(u64, Option<u64>)>,
        validator: Option<&str>,
    ) -> Result<(Head, Receiver<Event>), Stop> {
        let events = request::open(address, range, validator);
        // Half of what is left, so that every address has its turn and the sum stays bounded.
        let (begun, allowance) = (Instant::now(), self.reach / 2);
        match self.next(&events, allowance) {
            Ok(Event::Reached) => self.reach = self.patience.reach,
            Ok(event) => {
                self.reach = self.reach.saturating_sub(begun.elapsed());
                return Err(unexpected(event));
            }
            Err(Stop::Again(_)) => {
                self.reach = self.reach.saturating_sub(begun.elapsed());
                let host = address.split('/').nth(2).unwrap_or(address);
                return Err(Stop::Unreachable(format!("{host} does not answer")));
            }
            Err(stop) => return Err(stop),
        }
        match self.next(&events, self.patience.answer)? {
            Event::Head(head) => Ok((head, events)),
            event => Err(unexpected(event)),
        }
    }

    /// The next event, unless the reader presses stop or it takes too long.
    fn next(&self, events: &Receiver<Event>, limit: Duration) -> Result<Event, Stop> {
        let begun = Instant::now();
        loop {
            self.glance().map_err(Stop::Enough)?;
            match events.recv_timeout(GLANCE) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Stop::Again("the connection broke".into()));
                }
                Err(RecvTimeoutError::Timeout) if begun.elapsed() >= limit => {
                    let why = format!("nothing came for {:.0} s", limit.as_secs_f64());
                    return Err(Stop::Again(why));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Whether the reader pressed stop.
    fn glance(&self) -> Result<()> {
        if !interrupt::requested() {
            return Ok(());
        }
        let kept = match self.have {
            0 => String::new(),
            have => format!(" ({} are kept, for the next time)", bytes(have)),
        };
        Err(Error::Interrupted { op: format!("fetching {}{kept}", self.source.name()) })
    }

    fn sleep(&self, pause: Duration) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < pause {
            self.glance()?;
            std::thread::sleep(GLANCE.min(pause));
        }
        Ok(())
    }

    /// Fetches what is missing of the file.
    fn whole(&mut self, address: &str, partial: &mut Partial) -> Result<(), Stop> {
        let full = |error| Stop::Enough(refused(partial.path(), error));
        self.have = partial.length().map_err(full)?;
        if self.have > 0 && self.source.published_size() == Some(self.have) {
            return Ok(()); // Only the check was missing.
        }
        let validator = partial.validator(address);
        // A published sum will tell whether the parts fit together; without one, the server has to.
        let resume = self.have > 0 && (validator.is_some() || self.source.has_sum());
        let rest = resume.then_some((self.have, None));
        let (head, events) = self.ask(address, rest, validator.as_deref())?;
        let (start, total) = match head.status {
            206 if resume && head.range.is_some_and(|(first, _)| first == self.have) => {
                (self.have, head.range.and_then(|(_, total)| total))
            }
            200 => (0, head.length),
            206 | 416 => {
                partial.discard().map_err(|error| Stop::Enough(refused(partial.path(), error)))?;
                let why = "what was kept of the file does not fit it any more; starting over";
                return Err(Stop::Again(why.into()));
            }
            status => return Err(refusal(status)),
        };
        if head.is_page {
            return Err(Stop::Next("a web page came in place of the file".into()));
        }
        self.check_total(total)?;
        if total.is_some_and(|total| total > self.source.limit()) {
            return Err(Stop::Next("it is larger than any file of this kind".into()));
        }
        let path = partial.path().to_owned();
        let full = |error| Stop::Enough(refused(&path, error));
        partial.begin(address, head.validator.as_deref(), start).map_err(full)?;
        self.have = start;
        loop {
            match self.next(&events, self.patience.piece)? {
                Event::Bytes(piece) => {
                    self.have += piece.len() as u64;
                    if self.have > total.unwrap_or(self.source.limit()) {
                        partial.discard().map_err(full)?;
                        return Err(Stop::Next("more comes than the file can hold".into()));
                    }
                    partial.write(&piece).map_err(full)?;
                    self.most = self.most.max(self.have);
                    self.progress.set_total(total.or(self.source.published_size()));
                    self.progress.done(self.have as usize);
                }
                Event::End if total.is_none_or(|total| total == self.have) => return Ok(()),
                Event::End => {
                    let why = format!("it broke off after {}", bytes(self.have));
                    return Err(Stop::Again(why));
                }
                event => return Err(unexpected(event)),
            }
        }
    }

    /// Checks what came, and gives it its name.
    fn accept(&mut self, partial: &mut Partial, path: &Path) -> Result<(), Stop> {
        let full = |error| Stop::Enough(refused(path, error));
        partial.sync().map_err(full)?;
        if let Some(fault) = self.source.fault(partial.path()).map_err(Stop::Enough)? {
            let resumed = partial.was_resumed();
            partial.discard().map_err(full)?;
            let why = format!("what came is not the file: {fault}");
            // Parts of two versions may have been put together: once more, from the beginning.
            return Err(if resumed { Stop::Again(why) } else { Stop::Next(why) });
        }
        if !self.source.has_sum() {
            let sum = sha256_of_file(partial.path()).map_err(Stop::Enough)?;
            std::fs::write(record(path), sum_line(self.source, &sum)).map_err(full)?;
        }
        partial.rename(path).map_err(full)
    }

    /// Whether the file there is as long as was published.
    fn check_total(&self, total: Option<u64>) -> Result<(), Stop> {
        match (total, self.source.published_size()) {
            (Some(total), Some(size)) if total != size => {
                let why = format!("the file there has {total} bytes, published are {size}");
                Err(Stop::Next(why))
            }
            _ => Ok(()),
        }
    }

    /// A part of the file.
    fn part(&mut self, address: &str, range: &Range<u64>) -> Result<Vec<u8>, Stop> {
        let (head, events) = self.ask(address, Some((range.start, Some(range.end - 1))), None)?;
        match (head.status, head.range) {
            (206, Some((first, total))) if first == range.start => self.check_total(total)?,
            (200 | 206, _) => return Err(Stop::Next("it does not serve parts of files".into())),
            (416, _) => return Err(Stop::Next("the file there is shorter".into())),
            (status, _) => return Err(refusal(status)),
        }
        let wanted = range.end - range.start;
        let mut part = Vec::new();
        loop {
            match self.next(&events, self.patience.piece)? {
                Event::Bytes(piece) => {
                    part.extend_from_slice(&piece);
                    if part.len() as u64 > wanted {
                        return Err(Stop::Next("more comes than was asked for".into()));
                    }
                    self.progress.set_total(Some(wanted));
                    self.progress.done(part.len());
                }
                Event::End if part.len() as u64 == wanted => return Ok(part),
                Event::End => return Err(Stop::Again("it broke off".into())),
                event => return Err(unexpected(event)),
            }
        }
    }
}

/// What a status other than success means.
fn refusal(status: u16) -> Stop {
    let reason = ureq::http::StatusCode::from_u16(status).ok();
    let reason = reason.and_then(|status| status.canonical_reason()).unwrap_or("no success");
    let why = format!("the server answers {status} ({reason})");
    match status {
        408 | 425 | 429 | 500..600 => Stop::Again(why),
        _ => Stop::Next(why),
    }
}

/// What an event means that is not the one to come now.
fn unexpected(event: Event) -> Stop {
    match event {
        Event::Failed(Failure::Unreachable(why)) => Stop::Unreachable(why),
        Event::Failed(Failure::Broken(why)) => Stop::Again(why),
        Event::Failed(Failure::Final(why)) => Stop::Next(why),
        _ => Stop::Again("the connection broke".into()),
    }
}

/// What is wrong with a file that has its name already; `None` if nothing is.
fn fault(source: &Source, path: &Path) -> Result<Option<String>> {
    if let Some(fault) = source.fault(path)? {
        return Ok(Some(fault));
    }
    if source.has_sum() {
        return Ok(None);
    }
    let Ok(line) = std::fs::read_to_string(record(path)) else {
        return Ok(None); // Put there by hand.
    };
    let (expected, found) = (line.split_whitespace().next().unwrap_or(""), sha256_of_file(path)?);
    Ok((expected != found).then(|| format!("its SHA-256 is {found}, at first it was {expected}")))
}

/// Where the sum of the first download is.
fn record(path: &Path) -> PathBuf {
    sibling(path, "", ".sha256")
}

/// `path` with something before and after its name.
fn sibling(path: &Path, before: &str, after: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{before}{name}{after}"))
}

/// Waits until no other process fetches this file. The lock ends with the process that has it.
fn lock(source: &Source, folder: &Path, progress: &mut Progress) -> Result<Option<File>> {
    let path = sibling(&folder.join(source.name()), ".", ".lock");
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| refused(&path, error))?;
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
        std::thread::sleep(2 * GLANCE);
    }
}

/// The system's refusal to write, with what to do about it.
fn refused(path: &Path, error: std::io::Error) -> Error {
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
