//! Files that PyTorch and libtorch write: `.pth`, `.pt`, tch's `.ot`.
//!
//! Newer files are zip archives: `NAME/data.pkl` is a pickle that lists the tensors, and `NAME/data/0`,
//! `NAME/data/1`, … are their storages. Older files, such as torchvision's VGG16, are several pickles
//! followed by the storages.

use super::pickle::Pickle;
use super::pickle_value::{Problem, Storage, TensorInfo};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tch::{Device, Tensor};
use zip::ZipArchive;

/// No list of tensors is longer.
const MAX_PICKLE_BYTES: u64 = 64 << 20;

/// The number that older files begin with.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// An open file of tensors.
pub(super) struct TorchFile {
    path: PathBuf,
    tensors: Vec<(String, TensorInfo)>,
    data: StorageData,
}

/// Where the storages are.
enum StorageData {
    /// In this folder of a zip archive, one file for each.
    Zip(Box<ZipArchive<BufReader<File>>>, String),
    /// At these offsets of a file of this length.
    Legacy(BufReader<File>, HashMap<Rc<str>, u64>, u64),
}

impl TorchFile {
    /// Opens the file and reads its list of tensors; the storages are read later.
    ///
    /// # Errors
    ///
    /// If it has another format, is damaged, or holds other objects than tensors.
    pub(super) fn open(path: &Path) -> Result<TorchFile> {
        let io = |error| Error::io(path, error, "");
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let mut start = [0; 4];
        let zipped = file.read_exact(&mut start).is_ok() && start == *b"PK\x03\x04";
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        let contents = if zipped { from_zip(file) } else { from_legacy(file) };
        let (mut tensors, data) = contents.map_err(|problem| refused(path, problem))?;
        if tensors.is_empty() {
            return Err(refused(path, "it holds no named tensors".into()));
        }
        // `module.` is what a network on several devices adds; libtorch's archives write `|` for a point.
        let parallel = tensors.iter().all(|(name, _)| name.starts_with("module."));
        for (name, _) in &mut tensors {
            let bare = if parallel { &name["module.".len()..] } else { &name[..] };
            *name = bare.replace('|', ".");
        }
        Ok(TorchFile { path: path.to_owned(), tensors, data })
    }

    /// The names and shapes of the tensors.
    #[cfg(test)]
    fn shapes(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        self.tensors.iter().map(|(name, info)| (name.clone(), info.shape.clone()))
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|(known, _)| known == name).map(|(_, info)| info)
    }

    /// The shape of a tensor, by its name.
    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.info(name).map(|info| info.shape.clone())
    }

    /// A tensor on the CPU, by its name.
    ///
    /// # Errors
    ///
    /// If the file is damaged there, or has no such tensor.
    pub(super) fn read(&mut self, name: &str) -> Result<Tensor> {
        let Some(info) = self.info(name).cloned() else {
            return Err(refused(&self.path, format!("it holds no {name:?}")));
        };
        let bytes = self.data.read(&info.storage);
        let bytes = bytes.map_err(|problem| refused(&self.path, problem))?;
        let sizes = |numbers: &[usize]| numbers.iter().map(|&n| n as i64).collect::<Vec<_>>();
        let tensor = |from: usize, shape: &[usize]| {
            Tensor::f_from_data_size(&bytes[from..], &sizes(shape), info.storage.kind)
        };
        if info.is_contiguous() {
            return Ok(tensor(info.offset * info.storage.value_size(), &info.shape)?);
        }
        let all = tensor(0, &[info.storage.numel])?;
        let (shape, strides) = (sizes(&info.shape), sizes(&info.strides));
        let strided = all.f_as_strided(shape, strides, info.offset as i64)?;
        Ok(strided.f_contiguous()?.f_to_device(Device::Cpu)?)
    }
}

impl StorageData {
    /// The bytes of a storage; never more than the file has.
    fn read(&mut self, storage: &Storage) -> Result<Vec<u8>, Problem> {
        let length = storage.size().ok_or("a storage in it is too large")?;
        let broken = |error: std::io::Error| format!("its numbers cannot be read: {error}");
        match self {
            StorageData::Zip(archive, folder) => {
                let name = format!("{folder}data/{}", storage.key);
                let mut entry = archive
                    .by_name(&name)
                    .map_err(|error| format!("{name} in it cannot be read: {error}"))?;
                if entry.size() != length as u64 || entry.compressed_size() != length as u64 {
                    let size = entry.size();
                    return Err(format!("{name} has {size} bytes, where {length} are expected"));
                }
                // The size was compared with that of the file when it was opened.
                let mut bytes = Vec::with_capacity(length);
                entry.read_to_end(&mut bytes).map_err(broken)?;
                Ok(bytes)
            }
            StorageData::Legacy(file, offsets, file_length) => {
                let offset = offsets.get(&storage.key).ok_or("a storage is missing")?;
                if offset.checked_add(length as u64).is_none_or(|end| end > *file_length) {
                    return Err("its numbers end too early".into());
                }
                file.seek(SeekFrom::Start(*offset)).map_err(broken)?;
                let mut bytes = vec![0; length];
                file.read_exact(&mut bytes).map_err(broken)?;
                Ok(bytes)
            }
        }
    }
}

fn refused(path: &Path, problem: Problem) -> Error {
    let hint = "Save the weights with torch.save(model.state_dict(), …).";
    Error::bad_file(path, problem, hint)
}

type Contents = (Vec<(String, TensorInfo)>, StorageData);

const BIG_ENDIAN: &str = "its numbers were written by a machine with another byte order";

fn from_zip(mut file: BufReader<File>) -> Result<Contents, Problem> {
    let length = file.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    let broken = |error: zip::result::ZipError| format!("its zip archive is damaged: {error}");
    let mut archive = ZipArchive::new(file).map_err(broken)?;
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    let list = names.iter().find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
    let list = list.ok_or("its zip archive holds no data.pkl")?;
    let folder = list.strip_suffix("data.pkl").unwrap_or_default().to_owned();
    if let Ok(mut order) = archive.by_name(&format!("{folder}byteorder")) {
        let mut text = [0; 3];
        if order.read_exact(&mut text).is_ok() && text == *b"big" {
            return Err(BIG_ENDIAN.into());
        }
    }
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(broken)?;
        let needed = entry.name() == *list || entry.name().starts_with(&format!("{folder}data/"));
        let stored = entry.compression() == zip::CompressionMethod::Stored;
        if needed && !(stored && entry.size() <= length) {
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
    let io = |error: std::io::Error| error.to_string();
    let length = file.seek(SeekFrom::End(0)).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let mut list = file.by_ref().take(MAX_PICKLE_BYTES);
    let magic = Pickle::read(&mut list).ok().and_then(|pickle| pickle.integer());
    if magic != Some(MAGIC) {
        return Err("it is not a file of PyTorch".into());
    }
    Pickle::read(&mut list)?;
    if Pickle::read(&mut list)?.flag("little_endian") != Some(true) {
        return Err(BIG_ENDIAN.into());
    }
    let pickle = Pickle::read(&mut list)?;
    let keys = Pickle::read(&mut list)?.strings().ok_or("its list of storages is damaged")?;
    let storages: HashMap<&str, &Storage> =
        pickle.storages().map(|storage| (&*storage.key, storage)).collect();
    let mut offsets = HashMap::new();
    let mut at = file.stream_position().map_err(io)?;
    for key in keys {
        let storage = storages.get(&*key).ok_or("a storage in it belongs to no tensor")?;
        let mut numel = [0; 8];
        file.seek(SeekFrom::Start(at)).map_err(io)?;
        file.read_exact(&mut numel).map_err(|_| "its numbers end too early")?;
        if u64::from_le_bytes(numel) != storage.numel as u64 {
            return Err("a storage in it has another size than its list says".into());
        }
        offsets.insert(key, at + 8);
        let end = storage.size().and_then(|size| (at + 8).checked_add(size as u64));
        at = end.ok_or("it is too large")?;
        if at > length {
            return Err("its numbers end too early".into());
        }
    }
    Ok((pickle.tensors(), StorageData::Legacy(file, offsets, length)))
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
    fn all_versions_of_the_format_hold_the_same_tensors() {
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
    fn a_pickled_network_is_refused() {
        let error = TorchFile::open(&file("whole.pth")).err().unwrap().to_string();
        assert!(error.contains("it asks Python for \"torch.nn.modules.linear.Linear\""), "{error}");
        assert!(error.contains("model.state_dict()"), "{error}");
    }

    /// Reads everything in a file with these bytes.
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
