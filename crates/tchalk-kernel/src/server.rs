//! Jupyter's five sockets, and who answers what.
//!
//! Requests that need Rust code (run, complete, inspect) are queued for one thread that owns
//! Evcxr; everything else is answered at once, also while a cell runs.

use crate::completeness;
use crate::engine_thread::EngineThread;
use crate::history::History;
use crate::kernel_info::kernel_info;
use crate::message::Message;
use crate::presses::{Presses, Wish};
use crate::publish::Publisher;
use crate::quick;
use crate::requests::Job;
use crate::reserve;
use crate::session::{Home, Session, use_folder};
use crate::wire::{Connection, Signer};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use zeromq::{PubSocket, RepSocket, RouterSocket, Socket, SocketRecv, SocketSend};

/// A cell that has not heeded a stop for this long is worth a word.
const PATIENCE: Duration = Duration::from_secs(2);
/// A client that does not take its answer for so long does without.
const SEND_PATIENCE: Duration = Duration::from_secs(1);
/// After an error on the heartbeat's socket.
const HEARTBEAT_PAUSE: Duration = Duration::from_millis(10);

/// Serves one notebook until Jupyter says shutdown: with a kernel that waits in reserve, or else with
/// a new one.
pub fn serve(connection_file: &Path) -> Result<()> {
    let home = Home::from_env()?;
    if reserve::hand_over(&home, connection_file)? {
        return Ok(());
    }
    let connection = Connection::read(connection_file)?;
    let session = Session::open(&home);
    let engine = match &session {
        Ok(session) => {
            use_folder(&session.folder);
            EngineThread::start(&home)?
        }
        // The reader looks at the page, not at the terminal.
        Err(error) => EngineThread::without_engine(error)?,
    };
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

/// What the tasks share.
#[derive(Clone)]
pub(crate) struct Shared {
    signer: Signer,
    pub(crate) publisher: Publisher,
    pub(crate) shell: UnboundedSender<Message>,
    pub(crate) stdin: UnboundedSender<Message>,
    requests: mpsc::Sender<Message>,
    pub(crate) running: Arc<AtomicBool>,
    pub(crate) process: Arc<Mutex<Option<Arc<Mutex<Child>>>>>,
    presses: Arc<Mutex<Presses>>,
    history: Arc<Mutex<History>>,
    pub(crate) stop: Arc<Notify>,
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
    let EngineThread { publisher, iopub: iopub_messages, jobs, .. } = engine;
    let shared = Shared {
        signer: signer.clone(),
        publisher: publisher.clone(),
        shell: shell_queue,
        stdin: stdin_queue,
        requests,
        running: Arc::default(),
        process: Arc::default(),
        presses: Arc::default(),
        history: Arc::default(),
        stop: Arc::default(),
    };

    tokio::spawn(async move {
        loop {
            // A client that broke off, or left before its answer, is no reason to fall silent.
            match heartbeat.recv().await {
                Ok(frames) => drop(timeout(SEND_PATIENCE, heartbeat.send(frames)).await),
                Err(_) => tokio::time::sleep(HEARTBEAT_PAUSE).await,
            }
        }
    });
    tokio::spawn(send_all(signer.clone(), iopub_messages, iopub, None));
    tokio::spawn(send_all(signer.clone(), shell_messages, shell_send, Some(SEND_PATIENCE)));
    tokio::spawn(send_all(signer.clone(), stdin_messages, stdin_send, Some(SEND_PATIENCE)));
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
            let reply = signer.encode(&request.reply(content.clone()));
            let _ = timeout(SEND_PATIENCE, control_send.send(reply)).await;
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

/// Sends what is queued. A client that takes nothing for as long as `patience` misses its message, so
/// that the others get theirs.
async fn send_all<S: SocketSend>(
    signer: Signer,
    mut messages: UnboundedReceiver<Message>,
    mut socket: S,
    patience: Option<Duration>,
) {
    while let Some(message) = messages.recv().await {
        let sending = socket.send(signer.encode(&message));
        // A client that has gone away is not the kernel's trouble.
        match patience {
            Some(patience) => drop(timeout(patience, sending).await),
            None => drop(sending.await),
        }
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
            "is_complete_request" => completeness::of(request.code()).content(),
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

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("no thread panics while it holds this")
    }

    pub(crate) fn busy(&self, request: &Message) {
        self.publisher.publish(request, "status", json!({"execution_state": "busy"}));
    }

    pub(crate) fn idle(&self, request: &Message) {
        self.publisher.publish(request, "status", json!({"execution_state": "idle"}));
    }

    /// The first stop asks the cell to end at its next step; a second one ends its process.
    fn interrupt(&self) {
        if !self.running.load(Ordering::SeqCst) {
            return;
        }
        let wish = self.presses().press(Instant::now());
        match wish {
            Wish::Nothing => {}
            Wish::EndProcess => {
                self.say("Stopping the cell's process. Variables will be lost.\n");
                self.end_process();
            }
            Wish::EndGently => {
                self.signal(libc::SIGINT);
                if quick::stop_build() {
                    self.presses().stopped_build = true;
                }
                let shared = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(PATIENCE).await;
                    let waiting = shared.presses().waited(PATIENCE);
                    if waiting && shared.running.load(Ordering::SeqCst) {
                        shared.say(
                            "The cell goes on to the end of its step. Press stop again to end its \
                             process: all variables will be lost.\n",
                        );
                    }
                });
            }
        }
    }

    /// The presses of the stop button since the cell began.
    pub(crate) fn presses(&self) -> MutexGuard<'_, Presses> {
        self.presses.lock().expect("no thread panics while it holds this")
    }

    /// Whether the reader has pressed stop since the cell began.
    pub(crate) fn is_stopped(&self) -> bool {
        self.presses().any()
    }

    pub(crate) fn say(&self, text: &str) {
        self.publisher.say(text);
    }

    pub(crate) fn signal(&self, signal: i32) {
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
