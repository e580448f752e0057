//! A downloaded file in its folder, and the files beside it.

use crate::error::{Error, Result};
use crate::fetch::checksum::sha256_of_file;
use crate::fetch::remote_file::RemoteFile;
use crate::runtime::interrupt::{self, POLL_INTERVAL};
use crate::runtime::progress::Progress;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is wrong with a file that was downloaded before; `None` if nothing is.
pub(super) fn mismatch(remote: &RemoteFile, path: &Path) -> Result<Option<String>> {
    let problem = remote.mismatch(path)?;
    if problem.is_some() || remote.has_checksum() {
        return Ok(problem);
    }
    let Ok(line) = std::fs::read_to_string(checksum_file(path)) else {
        return Ok(None); // Put there by hand.
    };
    let (expected, found) = (line.split_whitespace().next().unwrap_or(""), sha256_of_file(path)?);
    Ok((expected != found).then(|| format!("its SHA-256 is {found}, at first it was {expected}")))
}

/// The file that holds the checksum of the first download.
pub(super) fn checksum_file(path: &Path) -> PathBuf {
    sibling(path, "", ".sha256")
}

/// The content of that file.
pub(super) fn checksum_line(remote: &RemoteFile, sum: &str) -> String {
    format!("{sum}  {}\n", remote.name())
}

/// `path` with `before` and `after` added to its name.
pub(super) fn sibling(path: &Path, before: &str, after: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{before}{name}{after}"))
}

/// Waits until no other process downloads this file. The lock ends with the process that holds it.
pub(super) fn lock(
    remote: &RemoteFile,
    folder: &Path,
    progress: &mut Progress,
) -> Result<Option<File>> {
    let path = sibling(&folder.join(remote.name()), ".", ".lock");
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| write_error(&path, error))?;
    let (begun, mut is_noted) = (Instant::now(), false);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {}
            // Some network drives have no locks. The rename at the end is atomic all the same.
            Err(TryLockError::Error(_)) => return Ok(None),
        }
        interrupt::check(&format!(
            "waiting for {}, which another process downloads",
            remote.name()
        ))?;
        if !is_noted && begun.elapsed() > Duration::from_secs(1) {
            is_noted = true;
            progress.note("another notebook is downloading it; waiting");
        }
        std::thread::sleep(2 * POLL_INTERVAL);
    }
}

/// An error of writing, with what to try.
pub(super) fn write_error(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind;
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "The disk is full: make room and run this again, or set TCHALK_HOME to a larger disk."
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "Downloads cannot be stored there: set TCHALK_HOME to a folder you may write to."
        }
        _ => "Downloads are stored in this folder; TCHALK_HOME names another one.",
    };
    Error::io(path, error, hint)
}
