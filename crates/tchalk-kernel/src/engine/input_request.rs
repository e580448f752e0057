//! Asks the reader for a line of input.

use crate::engine::kernel_state::KernelState;
use crate::protocol::message::Message;
use serde_json::json;
use std::sync::mpsc;
use std::time::Duration;

/// How often a request for input checks whether the cell was interrupted.
const INTERRUPT_CHECK: Duration = Duration::from_millis(100);

/// Written by `display::input` in place of a colon, at which Evcxr would cut the prompt.
const PROMPT_COLON: char = '\u{a789}';

/// The client that has sent a cell, as a source of input for it.
pub struct InputRequest<'a> {
    pub kernel: &'a KernelState,
    pub request: &'a Message,
    pub inputs: &'a mpsc::Receiver<Message>,
}

impl InputRequest<'_> {
    /// One line from the reader; empty if the client takes no requests, or after an interrupt.
    pub fn ask(&self, prompt: String, password: bool) -> String {
        if self.request.content["allow_stdin"] != json!(true) {
            return String::new();
        }
        self.inputs.try_iter().for_each(drop);
        let prompt = prompt.replace(PROMPT_COLON, ":");
        let content = json!({"prompt": prompt, "password": password});
        let _ = self.kernel.stdin.send(self.request.ask("input_request", content));
        loop {
            match self.inputs.recv_timeout(INTERRUPT_CHECK) {
                // The cell process reads one line.
                Ok(reply) => {
                    let value = reply.content["value"].as_str().unwrap_or_default();
                    return value.replace(['\n', '\r'], " ");
                }
                Err(mpsc::RecvTimeoutError::Timeout) if !self.kernel.is_interrupted() => {}
                Err(_) => return String::new(),
            }
        }
    }
}
