//! Files of weights in any format.

use super::torch_file::TorchFile;
use crate::error::{Error, Result};
use crate::model::file::TensorFile;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use tch::Tensor;

/// An open file of tensors: safetensors, PyTorch's `.pth` and `.pt`, tch's `.ot`. The format is recognized
/// by the content, not by the extension. Nothing in a file is ever run.
pub(super) enum WeightFile {
    Safetensors(TensorFile),
    Torch(TorchFile),
}

impl WeightFile {
    /// Opens the file and reads its list of tensors; the numbers are read later.
    ///
    /// # Errors
    ///
    /// If it cannot be read, has another format, is damaged, or holds other objects than tensors.
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

    /// The shape of a tensor, by its name.
    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match self {
            WeightFile::Safetensors(file) => Some(file.info(name)?.0),
            WeightFile::Torch(file) => file.shape(name),
        }
    }

    /// A metadata entry of a safetensors file.
    pub(super) fn metadata(&self, key: &str) -> Option<&str> {
        match self {
            WeightFile::Safetensors(file) => file.note(key),
            WeightFile::Torch(_) => None,
        }
    }

    /// A tensor on the CPU, by its name.
    ///
    /// # Errors
    ///
    /// If the file is damaged there, or has no such tensor of floating-point numbers.
    pub(super) fn read(&mut self, name: &str) -> Result<Tensor> {
        let file = match self {
            WeightFile::Torch(file) => return file.read(name),
            WeightFile::Safetensors(file) => file,
        };
        let problem = match file.info(name) {
            Some((_, Some(_))) => return file.read(name),
            Some((_, None)) => format!("{name:?} holds {}, not weights", file.kind_name(name)),
            None => format!("it holds no {name:?}"),
        };
        Err(Error::bad_file(file.path(), problem, ""))
    }
}
