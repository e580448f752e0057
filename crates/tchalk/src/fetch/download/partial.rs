//! The part of a file that was received so far, and where it came from.

use super::stored_file::sibling;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// `NAME.part`, and `NAME.part.json` beside it.
pub(super) struct Partial {
    path: PathBuf,
    origin_path: PathBuf,
    file: File,
    origin: Option<Origin>,
    resumed: bool,
}

/// The URL it came from, and the server's tag or date of that version.
#[derive(Serialize, Deserialize)]
struct Origin {
    #[serde(rename = "address")]
    url: String,
    validator: Option<String>,
}

impl Partial {
    /// The part of the file `path` that was received before, or an empty one.
    pub(super) fn open(path: &Path) -> io::Result<Partial> {
        let (part, origin_path) = (sibling(path, "", ".part"), sibling(path, "", ".part.json"));
        let file = File::options().create(true).write(true).truncate(false).open(&part)?;
        let origin = std::fs::read(&origin_path).ok();
        let origin = origin.and_then(|json| serde_json::from_slice(&json).ok());
        // Bytes from an earlier call count as a first piece.
        let resumed = file.metadata()?.len() > 0;
        Ok(Partial { path: part, origin_path, file, origin, resumed })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// The server's tag or date of this version, if it came from `url`.
    pub(super) fn validator(&self, url: &str) -> Option<String> {
        self.origin.as_ref().filter(|origin| origin.url == url)?.validator.clone()
    }

    /// Whether it was received in more than one piece.
    pub(super) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Continues at byte `start`, and records where the following bytes come from.
    pub(super) fn begin(
        &mut self,
        url: &str,
        validator: Option<&str>,
        start: u64,
    ) -> io::Result<()> {
        self.resumed = start > 0;
        self.file.set_len(start)?;
        self.file.seek(SeekFrom::Start(start))?;
        let origin = Origin { url: url.to_owned(), validator: validator.map(str::to_owned) };
        std::fs::write(&self.origin_path, serde_json::to_vec(&origin).map_err(io::Error::other)?)?;
        self.origin = Some(origin);
        Ok(())
    }

    pub(super) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)
    }

    /// Waits until everything is on the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Removes the received bytes.
    pub(super) fn discard(&mut self) -> io::Result<()> {
        (self.origin, self.resumed) = (None, false);
        let _ = std::fs::remove_file(&self.origin_path);
        self.file.set_len(0)
    }

    /// Gives the file its name.
    pub(super) fn rename(&mut self, path: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, path)?;
        let _ = std::fs::remove_file(&self.origin_path);
        Ok(())
    }
}

/// Removes an empty file.
impl Drop for Partial {
    fn drop(&mut self) {
        if self.length().is_ok_and(|length| length == 0) {
            let _ = std::fs::remove_file(&self.path);
            let _ = std::fs::remove_file(&self.origin_path);
        }
    }
}
