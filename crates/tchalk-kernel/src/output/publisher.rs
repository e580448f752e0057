//! All that the page sees: every message on iopub, in order.
//!
//! The streams of the cell process are read by threads of their own while the engine runs the cell. One
//! lock keeps their output in order and assigns it to the request it belongs to.

use crate::output::cell_output::{CellOutput, UPDATE_INTERVAL};
use crate::output::failure_report::CellFailure;
use crate::output::stream::Stream;
use crate::protocol::message::Message;
use crossbeam_channel::{Receiver, Select, TryRecvError};
use serde_json::Value;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Standard error is held back this long, so that an error's text can be told from other output.
const HOLD_ERRORS: Duration = Duration::from_millis(60);
/// How long to wait for the end of a cell's output.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A handle on the page, for any thread.
#[derive(Clone)]
pub struct Publisher {
    output: Arc<Mutex<CellOutput>>,
    /// Notified when lines have been processed.
    lines_handled: Arc<Condvar>,
    /// The streams that are followed.
    streams: Arc<Mutex<Vec<Receiver<String>>>>,
    iopub: UnboundedSender<Message>,
}

impl Publisher {
    pub fn new(iopub: UnboundedSender<Message>) -> Publisher {
        Publisher {
            output: Arc::new(Mutex::new(CellOutput::new(iopub.clone()))),
            lines_handled: Arc::default(),
            streams: Arc::default(),
            iopub,
        }
    }

    fn lock(&self) -> MutexGuard<'_, CellOutput> {
        lock(&self.output)
    }

    /// Sends a message about `parent` to all clients.
    pub fn publish(&self, parent: &Message, kind: &str, content: Value) {
        let _ = self.iopub.send(parent.publish(kind, content));
    }

    /// Writes text of the kernel's own to one of the cell's streams.
    pub fn write(&self, stream: Stream, text: &str) {
        self.lock().write(stream, text);
    }

    /// Writes text as if the cell had printed it.
    pub fn append(&self, stream: Stream, text: &str) {
        self.lock().append(stream, text);
    }

    /// Assigns the output from now on to `parent`.
    pub fn begin(&self, parent: &Message) {
        self.lock().begin(parent);
    }

    /// Follows one of the cell's streams until the cell process has ended for good.
    pub fn follow(&self, stream: Stream, lines: Receiver<String>) {
        lock(&self.streams).push(lines.clone());
        let publisher = self.clone();
        std::thread::spawn(move || while publisher.handle_lines(stream, &lines) {});
    }

    /// Waits a moment for lines and processes them; `false` when the stream has ended. Lines leave the
    /// channel under the lock: once it is empty and the lock is free, all of them are on the page.
    fn handle_lines(&self, stream: Stream, lines: &Receiver<String>) -> bool {
        let mut select = Select::new();
        select.recv(lines);
        let waited = select.ready_timeout(HOLD_ERRORS);
        let mut output = self.lock();
        if waited.is_ok() {
            let ended = loop {
                match lines.try_recv() {
                    Ok(line) => output.handle_line(stream, &line),
                    Err(TryRecvError::Empty) => break false,
                    Err(TryRecvError::Disconnected) => break true,
                }
            };
            self.lines_handled.notify_all();
            if ended {
                return false;
            }
        }
        if stream == Stream::Err {
            output.release_held(HOLD_ERRORS);
        }
        output.send_text();
        output.send_cleared(UPDATE_INTERVAL);
        output.send_updates(UPDATE_INTERVAL);
        true
    }

    /// Waits until both streams have reached the end of the cell, and returns the failure if it failed.
    pub fn finish(&self) -> Option<CellFailure> {
        let mut output = self.lock();
        let deadline = Instant::now() + TIMEOUT;
        while !output.is_done() && Instant::now() < deadline {
            let remaining = deadline.saturating_duration_since(Instant::now());
            let waited = self.lines_handled.wait_timeout(output, remaining);
            output = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        output.finish()
    }

    /// The cell process has ended: what it wrote is published, and the next process counts its cells
    /// from 1.
    pub fn process_ended(&self) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let mut output = self.lock();
            let all_read = lock(&self.streams).iter().all(Receiver::is_empty);
            if all_read || Instant::now() > deadline {
                output.reset_done();
                return;
            }
            drop(output);
            std::thread::sleep(TIMEOUT / 1_000);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests;
