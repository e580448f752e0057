//! Jupyter's five sockets, and which part of the kernel answers which request.
//!
//! Requests that need the compiler (execute, complete, inspect) are queued for the engine's thread; the
//! others are answered at once, also while a cell runs. A client that does not read its answers for a
//! second misses them, so that other clients get theirs. This does not hold on iopub, where a client that
//! stops reading without closing its connection blocks the others.

use crate::engine::engine_thread::EngineThread;
use crate::engine::kernel_state::KernelState;
use crate::engine::request_loop::RequestLoop;
use crate::home::Home;
use crate::protocol::completeness;
use crate::protocol::kernel_info::kernel_info;
use crate::protocol::message::Message;
use crate::protocol::wire::{Connection, Signer};
use crate::session::prewarmed::{self, Adoption};
use crate::session::session_folder::{Session, use_folder};
use anyhow::Result;
use serde_json::{Value, json};
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};
use zeromq::{PubSocket, RepSocket, RouterSocket, Socket, SocketRecv, SocketSend};

/// A client that does not read its answer for this long misses it.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);
/// The pause after an error on the heartbeat's socket.
const HEARTBEAT_PAUSE: Duration = Duration::from_millis(10);
/// How long the last messages may take until the kernel ends.
const LAST_MESSAGES: Duration = Duration::from_millis(100);

/// Serves one notebook until Jupyter requests the shutdown: with a prewarmed kernel, or else with a new
/// one.
pub fn serve(connection_file: &Path) -> Result<()> {
    let home = Home::from_env()?;
    if prewarmed::adopt(&home, connection_file)? {
        return Ok(());
    }
    let connection = Connection::read(connection_file)?;
    let session = Session::open(&home);
    let engine = match &session {
        Ok(session) => {
            use_folder(&session.folder);
            EngineThread::start(&home)?
        }
        // The error is shown on the page, since nobody sees the kernel's terminal.
        Err(error) => EngineThread::without_engine(anyhow::anyhow!("{error:#}"))?,
    };
    let owner = Owner::Parent(parent_id());
    let notebook = Notebook { home, engine, owner, preparation: String::new() };
    let result = notebook.serve(&connection);
    drop(session);
    result
}

/// Waits for a notebook, and serves it in place of the kernel that Jupyter started.
pub fn serve_prewarmed() -> Result<()> {
    let Some(adoption) = prewarmed::wait_for_notebook()? else { return Ok(()) };
    let Adoption { home, connection, engine, preparation, stream, session } = adoption;
    let owner = Owner::Peer(stream.try_clone()?);
    Notebook { home, engine, owner, preparation }.serve(&connection)?;
    drop(session);
    prewarmed::report_end(stream);
    Ok(())
}

/// The process that must live for the kernel to go on.
enum Owner {
    /// The process that started this one.
    Parent(u32),
    /// The process at the other end of this connection, which Jupyter started.
    Peer(UnixStream),
}

impl Owner {
    /// Starts a thread that notifies `shutdown` when the owner has ended.
    fn watch(mut self, shutdown: Arc<Notify>) {
        std::thread::spawn(move || {
            match &mut self {
                Owner::Parent(process) => {
                    while parent_id() == *process {
                        std::thread::sleep(Duration::from_millis(500));
                    }
                }
                Owner::Peer(stream) => drop(std::io::copy(stream, &mut std::io::sink())),
            }
            shutdown.notify_one();
        });
    }
}

/// The notebook to serve, with its engine.
struct Notebook {
    home: Home,
    engine: EngineThread,
    owner: Owner,
    /// Code that the cell process runs first; may be empty.
    preparation: String,
}

impl Notebook {
    /// Ends when Jupyter requests it, or when the owner has ended.
    fn serve(self, connection: &Connection) -> Result<()> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let result = runtime.block_on(self.serve_sockets(connection));
        runtime.shutdown_background();
        result
    }

    async fn serve_sockets(self, connection: &Connection) -> Result<()> {
        let signer = Signer::new(&connection.key);
        let Sockets { shell, control, stdin, iopub, heartbeat } = Sockets::bind(connection).await?;
        let (shell_send, shell_recv) = shell.split();
        let (stdin_send, stdin_recv) = stdin.split();
        let (shell_sender, shell_replies) = unbounded_channel();
        let (stdin_sender, stdin_requests) = unbounded_channel();
        let (requests_sender, requests) = mpsc::channel();
        let (inputs_sender, inputs) = mpsc::channel();
        let EngineThread { publisher, iopub: published, request_loop, .. } = self.engine;
        let kernel = KernelState::new(publisher, shell_sender, stdin_sender);

        tokio::spawn(answer_heartbeat(heartbeat));
        tokio::spawn(write_all(iopub, signer.clone(), published, None));
        tokio::spawn(write_all(shell_send, signer.clone(), shell_replies, Some(SEND_TIMEOUT)));
        tokio::spawn(write_all(stdin_send, signer.clone(), stdin_requests, Some(SEND_TIMEOUT)));
        kernel.publish_status(&Message::unprompted(), "starting");
        let home = self.home;
        let _ = request_loop.send(RequestLoop {
            kernel: kernel.clone(),
            preparation: self.preparation,
            requests,
            inputs,
            // The next kernel is prewarmed while the reader looks at the first result.
            after_first_cell: Box::new(move || prewarmed::spawn(&home)),
        });
        self.owner.watch(kernel.shutdown.clone());
        let state = kernel.clone();
        tokio::spawn(read_all(shell_recv, signer.clone(), move |request| {
            answer_shell(&state, &requests_sender, request);
        }));
        tokio::spawn(read_all(stdin_recv, signer.clone(), move |reply| {
            drop(inputs_sender.send(reply));
        }));
        serve_control(&kernel, control, &signer).await?;
        sleep(LAST_MESSAGES).await;
        kernel.kill_process();
        Ok(())
    }
}

struct Sockets {
    shell: RouterSocket,
    control: RouterSocket,
    stdin: RouterSocket,
    iopub: PubSocket,
    heartbeat: RepSocket,
}

impl Sockets {
    async fn bind(connection: &Connection) -> Result<Sockets> {
        let mut sockets = Sockets {
            shell: RouterSocket::new(),
            control: RouterSocket::new(),
            stdin: RouterSocket::new(),
            iopub: PubSocket::new(),
            heartbeat: RepSocket::new(),
        };
        sockets.shell.bind(&connection.endpoint(connection.shell_port)).await?;
        sockets.control.bind(&connection.endpoint(connection.control_port)).await?;
        sockets.stdin.bind(&connection.endpoint(connection.stdin_port)).await?;
        sockets.iopub.bind(&connection.endpoint(connection.iopub_port)).await?;
        sockets.heartbeat.bind(&connection.endpoint(connection.hb_port)).await?;
        Ok(sockets)
    }
}

/// Returns every heartbeat. A client that has disconnected does not end this.
async fn answer_heartbeat(mut heartbeat: RepSocket) {
    loop {
        match heartbeat.recv().await {
            Ok(frames) => drop(timeout(SEND_TIMEOUT, heartbeat.send(frames)).await),
            Err(_) => sleep(HEARTBEAT_PAUSE).await,
        }
    }
}

/// Passes all messages with a valid signature to `handle`.
async fn read_all(mut socket: impl SocketRecv, signer: Signer, handle: impl Fn(Message)) {
    while let Ok(frames) = socket.recv().await {
        if let Ok(message) = signer.decode(frames) {
            handle(message);
        }
    }
}

/// Sends all messages. One that a client does not take within the limit is dropped.
async fn write_all(
    mut socket: impl SocketSend,
    signer: Signer,
    mut messages: UnboundedReceiver<Message>,
    limit: Option<Duration>,
) {
    while let Some(message) = messages.recv().await {
        let sending = socket.send(signer.encode(&message));
        // An error means that the client has disconnected.
        match limit {
            Some(limit) => drop(timeout(limit, sending).await),
            None => drop(sending.await),
        }
    }
}

/// Answers a request on the shell channel, or queues it for the engine.
fn answer_shell(kernel: &KernelState, requests: &mpsc::Sender<Message>, request: Message) {
    let content = match request.kind() {
        "execute_request" | "complete_request" | "inspect_request" => {
            let _ = requests.send(request);
            return;
        }
        "kernel_info_request" => kernel_info(),
        "is_complete_request" => completeness::of(request.code()).content(),
        "comm_info_request" => json!({"status": "ok", "comms": {}}),
        "history_request" => kernel.history().answer(&request.content),
        "comm_open" => {
            kernel.busy(&request);
            let id = json!({"comm_id": request.content["comm_id"], "data": {}});
            kernel.publisher.publish(&request, "comm_close", id);
            kernel.idle(&request);
            return;
        }
        _ => return,
    };
    kernel.busy(&request);
    let _ = kernel.shell.send(request.reply(content));
    kernel.idle(&request);
}

/// Answers requests on the control channel until one asks for the shutdown, or the owner has ended.
async fn serve_control(kernel: &KernelState, control: RouterSocket, signer: &Signer) -> Result<()> {
    let (mut send, mut recv) = control.split();
    loop {
        let frames = tokio::select! {
            frames = recv.recv() => frames?,
            () = kernel.shutdown.notified() => return Ok(()),
        };
        let Ok(request) = signer.decode(frames) else { continue };
        let is_shutdown = request.kind() == "shutdown_request";
        kernel.busy(&request);
        if let Some(content) = answer_control(kernel, &request) {
            let reply = signer.encode(&request.reply(content.clone()));
            let _ = timeout(SEND_TIMEOUT, send.send(reply)).await;
            if is_shutdown {
                kernel.publisher.publish(&request, "shutdown_reply", content);
            }
        }
        kernel.idle(&request);
        if is_shutdown {
            return Ok(());
        }
    }
}

/// Executes a request on the control channel, and returns the content of the reply.
fn answer_control(kernel: &KernelState, request: &Message) -> Option<Value> {
    match request.kind() {
        "kernel_info_request" => Some(kernel_info()),
        "interrupt_request" => {
            kernel.interrupt();
            Some(json!({"status": "ok"}))
        }
        "shutdown_request" => Some(json!({"status": "ok", "restart": request.content["restart"]})),
        _ => None,
    }
}
