//! What is queued for the engine: cells to run, names to complete and to look up.

use crate::engine::{Engine, Outcome, Trouble};
use crate::magic::{self, Magic};
use crate::message::Message;
use crate::reserve;
use crate::server::Shared;
use crate::session::Home;
use anyhow::Result;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How often a question to the reader looks whether stop was pressed instead.
const PROMPT_CHECK: Duration = Duration::from_millis(100);

/// What an engine needs to serve a notebook.
pub(crate) struct Job {
    pub(crate) shared: Shared,
    pub(crate) home: Home,
    pub(crate) preparation: String,
    pub(crate) requests: mpsc::Receiver<Message>,
    pub(crate) inputs: mpsc::Receiver<Message>,
}

/// Runs what is queued, in order.
pub(crate) fn run(engine: &mut Engine, job: &Job) -> Result<()> {
    let Job { shared, home, preparation, requests: queue, inputs } = job;
    if !preparation.is_empty() {
        engine.prepare(preparation.clone())?;
    }
    *shared.process.lock().expect("no thread panics while it holds this") = Some(engine.process());
    shared.publisher.publish(&Message::unprompted(), "status", json!({"execution_state": "idle"}));
    let mut executed = 0;
    let mut waiting = std::collections::VecDeque::new();
    loop {
        let request = match waiting.pop_front() {
            Some(request) => request,
            None => match queue.recv() {
                Ok(request) => request,
                Err(mpsc::RecvError) => return Ok(()),
            },
        };
        shared.busy(&request);
        let content = match request.kind() {
            "complete_request" => complete(engine, &request),
            "inspect_request" => inspect(engine, &request),
            _ => execute(engine, shared, &request, inputs, &mut executed),
        };
        let failed = content["status"] == "error"
            && request.kind() == "execute_request"
            && request.content["silent"] != json!(true);
        // What the reader had queued behind a failing cell counts on its success. It is looked up
        // before the reply: what comes after that was sent knowing of the failure.
        let queued: Vec<Message> = match failed && request.content["stop_on_error"] != json!(false)
        {
            true => queue.try_iter().collect(),
            false => Vec::new(),
        };
        let _ = shared.shell.send(request.reply(content));
        shared.idle(&request);
        if executed == 1 && request.kind() == "execute_request" {
            // The next kernel warms up while this one's reader looks at the first result.
            reserve::spawn(home);
        }
        for queued in queued {
            if queued.kind() == "execute_request" {
                shared.busy(&queued);
                let _ = shared.shell.send(queued.reply(json!({"status": "aborted"})));
                shared.idle(&queued);
            } else {
                waiting.push_back(queued);
            }
        }
    }
}

fn execute(
    engine: &mut Engine,
    shared: &Shared,
    request: &Message,
    inputs: &mpsc::Receiver<Message>,
    executed: &mut u64,
) -> Value {
    let code = request.code();
    let silent = request.content["silent"] == json!(true);
    let reply = |executed: u64, payload: Value| {
        json!({"status": "ok", "execution_count": executed, "payload": payload,
               "user_expressions": {}})
    };
    if code.trim().is_empty() {
        return reply(*executed, json!([]));
    }
    if !silent {
        // Jupyter counts what it wants to find in the history.
        if request.content["store_history"] != json!(false) {
            *executed += 1;
            shared.history().push(code);
        }
        let input = json!({"code": code, "execution_count": *executed});
        shared.publisher.publish(request, "execute_input", input);
    }
    shared.publisher.begin(request);
    let count = *executed;
    let result = |data: Value| {
        if !silent && data.as_object().is_some_and(|data| !data.is_empty()) {
            let result = json!({"execution_count": count, "data": data, "metadata": {}});
            shared.publisher.publish(request, "execute_result", result);
        }
    };
    let (rust, timed) = match magic::read(code) {
        Magic::None(rust) => (rust, false),
        Magic::Time(rust) => (rust, true),
        Magic::Who => {
            let list = engine.variables().into_iter().map(|(name, kind)| format!("{name}: {kind}"));
            let list = list.collect::<Vec<_>>().join("\n");
            result(
                json!({"text/plain": if list.is_empty() { "no variables".to_owned() } else { list }}),
            );
            return reply(count, json!([]));
        }
        Magic::Help(name) => {
            let page = match engine.inspect(name, name.len()) {
                Some((plain, html)) => json!({"text/plain": plain, "text/html": html}),
                None => json!({"text/plain": format!("nothing is known of `{name}`")}),
            };
            return reply(count, json!([{"source": "page", "data": page, "start": 0}]));
        }
        Magic::Clear => {
            return match engine.clear() {
                Ok(()) => reply(count, json!([])),
                Err(error) => failed(
                    shared,
                    request,
                    silent,
                    count,
                    &Trouble::new("Error", &format!("{error:#}")),
                ),
            };
        }
        Magic::Unknown(line) => {
            let message =
                format!("there is no {line}; this kernel knows %%time, %who, :clear and ?name");
            return failed(shared, request, silent, count, &Trouble::new("Error", &message));
        }
    };
    *shared.last_stop.lock().expect("no thread panics while it holds this") = None;
    // A stop that was meant for an earlier cell is forgotten.
    shared.signal(libc::SIGUSR1);
    shared.running.store(true, Ordering::SeqCst);
    let may_ask = request.content["allow_stdin"] == json!(true);
    let ask = |prompt: String, password: bool| {
        if !may_ask {
            return String::new();
        }
        inputs.try_iter().for_each(drop);
        let content = json!({"prompt": prompt, "password": password});
        let _ = shared.stdin.send(request.ask("input_request", content));
        loop {
            match inputs.recv_timeout(PROMPT_CHECK) {
                Ok(reply) => return reply.content["value"].as_str().unwrap_or_default().to_owned(),
                // The stop button is an answer, too.
                Err(mpsc::RecvTimeoutError::Timeout) if !shared.is_stopped() => {}
                Err(_) => return String::new(),
            }
        }
    };
    let begun = Instant::now();
    let outcome = engine.run(rust, &ask);
    shared.running.store(false, Ordering::SeqCst);
    if timed {
        let took = magic::duration_text(begun.elapsed().as_secs_f64());
        shared.publisher.say_plainly(&format!("took {took}, compiling included\n"));
    }
    match outcome {
        Outcome::Done(data) => {
            result(data);
            reply(count, json!([]))
        }
        Outcome::Failed(trouble) => failed(shared, request, silent, count, &trouble),
    }
}

/// Tells the page of a failure, and returns the reply's content.
fn failed(
    shared: &Shared,
    request: &Message,
    silent: bool,
    count: u64,
    trouble: &Trouble,
) -> Value {
    let mut content = trouble.content();
    if !silent {
        shared.publisher.publish(request, "error", content.clone());
    }
    content["status"] = "error".into();
    content["execution_count"] = count.into();
    content
}

fn complete(engine: &mut Engine, request: &Message) -> Value {
    let code = request.code();
    let position = byte_offset(code, request.content["cursor_pos"].as_u64());
    let nothing = || {
        let at = char_offset(code, position);
        json!({"status": "ok", "matches": [], "cursor_start": at, "cursor_end": at, "metadata": {}})
    };
    let Ok(found) = engine.completions(code, position) else { return nothing() };
    if found.names.is_empty() {
        return nothing();
    }
    let (start, end) = (char_offset(code, found.start), char_offset(code, found.end));
    let kinds: Vec<Value> = found
        .names
        .iter()
        .map(|(text, kind)| json!({"text": text, "type": kind, "start": start, "end": end}))
        .collect();
    let matches: Vec<String> = found.names.into_iter().map(|(text, _)| text).collect();
    json!({"status": "ok", "matches": matches, "cursor_start": start, "cursor_end": end,
           "metadata": {"_jupyter_types_experimental": kinds}})
}

fn inspect(engine: &mut Engine, request: &Message) -> Value {
    let code = request.code();
    let position = byte_offset(code, request.content["cursor_pos"].as_u64());
    match engine.inspect(code, position) {
        Some((plain, html)) => json!({"status": "ok", "found": true, "metadata": {},
                                      "data": {"text/plain": plain, "text/html": html}}),
        None => json!({"status": "ok", "found": false, "data": {}, "metadata": {}}),
    }
}

/// Jupyter counts characters, Rust bytes.
fn byte_offset(code: &str, characters: Option<u64>) -> usize {
    let Some(characters) = characters else { return code.len() };
    code.char_indices().nth(characters as usize).map_or(code.len(), |(offset, _)| offset)
}

fn char_offset(code: &str, bytes: usize) -> usize {
    code.char_indices().take_while(|(offset, _)| *offset < bytes).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_characters_not_bytes() {
        let code = "let é = 1;";
        assert_eq!(byte_offset(code, Some(5)), 6);
        assert_eq!(char_offset(code, 6), 5);
        assert_eq!(byte_offset(code, Some(99)), code.len());
        assert_eq!(byte_offset(code, None), code.len());
    }
}
