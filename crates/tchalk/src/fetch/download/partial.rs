//! What came of a file so far, and from where.

use super::sibling;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// `NAME.part`, and `NAME.part.json` beside it.
pub(super) struct Partial {
    path: PathBuf,
    note_path: PathBuf,
    file: File,
    note: Option<Origin>,
    resumed: bool,
}

/// From where it came, and by what the server knows that version of the file.
#[derive(Serialize, Deserialize)]
struct Origin {
    address: String,
    validator: Option<String>,
}

impl Partial {
    /// What is kept for the file that is to be at `path`; an empty one if nothing is.
    pub(super) fn open(path: &Path) -> io::Result<Partial> {
        let (part, note_path) = (sibling(path, "", ".part"), sibling(path, "", ".part.json"));
        let file = File::options().create(true).write(true).truncate(false).open(&part)?;
        let note = std::fs::read(&note_path).ok();
        let note = note.and_then(|note| serde_json::from_slice(&note).ok());
        // What an earlier call has left counts as a first piece.
        let resumed = file.metadata()?.len() > 0;
        Ok(Partial { path: part, note_path, file, note, resumed })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// By what the server at `address` knows the version that is kept here.
    pub(super) fn validator(&self, address: &str) -> Option<String> {
        self.note.as_ref().filter(|note| note.address == address)?.validator.clone()
    }

    /// Whether what is here came in more than one piece.
    pub(super) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Goes on at byte `start`, and notes where what follows comes from.
    pub(super) fn begin(
        &mut self,
        address: &str,
        validator: Option<&str>,
        start: u64,
    ) -> io::Result<()> {
        self.resumed = start > 0;
        self.file.set_len(start)?;
        self.file.seek(SeekFrom::Start(start))?;
        let note = Origin { address: address.to_owned(), validator: validator.map(str::to_owned) };
        std::fs::write(&self.note_path, serde_json::to_vec(&note).map_err(io::Error::other)?)?;
        self.note = Some(note);
        Ok(())
    }

    pub(super) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)
    }

    /// Waits until everything is on the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Forgets what came.
    pub(super) fn discard(&mut self) -> io::Result<()> {
        (self.note, self.resumed) = (None, false);
        let _ = std::fs::remove_file(&self.note_path);
        self.file.set_len(0)
    }

    /// Gives the file its name.
    pub(super) fn rename(&mut self, path: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, path)?;
        let _ = std::fs::remove_file(&self.note_path);
        Ok(())
    }
}

/// An empty one is not worth keeping.
impl Drop for Partial {
    fn drop(&mut self) {
        if self.length().is_ok_and(|length| length == 0) {
            let _ = std::fs::remove_file(&self.path);
            let _ = std::fs::remove_file(&self.note_path);
        }
    }
}
