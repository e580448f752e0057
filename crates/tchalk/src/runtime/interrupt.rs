//! Interrupts: the stop button of the notebook.
//!
//! In a notebook the kernel sends `SIGINT` to the process that runs the cells, and `SIGUSR1` when a new
//! cell begins. They set and clear a flag, which long calls check between steps. Such calls return their
//! result so far, and no variable is lost. Outside a notebook Ctrl-C works as usual.

use crate::error::{Error, Result};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often waiting calls check for an interrupt.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether the user has interrupted since the cell began.
pub fn requested() -> bool {
    listen();
    REQUESTED.load(Ordering::SeqCst)
}

/// Fails if the user has interrupted, for operations without a partial result.
///
/// # Errors
///
/// [`Error::Interrupted`] if so.
pub(crate) fn check(op: &str) -> Result<()> {
    if requested() { Err(Error::Interrupted { op: op.into() }) } else { Ok(()) }
}

/// Interrupts from within, for callbacks and tests.
pub fn request() {
    REQUESTED.store(true, Ordering::SeqCst);
}

/// Clears an interrupt.
pub fn clear() {
    REQUESTED.store(false, Ordering::SeqCst);
}

/// Installs the two signal handlers, once, and only under a kernel that sends the signals.
pub(crate) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        if crate::display::has_live_page() {
            #[cfg(unix)]
            // SAFETY: both handlers only store to an atomic, which a signal handler may do.
            unsafe {
                libc::signal(libc::SIGINT, on_stop as *const () as libc::sighandler_t);
                libc::signal(libc::SIGUSR1, on_new_cell as *const () as libc::sighandler_t);
            }
        }
    });
}

#[cfg(unix)]
extern "C" fn on_stop(_signal: libc::c_int) {
    REQUESTED.store(true, Ordering::SeqCst);
}

#[cfg(unix)]
extern "C" fn on_new_cell(_signal: libc::c_int) {
    REQUESTED.store(false, Ordering::SeqCst);
}
