//! The process in which a notebook's cells run.
//!
//! Evcxr starts this program again as the cell process and talks to it over its standard streams. Both
//! output streams are led through a thread (see [`crate::output::relay`]), then the loop of cells begins
//! ([`crate::output::cell_loop`]). A process that ends during a cell waits until the thread has passed on
//! what was written.
//!
//! The process leads a group, to which the programs belong that cells start. They end with it.

use crate::output::cell_loop;
use crate::output::relay::{OutputRelay, Relay};
use std::fs::File;
use std::io;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};

const IS_CELL_PROCESS: &str = "EVCXR_IS_RUNTIME";
/// A process that ends checks at this interval, and this many times, whether its output was passed on.
const POLL_INTERVAL_US: u32 = 1_000;
const MAX_POLLS: usize = 1_000;

/// The thread has passed on all that the cells wrote.
static DRAINED: AtomicBool = AtomicBool::new(false);

/// Becomes the cell process, or the compiler wrapper, if Evcxr started this program as one; returns
/// otherwise.
pub fn run_if_requested() {
    if std::env::var_os(IS_CELL_PROCESS).is_some() {
        lead_group();
        die_with_parent();
        ignore_signals();
        match prepare_streams() {
            Ok(instructions) => cell_loop::run(instructions),
            Err(error) => eprintln!("the kernel cannot follow the cell's output: {error}"),
        }
    }
    evcxr::runtime_hook();
}

/// Sends a signal to the cell process and to the programs that its cells have started.
pub fn signal_group(process: &Child, signal: i32) {
    let leader = process.id() as i32;
    // SAFETY: signals to a child that was not waited for, so its id is its own. A process that has only
    // just started leads no group yet.
    unsafe {
        if libc::kill(-leader, signal) != 0 {
            libc::kill(leader, signal);
        }
    }
}

/// The programs that cells start belong to a group of their own.
fn lead_group() {
    // SAFETY: neither call touches memory of ours.
    unsafe {
        if libc::setpgid(0, 0) == 0 {
            libc::signal(libc::SIGHUP, kill_group as *const () as libc::sighandler_t);
        }
    }
}

/// Ends this process and the programs that its cells have started, at once.
extern "C" fn kill_group(_signal: libc::c_int) {
    // SAFETY: a system call that a signal handler may make; 0 stands for the group of this process.
    unsafe { libc::kill(0, libc::SIGKILL) };
}

/// Asks the programs that cells have started to end.
fn end_programs() {
    // SAFETY: system calls that a signal handler may make. A process that leads no group shares one with
    // the kernel.
    unsafe {
        if libc::getpgrp() == libc::getpid() {
            libc::signal(libc::SIGTERM, libc::SIG_IGN);
            libc::kill(0, libc::SIGTERM);
        }
    }
}

/// A cell that loops forever must not outlive a kernel that was killed.
fn die_with_parent() {
    #[cfg(target_os = "linux")]
    // SAFETY: prctl with PR_SET_PDEATHSIG takes one integer and touches no memory of ours.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGHUP);
    }
    #[cfg(not(target_os = "linux"))]
    std::thread::spawn(|| {
        // SAFETY: getppid has no preconditions.
        let parent = unsafe { libc::getppid() };
        loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
            // SAFETY: as above; the parent's id changes when it dies.
            if unsafe { libc::getppid() } != parent {
                kill_group(0);
            }
        }
    });
}

/// An interrupt sends SIGINT, and a new cell SIGUSR1. Until the library has installed its own handlers
/// there is nothing to interrupt, and the default action would end the process and lose every variable.
fn ignore_signals() {
    // SAFETY: SIG_IGN is a valid disposition for both.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_IGN);
        libc::signal(libc::SIGUSR1, libc::SIG_IGN);
    }
}

/// Replaces all three standard streams, and starts the thread that reads what cells write. Returns the
/// kernel's instructions.
fn prepare_streams() -> io::Result<File> {
    let instructions = cell_loop::take_standard_input()?;
    let out = Relay::replace(libc::STDOUT_FILENO)?;
    let err = Relay::replace(libc::STDERR_FILENO)?;
    let relay = OutputRelay::new(out, err, this_thread());
    std::thread::Builder::new().name("relay".into()).spawn(move || {
        let result = relay.run();
        DRAINED.store(true, Ordering::SeqCst);
        // The kernel has ended: nobody reads what the cells print.
        if result.is_err() {
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(0) };
        }
    })?;
    // SAFETY: both functions do nothing that a signal handler or the end of a process may not do.
    unsafe {
        libc::signal(libc::SIGABRT, drain_and_die as *const () as libc::sighandler_t);
        libc::atexit(drain);
    }
    die_of_stack_overflow();
    Ok(instructions)
}

/// The number that a panic's report has for this thread.
fn this_thread() -> u64 {
    #[cfg(target_os = "macos")]
    // SAFETY: writes one number; 0 stands for the calling thread.
    unsafe {
        let mut id = 0;
        libc::pthread_threadid_np(0, &mut id);
        id
    }
    #[cfg(not(target_os = "macos"))]
    u64::from(std::process::id())
}

/// Closes both streams, waits until what was written has been passed on, and ends the cells' programs.
extern "C" fn drain() {
    // SAFETY: system calls that a signal handler may make, on descriptors that are open or not.
    unsafe {
        let nowhere = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY);
        libc::dup2(nowhere, libc::STDERR_FILENO);
        libc::dup2(nowhere, libc::STDOUT_FILENO);
        for _ in 0..MAX_POLLS {
            if DRAINED.load(Ordering::SeqCst) {
                break;
            }
            libc::usleep(POLL_INTERVAL_US);
        }
    }
    end_programs();
}

/// Passes on what was written before the process dies of `signal`.
extern "C" fn drain_and_die(signal: libc::c_int) {
    drain();
    // SAFETY: the signal's default ends the process.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// An endless recursion leaves no stack for a handler: this one uses the alternate stack that Rust has
/// prepared for the thread that runs the cells.
fn die_of_stack_overflow() {
    // SAFETY: the handler does only what a handler may do, and the mask is empty.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = drain_and_die as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_NODEFER;
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL] {
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}
