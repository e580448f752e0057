//! One test at a time: seed, stop button and libtorch's generator belong to the whole process.

use std::sync::{Mutex, MutexGuard};
use tchalk::runtime;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Nothing else of this file runs until the answer is dropped, and all draws begin anew.
pub fn alone() -> MutexGuard<'static, ()> {
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    runtime::seed(42);
    guard
}
