//! The output of the running cell: what is published at once, and what is held back for a moment.

use crate::output::carriage_return;
use crate::output::failure_report::{CellFailure, FailureKind, FailureReport};
use crate::output::marker::Marker;
use crate::output::output_limit::OutputLimit;
use crate::output::stream::Stream;
use crate::protocol::message::Message;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// At most this many pieces of text are held back.
pub const MAX_HELD: usize = 20_000;
/// A display is updated, and the page is cleared, at most this often; what comes in between is replaced
/// by the next update.
pub const UPDATE_INTERVAL: Duration = Duration::from_millis(100);
/// Text is sent in pieces of at most about this many bytes.
const PIECE: usize = 1 << 16;
/// Says that the page shows no more text until the cell is done.
pub const LIMIT_REACHED: &str =
    "\n… this is much text: of what follows, the end is shown when the cell is done …\n";

/// The output of the cell that is running, or of the last one.
pub struct CellOutput {
    iopub: UnboundedSender<Message>,
    parent: Message,
    /// No cell is running that may write: the hidden first cell of a warm start.
    muted: bool,
    failure: Option<FailureKind>,
    /// Text of standard error that is not yet published, and when each piece was read.
    held: VecDeque<(Instant, String)>,
    /// The reason for which the cell may fail, if the panic or error is not caught.
    report: Option<FailureReport>,
    /// Variables whose old values are still in the store after a failure.
    kept: Vec<String>,
    /// The number of the last cell that has ended on standard output, and on standard error.
    done_out: u64,
    done_err: u64,
    /// Text of one stream that is not yet sent.
    unsent: (Stream, String),
    limit: OutputLimit,
    /// When the page was last cleared, and what is to be shown after it is cleared again.
    cleared: Option<Instant>,
    clearing: Option<Clearing>,
    /// When each display was last updated, and its next content.
    updates: HashMap<String, (Instant, Option<Value>)>,
}

/// A page that will be cleared, and the messages to be sent then: their types and contents.
struct Clearing {
    wait: bool,
    messages: Vec<(&'static str, Value)>,
}

impl CellOutput {
    pub fn new(iopub: UnboundedSender<Message>) -> CellOutput {
        CellOutput {
            iopub,
            parent: Message::unprompted(),
            muted: true,
            failure: None,
            held: VecDeque::new(),
            report: None,
            kept: Vec::new(),
            done_out: 0,
            done_err: 0,
            unsent: (Stream::Out, String::new()),
            limit: OutputLimit::default(),
            cleared: None,
            clearing: None,
            updates: HashMap::new(),
        }
    }

    /// Begins the output of a new cell. What threads have written since the last one ended belongs there.
    pub fn begin(&mut self, parent: &Message) {
        self.finish();
        *self = CellOutput {
            parent: parent.clone(),
            muted: false,
            done_out: self.done_out,
            done_err: self.done_err,
            ..CellOutput::new(self.iopub.clone())
        };
    }

    /// A new cell process counts its cells from 1.
    pub fn reset_done(&mut self) {
        (self.done_out, self.done_err) = (0, 0);
    }

    /// Whether standard error has ended for the cell whose standard output has ended.
    pub fn is_done(&self) -> bool {
        self.done_err >= self.done_out
    }

    /// Processes a line of the cell process: text, or a marker.
    pub fn handle_line(&mut self, stream: Stream, line: &str) {
        match Marker::parse(line) {
            Some(marker) => self.handle_marker(stream, marker),
            None => self.handle_text(stream, format!("{line}\n"), line),
        }
    }

    fn handle_marker(&mut self, stream: Stream, marker: Marker) {
        match marker {
            Marker::Done { cell } if stream == Stream::Out => self.done_out = cell,
            Marker::Done { cell } => self.done_err = cell,
            Marker::Text { text, stream: written_to } => {
                self.handle_text(written_to.unwrap_or(stream), text.clone(), &text);
            }
            Marker::Begin => {}
            Marker::Report { location } => self.begin_report(location),
            Marker::Kept { name } => self.kept.push(name),
            Marker::Error => self.failure = Some(FailureKind::Error),
            Marker::Panic => self.failure = Some(FailureKind::Panic),
            Marker::Show { data, id, update } => self.display(data.into(), id, update),
            Marker::Clear { wait } => self.clear(wait),
        }
    }

    /// Publishes text of standard output; that of standard error is held back unless it is part of a
    /// report, which takes it as a `line` without its newline.
    fn handle_text(&mut self, stream: Stream, text: String, line: &str) {
        match stream {
            Stream::Out => self.append(stream, &text),
            Stream::Err => {
                if !self.report.as_mut().is_some_and(|report| report.push_line(line)) {
                    self.hold(text);
                }
            }
        }
    }

    /// Begins a report. Text before it is not part of it, and neither is a panic that was caught; the
    /// empty line that Rust writes before a panic is.
    fn begin_report(&mut self, location: Option<String>) {
        if location.is_none() && self.held.back().is_some_and(|(_, text)| text == "\n") {
            self.held.pop_back();
        }
        self.publish_report();
        self.release(Duration::ZERO);
        self.report = Some(FailureReport::begin(location));
    }

    /// Collects text; it is sent with the text that follows it on the same stream.
    pub fn append(&mut self, stream: Stream, text: &str) {
        if self.muted {
            return;
        }
        let text = carriage_return::folded(text);
        if carriage_return::replaces(&text) && !self.limit.is_reached() {
            self.collect(stream, &text);
            return;
        }
        let (text, limit_reached) = self.limit.admit(stream, &text);
        if !text.is_empty() {
            if self.unsent.1.len() > PIECE {
                self.send_text();
            }
            self.collect(stream, text);
        }
        if limit_reached {
            self.write(Stream::Err, LIMIT_REACHED);
        }
    }

    fn collect(&mut self, stream: Stream, text: &str) {
        if self.unsent.0 != stream {
            self.send_text();
        }
        self.unsent.0 = stream;
        self.unsent.1.push_str(text);
    }

    /// Sends text at once, after all that was collected.
    pub fn write(&mut self, stream: Stream, text: &str) {
        self.send_text();
        self.send(stream, text);
    }

    /// Sends the text that was collected.
    pub fn send_text(&mut self) {
        let (stream, text) = (self.unsent.0, std::mem::take(&mut self.unsent.1));
        if !text.is_empty() {
            self.send(stream, &text);
        }
    }

    fn send(&mut self, stream: Stream, text: &str) {
        self.emit("stream", json!({"name": stream.name(), "text": text}));
    }

    /// Publishes a message of the cell, or keeps it until the page has been cleared.
    fn emit(&mut self, kind: &'static str, content: Value) {
        match &mut self.clearing {
            _ if self.muted => {}
            Some(clearing) => clearing.messages.push((kind, content)),
            None => drop(self.iopub.send(self.parent.publish(kind, content))),
        }
    }

    /// Removes what the cell has shown, and resets the limit.
    fn clear(&mut self, wait: bool) {
        if self.muted {
            return;
        }
        self.limit = OutputLimit::default();
        match &mut self.clearing {
            Some(clearing) => {
                clearing.wait &= wait;
                clearing.messages.clear();
                self.unsent.1.clear();
            }
            None => {
                self.send_text();
                self.clearing = Some(Clearing { wait, messages: Vec::new() });
            }
        }
        self.send_cleared(UPDATE_INTERVAL);
    }

    /// Clears the page if that was requested and it has not been cleared for `age`.
    pub fn send_cleared(&mut self, age: Duration) {
        if self.cleared.is_some_and(|cleared| cleared.elapsed() < age) {
            return;
        }
        if let Some(Clearing { wait, messages }) = self.clearing.take() {
            self.cleared = Some(Instant::now());
            self.emit("clear_output", json!({"wait": wait}));
            for (kind, content) in messages {
                self.emit(kind, content);
            }
        }
    }

    /// Sends the end of a text that was too long, after a note on what is omitted.
    fn send_end(&mut self) {
        self.send_text();
        let (note, end) = self.limit.take_end();
        if let Some(note) = note {
            self.send(Stream::Err, &note);
        }
        for (stream, text) in end {
            self.collect(stream, &text);
        }
        self.send_text();
    }

    fn display(&mut self, data: Value, id: Option<String>, update: bool) {
        if self.muted {
            return;
        }
        self.send_text();
        if let (true, Some(id)) = (update, &id) {
            let never = Instant::now() - UPDATE_INTERVAL;
            self.updates.entry(id.clone()).or_insert((never, None)).1 = Some(data);
            return self.send_updates(UPDATE_INTERVAL);
        }
        if let Some(id) = &id {
            self.updates.insert(id.clone(), (Instant::now(), None));
        }
        let transient = id.map_or(json!({}), |id| json!({"display_id": id}));
        let content = json!({"data": data, "metadata": {}, "transient": transient});
        self.emit("display_data", content);
    }

    /// Updates the displays that have not been updated for `age`.
    pub fn send_updates(&mut self, age: Duration) {
        let mut due = Vec::new();
        for (id, (changed, next)) in &mut self.updates {
            if changed.elapsed() >= age
                && let Some(data) = next.take()
            {
                *changed = Instant::now();
                let transient = json!({"display_id": id});
                due.push(json!({"data": data, "metadata": {}, "transient": transient}));
            }
        }
        for content in due {
            self.emit("update_display_data", content);
        }
    }

    /// Holds text of standard error back; the oldest is published when there is too much.
    fn hold(&mut self, text: String) {
        self.held.push_back((Instant::now(), text));
        if self.held.len() > MAX_HELD {
            self.publish_report();
            if let Some((_, text)) = self.held.pop_front() {
                self.append(Stream::Err, &text);
            }
        }
    }

    /// Publishes what was held back for `age`, unless it may be the reason for a failure.
    pub fn release_held(&mut self, age: Duration) {
        if self.failure.is_none() || self.report.is_some() {
            self.release(age);
        }
    }

    fn release(&mut self, age: Duration) {
        let due = self.held.iter().take_while(|(read, _)| read.elapsed() >= age).count();
        if due > 0 {
            self.publish_report();
            let text: String = self.held.drain(..due).map(|(_, text)| text).collect();
            self.append(Stream::Err, &text);
        }
    }

    /// Publishes the report of a panic or error that was caught, since the cell goes on.
    fn publish_report(&mut self) {
        if self.failure.is_none()
            && let Some(report) = self.report.as_mut().filter(|report| !report.published)
        {
            report.published = true;
            let text = report.text();
            self.append(Stream::Err, &text);
        }
    }

    /// Publishes the rest of the output, and returns the failure if the cell failed.
    pub fn finish(&mut self) -> Option<CellFailure> {
        let failure = self.failure.take().map(|kind| {
            let report = match self.report.take() {
                Some(report) => report,
                // No marker said where the report begins.
                None => {
                    FailureReport::from_text(self.held.drain(..).map(|(_, text)| text).collect())
                }
            };
            CellFailure { kind, report, kept: std::mem::take(&mut self.kept) }
        });
        self.publish_report();
        self.release_held(Duration::ZERO);
        self.send_updates(Duration::ZERO);
        self.send_end();
        self.send_cleared(Duration::ZERO);
        failure
    }
}
