//! The thread that owns Evcxr.

use crate::engine::evcxr_engine::{Engine, catch_panic};
use crate::engine::request_loop::RequestLoop;
use crate::home::Home;
use crate::output::publisher::Publisher;
use crate::protocol::message::Message;
use anyhow::{Context, Error, Result};
use std::sync::mpsc;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The thread, starting or ready, before it serves a notebook.
pub struct EngineThread {
    pub publisher: Publisher,
    pub iopub: UnboundedReceiver<Message>,
    /// Takes the one notebook to serve.
    pub request_loop: mpsc::Sender<RequestLoop>,
    ready: mpsc::Receiver<Result<()>>,
}

impl EngineThread {
    /// Starts Evcxr in the session folder, in a thread of its own.
    pub fn start(home: &Home) -> Result<EngineThread> {
        let home = home.clone();
        EngineThread::spawn(move |publisher| {
            catch_panic(|| {
                let mut engine = Engine::start(&home, publisher)?;
                engine.run_first_cell()?;
                Ok(engine)
            })
            .context("Evcxr did not start")
        })
    }

    /// A thread that answers every cell with the reason for which there is no engine.
    pub fn without_engine(reason: Error) -> Result<EngineThread> {
        EngineThread::spawn(move |_| Err(reason))
    }

    fn spawn(
        start: impl FnOnce(Publisher) -> Result<Engine> + Send + 'static,
    ) -> Result<EngineThread> {
        let (iopub_sender, iopub) = unbounded_channel();
        let publisher = Publisher::new(iopub_sender);
        let (sender, receiver) = mpsc::channel();
        let (ready_sender, ready) = mpsc::channel();
        let page = publisher.clone();
        std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || serve(start(page), &ready_sender, &receiver))?;
        Ok(EngineThread { publisher, iopub, request_loop: sender, ready })
    }

    /// Waits until the first cell has run.
    pub fn wait_until_ready(&self) -> Result<()> {
        self.ready.recv().context("the engine ended")?
    }
}

/// Serves one notebook with the engine, or answers it with the reason for which there is none.
fn serve(
    engine: Result<Engine>,
    ready: &mpsc::Sender<Result<()>>,
    receiver: &mpsc::Receiver<RequestLoop>,
) {
    match engine {
        Ok(mut engine) => {
            let _ = ready.send(Ok(()));
            let Ok(request_loop) = receiver.recv() else { return };
            if let Err(error) = catch_panic(|| request_loop.run(&mut engine)) {
                eprintln!("tchalk-kernel: {error:#}");
                request_loop.kernel.write_stderr(&format!("\nThe kernel ends: {error:#}\n"));
                request_loop.kernel.shutdown.notify_one();
            }
        }
        Err(error) => {
            let reason = format!("{error:#}");
            let _ = ready.send(Err(error));
            if let Ok(request_loop) = receiver.recv() {
                request_loop.run_without_engine(&reason);
            }
        }
    }
}
