//! What the page sees: everything that goes out on iopub, in order.
//!
//! The cell's streams arrive on threads of their own while the engine runs the cell. One lock keeps
//! them in order, and says which request they belong to.

mod state;

use self::state::{Clearing, State};
use crate::limit::Limit;
use crate::marker::Marker;
use crate::message::Message;
use crate::report::{Failed, Failure, Report};
use crossbeam_channel::Receiver;
use serde_json::{Value, json};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Standard error is held back this long, so that an error's text can be told from other output.
const HOLD_ERRORS: Duration = Duration::from_millis(60);
/// So many pieces of text are held back at most.
const MOST_HELD: usize = 20_000;
/// A display changes at most so often, and the page is cleared at most so often; what comes in between
/// is replaced by the next.
const BETWEEN_UPDATES: Duration = Duration::from_millis(100);
/// How long the end of a cell's output is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Text is sent in pieces of at most about this size.
const PIECE: usize = 1 << 16;
const TOO_MUCH: &str =
    "\n… this is much text: of what follows, the end is shown when the cell is done …\n";

/// A handle on the page, for any thread.
#[derive(Clone)]
pub struct Publisher {
    state: Arc<(Mutex<State>, Condvar)>,
    /// The streams that are followed.
    streams: Arc<Mutex<Vec<Receiver<String>>>>,
    iopub: UnboundedSender<Message>,
}

impl Publisher {
    pub fn new(iopub: UnboundedSender<Message>) -> Publisher {
        let state = Arc::new((Mutex::new(State::new()), Condvar::new()));
        Publisher { state, streams: Arc::default(), iopub }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state.0)
    }

    /// Sends a message about `parent` to everybody.
    pub fn publish(&self, parent: &Message, kind: &str, content: Value) {
        let _ = self.iopub.send(parent.publish(kind, content));
    }

    /// A word from the kernel itself, on the cell's standard error.
    pub fn say(&self, text: &str) {
        let mut state = self.lock();
        self.send_text(&mut state);
        self.send(&mut state, Stream::Err, text);
    }

    /// A word from the kernel itself, on the cell's standard output.
    pub fn say_plainly(&self, text: &str) {
        let mut state = self.lock();
        self.send_text(&mut state);
        self.send(&mut state, Stream::Out, text);
    }

    /// Output from now on belongs to `parent`.
    pub fn begin(&self, parent: &Message) {
        let mut state = self.lock();
        let (done_out, done_err) = (state.done_out, state.done_err);
        *state = State { parent: parent.clone(), muted: false, done_out, done_err, ..State::new() };
    }

    /// Follows one of the cell's streams until the cell process is gone for good.
    pub fn follow(&self, stream: Stream, lines: Receiver<String>) {
        lock(&self.streams).push(lines.clone());
        let publisher = self.clone();
        std::thread::spawn(move || {
            loop {
                // Lines leave the channel under the lock: once it is empty and the lock is free,
                // all of them are on the page.
                let mut select = crossbeam_channel::Select::new();
                select.recv(&lines);
                let waited = select.ready_timeout(HOLD_ERRORS);
                let mut state = publisher.lock();
                if waited.is_ok() {
                    loop {
                        match lines.try_recv() {
                            Ok(line) => publisher.line(&mut state, stream, &line),
                            Err(crossbeam_channel::TryRecvError::Empty) => break,
                            Err(crossbeam_channel::TryRecvError::Disconnected) => return,
                        }
                    }
                }
                if stream == Stream::Err {
                    publisher.release_held(&mut state, HOLD_ERRORS);
                }
                publisher.send_text(&mut state);
                publisher.send_cleared(&mut state, BETWEEN_UPDATES);
                publisher.send_updates(&mut state, BETWEEN_UPDATES);
            }
        });
    }

    fn line(&self, state: &mut State, stream: Stream, line: &str) {
        match (Marker::parse(line), stream) {
            (Some(Marker::Done { cell }), _) => {
                *(if stream == Stream::Out { &mut state.done_out } else { &mut state.done_err }) =
                    cell;
                self.state.1.notify_all();
            }
            (Some(Marker::Partial { text }), Stream::Out) => self.text(state, stream, &text),
            (Some(Marker::Partial { text }), Stream::Err) => {
                if !state.report.as_mut().is_some_and(|report| report.takes(&text)) {
                    self.hold(state, text);
                }
            }
            (Some(Marker::Report { place }), _) => {
                // What came before it is no part of it, and neither is a panic that was caught. The
                // empty line is.
                if place.is_none() && state.held.back().is_some_and(|(_, text)| text == "\n") {
                    state.held.pop_back();
                }
                self.tell_report(state);
                self.release(state, Duration::ZERO);
                state.report = Some(Report::begin(place));
            }
            (Some(Marker::Kept { name }), _) => state.kept.push(name),
            (Some(Marker::Error), _) => state.failure = Some(Failure::Error),
            (Some(Marker::Panic), _) => state.failure = Some(Failure::Panic),
            (Some(Marker::Show { data, id, update }), _) => {
                self.display(state, data.into(), id, update)
            }
            (Some(Marker::Clear { wait }), _) => self.clear(state, wait),
            (None, Stream::Out) => self.text(state, stream, &format!("{line}\n")),
            (None, Stream::Err) => {
                if !state.report.as_mut().is_some_and(|report| report.takes(line)) {
                    self.hold(state, format!("{line}\n"));
                }
            }
        }
    }

    /// Takes text to be sent with what follows it on the same stream.
    fn text(&self, state: &mut State, stream: Stream, text: &str) {
        if state.muted {
            return;
        }
        let (text, too_much) = state.limit.admit(stream, text);
        if !text.is_empty() {
            if state.unsent.0 != stream || state.unsent.1.len() > PIECE {
                self.send_text(state);
            }
            state.unsent.0 = stream;
            state.unsent.1.push_str(text);
        }
        if too_much {
            self.send_text(state);
            self.send(state, Stream::Err, TOO_MUCH);
        }
    }

    fn send_text(&self, state: &mut State) {
        let (stream, text) = (state.unsent.0, std::mem::take(&mut state.unsent.1));
        if !text.is_empty() {
            self.send(state, stream, &text);
        }
    }

    fn send(&self, state: &mut State, stream: Stream, text: &str) {
        let name = if stream == Stream::Out { "stdout" } else { "stderr" };
        self.emit(state, "stream", json!({"name": name, "text": text}));
    }

    /// Publishes a message of the cell, or keeps it until the page before it has been cleared.
    fn emit(&self, state: &mut State, kind: &'static str, content: Value) {
        match &mut state.clearing {
            _ if state.muted => {}
            Some(clearing) => clearing.messages.push((kind, content)),
            None => self.publish(&state.parent, kind, content),
        }
    }

    /// Takes away what the cell has shown; the limit begins anew.
    fn clear(&self, state: &mut State, wait: bool) {
        if state.muted {
            return;
        }
        state.limit = Limit::default();
        match &mut state.clearing {
            Some(clearing) => {
                clearing.wait &= wait;
                clearing.messages.clear();
                state.unsent.1.clear();
            }
            None => {
                self.send_text(state);
                state.clearing = Some(Clearing { wait, messages: Vec::new() });
            }
        }
        self.send_cleared(state, BETWEEN_UPDATES);
    }

    /// Clears the page, if that is wanted and it has not been cleared for `age`.
    fn send_cleared(&self, state: &mut State, age: Duration) {
        if state.cleared.is_some_and(|cleared| cleared.elapsed() < age) {
            return;
        }
        if let Some(Clearing { wait, messages }) = state.clearing.take() {
            state.cleared = Some(Instant::now());
            self.emit(state, "clear_output", json!({"wait": wait}));
            for (kind, content) in messages {
                self.emit(state, kind, content);
            }
        }
    }

    /// The end of a text that was too long, after a word on what is missing.
    fn send_tail(&self, state: &mut State) {
        self.send_text(state);
        let (word, tail) = state.limit.take_end();
        if let Some(word) = word {
            self.send(state, Stream::Err, &word);
        }
        for (stream, text) in tail {
            if state.unsent.0 != stream {
                self.send_text(state);
            }
            state.unsent.0 = stream;
            state.unsent.1.push_str(&text);
        }
        self.send_text(state);
    }

    fn display(&self, state: &mut State, data: Value, id: Option<String>, update: bool) {
        if state.muted {
            return;
        }
        self.send_text(state);
        if let (true, Some(id)) = (update, &id) {
            let now = Instant::now();
            let entry = state.updates.entry(id.clone()).or_insert((now - BETWEEN_UPDATES, None));
            entry.1 = Some(data);
            return self.send_updates(state, BETWEEN_UPDATES);
        }
        if let Some(id) = &id {
            state.updates.insert(id.clone(), (Instant::now(), None));
        }
        let transient = id.map_or(json!({}), |id| json!({"display_id": id}));
        let content = json!({"data": data, "metadata": {}, "transient": transient});
        self.emit(state, "display_data", content);
    }

    /// Changes the displays that have not been changed for `age`.
    fn send_updates(&self, state: &mut State, age: Duration) {
        let mut due = Vec::new();
        for (id, (changed, next)) in &mut state.updates {
            if changed.elapsed() >= age
                && let Some(data) = next.take()
            {
                *changed = Instant::now();
                let transient = json!({"display_id": id});
                due.push(json!({"data": data, "metadata": {}, "transient": transient}));
            }
        }
        for content in due {
            self.emit(state, "update_display_data", content);
        }
    }

    /// Holds text of standard error back; of too much the oldest goes out.
    fn hold(&self, state: &mut State, text: String) {
        state.held.push_back((Instant::now(), text));
        if state.held.len() > MOST_HELD {
            self.tell_report(state);
            if let Some((_, text)) = state.held.pop_front() {
                self.text(state, Stream::Err, &text);
            }
        }
    }

    /// Publishes what was held back for `age`, unless it may be what the cell failed of.
    fn release_held(&self, state: &mut State, age: Duration) {
        if state.failure.is_none() || state.report.is_some() {
            self.release(state, age);
        }
    }

    fn release(&self, state: &mut State, age: Duration) {
        let ripe = state.held.iter().take_while(|(came, _)| came.elapsed() >= age).count();
        if ripe > 0 {
            self.tell_report(state);
            let text: String = state.held.drain(..ripe).map(|(_, text)| text).collect();
            self.text(state, Stream::Err, &text);
        }
    }

    /// Publishes the report of what was caught, for the cell goes on.
    fn tell_report(&self, state: &mut State) {
        if state.failure.is_none()
            && let Some(report) = state.report.as_mut().filter(|report| !report.told)
        {
            report.told = true;
            let text = report.text();
            self.text(state, Stream::Err, &text);
        }
    }

    /// Waits until both streams have come to the end of the cell, and tells how it failed.
    pub fn finish(&self) -> Option<Failed> {
        let mut state = self.lock();
        let give_up = Instant::now() + PATIENCE;
        while state.done_err < state.done_out && Instant::now() < give_up {
            let wait = give_up.saturating_duration_since(Instant::now());
            state = self.state.1.wait_timeout(state, wait).unwrap_or_else(|p| p.into_inner()).0;
        }
        let failed = state.failure.map(|failure| {
            let report = match state.report.take() {
                Some(report) => report,
                // Nothing said where it begins.
                None => Report::of(state.held.drain(..).map(|(_, text)| text).collect()),
            };
            Failed { failure, report, kept: std::mem::take(&mut state.kept) }
        });
        state.failure = None;
        self.tell_report(&mut state);
        self.release_held(&mut state, Duration::ZERO);
        self.send_updates(&mut state, Duration::ZERO);
        self.send_tail(&mut state);
        self.send_cleared(&mut state, Duration::ZERO);
        failed
    }

    /// The cell process has ended: what it has said is put on the page, and its successor counts from
    /// the beginning.
    pub fn process_ended(&self) {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let mut state = self.lock();
            let all_read = lock(&self.streams).iter().all(Receiver::is_empty);
            if all_read || Instant::now() > give_up {
                (state.done_out, state.done_err) = (0, 0);
                return;
            }
            drop(state);
            std::thread::sleep(PATIENCE / 1_000);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Which of the cell's streams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stream {
    Out,
    Err,
}

#[cfg(test)]
mod tests;
