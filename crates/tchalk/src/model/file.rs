//! Files of tensors in the safetensors format: a header with names, shapes and offsets, then the
//! numbers.

use crate::error::{Error, Result};
use crate::files::write_atomically;
use safetensors::tensor::{Dtype, Metadata};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};

/// The bytes that hold the header's length.
const LENGTH_BYTES: u64 = 8;
/// A larger header comes from a damaged or malicious file.
const MAX_HEADER: u64 = 64 << 20;

/// An open file. Its header has been read and checked against the file's size. The numbers are read
/// one tensor at a time, on demand.
pub(crate) struct TensorFile {
    path: PathBuf,
    file: File,
    header: Metadata,
    begin: u64,
}

impl TensorFile {
    pub(crate) fn open(path: &Path) -> Result<TensorFile> {
        let refused = |error| Error::io(path, error, "Is the name right, and the folder?");
        let mut file = File::open(path).map_err(refused)?;
        let size = file.metadata().map_err(refused)?.len();
        let bad = |problem: String| {
            let hint = "Was it copied or downloaded completely? It should be a .safetensors file.";
            Error::bad_file(path, problem, hint)
        };
        let mut length = [0; LENGTH_BYTES as usize];
        if size < LENGTH_BYTES {
            return Err(bad(format!("{size} bytes are too few for a header")));
        }
        file.read_exact(&mut length).map_err(refused)?;
        let length = u64::from_le_bytes(length);
        if length > size - LENGTH_BYTES || length > MAX_HEADER {
            return Err(bad(format!("a header of {length} bytes in a file of {size}")));
        }
        let mut text = vec![0; length as usize];
        file.read_exact(&mut text).map_err(refused)?;
        if let Some(name) =
            duplicate_name(&text).map_err(|error| bad(format!("its header: {error}")))?
        {
            return Err(bad(format!("its header names {name:?} twice")));
        }
        let header: Metadata = serde_json::from_slice(&text)
            .map_err(|error| bad(format!("its header: {}", plain_message(&error.to_string()))))?;
        let (begin, data) = (LENGTH_BYTES + length, header.data_len() as u64);
        if size - begin != data {
            let problem = format!("{} bytes of numbers where {data} are announced", size - begin);
            return Err(bad(problem));
        }
        Ok(TensorFile { path: path.to_owned(), file, header, begin })
    }

    /// The path, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// An entry of the header's metadata.
    pub(crate) fn note(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// The names, in the order of the file.
    pub(crate) fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    /// The shape and the kind of the tensor of this name, if there is one. The kind is `None` where
    /// weights cannot have it.
    pub(crate) fn info(&self, name: &str) -> Option<(Vec<usize>, Option<Kind>)> {
        let info = self.header.info(name)?;
        let kind = match info.dtype {
            Dtype::F32 => Some(Kind::Float),
            Dtype::F64 => Some(Kind::Double),
            Dtype::F16 => Some(Kind::Half),
            Dtype::BF16 => Some(Kind::BFloat16),
            _ => None,
        };
        Some((info.shape.clone(), kind))
    }

    /// The name of a tensor's kind, for messages.
    pub(crate) fn kind_name(&self, name: &str) -> String {
        self.header.info(name).map_or(String::new(), |info| format!("{:?}", info.dtype))
    }

    /// The tensor of this name, on the CPU. The caller has checked its kind with [`TensorFile::info`].
    pub(crate) fn read(&mut self, name: &str) -> Result<Tensor> {
        let (shape, kind) = self.info(name).expect("the name was looked up");
        let kind = kind.expect("the kind was looked at");
        let (from, to) = self.header.info(name).expect("the name was looked up").data_offsets;
        let mut bytes = vec![0; to - from];
        let read = self.file.seek(SeekFrom::Start(self.begin + from as u64));
        read.and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|error| Error::io(&self.path, error, "The file changed while it was read."))?;
        let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        Ok(Tensor::f_from_data_size(&bytes, &shape, kind)?)
    }
}

/// The first name that stands twice in the header, a JSON object.
fn duplicate_name(text: &[u8]) -> serde_json::Result<Option<String>> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Option<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object with the tensors")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<String>, A::Error> {
            let (mut seen, mut twice) = (HashSet::new(), None);
            while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
                if !seen.insert(name.clone()) {
                    twice.get_or_insert(name);
                }
            }
            Ok(twice)
        }
    }
    serde_json::Deserializer::from_slice(text).deserialize_map(Names)
}

/// The meaning of the format's own errors in plain words.
fn plain_message(message: &str) -> String {
    if message.contains("invalid offset for tensor") {
        "the tensors overlap, or leave gaps".into()
    } else if message.contains("overflow computing") || message.contains("invalid shape") {
        "a tensor's shape does not go with its bytes".into()
    } else {
        message.chars().take(200).collect()
    }
}

/// Writes `f32` tensors by name, with metadata in the header. The file appears only when it is
/// complete. Missing folders are created.
pub(crate) fn write(
    path: &Path,
    notes: &[(&str, String)],
    tensors: &[(String, Tensor)],
) -> Result<()> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let mut parts = vec![format!(
        "\"__metadata__\":{{{}}}",
        notes.iter().map(|(k, v)| format!("{}:{}", text(k), text(v))).collect::<Vec<_>>().join(",")
    )];
    let mut end = 0;
    for (name, tensor) in tensors {
        let begin = end;
        end += 4 * tensor.numel();
        let shape = tensor.size();
        parts.push(format!(
            "{}:{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{begin},{end}]}}",
            text(name)
        ));
    }
    let mut header = format!("{{{}}}", parts.join(","));
    // The numbers start at a multiple of eight bytes.
    header.push_str(&" ".repeat(header.len().wrapping_neg() % LENGTH_BYTES as usize));

    let write = |file: &mut BufWriter<File>| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        for (_, tensor) in tensors {
            let tensor = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
            let mut bytes = vec![0; 4 * tensor.numel()];
            tensor.f_copy_data_u8(&mut bytes, tensor.numel()).map_err(std::io::Error::other)?;
            file.write_all(&bytes)?;
        }
        Ok(())
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| write_atomically(path, write))
        .map_err(|error| {
            Error::io(path, error, "May you write to that folder, and is there room on the disk?")
        })
}
