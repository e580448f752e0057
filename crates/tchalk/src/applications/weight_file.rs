//! Files of weights, whoever wrote them.

use super::torch_file::TorchFile;
use crate::error::{Error, Result};
use crate::model::file::TensorFile;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use tch::{Kind, Tensor};

/// An open file of tensors: safetensors, PyTorch's `.pth` and `.pt`, tch's `.ot`. What it is, its
/// content says; a name's ending may be wrong. Nothing in a file is ever run.
pub(super) enum WeightFile {
    Safetensors(TensorFile),
    Torch(TorchFile),
}

impl WeightFile {
    /// Opens the file and reads what it holds; the numbers are read later.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is none of these, is damaged, or holds something else than tensors.
    pub(super) fn open(path: &Path) -> Result<WeightFile> {
        let io = |error| Error::io(path, error, "Check the path, and that you may read it.");
        let mut start = [0; 4];
        let count = File::open(path).and_then(|mut file| file.read(&mut start)).map_err(io)?;
        if start == *b"PK\x03\x04" || (start[0] == 0x80 && start[1] <= 5 && count > 2) {
            return TorchFile::open(path).map(WeightFile::Torch);
        }
        TensorFile::open(path).map(WeightFile::Safetensors).map_err(|error| match error {
            Error::BadFile { path, problem, .. } => {
                let hint = "Weights are read from safetensors, .pth, .pt and .ot files.";
                Error::bad_file(path, problem, hint)
            }
            other => other,
        })
    }

    /// The shape of the tensor of this name, if there is one.
    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match self {
            WeightFile::Safetensors(file) => Some(file.info(name)?.0),
            WeightFile::Torch(file) => file.shape(name),
        }
    }

    /// What the file's author noted under this word; safetensors only.
    pub(super) fn note(&self, word: &str) -> Option<&str> {
        match self {
            WeightFile::Safetensors(file) => file.note(word),
            WeightFile::Torch(_) => None,
        }
    }

    /// The tensor of this name, on the CPU.
    ///
    /// # Errors
    ///
    /// If the file is damaged there, has no such tensor, or holds no fractions in it.
    pub(super) fn read(&mut self, name: &str) -> Result<Tensor> {
        let file = match self {
            WeightFile::Torch(file) => return file.read(name),
            WeightFile::Safetensors(file) => file,
        };
        let problem = match file.info(name) {
            Some((_, Some(_))) => return file.read(name),
            Some((_, None)) => format!("{name:?} holds {}, no weights", file.kind_name(name)),
            None => format!("it holds no {name:?}"),
        };
        Err(Error::bad_file(file.path(), problem, ""))
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
