//! The state that the sockets and the engine share.

use crate::engine::compile_server::server::end_build;
use crate::engine::interrupt::{InterruptAction, InterruptState};
use crate::output::cell_process::signal_group;
use crate::output::{publisher::Publisher, stream::Stream};
use crate::protocol::history::History;
use crate::protocol::message::Message;
use serde_json::json;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

/// A cell that has not reacted to an interrupt for this long is reported on the page.
const REACTION_TIME: Duration = Duration::from_secs(2);

/// How often a program is asked whether it has ended.
const PROGRAM_CHECK: Duration = Duration::from_millis(10);

type Process = Arc<Mutex<Child>>;

/// The state of a kernel, for any thread.
#[derive(Clone)]
pub struct KernelState {
    pub publisher: Publisher,
    /// Replies on the shell channel.
    pub shell: UnboundedSender<Message>,
    /// Requests for input on the stdin channel.
    pub stdin: UnboundedSender<Message>,
    /// Notified when the kernel is to end.
    pub shutdown: Arc<Notify>,
    running: Arc<AtomicBool>,
    process: Arc<Mutex<Option<Process>>>,
    /// The process above is a program that a cell has named, not the cell process.
    is_program: Arc<AtomicBool>,
    interrupts: Arc<Mutex<InterruptState>>,
    history: Arc<Mutex<History>>,
}

impl KernelState {
    pub fn new(
        publisher: Publisher,
        shell: UnboundedSender<Message>,
        stdin: UnboundedSender<Message>,
    ) -> KernelState {
        KernelState {
            publisher,
            shell,
            stdin,
            shutdown: Arc::default(),
            running: Arc::default(),
            process: Arc::default(),
            is_program: Arc::default(),
            interrupts: Arc::default(),
            history: Arc::default(),
        }
    }

    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("no thread panics while it holds this")
    }

    /// Publishes that the kernel works on a request.
    pub fn busy(&self, request: &Message) {
        self.publish_status(request, "busy");
    }

    /// Publishes that a request is done.
    pub fn idle(&self, request: &Message) {
        self.publish_status(request, "idle");
    }

    pub fn publish_status(&self, request: &Message, status: &str) {
        self.publisher.publish(request, "status", json!({"execution_state": status}));
    }

    /// Writes text of the kernel's own to the cell's standard error.
    pub fn write_stderr(&self, text: &str) {
        self.publisher.write(Stream::Err, text);
    }

    /// Sets the cell process, for signals.
    pub fn set_process(&self, process: Process) {
        self.replace_process(Some(process));
    }

    fn replace_process(&self, process: Option<Process>) -> Option<Process> {
        let mut current = self.process.lock().expect("no thread panics while it holds this");
        std::mem::replace(&mut *current, process)
    }

    /// A cell begins that cannot be interrupted yet: interrupts of earlier cells are discarded.
    pub fn reset_interrupts(&self) {
        *self.interrupts() = InterruptState::default();
    }

    /// The cell's code begins to run; until it ends, interrupts have an effect.
    pub fn begin_running(&self) {
        // Clears the library's flag, which an interrupt of an earlier cell may have set.
        self.with_process(|process| {
            // SAFETY: a signal to a child that was not waited for, so its id is its own.
            unsafe { libc::kill(process.id() as i32, libc::SIGUSR1) };
        });
        self.running.store(true, Ordering::SeqCst);
    }

    /// The cell's code has ended; `true` if an interrupt ended its build.
    pub fn end_running(&self) -> bool {
        self.running.store(false, Ordering::SeqCst);
        self.interrupts().build_ended
    }

    /// Waits until a program ends; interrupts are for it and not for the cell process.
    pub fn run_program(&self, program: Child) -> std::io::Result<ExitStatus> {
        let program = Arc::new(Mutex::new(program));
        let cells = self.replace_process(Some(program.clone()));
        self.is_program.store(true, Ordering::SeqCst);
        self.running.store(true, Ordering::SeqCst);
        let status = loop {
            let status = program.lock().expect("no thread panics while it holds this").try_wait();
            match status.transpose() {
                Some(status) => break status,
                None => std::thread::sleep(PROGRAM_CHECK),
            }
        };
        self.running.store(false, Ordering::SeqCst);
        self.is_program.store(false, Ordering::SeqCst);
        self.replace_process(cells);
        status
    }

    /// Interrupts the running cell: the first time it is asked to end at its next step, later its process
    /// is killed.
    pub fn interrupt(&self) {
        if !self.running.load(Ordering::SeqCst) {
            return;
        }
        let action = self.interrupts().interrupt(Instant::now());
        match action {
            InterruptAction::Ignore => {}
            InterruptAction::KillProcess => {
                if !self.is_program.load(Ordering::SeqCst) {
                    self.write_stderr("Stopping the cell's process. Variables will be lost.\n");
                }
                self.kill_process();
            }
            InterruptAction::Signal => {
                self.with_process(|process| signal_group(process, libc::SIGINT));
                if end_build() {
                    self.interrupts().build_ended = true;
                }
                tokio::spawn(self.clone().report_slow_reaction());
            }
        }
    }

    /// Tells the reader after a while that the cell has not ended yet; a program is ended.
    async fn report_slow_reaction(self) {
        tokio::time::sleep(REACTION_TIME).await;
        if !self.running.load(Ordering::SeqCst) || !self.interrupts().is_overdue(REACTION_TIME) {
            return;
        }
        if self.is_program.load(Ordering::SeqCst) {
            self.kill_process();
        } else {
            self.write_stderr(
                "The cell goes on to the end of its step. Press stop again to end its process: all \
                 variables will be lost.\n",
            );
        }
    }

    fn interrupts(&self) -> MutexGuard<'_, InterruptState> {
        self.interrupts.lock().expect("no thread panics while it holds this")
    }

    /// Whether the cell was interrupted.
    pub fn is_interrupted(&self) -> bool {
        self.interrupts().is_interrupted()
    }

    fn with_process(&self, act: impl FnOnce(&Child)) {
        let process = self.process.lock().expect("no thread panics while it holds this");
        if let Some(process) = &*process
            && let Ok(child) = process.lock()
        {
            act(&child);
        }
    }

    pub fn kill_process(&self) {
        self.with_process(|process| signal_group(process, libc::SIGKILL));
    }
}
