//! What is known of the cell that runs now.

use super::Stream;
use crate::limit::Limit;
use crate::message::Message;
use crate::report::{Failure, Report};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// The cell that runs, or the last one.
pub struct State {
    pub parent: Message,
    /// No cell is running that may speak: the hidden first cell of a warm start.
    pub muted: bool,
    pub failure: Option<Failure>,
    /// Text of standard error not yet published, and when each piece came.
    pub held: VecDeque<(Instant, String)>,
    /// What the cell may fail of, if it is not caught.
    pub report: Option<Report>,
    /// Variables that a cell that failed has left as they were.
    pub kept: Vec<String>,
    pub done_out: u64,
    pub done_err: u64,
    /// Text of one stream that has not been sent yet.
    pub unsent: (Stream, String),
    /// How much text the cell has shown.
    pub limit: Limit,
    /// When the page was cleared last, and what waits until it may be cleared again.
    pub cleared: Option<Instant>,
    pub clearing: Option<Clearing>,
    /// When each display was last changed, and to what it shall be changed next.
    pub updates: HashMap<String, (Instant, Option<Value>)>,
}

/// A page that shall be cleared, and what it shows then: kinds of messages, and their contents.
pub struct Clearing {
    pub wait: bool,
    pub messages: Vec<(&'static str, Value)>,
}

impl State {
    pub fn new() -> State {
        State {
            parent: Message::unprompted(),
            muted: true,
            failure: None,
            held: VecDeque::new(),
            report: None,
            kept: Vec::new(),
            done_out: 0,
            done_err: 0,
            unsent: (Stream::Out, String::new()),
            limit: Limit::default(),
            cleared: None,
            clearing: None,
            updates: HashMap::new(),
        }
    }
}
