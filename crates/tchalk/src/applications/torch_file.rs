//! Files that PyTorch and libtorch write: `.pth`, `.pt`, tch's `.ot`.
//!
//! Newer ones are zip archives: `NAME/data.pkl` is a pickle that names tensors, `NAME/data/0`,
//! `NAME/data/1`, … are their numbers. Older ones, as torchvision's VGG16, are several pickles and
//! then the numbers, one after the other.

use super::pickle::{Pickle, Problem, Storage, TensorInfo};
use super::weight_file::kind_size;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tch::{Device, Tensor};

/// No list of tensors is longer, in bytes.
const MAX_PICKLE_BYTES: u64 = 64 << 20;

/// What older files begin with.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// An open file of tensors.
pub(super) struct TorchFile {
    path: PathBuf,
    tensors: Vec<(String, TensorInfo)>,
    data: StorageData,
}

/// Where the numbers are.
enum StorageData {
    /// In a zip archive, each piece a file of this folder.
    Zip(Box<zip::ZipArchive<BufReader<File>>>, String),
    /// At these places of the file, which is so long.
    Legacy(BufReader<File>, HashMap<Rc<str>, u64>, u64),
}

impl TorchFile {
    /// Opens the file and finds its tensors; their numbers are read later.
    ///
    /// # Errors
    ///
    /// If it is not such a file, is damaged, or holds something else than tensors.
    pub(super) fn open(path: &Path) -> Result<TorchFile> {
        let mut file = open(path)?;
        let mut start = [0; 4];
        let zipped = file.read_exact(&mut start).is_ok() && start == *b"PK\x03\x04";
        file.seek(SeekFrom::Start(0)).map_err(|error| Error::io(path, error, ""))?;
        let found = if zipped { from_zip(file) } else { from_legacy(file) };
        let (mut tensors, numbers) = found.map_err(|problem| refused(path, problem))?;
        if tensors.is_empty() {
            return Err(refused(path, "it holds no tensors by name".into()));
        }
        // What a network on several devices adds, and how libtorch's archives write a point.
        let wrapped = tensors.iter().all(|(name, _)| name.starts_with("module."));
        for (name, _) in &mut tensors {
            let bare = if wrapped { &name["module.".len()..] } else { &name[..] };
            *name = bare.replace('|', ".");
        }
        Ok(TorchFile { path: path.to_owned(), tensors, data: numbers })
    }

    /// The tensors' names and shapes.
    #[cfg(test)]
    fn shapes(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        self.tensors.iter().map(|(name, view)| (name.clone(), view.shape.clone()))
    }

    /// The shape of the tensor of this name, if there is one.
    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.iter().find(|(known, _)| known == name).map(|(_, view)| view.shape.clone())
    }

    /// The tensor of this name, on the CPU.
    ///
    /// # Errors
    ///
    /// If the file is damaged there, or has no such tensor.
    pub(super) fn read(&mut self, name: &str) -> Result<Tensor> {
        let found = self.tensors.iter().find(|(known, _)| known == name);
        let Some((_, view)) = found.cloned() else {
            return Err(refused(&self.path, format!("it holds no {name:?}")));
        };
        let bytes = self.data.read(&view.storage);
        let bytes = bytes.map_err(|problem| refused(&self.path, problem))?;
        let tensor = |from: usize, shape: &[usize]| {
            let sizes: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
            Tensor::f_from_data_size(&bytes[from..], &sizes, view.storage.kind)
        };
        if view.is_contiguous() {
            return Ok(tensor(view.offset * kind_size(view.storage.kind), &view.shape)?);
        }
        let all = tensor(0, &[view.storage.numel])?;
        let long = |numbers: &[usize]| numbers.iter().map(|&n| n as i64).collect::<Vec<_>>();
        let strided =
            all.f_as_strided(long(&view.shape), long(&view.strides), view.offset as i64)?;
        Ok(strided.f_contiguous()?.f_to_device(Device::Cpu)?)
    }
}

impl StorageData {
    /// The bytes of a storage, no more of them than the file holds.
    fn read(&mut self, storage: &Storage) -> Result<Vec<u8>, Problem> {
        let length = storage.numel.checked_mul(kind_size(storage.kind));
        let length = length.ok_or("a piece of memory in it is too large")?;
        let broken = |error: std::io::Error| format!("its numbers cannot be read: {error}");
        match self {
            StorageData::Zip(archive, folder) => {
                let name = format!("{folder}data/{}", storage.key);
                let mut entry = archive
                    .by_name(&name)
                    .map_err(|error| format!("{name} in it cannot be read: {error}"))?;
                if entry.size() != length as u64 || entry.compressed_size() != length as u64 {
                    let size = entry.size();
                    return Err(format!("{name} has {size} bytes, where {length} should be"));
                }
                // The size was compared with that of the file when it was opened.
                let mut bytes = Vec::with_capacity(length);
                entry.read_to_end(&mut bytes).map_err(broken)?;
                Ok(bytes)
            }
            StorageData::Legacy(file, places, whole) => {
                let place = places.get(&storage.key).ok_or("a piece of memory is missing")?;
                if place.checked_add(length as u64).is_none_or(|end| end > *whole) {
                    return Err("its numbers break off".into());
                }
                file.seek(SeekFrom::Start(*place)).map_err(broken)?;
                let mut bytes = vec![0; length];
                file.read_exact(&mut bytes).map_err(broken)?;
                Ok(bytes)
            }
        }
    }
}

fn open(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path).map_err(|error| Error::io(path, error, ""))?;
    Ok(BufReader::new(file))
}

fn refused(path: &Path, problem: Problem) -> Error {
    let hint = "A file of weights, as torch.save(model.state_dict(), …) writes it, is needed.";
    Error::bad_file(path, problem, hint)
}

type Contents = (Vec<(String, TensorInfo)>, StorageData);

fn from_zip(mut file: BufReader<File>) -> Result<Contents, Problem> {
    let length = file.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    let broken = |error: zip::result::ZipError| format!("its zip archive is damaged: {error}");
    let mut archive = zip::ZipArchive::new(file).map_err(broken)?;
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    let list = names.iter().find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
    let list = list.ok_or("its zip archive holds no data.pkl")?;
    let folder = list.strip_suffix("data.pkl").unwrap_or_default().to_owned();
    if let Ok(mut order) = archive.by_name(&format!("{folder}byteorder")) {
        let mut text = [0; 3];
        if order.read_exact(&mut text).is_ok() && text == *b"big" {
            return Err("its numbers were written by a machine with another byte order".into());
        }
    }
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(broken)?;
        let read = entry.name() == *list || entry.name().starts_with(&format!("{folder}data/"));
        let stored = entry.compression() == zip::CompressionMethod::Stored;
        if read && !(stored && entry.size() <= length) {
            let name = entry.name().to_owned();
            return Err(format!("{name} in its zip archive is compressed or larger than the file"));
        }
    }
    let mut entry = archive.by_name(list).map_err(broken)?;
    let pickle = Pickle::read(&mut entry.by_ref().take(MAX_PICKLE_BYTES))?;
    drop(entry);
    Ok((pickle.tensors(), StorageData::Zip(Box::new(archive), folder)))
}

fn from_legacy(mut file: BufReader<File>) -> Result<Contents, Problem> {
    let whole = |error: std::io::Error| error.to_string();
    let length = file.seek(SeekFrom::End(0)).map_err(whole)?;
    file.seek(SeekFrom::Start(0)).map_err(whole)?;
    let mut list = file.by_ref().take(MAX_PICKLE_BYTES);
    let magic = Pickle::read(&mut list).ok().and_then(|pickle| pickle.integer());
    if magic != Some(MAGIC) {
        return Err("it is no file of PyTorch's".into());
    }
    Pickle::read(&mut list)?;
    if Pickle::read(&mut list)?.flag("little_endian") != Some(true) {
        return Err("its numbers were written by a machine with another byte order".into());
    }
    let pickle = Pickle::read(&mut list)?;
    let keys =
        Pickle::read(&mut list)?.strings().ok_or("its list of pieces of memory is damaged")?;
    let known: HashMap<&str, &Storage> =
        pickle.storages().map(|storage| (&*storage.key, storage)).collect();
    let mut places = HashMap::new();
    let mut at = file.stream_position().map_err(whole)?;
    for key in keys {
        let storage = known.get(&*key).ok_or("a piece of memory in it belongs to no tensor")?;
        let mut count = [0; 8];
        file.seek(SeekFrom::Start(at)).map_err(whole)?;
        file.read_exact(&mut count).map_err(|_| "its numbers break off")?;
        if u64::from_le_bytes(count) != storage.numel as u64 {
            return Err("a piece of memory in it has another size than its list says".into());
        }
        let bytes = (storage.numel as u64).checked_mul(kind_size(storage.kind) as u64);
        places.insert(key, at + 8);
        at = bytes.and_then(|bytes| (at + 8).checked_add(bytes)).ok_or("it is too large")?;
        if at > length {
            return Err("its numbers break off".into());
        }
    }
    Ok((pickle.tensors(), StorageData::Legacy(file, places, length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tch::Kind;

    fn file(name: &str) -> PathBuf {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/torch_files");
        Path::new(folder).join(name)
    }

    #[test]
    fn files_of_every_age_hold_the_same_tensors() {
        for name in ["new.pth", "old.pth", "wrapped.pth"] {
            let mut open = TorchFile::open(&file(name)).unwrap();
            assert_eq!(open.shapes().count(), 6, "{name}");
            let mut read = |tensor: &str| open.read(tensor).unwrap();
            let numbers = |n: i64| Tensor::arange(n, (Kind::Float, Device::Cpu));
            assert_eq!(read("features.0.weight"), numbers(12).view([2, 3, 2]), "{name}");
            assert_eq!(read("features.0.bias"), Tensor::from_slice(&[0.5f32, -2.0]), "{name}");
            assert_eq!(read("half").to_kind(Kind::Float), Tensor::from_slice(&[1.5f32, -0.25]));
            assert_eq!(read("count"), Tensor::from(7i64), "{name}");
            assert_eq!(read("view"), numbers(24).narrow(0, 4, 6).view([2, 3]), "{name}");
            assert_eq!(read("turned"), numbers(24).view([4, 6]).transpose(0, 1), "{name}");
            assert!(open.read("none").unwrap_err().to_string().contains("holds no \"none\""));
        }
    }

    #[test]
    fn a_whole_network_is_refused() {
        let error = TorchFile::open(&file("whole.pth")).err().unwrap().to_string();
        assert!(error.contains("it asks Python for \"torch.nn.modules.linear.Linear\""), "{error}");
        assert!(error.contains("model.state_dict()"), "{error}");
    }

    /// All that can be read of a file with these bytes.
    fn read_all(bytes: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.pth");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(mut open) = TorchFile::open(&path) {
            let names: Vec<String> = open.shapes().map(|(name, _)| name).collect();
            names.iter().for_each(|name| drop(open.read(name)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn damage_never_panics(
            old in any::<bool>(),
            damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
            cut in any::<usize>(),
            whole in any::<bool>(),
        ) {
            let mut bytes = std::fs::read(file(if old { "old.pth" } else { "new.pth" })).unwrap();
            let length = bytes.len();
            damage.into_iter().for_each(|(at, byte)| bytes[at % length] = byte);
            if !whole {
                bytes.truncate(cut % length);
            }
            read_all(&bytes);
        }
    }
}
