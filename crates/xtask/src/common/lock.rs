//! The lock that one set-up at a time holds on the cache.

use super::files::create_folder;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::path::Path;

const LOCK: &str = "setup.lock";

/// Locks the cache for this set-up. Waits, and prints so, while another set-up is running.
pub fn lock(home: &Path) -> Result<File> {
    create_folder(home)?;
    let path = home.join(LOCK);
    let file = File::create(&path).with_context(|| {
        format!("cannot write to {}: set TCHALK_HOME to a folder you may write to", home.display())
    })?;
    if file.try_lock().is_err() {
        eprintln!("another set-up is running in {}; waiting for it …", home.display());
        std::io::stderr().flush()?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// Whether a set-up is running in the cache.
pub fn is_locked(home: &Path) -> bool {
    File::open(home.join(LOCK)).is_ok_and(|file| file.try_lock().is_err())
}
