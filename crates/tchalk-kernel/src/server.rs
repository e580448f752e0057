//! Jupyter's five sockets, and who answers what.
//!
//! Requests that need Rust code (run, complete, inspect) are queued for one thread that owns the
//! [`Engine`]; everything else is answered at once, also while a cell runs.

use crate::completeness::{self, Completeness};
use crate::engine::{Engine, Outcome, Trouble};
use crate::history::History;
use crate::magic::{self, Magic};
use crate::message::{Message, PROTOCOL};
use crate::publish::Publisher;
use crate::reserve;
use crate::session::{Home, Session, use_folder};
use crate::wire::{Connection, Signer};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zeromq::{PubSocket, RepSocket, RouterSocket, Socket, SocketRecv, SocketSend};

/// A second stop within this time ends the cell's process.
const SECOND_STOP: Duration = Duration::from_secs(10);
/// How often a question to the reader looks whether stop was pressed instead.
const PROMPT_CHECK: Duration = Duration::from_millis(100);
/// A cell that has not heeded a stop for this long is worth a word.
const PATIENCE: Duration = Duration::from_secs(2);

/// Serves one notebook until Jupyter says shutdown: with a kernel that waits in reserve, or else with
/// a new one.
pub fn serve(connection_file: &Path) -> Result<()> {
    let home = Home::from_env()?;
    if reserve::hand_over(&home, connection_file)? {
        return Ok(());
    }
    let connection = Connection::read(connection_file)?;
    let session = Session::open(&home)?;
    use_folder(&session.folder);
    let engine = EngineThread::start(&home)?;
    let owner = Owner::Parent(std::os::unix::process::parent_id());
    let result = serve_notebook(&connection, &home, engine, owner, String::new());
    drop(session);
    result
}

/// Serves one notebook with this engine, after `preparation` has run in it. Ends when Jupyter says
/// so, or when the owner is gone.
pub fn serve_notebook(
    connection: &Connection,
    home: &Home,
    engine: EngineThread,
    owner: Owner,
    preparation: String,
) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(serve_sockets(connection, home, engine, owner, preparation));
    runtime.shutdown_background();
    result
}

/// Without whom the kernel has no reason to live.
pub enum Owner {
    /// The process that started this one.
    Parent(u32),
    /// The process at the other end of this connection, which Jupyter started.
    Peer(std::os::unix::net::UnixStream),
}

impl Owner {
    /// Waits until the owner is gone.
    fn wait(mut self) {
        match &mut self {
            Owner::Parent(process) => {
                while std::os::unix::process::parent_id() == *process {
                    std::thread::sleep(Duration::from_millis(500));
                }
            }
            Owner::Peer(stream) => {
                let _ = std::io::copy(stream, &mut std::io::sink());
            }
        }
    }
}

/// The thread that owns Evcxr, warming up or warm, with no notebook to serve yet.
pub struct EngineThread {
    publisher: Publisher,
    iopub: UnboundedReceiver<Message>,
    jobs: mpsc::Sender<Job>,
    ready: mpsc::Receiver<Result<()>>,
}

/// What an engine needs to serve a notebook.
struct Job {
    shared: Shared,
    home: Home,
    preparation: String,
    requests: mpsc::Receiver<Message>,
    inputs: mpsc::Receiver<Message>,
}

impl EngineThread {
    /// Starts Evcxr in the session folder, in a thread of its own.
    pub fn start(home: &Home) -> Result<EngineThread> {
        let (iopub_queue, iopub) = unbounded_channel();
        let publisher = Publisher::new(iopub_queue);
        let (jobs, queue) = mpsc::channel::<Job>();
        let (tell_ready, ready) = mpsc::channel();
        let (home, for_engine) = (home.clone(), publisher.clone());
        std::thread::Builder::new().name("engine".into()).spawn(move || {
            let started = Engine::start(&home, for_engine).and_then(|mut engine| {
                engine.first_cell()?;
                Ok(engine)
            });
            let mut engine = match started {
                Ok(engine) => engine,
                Err(error) => {
                    let _ = tell_ready.send(Err(error.context("Evcxr did not start")));
                    return;
                }
            };
            let _ = tell_ready.send(Ok(()));
            if let Ok(job) = queue.recv()
                && let Err(error) = run_requests(&mut engine, &job)
            {
                eprintln!("tchalk-kernel: {error:#}");
                job.shared.stop.notify_one();
            }
        })?;
        Ok(EngineThread { publisher, iopub, jobs, ready })
    }

    /// Waits until the first cell has run.
    pub fn wait_until_warm(&self) -> Result<()> {
        self.ready.recv().context("the engine ended")?
    }
}

/// What the tasks share.
#[derive(Clone)]
struct Shared {
    signer: Signer,
    publisher: Publisher,
    shell: UnboundedSender<Message>,
    stdin: UnboundedSender<Message>,
    requests: mpsc::Sender<Message>,
    running: Arc<AtomicBool>,
    process: Arc<Mutex<Option<Arc<Mutex<Child>>>>>,
    last_stop: Arc<Mutex<Option<Instant>>>,
    history: Arc<Mutex<History>>,
    stop: Arc<Notify>,
}

async fn serve_sockets(
    connection: &Connection,
    home: &Home,
    engine: EngineThread,
    owner: Owner,
    preparation: String,
) -> Result<()> {
    let signer = Signer::new(&connection.key);
    let mut shell = RouterSocket::new();
    let mut control = RouterSocket::new();
    let mut stdin = RouterSocket::new();
    let mut iopub = PubSocket::new();
    let mut heartbeat = RepSocket::new();
    shell.bind(&connection.endpoint(connection.shell_port)).await?;
    control.bind(&connection.endpoint(connection.control_port)).await?;
    stdin.bind(&connection.endpoint(connection.stdin_port)).await?;
    iopub.bind(&connection.endpoint(connection.iopub_port)).await?;
    heartbeat.bind(&connection.endpoint(connection.hb_port)).await?;

    let (shell_send, mut shell_recv) = shell.split();
    let (stdin_send, mut stdin_recv) = stdin.split();
    let (mut control_send, mut control_recv) = control.split();
    let (shell_queue, shell_messages) = unbounded_channel();
    let (stdin_queue, stdin_messages) = unbounded_channel();
    let (requests, request_queue) = mpsc::channel();
    let (inputs, input_queue) = mpsc::channel();
    let EngineThread { publisher, iopub: iopub_messages, jobs, ready } = engine;
    let shared = Shared {
        signer: signer.clone(),
        publisher: publisher.clone(),
        shell: shell_queue,
        stdin: stdin_queue,
        requests,
        running: Arc::default(),
        process: Arc::default(),
        last_stop: Arc::default(),
        history: Arc::default(),
        stop: Arc::default(),
    };

    tokio::spawn(async move {
        while let Ok(frames) = heartbeat.recv().await {
            if heartbeat.send(frames).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(send_all(signer.clone(), iopub_messages, iopub));
    tokio::spawn(send_all(signer.clone(), shell_messages, shell_send));
    tokio::spawn(send_all(signer.clone(), stdin_messages, stdin_send));
    publisher.publish(&Message::unprompted(), "status", json!({"execution_state": "starting"}));
    let job = Job {
        shared: shared.clone(),
        home: home.clone(),
        preparation,
        requests: request_queue,
        inputs: input_queue,
    };
    let _ = jobs.send(job);
    let stop = shared.stop.clone();
    std::thread::spawn(move || {
        if let Ok(Err(error)) = ready.recv() {
            eprintln!("tchalk-kernel: {error:#}");
            stop.notify_one();
        }
    });
    let stop = shared.stop.clone();
    std::thread::spawn(move || {
        owner.wait();
        stop.notify_one();
    });
    {
        let shared = shared.clone();
        tokio::spawn(async move {
            while let Ok(frames) = shell_recv.recv().await {
                // A message that is not signed with our key is nobody's.
                if let Ok(message) = shared.signer.decode(frames) {
                    shared.on_shell(message);
                }
            }
        });
    }
    {
        let signer = signer.clone();
        tokio::spawn(async move {
            while let Ok(frames) = stdin_recv.recv().await {
                if let Ok(message) = signer.decode(frames) {
                    let _ = inputs.send(message);
                }
            }
        });
    }
    loop {
        let frames = tokio::select! {
            frames = control_recv.recv() => frames?,
            () = shared.stop.notified() => break,
        };
        let Ok(request) = signer.decode(frames) else { continue };
        let shutdown = request.kind() == "shutdown_request";
        if let Some(content) = shared.on_control(&request) {
            let _ = control_send.send(signer.encode(&request.reply(content.clone()))).await;
            if shutdown {
                publisher.publish(&request, "shutdown_reply", content);
            }
        }
        publisher.publish(&request, "status", json!({"execution_state": "idle"}));
        if shutdown {
            break;
        }
    }
    // The last messages are still on their way out.
    tokio::time::sleep(Duration::from_millis(100)).await;
    shared.end_process();
    Ok(())
}

async fn send_all<S: SocketSend>(
    signer: Signer,
    mut messages: UnboundedReceiver<Message>,
    mut socket: S,
) {
    while let Some(message) = messages.recv().await {
        // A client that has gone away is not the kernel's trouble.
        let _ = socket.send(signer.encode(&message)).await;
    }
}

impl Shared {
    /// Answers a request on the shell channel, or queues it for the engine.
    fn on_shell(&self, request: Message) {
        let content = match request.kind() {
            "execute_request" | "complete_request" | "inspect_request" => {
                let _ = self.requests.send(request);
                return;
            }
            "kernel_info_request" => kernel_info(),
            "is_complete_request" => is_complete(request.code()),
            "comm_info_request" => json!({"status": "ok", "comms": {}}),
            "history_request" => self.history().answer(&request.content),
            "comm_open" => {
                self.busy(&request);
                let id = json!({"comm_id": request.content["comm_id"], "data": {}});
                self.publisher.publish(&request, "comm_close", id);
                self.idle(&request);
                return;
            }
            _ => return,
        };
        self.busy(&request);
        let _ = self.shell.send(request.reply(content));
        self.idle(&request);
    }

    /// Does what a control request asks, and returns the reply's content.
    fn on_control(&self, request: &Message) -> Option<Value> {
        self.busy(request);
        match request.kind() {
            "kernel_info_request" => Some(kernel_info()),
            "interrupt_request" => {
                self.interrupt();
                Some(json!({"status": "ok"}))
            }
            "shutdown_request" => {
                Some(json!({"status": "ok", "restart": request.content["restart"]}))
            }
            _ => None,
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("no thread panics while it holds this")
    }

    fn busy(&self, request: &Message) {
        self.publisher.publish(request, "status", json!({"execution_state": "busy"}));
    }

    fn idle(&self, request: &Message) {
        self.publisher.publish(request, "status", json!({"execution_state": "idle"}));
    }

    /// The first stop asks the cell to end at its next step; a second one ends its process.
    fn interrupt(&self) {
        if !self.running.load(Ordering::SeqCst) {
            return;
        }
        let mut last = self.last_stop.lock().expect("no thread panics while it holds this");
        if last.replace(Instant::now()).is_some_and(|before| before.elapsed() < SECOND_STOP) {
            self.say("Stopping the cell's process. Variables will be lost.\n");
            self.end_process();
            return;
        }
        drop(last);
        self.signal(libc::SIGINT);
        let shared = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            let pressed = *shared.last_stop.lock().expect("no thread panics while it holds this");
            let waiting = pressed.is_some_and(|at| at.elapsed() >= PATIENCE);
            if waiting && shared.running.load(Ordering::SeqCst) {
                shared.say(
                    "The cell goes on to the end of its step. Press stop again to end its \
                     process: all variables will be lost.\n",
                );
            }
        });
    }

    /// Whether the reader has pressed stop since the cell began.
    fn is_stopped(&self) -> bool {
        self.last_stop.lock().expect("no thread panics while it holds this").is_some()
    }

    fn say(&self, text: &str) {
        self.publisher.say(text);
    }

    fn signal(&self, signal: i32) {
        let process = self.process.lock().expect("no thread panics while it holds this");
        if let Some(process) = &*process
            && let Ok(child) = process.lock()
        {
            // SAFETY: sends a signal to a child that has not been waited for: its number is ours.
            unsafe { libc::kill(child.id() as i32, signal) };
        }
    }

    fn end_process(&self) {
        self.signal(libc::SIGKILL);
    }
}

/// Runs what is queued, in order.
fn run_requests(engine: &mut Engine, job: &Job) -> Result<()> {
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

fn is_complete(code: &str) -> Value {
    match completeness::of(code) {
        Completeness::Complete => json!({"status": "complete"}),
        Completeness::Incomplete { depth } => {
            json!({"status": "incomplete", "indent": "    ".repeat(depth)})
        }
        Completeness::Invalid => json!({"status": "invalid"}),
    }
}

fn kernel_info() -> Value {
    json!({
        "status": "ok",
        "protocol_version": PROTOCOL,
        "implementation": "tchalk",
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "rust",
            "version": rust_version(),
            "mimetype": "text/x-rustsrc",
            "file_extension": ".rs",
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
        },
        "banner": concat!("tchalk ", env!("CARGO_PKG_VERSION"), ": Rust, with libtorch at hand"),
        "help_links": [
            {"text": "The Rust book", "url": "https://doc.rust-lang.org/book/"},
            {"text": "Rust by example", "url": "https://doc.rust-lang.org/rust-by-example/"},
            {"text": "The standard library", "url": "https://doc.rust-lang.org/std/"},
            {"text": "tch: tensors", "url": "https://docs.rs/tch/0.24.0/tch/"},
        ],
    })
}

/// What `rustc --version` says its number is; asked once.
fn rust_version() -> &'static str {
    static VERSION: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    VERSION.get_or_init(|| {
        let output = std::process::Command::new("rustc").arg("--version").output();
        let text =
            output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        text.split_whitespace().nth(1).unwrap_or_default().to_owned()
    })
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
    fn open_brackets_ask_for_more_and_stray_ones_are_refused() {
        assert_eq!(is_complete("let x = 1;")["status"], "complete");
        assert_eq!(is_complete("fn f() {")["status"], "incomplete");
        assert_eq!(is_complete("fn f() }")["status"], "invalid");
    }
}
