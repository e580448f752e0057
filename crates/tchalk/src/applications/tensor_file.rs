//! Files of named tensors, whoever wrote them.

use super::subset::Header;
use super::torch_file::TorchFile;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// An open file of tensors: safetensors, PyTorch's `.pth` and `.pt`, tch's `.ot`. What it is, its
/// content says; a name's ending may be wrong. Nothing in a file is ever run.
pub(super) struct TensorFile {
    path: PathBuf,
    shapes: BTreeMap<String, Vec<usize>>,
    /// What the file's author noted; safetensors only.
    notes: BTreeMap<String, String>,
    content: Content,
}

enum Content {
    Safetensors(File, Header),
    Torch(TorchFile),
}

impl TensorFile {
    /// Opens the file and reads what it holds; the numbers are read later.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is none of these, is damaged, or holds something else than tensors.
    pub(super) fn open(path: &Path) -> Result<TensorFile> {
        let io = |error| Error::io(path, error, "Check the path, and that you may read it.");
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut start = [0; 8];
        let count = file.read(&mut start).map_err(io)?;
        if start.starts_with(b"PK\x03\x04") || (start[0] == 0x80 && start[1] <= 5 && count > 2) {
            let torch = TorchFile::open(path)?;
            let (shapes, notes) = (torch.shapes().collect(), BTreeMap::new());
            let content = Content::Torch(torch);
            return Ok(TensorFile { path: path.to_owned(), shapes, notes, content });
        }
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        let header = Header::read(&mut file, length).map_err(|problem| {
            let hint = "Weights are read from safetensors, .pth, .pt and .ot files.";
            Error::bad_file(path, problem, hint)
        })?;
        let shapes = header.shapes();
        let notes = header.notes();
        let content = Content::Safetensors(file, header);
        Ok(TensorFile { path: path.to_owned(), shapes, notes, content })
    }

    /// The tensors' names and shapes, in alphabetical order.
    pub(super) fn shapes(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.shapes
    }

    /// What the file's author noted under this word.
    pub(super) fn note(&self, word: &str) -> Option<&str> {
        self.notes.get(word).map(String::as_str)
    }

    /// The tensor of this name, on the CPU.
    ///
    /// # Errors
    ///
    /// If the file is damaged there, or has no such tensor.
    pub(super) fn read(&mut self, name: &str) -> Result<Tensor> {
        let (file, header) = match &mut self.content {
            Content::Torch(torch) => return torch.read(name),
            Content::Safetensors(file, header) => (file, header),
        };
        let Some(entry) = header.entry(name) else {
            return Err(Error::bad_file(&self.path, format!("it holds no {name:?}"), ""));
        };
        let io = |error| Error::io(&self.path, error, "");
        let mut bytes = vec![0; (entry.end - entry.begin) as usize];
        file.seek(SeekFrom::Start(entry.begin)).map_err(io)?;
        file.read_exact(&mut bytes).map_err(io)?;
        let sizes: Vec<i64> = entry.shape.iter().map(|&n| n as i64).collect();
        Ok(Tensor::f_from_data_size(&bytes, &sizes, entry.kind)?)
    }
}

/// The bytes of one number.
pub(super) fn kind_size(kind: Kind) -> usize {
    match kind {
        Kind::Double | Kind::Int64 => 8,
        Kind::Float | Kind::Int => 4,
        Kind::Half | Kind::BFloat16 | Kind::Int16 => 2,
        _ => 1,
    }
}
