//! Several attempts at several URLs, until a file or a part of it is here.

use super::partial::Partial;
use super::request::{self, Event, RequestError, ResponseHead};
use super::stored_file::{checksum_file, checksum_line, write_error};
use crate::error::{Error, Result};
use crate::fetch::checksum::sha256_of_file;
use crate::fetch::remote_file::RemoteFile;
use crate::runtime::interrupt::{self, POLL_INTERVAL};
use crate::runtime::progress::{Progress, Unit};
use crate::text::bytes;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The most requests to one URL, even if each of them brings some bytes.
const MAX_REQUESTS: usize = 40;

/// How long to wait.
#[derive(Clone)]
pub(super) struct Timeouts {
    /// For a connection, over all URLs. It is short, so that a missing network is known soon.
    pub(super) connect_budget: Duration,
    /// For a response after connecting.
    pub(super) response: Duration,
    /// For the next bytes.
    pub(super) piece: Duration,
    /// Before each further request to the same URL.
    pub(super) pauses: Vec<Duration>,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect_budget: Duration::from_millis(1_800),
            response: Duration::from_secs(30),
            piece: Duration::from_secs(30),
            pauses: [1, 3, 8].map(Duration::from_secs).to_vec(),
        }
    }
}

/// Why an attempt ended.
pub(super) enum AttemptError {
    /// Another request may succeed.
    Retry(String),
    /// This URL does not serve the file.
    NextUrl(String),
    /// There is no connection to this server.
    Unreachable(String),
    /// Other URLs would not help: the disk is full, or the user interrupted.
    Abort(Error),
}

/// The download of one file.
pub(super) struct Transfer<'a> {
    remote: &'a RemoteFile,
    timeouts: &'a Timeouts,
    pub(super) progress: Progress,
    /// What is left of the time for connecting.
    connect_budget: Duration,
    /// How many bytes have been received, now and at most.
    received: u64,
    most_received: u64,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(remote: &'a RemoteFile, timeouts: &'a Timeouts) -> Transfer<'a> {
        let progress = Progress::new(remote.name(), Unit::Bytes);
        Transfer {
            remote,
            timeouts,
            progress,
            connect_budget: timeouts.connect_budget,
            received: 0,
            most_received: 0,
        }
    }

    /// Tries one URL after the other until one attempt succeeds.
    pub(super) fn try_urls(
        &mut self,
        mut attempt: impl FnMut(&mut Self, &str) -> Result<(), AttemptError>,
    ) -> Result<()> {
        let mut failures: Vec<(&String, String)> = Vec::new();
        let mut all_unreachable = true;
        for url in self.remote.urls() {
            let problem = match self.try_url(url, &mut attempt) {
                Ok(()) => return Ok(()),
                Err(AttemptError::Abort(error)) => return Err(error),
                Err(AttemptError::Unreachable(problem)) => problem,
                Err(AttemptError::NextUrl(problem) | AttemptError::Retry(problem)) => {
                    all_unreachable = false;
                    problem
                }
            };
            failures.push((url, problem));
        }
        let (problem, hint) = if all_unreachable {
            let problems: Vec<String> = failures.into_iter().map(|(_, problem)| problem).collect();
            let problem = format!("the network could not be reached: {}", problems.join("; "));
            (problem, "Check the connection to the network, then run this again.")
        } else {
            let lines = failures.iter().map(|(url, problem)| format!("{url} – {problem}"));
            let lines = lines.collect::<Vec<_>>().join("; ");
            let hint = "Run this again: the bytes received so far are kept. Or put the file there by hand.";
            (format!("no URL gave the file: {lines}"), hint)
        };
        Err(Error::download(self.remote.name(), problem, hint))
    }

    /// Tries one URL, again after each pause. Received bytes start the pauses over.
    fn try_url(
        &mut self,
        url: &str,
        attempt: &mut impl FnMut(&mut Self, &str) -> Result<(), AttemptError>,
    ) -> Result<(), AttemptError> {
        let mut pauses = self.timeouts.pauses.iter();
        for requests in 1.. {
            let before = self.most_received;
            let problem = match attempt(self, url) {
                Err(AttemptError::Retry(problem)) => problem,
                result => return result,
            };
            if self.most_received > before {
                pauses = self.timeouts.pauses.iter();
            }
            match pauses.next() {
                Some(pause) if requests < MAX_REQUESTS => {
                    self.progress.note(&format!("{problem}; trying again"));
                    self.sleep(*pause).map_err(AttemptError::Abort)?;
                    self.progress.restart_rate();
                }
                _ => return Err(AttemptError::Retry(problem)),
            }
        }
        unreachable!("the number of requests is limited")
    }

    /// Sends a request, and waits for the head of the response.
    fn send_request(
        &mut self,
        url: &str,
        range: Option<(u64, Option<u64>)>,
        validator: Option<&str>,
    ) -> Result<(ResponseHead, Receiver<Event>), AttemptError> {
        let events = request::send(url, range, validator);
        // Half of what is left, so that every URL has its turn and the sum is bounded.
        let (begun, allowance) = (Instant::now(), self.connect_budget / 2);
        match self.next(&events, allowance) {
            Ok(Event::Connected) => self.connect_budget = self.timeouts.connect_budget,
            Ok(event) => {
                self.connect_budget = self.connect_budget.saturating_sub(begun.elapsed());
                return Err(event_error(event));
            }
            Err(AttemptError::Retry(_)) => {
                self.connect_budget = self.connect_budget.saturating_sub(begun.elapsed());
                let host = url.split('/').nth(2).unwrap_or(url);
                return Err(AttemptError::Unreachable(format!("{host} does not answer")));
            }
            Err(error) => return Err(error),
        }
        match self.next(&events, self.timeouts.response)? {
            Event::Head(head) => Ok((head, events)),
            event => Err(event_error(event)),
        }
    }

    /// The next event, unless the user interrupts or it takes too long.
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
                    let problem = format!("nothing came for {:.0} s", limit.as_secs_f64());
                    return Err(AttemptError::Retry(problem));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Fails if the user has interrupted.
    fn check_interrupt(&self) -> Result<()> {
        if !interrupt::requested() {
            return Ok(());
        }
        let kept = match self.received {
            0 => String::new(),
            have => format!(" ({} are kept for the next call)", bytes(have)),
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

    /// Downloads what is missing of the file.
    pub(super) fn download_file(
        &mut self,
        url: &str,
        partial: &mut Partial,
    ) -> Result<(), AttemptError> {
        let full = |error| AttemptError::Abort(write_error(partial.path(), error));
        self.received = partial.length().map_err(full)?;
        if self.received > 0 && self.remote.published_size() == Some(self.received) {
            return Ok(()); // Only the verification is missing.
        }
        let validator = partial.validator(url);
        // Parts of two versions must not be joined: a published checksum or the server tells.
        let resume = self.received > 0 && (validator.is_some() || self.remote.has_checksum());
        let rest = resume.then_some((self.received, None));
        let (head, events) = self.send_request(url, rest, validator.as_deref())?;
        let (start, total) = match head.status {
            206 if resume && head.range.is_some_and(|(first, _)| first == self.received) => {
                (self.received, head.range.and_then(|(_, total)| total))
            }
            200 => (0, head.length),
            206 | 416 => {
                partial
                    .discard()
                    .map_err(|error| AttemptError::Abort(write_error(partial.path(), error)))?;
                let problem = "the kept part is not of the file that is there now; starting again";
                return Err(AttemptError::Retry(problem.into()));
            }
            status => return Err(status_error(status)),
        };
        if head.is_page {
            return Err(AttemptError::NextUrl("a web page came instead of the file".into()));
        }
        self.check_size(total)?;
        if total.is_some_and(|total| total > self.remote.max_size()) {
            return Err(AttemptError::NextUrl("it is larger than any file of this kind".into()));
        }
        let path = partial.path().to_owned();
        let full = |error| AttemptError::Abort(write_error(&path, error));
        partial.begin(url, head.validator.as_deref(), start).map_err(full)?;
        self.received = start;
        self.receive(&events, total, partial)
    }

    /// Appends the body of a response to the partial file.
    fn receive(
        &mut self,
        events: &Receiver<Event>,
        total: Option<u64>,
        partial: &mut Partial,
    ) -> Result<(), AttemptError> {
        let path = partial.path().to_owned();
        let full = |error| AttemptError::Abort(write_error(&path, error));
        loop {
            match self.next(events, self.timeouts.piece)? {
                Event::Bytes(piece) => {
                    self.received += piece.len() as u64;
                    if self.received > total.unwrap_or(self.remote.max_size()) {
                        partial.discard().map_err(full)?;
                        return Err(AttemptError::NextUrl(
                            "more bytes came than the file has".into(),
                        ));
                    }
                    partial.write(&piece).map_err(full)?;
                    self.most_received = self.most_received.max(self.received);
                    self.progress.set_total(total.or(self.remote.published_size()));
                    self.progress.done(self.received as usize);
                }
                Event::End if total.is_none_or(|total| total == self.received) => return Ok(()),
                Event::End => {
                    let problem = format!("it broke off after {}", bytes(self.received));
                    return Err(AttemptError::Retry(problem));
                }
                event => return Err(event_error(event)),
            }
        }
    }

    /// Verifies the file, and gives it its name.
    pub(super) fn verify_and_rename(
        &mut self,
        partial: &mut Partial,
        path: &Path,
    ) -> Result<(), AttemptError> {
        let full = |error| AttemptError::Abort(write_error(path, error));
        partial.sync().map_err(full)?;
        if let Some(mismatch) = self.remote.mismatch(partial.path()).map_err(AttemptError::Abort)? {
            let resumed = partial.is_resumed();
            partial.discard().map_err(full)?;
            let problem = format!("this is not the published file: {mismatch}");
            // Parts of two versions may have been joined, so it is downloaded again from the start.
            return Err(if resumed {
                AttemptError::Retry(problem)
            } else {
                AttemptError::NextUrl(problem)
            });
        }
        if !self.remote.has_checksum() {
            let sum = sha256_of_file(partial.path()).map_err(AttemptError::Abort)?;
            std::fs::write(checksum_file(path), checksum_line(self.remote, &sum)).map_err(full)?;
        }
        partial.rename(path).map_err(full)
    }

    /// Fails if the size is not the published one.
    fn check_size(&self, total: Option<u64>) -> Result<(), AttemptError> {
        match (total, self.remote.published_size()) {
            (Some(total), Some(size)) if total != size => {
                let problem =
                    format!("the file there has {total} bytes, but the published size is {size}");
                Err(AttemptError::NextUrl(problem))
            }
            _ => Ok(()),
        }
    }

    /// Downloads a part of the file.
    pub(super) fn download_part(
        &mut self,
        url: &str,
        range: &Range<u64>,
    ) -> Result<Vec<u8>, AttemptError> {
        let (head, events) =
            self.send_request(url, Some((range.start, Some(range.end - 1))), None)?;
        match (head.status, head.range) {
            (206, Some((first, total))) if first == range.start => self.check_size(total)?,
            (200 | 206, _) => {
                return Err(AttemptError::NextUrl(
                    "the server does not serve parts of files".into(),
                ));
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
                        return Err(AttemptError::NextUrl(
                            "more bytes came than were requested".into(),
                        ));
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

/// The meaning of a status other than success.
fn status_error(status: u16) -> AttemptError {
    let reason = ureq::http::StatusCode::from_u16(status).ok();
    let reason = reason.and_then(|status| status.canonical_reason()).unwrap_or("no success");
    let problem = format!("the server answers {status} ({reason})");
    match status {
        408 | 425 | 429 | 500..600 => AttemptError::Retry(problem),
        _ => AttemptError::NextUrl(problem),
    }
}

/// The meaning of an event that is not the expected one.
fn event_error(event: Event) -> AttemptError {
    match event {
        Event::Failed(RequestError::Unreachable(problem)) => AttemptError::Unreachable(problem),
        Event::Failed(RequestError::Broken(problem)) => AttemptError::Retry(problem),
        Event::Failed(RequestError::Final(problem)) => AttemptError::NextUrl(problem),
        _ => AttemptError::Retry("the connection broke".into()),
    }
}
