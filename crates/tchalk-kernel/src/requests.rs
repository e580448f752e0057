//! What is queued for the engine: cells to run, names to complete and to look up.

use crate::engine::{Engine, Outcome, Trouble};
use crate::engine_thread::guarded;
use crate::magic::{self, Magic};
use crate::message::Message;
use crate::presses::Presses;
use crate::reserve;
use crate::server::Shared;
use crate::session::Home;
use crate::standard_input;
use anyhow::Result;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How often a question to the reader looks whether stop was pressed instead.
const PROMPT_CHECK: Duration = Duration::from_millis(100);

/// What `display::input` writes for a colon, at which Evcxr would cut the prompt.
const PROMPT_COLON: char = '\u{a789}';

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
            // What rust-analyzer stumbles over is a question without an answer.
            "complete_request" => guarded(|| Ok(complete(engine, &request)))
                .unwrap_or_else(|_| no_completions(&request)),
            "inspect_request" => {
                guarded(|| Ok(inspect(engine, &request))).unwrap_or_else(|_| nothing_found())
            }
            _ => execute(engine, shared, &request, inputs, &mut executed),
        };
        let executes = request.kind() == "execute_request";
        let failed = content["status"] == "error" && request.content["silent"] != json!(true);
        // What the reader had queued behind a failing cell counts on its success, and who stops a cell
        // stops what is behind it, too. It is looked up before the reply: what comes after that was
        // sent knowing of the failure.
        let ends_here = executes && (failed || shared.is_stopped());
        let queued: Vec<Message> =
            match ends_here && request.content["stop_on_error"] != json!(false) {
                true => queue.try_iter().collect(),
                false => Vec::new(),
            };
        let _ = shared.shell.send(request.reply(content));
        shared.idle(&request);
        if executed == 1 && executes {
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

/// Answers all that is queued in place of an engine that could not be started: cells by what is wrong.
pub(crate) fn refuse(job: &Job, words: &str) {
    let Job { shared, requests: queue, .. } = job;
    shared.publisher.publish(&Message::unprompted(), "status", json!({"execution_state": "idle"}));
    while let Ok(request) = queue.recv() {
        shared.busy(&request);
        let content = match request.kind() {
            "complete_request" => no_completions(&request),
            "inspect_request" => nothing_found(),
            _ => failed(shared, &request, false, 0, &Trouble::new("KernelNotReady", words)),
        };
        let _ = shared.shell.send(request.reply(content));
        shared.idle(&request);
    }
}

fn execute(
    engine: &mut Engine,
    shared: &Shared,
    request: &Message,
    inputs: &mpsc::Receiver<Message>,
    executed: &mut u64,
) -> Value {
    *shared.presses() = Presses::default();
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
    let refused =
        |words: &str| failed(shared, request, silent, count, &Trouble::new("Error", words));
    let magic = magic::read(code);
    let (rust, timed) = match magic {
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
        Magic::Clear(rest) | Magic::Restart(rest) => {
            let done = match magic {
                Magic::Clear(_) => engine.clear(),
                _ => engine.restart(),
            };
            if let Err(error) = done {
                return refused(&format!("{error:#}"));
            }
            if rest.trim().is_empty() {
                return reply(count, json!([]));
            }
            (rest, false)
        }
        Magic::Quit => {
            return refused("a cell cannot end its kernel: shut it down in Jupyter's menu, Kernel");
        }
        Magic::Misplaced(line) => return refused(&format!("{line} must be a cell's first line")),
        Magic::Unknown(line) => {
            return refused(&format!(
                "there is no {line}; this kernel knows %%time, %who, :clear and ?name"
            ));
        }
    };
    if standard_input::is_read_by(rust) {
        return refused(
            "a notebook has no standard input: stdin() would wait for ever. \
             Ask the reader with display::input(\"Your name? \")",
        );
    }
    // A stop that was meant for an earlier cell is forgotten.
    shared.signal(libc::SIGUSR1);
    shared.running.store(true, Ordering::SeqCst);
    let may_ask = request.content["allow_stdin"] == json!(true);
    let ask = |prompt: String, password: bool| {
        if !may_ask {
            return String::new();
        }
        inputs.try_iter().for_each(drop);
        let prompt = prompt.replace(PROMPT_COLON, ":");
        let content = json!({"prompt": prompt, "password": password});
        let _ = shared.stdin.send(request.ask("input_request", content));
        loop {
            match inputs.recv_timeout(PROMPT_CHECK) {
                // The cell's process reads one line.
                Ok(reply) => {
                    let value = reply.content["value"].as_str().unwrap_or_default();
                    return value.replace(['\n', '\r'], " ");
                }
                // The stop button is an answer, too.
                Err(mpsc::RecvTimeoutError::Timeout) if !shared.is_stopped() => {}
                Err(_) => return String::new(),
            }
        }
    };
    let begun = Instant::now();
    let outcome = engine.run(rust, &ask);
    shared.running.store(false, Ordering::SeqCst);
    let stopped_build = shared.presses().stopped_build;
    if timed {
        let took = magic::duration_text(begun.elapsed().as_secs_f64());
        shared.publisher.say_plainly(&format!("took {took}, compiling included\n"));
    }
    match outcome {
        Outcome::Done(data) => {
            result(data);
            reply(count, json!([]))
        }
        Outcome::Failed(trouble) if stopped_build && trouble.name != "ProcessEnded" => {
            let words = "stop was pressed while the cell was compiled: nothing of it has run, and no \
                         variable is lost";
            failed(shared, request, silent, count, &Trouble::new("Stopped", words))
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
    let code = &magic::blanked(request.code());
    let position = byte_offset(code, request.content["cursor_pos"].as_u64());
    let found = match engine.completions(code, position) {
        Ok(found) if !found.names.is_empty() => found,
        _ => return no_completions(request),
    };
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

fn no_completions(request: &Message) -> Value {
    let code = request.code();
    let at = char_offset(code, byte_offset(code, request.content["cursor_pos"].as_u64()));
    json!({"status": "ok", "matches": [], "cursor_start": at, "cursor_end": at, "metadata": {}})
}

/// The documentation of the name that the cursor touches, or else of the function whose arguments it
/// stands in.
fn inspect(engine: &mut Engine, request: &Message) -> Value {
    let code = &magic::blanked(request.code());
    let position = byte_offset(code, request.content["cursor_pos"].as_u64());
    let places = std::iter::once(end_of_word(code, position)).chain(open_call(code, position));
    for place in places {
        if let Some((plain, html)) = engine.inspect(code, place) {
            return json!({"status": "ok", "found": true, "metadata": {},
                          "data": {"text/plain": plain, "text/html": html}});
        }
    }
    nothing_found()
}

fn nothing_found() -> Value {
    json!({"status": "ok", "found": false, "data": {}, "metadata": {}})
}

/// Where the name ends that `position` is in.
fn end_of_word(code: &str, position: usize) -> usize {
    let rest = &code[position..];
    position + rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
}

/// Behind the last parenthesis before `position` that is still open.
fn open_call(code: &str, position: usize) -> Option<usize> {
    let mut closed = 0;
    for (at, c) in code[..position].char_indices().rev() {
        match c {
            ')' => closed += 1,
            '(' if closed == 0 => return Some(at + 1),
            '(' => closed -= 1,
            _ => {}
        }
    }
    None
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

    #[test]
    fn a_cursor_inside_a_name_means_the_name() {
        let code = "Conv2d::new(8)";
        assert_eq!(&code[..end_of_word(code, 2)], "Conv2d");
        assert_eq!(&code[..end_of_word(code, 8)], "Conv2d::new");
        assert_eq!(end_of_word(code, code.len()), code.len());
    }

    #[test]
    fn a_cursor_among_arguments_means_the_call() {
        for (code, call) in [
            ("Conv2d::new(8, ", "Conv2d::new("),
            ("f(g(1), h(2), ", "f("),
            ("f(1); Dense::new(", "Dense::new("),
        ] {
            assert_eq!(
                open_call(code, code.len()).map(|at| &code[code.rfind(call).unwrap()..at]),
                Some(call)
            );
        }
        assert_eq!(open_call("f(1) + 2", 8), None);
    }
}
