//! What the page sees: everything that goes out on iopub, in order.
//!
//! The cell's streams arrive on threads of their own while the engine runs the cell. One lock keeps
//! them in order, and says which request they belong to.

use crate::marker::Marker;
use crate::message::Message;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Standard error is held back this long, so that an error's text can be told from other output.
const HOLD_ERRORS: Duration = Duration::from_millis(60);
/// So many held lines are kept; a report is never longer.
const MOST_HELD: usize = 20_000;
/// A display changes at most so often; what comes in between is replaced by the next.
const BETWEEN_UPDATES: Duration = Duration::from_millis(100);
/// Text is sent in pieces of at most about this size.
const PIECE: usize = 1 << 16;
/// A cell's text is shown whole up to this size; of more, the end is kept as well.
const HEAD: usize = 1 << 18;
const TAIL: usize = 1 << 14;

/// What went wrong in a cell that compiled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Failure {
    Panic,
    Error,
}

struct State {
    parent: Message,
    /// No cell is running that may speak: the hidden first cell of a warm start.
    muted: bool,
    failure: Option<Failure>,
    /// Lines of standard error not yet published, and when each came.
    held: Vec<(Instant, String)>,
    /// A panic's report has begun: all that follows belongs to it.
    panicking: bool,
    done_out: u64,
    done_err: u64,
    /// Text of one stream that has not been sent yet.
    unsent: (Stream, String),
    /// How much text the cell has shown.
    shown: usize,
    /// What came after that was too much: its end, and how much was left out before it.
    tail: VecDeque<(Stream, String)>,
    tail_size: usize,
    left_out: (usize, usize),
    /// When each display was last changed, and to what it shall be changed next.
    updates: HashMap<String, (Instant, Option<Value>)>,
}

impl State {
    fn new() -> State {
        State {
            parent: Message::unprompted(),
            muted: true,
            failure: None,
            held: Vec::new(),
            panicking: false,
            done_out: 0,
            done_err: 0,
            unsent: (Stream::Out, String::new()),
            shown: 0,
            tail: VecDeque::new(),
            tail_size: 0,
            left_out: (0, 0),
            updates: HashMap::new(),
        }
    }
}

impl State {
    /// Keeps the end of a text that is too long to be shown, and counts what goes.
    fn keep_end(&mut self, stream: Stream, text: &str) {
        let (gone, kept) = text.split_at(text.ceil_char_boundary(text.len().saturating_sub(TAIL)));
        let mut forget = |text: &str| {
            self.left_out.0 += text.matches('\n').count();
            self.left_out.1 += text.len();
        };
        forget(gone);
        self.tail.push_back((stream, kept.to_owned()));
        self.tail_size += kept.len();
        while self.tail_size > TAIL
            && self.tail.len() > 1
            && let Some((_, oldest)) = self.tail.pop_front()
        {
            self.tail_size -= oldest.len();
            forget(&oldest);
        }
    }
}

/// A handle on the page, for any thread.
#[derive(Clone)]
pub struct Publisher {
    state: Arc<(Mutex<State>, Condvar)>,
    iopub: UnboundedSender<Message>,
}

impl Publisher {
    pub fn new(iopub: UnboundedSender<Message>) -> Publisher {
        Publisher { state: Arc::new((Mutex::new(State::new()), Condvar::new())), iopub }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Sends a message about `parent` to everybody.
    pub fn publish(&self, parent: &Message, kind: &str, content: Value) {
        let _ = self.iopub.send(parent.publish(kind, content));
    }

    /// A word from the kernel itself, on the cell's standard error.
    pub fn say(&self, text: &str) {
        let mut state = self.lock();
        self.send_text(&mut state);
        self.send(&state, Stream::Err, text);
    }

    /// A word from the kernel itself, on the cell's standard output.
    pub fn say_plainly(&self, text: &str) {
        let mut state = self.lock();
        self.send_text(&mut state);
        self.send(&state, Stream::Out, text);
    }

    /// Output from now on belongs to `parent`.
    pub fn begin(&self, parent: &Message) {
        let mut state = self.lock();
        let (done_out, done_err) = (state.done_out, state.done_err);
        *state = State { parent: parent.clone(), muted: false, done_out, done_err, ..State::new() };
    }

    /// Follows one of the cell's streams until the cell process is gone for good.
    pub fn follow(&self, stream: Stream, lines: crossbeam_channel::Receiver<String>) {
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
            (Some(Marker::Partial { text }), _) => self.text(state, stream, &text),
            (Some(Marker::Error), _) => state.failure = Some(Failure::Error),
            (Some(Marker::Panic), _) => state.failure = Some(Failure::Panic),
            (Some(Marker::Show { data, id, update }), _) => {
                self.display(state, data.into(), id, update)
            }
            (Some(Marker::Clear { wait }), _) => {
                self.send_text(state);
                if !state.muted {
                    self.publish(&state.parent, "clear_output", json!({"wait": wait}));
                }
            }
            (None, Stream::Out) => self.text(state, stream, &format!("{line}\n")),
            (None, Stream::Err) => {
                state.panicking |= line.starts_with("thread '") && line.contains("panicked at");
                if state.held.len() < MOST_HELD {
                    state.held.push((Instant::now(), line.to_owned()));
                }
            }
        }
    }

    /// Takes text to be sent with what follows it on the same stream.
    fn text(&self, state: &mut State, stream: Stream, text: &str) {
        if state.muted {
            return;
        }
        let room = text.floor_char_boundary(text.len().min(HEAD.saturating_sub(state.shown)));
        let (text, rest) = text.split_at(room);
        if !text.is_empty() {
            state.shown += text.len();
            if state.unsent.0 != stream || state.unsent.1.len() > PIECE {
                self.send_text(state);
            }
            state.unsent.0 = stream;
            state.unsent.1.push_str(text);
        }
        if !rest.is_empty() {
            state.shown = HEAD;
            state.keep_end(stream, rest);
        }
    }

    fn send_text(&self, state: &mut State) {
        let (stream, text) = (state.unsent.0, std::mem::take(&mut state.unsent.1));
        if !text.is_empty() {
            self.send(state, stream, &text);
        }
    }

    fn send(&self, state: &State, stream: Stream, text: &str) {
        if !state.muted {
            let name = if stream == Stream::Out { "stdout" } else { "stderr" };
            self.publish(&state.parent, "stream", json!({"name": name, "text": text}));
        }
    }

    /// The end of a text that was too long, after a word on what is missing.
    fn send_tail(&self, state: &mut State) {
        self.send_text(state);
        let (lines, bytes) = std::mem::take(&mut state.left_out);
        if bytes > 0 {
            let size = bytes as f64 / 1e6;
            let word = format!("\n… {lines} lines ({size:.1} MB) are left out here …\n");
            self.send(state, Stream::Err, &word);
        }
        state.tail_size = 0;
        for (stream, text) in std::mem::take(&mut state.tail) {
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
        self.publish(&state.parent, "display_data", content);
    }

    /// Changes the displays that have not been changed for `age`.
    fn send_updates(&self, state: &mut State, age: Duration) {
        for (id, (changed, next)) in &mut state.updates {
            if changed.elapsed() < age {
                continue;
            }
            if let Some(data) = next.take() {
                *changed = Instant::now();
                let transient = json!({"display_id": id});
                let content = json!({"data": data, "metadata": {}, "transient": transient});
                self.publish(&state.parent, "update_display_data", content);
            }
        }
    }

    /// Publishes the lines of standard error that have waited for `age`.
    fn release_held(&self, state: &mut State, age: Duration) {
        if state.panicking || state.failure.is_some() {
            return;
        }
        let ripe = state.held.iter().take_while(|(came, _)| came.elapsed() >= age).count();
        if ripe > 0 {
            let text: String = state.held.drain(..ripe).map(|(_, line)| line + "\n").collect();
            self.text(state, Stream::Err, &text);
        }
    }

    /// Waits until both streams have come to the end of the cell, and tells how it failed, with the
    /// lines that say why.
    pub fn finish(&self) -> (Option<Failure>, Vec<String>) {
        let mut state = self.lock();
        let give_up = Instant::now() + Duration::from_secs(2);
        while state.done_err < state.done_out && Instant::now() < give_up {
            let wait = give_up.saturating_duration_since(Instant::now());
            state = self.state.1.wait_timeout(state, wait).unwrap_or_else(|p| p.into_inner()).0;
        }
        let failure = state.failure.take();
        state.panicking = false;
        if failure.is_none() {
            self.release_held(&mut state, Duration::ZERO);
        }
        self.send_updates(&mut state, Duration::ZERO);
        self.send_tail(&mut state);
        let lines = state.held.drain(..).map(|(_, line)| line).collect();
        (failure, lines)
    }

    /// The cell process has been replaced: its successor counts from the beginning.
    pub fn process_restarted(&self) {
        let mut state = self.lock();
        (state.done_out, state.done_err) = (0, 0);
    }
}

/// Which of the cell's streams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stream {
    Out,
    Err,
}

/// The message of a panic, without the noise around it; `lines` is what the panic printed.
pub fn panic_message(lines: &[String]) -> String {
    let Some(begin) = lines.iter().rposition(|line| line.contains("panicked at")) else {
        return lines.join("\n");
    };
    let message: Vec<&str> = lines[begin + 1..]
        .iter()
        .map(String::as_str)
        .take_while(|line| !line.starts_with("stack backtrace:") && !line.starts_with("note: "))
        .collect();
    message.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    fn page() -> (Publisher, UnboundedReceiver<Message>) {
        let (sender, receiver) = unbounded_channel();
        let publisher = Publisher::new(sender);
        publisher.begin(&Message::unprompted());
        (publisher, receiver)
    }

    fn published(receiver: &mut UnboundedReceiver<Message>) -> Vec<Message> {
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    fn feed(publisher: &Publisher, stream: Stream, line: &str) {
        publisher.line(&mut publisher.lock(), stream, line);
    }

    #[test]
    fn an_error_s_text_is_not_published_as_output() {
        let (publisher, mut receiver) = page();
        feed(&publisher, Stream::Out, "before");
        feed(&publisher, Stream::Err, "no such file");
        feed(&publisher, Stream::Out, &Marker::Error.line());
        let (failure, lines) = publisher.finish();
        assert_eq!(failure, Some(Failure::Error));
        assert_eq!(lines, ["no such file"]);
        let texts = published(&mut receiver);
        assert_eq!(texts.len(), 1);
        assert_eq!(texts[0].content["text"], "before\n");
    }

    #[test]
    fn a_caught_panic_is_output_after_all() {
        let (publisher, mut receiver) = page();
        feed(&publisher, Stream::Err, "thread 'main' panicked at src/lib.rs:1:1:");
        feed(&publisher, Stream::Err, "boom");
        assert_eq!(publisher.finish(), (None, vec![]));
        let text = published(&mut receiver)[0].content["text"].clone();
        assert_eq!(text, "thread 'main' panicked at src/lib.rs:1:1:\nboom\n");
    }

    #[test]
    fn displays_and_updates_carry_their_id() {
        let (publisher, mut receiver) = page();
        for update in [false, true] {
            let data = [("text/plain".to_owned(), Value::from("x"))].into_iter().collect();
            let marker = Marker::Show { data, id: Some("a".into()), update };
            feed(&publisher, Stream::Out, &marker.line());
        }
        publisher.finish();
        let messages = published(&mut receiver);
        assert_eq!(messages[0].kind(), "display_data");
        assert_eq!(messages[1].kind(), "update_display_data");
        assert_eq!(messages[1].content["transient"]["display_id"], "a");
    }

    #[test]
    fn of_many_updates_the_last_one_counts() {
        let (publisher, mut receiver) = page();
        for number in 0..10_000 {
            let data = [("text/plain".to_owned(), Value::from(number))].into_iter().collect();
            let marker = Marker::Show { data, id: Some("a".into()), update: number > 0 };
            feed(&publisher, Stream::Out, &marker.line());
        }
        publisher.finish();
        let messages = published(&mut receiver);
        assert!(messages.len() < 1_000, "{} messages", messages.len());
        assert_eq!(messages.last().unwrap().content["data"]["text/plain"], 9_999);
    }

    #[test]
    fn of_too_much_text_head_and_tail_are_kept() {
        let (publisher, mut receiver) = page();
        for number in 0..1_000_000 {
            feed(&publisher, Stream::Out, &format!("line {number}"));
        }
        publisher.finish();
        let texts: Vec<String> = published(&mut receiver)
            .iter()
            .map(|message| message.content["text"].as_str().unwrap().to_owned())
            .collect();
        let all = texts.concat();
        assert!(texts.len() < 20 && all.len() < 2 * (HEAD + TAIL), "{} pieces", texts.len());
        assert!(all.starts_with("line 0\n") && all.ends_with("line 999999\n"));
        assert!(all.contains(" lines (") && all.contains("are left out here"));
    }

    #[test]
    fn one_endless_line_is_shortened_too() {
        let (publisher, mut receiver) = page();
        feed(&publisher, Stream::Out, &"é".repeat(10_000_000));
        publisher.finish();
        let size: usize = published(&mut receiver)
            .iter()
            .map(|m| m.content["text"].as_str().unwrap().len())
            .sum();
        assert!(size < 2 * (HEAD + TAIL), "{size}");
    }

    #[test]
    fn text_and_displays_keep_their_order() {
        let (publisher, mut receiver) = page();
        feed(&publisher, Stream::Out, "one");
        feed(&publisher, Stream::Out, "two");
        feed(&publisher, Stream::Out, &Marker::Clear { wait: true }.line());
        feed(&publisher, Stream::Out, "three");
        publisher.finish();
        let messages = published(&mut receiver);
        let kinds: Vec<&str> = messages.iter().map(Message::kind).collect();
        assert_eq!(kinds, ["stream", "clear_output", "stream"]);
        assert_eq!(messages[0].content["text"], "one\ntwo\n");
    }

    #[test]
    fn a_panic_is_told_without_its_backtrace() {
        let report = "thread 'main' (1) panicked at src/lib.rs:3:5:\nindex out of bounds: the len is 3\n\
                      but the index is 9\nstack backtrace:\n   0: rust_begin_unwind";
        let lines: Vec<String> = report.lines().map(str::to_owned).collect();
        assert_eq!(panic_message(&lines), "index out of bounds: the len is 3\nbut the index is 9");
    }
}
