//! Downloads files.
//!
//! [`fetch`] downloads one file into a folder. It resumes a broken transfer, retries after a pause, and
//! goes on to a mirror. Only one process at a time downloads a file. A file gets its name only after its
//! size and checksums match what was published, so a file under its own name is complete. Beside it
//! may lie:
//!
//! | file | holds |
//! |---|---|
//! | `NAME.part` | the bytes received so far; kept after a break, for the next call |
//! | `NAME.part.json` | the URL they came from, and the server's tag or date of that version |
//! | `.NAME.lock` | nothing; locked by the process that downloads |
//! | `NAME.sha256` | the checksum of the first download, where none was published |
//!
//! [`fetch_range`] downloads a part of a file, and stores nothing.

mod partial;
mod request;
#[cfg(test)]
pub(crate) mod server;
mod stored_file;
#[cfg(test)]
mod tests;
mod transfer;

use self::partial::Partial;
use self::stored_file::{checksum_file, checksum_line, lock, mismatch, write_error};
use self::transfer::{Timeouts, Transfer};
use super::cache;
use super::checksum::sha256_of;
use super::remote_file::RemoteFile;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::runtime::progress::{Progress, Unit};
use crate::text::bytes;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The path of `remote` in `folder`. The file is downloaded if it is not there yet.
///
/// A file that is there is verified again, by the published numbers or by the checksum of the first
/// download. A damaged file is removed and downloaded again.
///
/// # Errors
///
/// [`Error::Download`] if no URL gave the file, with the reason for each, or if `TCHALK_OFFLINE`
/// forbids the network; [`Error::Io`] if the folder cannot be written or the disk is full;
/// [`Error::Interrupted`] after an interrupt. The bytes received so far stay, for the next call.
pub(crate) fn fetch(remote: &RemoteFile, folder: &Path) -> Result<PathBuf> {
    if let Some(path) = cached(remote, folder)? {
        return Ok(path);
    }
    check_allowed(remote)?;
    fetch_with(remote, folder, &Timeouts::default())
}

/// The path of `remote` in `folder`, if it is there and undamaged. Never uses the network.
pub(crate) fn cached(remote: &RemoteFile, folder: &Path) -> Result<Option<PathBuf>> {
    let path = folder.join(remote.name());
    if !path.is_file() {
        return Ok(None);
    }
    Ok(mismatch(remote, &path)?.is_none().then_some(path))
}

/// The bytes `range` of `remote`.
///
/// # Errors
///
/// As for [`fetch`]; also if no URL serves parts of files.
pub(crate) fn fetch_range(remote: &RemoteFile, range: Range<u64>) -> Result<Vec<u8>> {
    check_allowed(remote)?;
    fetch_range_with(remote, range, &Timeouts::default())
}

/// Refuses to use the network where the user has forbidden it.
fn check_allowed(remote: &RemoteFile) -> Result<()> {
    if !cache::is_offline() {
        return Ok(());
    }
    let problem = format!("{} is set, so the network was not used", cache::OFFLINE_VARIABLE);
    Err(Error::download(remote.name(), problem, ""))
}

/// Stores `bytes` in `folder` as the file `remote`, with their checksum. A file that another process
/// has stored meanwhile stays.
pub(crate) fn store(remote: &RemoteFile, folder: &Path, bytes: &[u8]) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|error| write_error(folder, error))?;
    let _lock = lock(remote, folder, &mut Progress::new(remote.name(), Unit::Bytes))?;
    if let Some(path) = cached(remote, folder)? {
        return Ok(path);
    }
    let path = folder.join(remote.name());
    let full = |error| write_error(&path, error);
    std::fs::write(checksum_file(&path), checksum_line(remote, &sha256_of(bytes))).map_err(full)?;
    write_atomically(&path, |file| file.write_all(bytes)).map_err(full)?;
    Ok(path)
}

fn fetch_with(remote: &RemoteFile, folder: &Path, timeouts: &Timeouts) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|error| write_error(folder, error))?;
    let mut transfer = Transfer::new(remote, timeouts);
    let _lock = lock(remote, folder, &mut transfer.progress)?;
    // Another process may have fetched it meanwhile.
    if let Some(path) = cached(remote, folder)? {
        return Ok(path);
    }
    let path = folder.join(remote.name());
    if path.exists() {
        std::fs::remove_file(&path).map_err(|error| write_error(&path, error))?;
        let _ = std::fs::remove_file(checksum_file(&path));
    }
    let mut partial = Partial::open(&path).map_err(|error| write_error(&path, error))?;
    transfer.try_urls(|transfer, url| {
        transfer.download_file(url, &mut partial)?;
        transfer.verify_and_rename(&mut partial, &path)
    })?;
    let size = std::fs::metadata(&path).map_or(0, |data| data.len());
    transfer.progress.finish(&format!("fetched, {}", bytes(size)));
    Ok(path)
}

fn fetch_range_with(
    remote: &RemoteFile,
    range: Range<u64>,
    timeouts: &Timeouts,
) -> Result<Vec<u8>> {
    let mut transfer = Transfer::new(remote, timeouts);
    let mut part = Vec::new();
    if !range.is_empty() {
        transfer.try_urls(|transfer, url| {
            part = transfer.download_part(url, &range)?;
            Ok(())
        })?;
    }
    Ok(part)
}
