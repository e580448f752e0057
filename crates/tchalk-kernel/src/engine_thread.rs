//! The thread that owns Evcxr, and what becomes of it where Evcxr fails.

use crate::engine::Engine;
use crate::message::Message;
use crate::publish::Publisher;
use crate::requests::{self, Job};
use crate::session::Home;
use anyhow::{Context, Result, anyhow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The thread, warming up or warm, with no notebook to serve yet.
pub struct EngineThread {
    pub(crate) publisher: Publisher,
    pub(crate) iopub: UnboundedReceiver<Message>,
    pub(crate) jobs: mpsc::Sender<Job>,
    ready: mpsc::Receiver<Result<()>>,
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
            let started = guarded(|| {
                let mut engine = Engine::start(&home, for_engine)?;
                engine.first_cell()?;
                Ok(engine)
            });
            match started.context("Evcxr did not start") {
                Ok(mut engine) => {
                    let _ = tell_ready.send(Ok(()));
                    let Ok(job) = queue.recv() else { return };
                    if let Err(error) = guarded(|| requests::run(&mut engine, &job)) {
                        eprintln!("tchalk-kernel: {error:#}");
                        job.shared.say(&format!("\nThe kernel ends: {error:#}\n"));
                        job.shared.stop.notify_one();
                    }
                }
                Err(error) => {
                    let words = format!("{error:#}");
                    let _ = tell_ready.send(Err(error));
                    if let Ok(job) = queue.recv() {
                        requests::refuse(&job, &words);
                    }
                }
            }
        })?;
        Ok(EngineThread { publisher, iopub, jobs, ready })
    }

    /// What there is in place of an engine that cannot be started: it says why to every cell.
    pub fn without_engine(error: &anyhow::Error) -> Result<EngineThread> {
        let (iopub_queue, iopub) = unbounded_channel();
        let (jobs, queue) = mpsc::channel::<Job>();
        let (_, ready) = mpsc::channel();
        let words = format!("{error:#}");
        std::thread::Builder::new().name("engine".into()).spawn(move || {
            if let Ok(job) = queue.recv() {
                requests::refuse(&job, &words);
            }
        })?;
        Ok(EngineThread { publisher: Publisher::new(iopub_queue), iopub, jobs, ready })
    }

    /// Waits until the first cell has run.
    pub fn wait_until_warm(&self) -> Result<()> {
        self.ready.recv().context("the engine ended")?
    }
}

/// Does this, and makes an error of a panic inside Evcxr or rust-analyzer: a thread that is gone would
/// answer nobody.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(anyhow!("it has met a fault of its own (a panic)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(guarded(|| Ok(1)).unwrap(), 1);
        assert!(guarded(|| -> Result<()> { panic!("inside rust-analyzer") }).is_err());
    }
}
