//! The queue of requests that need the engine: cells to run, names to complete and to look up.

use crate::engine::evcxr_engine::{Engine, catch_panic};
use crate::engine::execute_error::ExecuteError;
use crate::engine::execution::{Execution, publish_error};
use crate::engine::introspection::{self, no_completions, nothing_found};
use crate::engine::kernel_state::KernelState;
use crate::protocol::message::Message;
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::mpsc;

/// What the engine needs to serve a notebook.
pub struct RequestLoop {
    pub kernel: KernelState,
    /// Code that the cell process runs first; may be empty.
    pub preparation: String,
    pub requests: mpsc::Receiver<Message>,
    pub inputs: mpsc::Receiver<Message>,
    /// Called when the first cell has been answered.
    pub after_first_cell: Box<dyn Fn() + Send>,
}

impl RequestLoop {
    /// Answers requests in order until the kernel ends.
    pub fn run(&self, engine: &mut Engine) -> Result<()> {
        if !self.preparation.is_empty() {
            engine.prepare(self.preparation.clone())?;
        }
        self.kernel.set_process(engine.process());
        self.kernel.idle(&Message::unprompted());
        let mut count = 0;
        let mut waiting = VecDeque::new();
        while let Some(request) = waiting.pop_front().or_else(|| self.requests.recv().ok()) {
            self.kernel.busy(&request);
            let content = self.content(engine, &request, &mut count);
            // Collected before the reply: what a client sends after that, it sends knowing of the failure.
            let queued = self.queued_behind_failure(&request, &content);
            self.reply(&request, content);
            if count == 1 && is_execution(&request) {
                (self.after_first_cell)();
            }
            for queued in queued {
                if is_execution(&queued) {
                    self.kernel.busy(&queued);
                    self.reply(&queued, json!({"status": "aborted"}));
                } else {
                    waiting.push_back(queued);
                }
            }
        }
        Ok(())
    }

    fn reply(&self, request: &Message, content: Value) {
        let _ = self.kernel.shell.send(request.reply(content));
        self.kernel.idle(request);
    }

    /// The content of the reply. A panic of rust-analyzer is answered as if nothing was found.
    fn content(&self, engine: &mut Engine, request: &Message, count: &mut u64) -> Value {
        match request.kind() {
            "complete_request" => catch_panic(|| Ok(introspection::complete(engine, request)))
                .unwrap_or_else(|_| no_completions(request)),
            "inspect_request" => catch_panic(|| Ok(introspection::inspect(engine, request)))
                .unwrap_or_else(|_| nothing_found()),
            _ => {
                let execution = Execution::new(engine, &self.kernel, request, &self.inputs, *count);
                let (content, counted) = execution.run();
                *count = counted;
                content
            }
        }
    }

    /// The requests queued behind a cell that failed or was interrupted: their cells depend on it.
    fn queued_behind_failure(&self, request: &Message, content: &Value) -> Vec<Message> {
        let failed = content["status"] == "error" && request.content["silent"] != json!(true);
        let stops = is_execution(request) && (failed || self.kernel.is_interrupted());
        match stops && request.content["stop_on_error"] != json!(false) {
            true => self.requests.try_iter().collect(),
            false => Vec::new(),
        }
    }

    /// Answers all requests in place of an engine that could not be started: cells with the reason.
    pub fn run_without_engine(&self, reason: &str) {
        self.kernel.idle(&Message::unprompted());
        while let Ok(request) = self.requests.recv() {
            self.kernel.busy(&request);
            let content = match request.kind() {
                "complete_request" => no_completions(&request),
                "inspect_request" => nothing_found(),
                _ => {
                    let error = ExecuteError::new("KernelNotReady", reason);
                    publish_error(&self.kernel, &request, 0, &error)
                }
            };
            self.reply(&request, content);
        }
    }
}

fn is_execution(request: &Message) -> bool {
    request.kind() == "execute_request"
}
