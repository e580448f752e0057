//! The stop button.
//!
//! In a notebook the kernel sends `SIGINT` to the process in which the cells run, and `SIGUSR1` when
//! a new cell begins. Here they set and clear one flag, which long calls look at between steps: they
//! return what was made so far, and no variable is lost. Outside a notebook Ctrl-C stays what it is.

use crate::error::{Error, Result};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often what waits looks at the button.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether the reader has pressed stop since the cell began.
pub fn requested() -> bool {
    listen();
    REQUESTED.load(Ordering::SeqCst)
}

/// Ends `op` where the reader has pressed stop and nothing can be kept.
///
/// # Errors
///
/// [`Error::Interrupted`] if so.
pub(crate) fn check(op: &str) -> Result<()> {
    if requested() { Err(Error::Interrupted { op: op.into() }) } else { Ok(()) }
}

/// Presses stop from within: what a callback or a test may do.
pub fn request() {
    REQUESTED.store(true, Ordering::SeqCst);
}

/// Forgets a stop.
pub fn clear() {
    REQUESTED.store(false, Ordering::SeqCst);
}

/// Takes over the two signals, once, and only where a kernel sends them.
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
