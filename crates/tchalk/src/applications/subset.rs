//! The head of a safetensors file, and which parts of the file some of its tensors are.
//!
//! A safetensors file is eight bytes, the length of its header; the header, which says in JSON what
//! tensors there are and where; and their numbers. So of a file far away the tensors that are needed
//! can be fetched alone.

use super::tensor_file::kind_size;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use tch::Kind;

/// No header of ours is longer, in bytes.
pub(super) const LONGEST_HEADER: u64 = 16 << 20;

/// Where a tensor is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) shape: Vec<usize>,
    /// Its first byte, counted from the beginning of the file, and the first after it.
    pub(super) begin: u64,
    pub(super) end: u64,
}

/// The head of a file.
#[derive(Debug)]
pub(super) struct Header {
    entries: BTreeMap<String, Entry>,
    notes: BTreeMap<String, String>,
}

impl Header {
    /// Reads the head of a file of `length` bytes.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in a few words.
    pub(super) fn read(from: &mut impl Read, length: u64) -> Result<Header, String> {
        let mut bytes = vec![0; 8];
        from.read_exact(&mut bytes).map_err(|_| "it is shorter than any file of tensors")?;
        let size = header_size(&bytes, length)?;
        bytes.resize(8 + size as usize, 0);
        from.read_exact(&mut bytes[8..]).map_err(|_| "it breaks off")?;
        Header::of(&bytes, length)
    }

    /// The head of a file of `length` bytes that begins with `bytes`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in a few words.
    pub(super) fn of(bytes: &[u8], length: u64) -> Result<Header, String> {
        let size = header_size(bytes, length)?;
        let start = 8 + size;
        let text = bytes.get(8..start as usize).ok_or("it breaks off")?;
        let damaged = |error: serde_json::Error| format!("its header is damaged: {error}");
        let listed: BTreeMap<String, Value> = serde_json::from_slice(text).map_err(damaged)?;
        let (mut entries, mut notes) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in listed {
            if name == "__metadata__" {
                notes = serde_json::from_value(value).map_err(damaged)?;
                continue;
            }
            let listed: Listed = serde_json::from_value(value).map_err(damaged)?;
            let entry = listed.entry(start).map_err(|problem| format!("{name:?} {problem}"))?;
            entries.insert(name, entry);
        }
        // Each tensor begins where the one before it ends, and the last ends with the file.
        let mut ranges: Vec<(u64, u64)> = entries.values().map(|it| (it.begin, it.end)).collect();
        ranges.sort();
        let mut at = start;
        for (begin, end) in ranges {
            if begin != at {
                return Err("its tensors overlap, or there are holes between them".into());
            }
            at = end;
        }
        if at != length {
            return Err(format!("it has {length} bytes, its header speaks of {at}"));
        }
        Ok(Header { entries, notes })
    }

    /// The head of a file of which only the beginning is here.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in a few words.
    pub(super) fn of_beginning(bytes: &[u8]) -> Result<Header, String> {
        let size = header_size(bytes, bytes.len() as u64)?;
        let text = bytes.get(8..8 + size as usize).ok_or("it breaks off")?;
        let listed: BTreeMap<String, Value> = serde_json::from_slice(text)
            .map_err(|error| format!("its header is damaged: {error}"))?;
        let ends = listed.iter().filter(|(name, _)| *name != "__metadata__");
        let ends = ends.filter_map(|(_, value)| value["data_offsets"][1].as_u64());
        let length = ends.max().unwrap_or(0).checked_add(8 + size).ok_or("it is too large")?;
        Header::of(bytes, length)
    }

    /// Where this tensor is.
    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// The tensors' names and shapes.
    pub(super) fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.entries.iter().map(|(name, entry)| (name.clone(), entry.shape.clone())).collect()
    }

    /// What the author noted.
    pub(super) fn notes(&self) -> BTreeMap<String, String> {
        self.notes.clone()
    }
}

/// The length of the header of a file of `length` bytes, in its first eight bytes.
pub(super) fn header_size(start: &[u8], length: u64) -> Result<u64, String> {
    let size = start.get(..8).and_then(|start| start.try_into().ok()).map(u64::from_le_bytes);
    match size {
        Some(size) if size <= LONGEST_HEADER && size + 8 <= length => Ok(size),
        _ => Err("it is no safetensors file".into()),
    }
}

/// A tensor as the header lists it; its place is counted from the end of the header.
#[derive(Deserialize)]
struct Listed {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl Listed {
    fn entry(self, start: u64) -> Result<Entry, String> {
        let known = KINDS.iter().find(|(name, _)| *name == self.dtype);
        let Some(&(_, kind)) = known else {
            return Err(format!("is of the unknown type {:?}", self.dtype));
        };
        let size = kind_size(kind);
        let bytes = self.shape.iter().try_fold(size, |product, &n| product.checked_mul(n));
        let (begin, end) = self.data_offsets;
        if bytes.map(|bytes| bytes as u64) != end.checked_sub(begin) {
            return Err("has another size than its shape".into());
        }
        let place = |offset: u64| start.checked_add(offset).ok_or("lies outside of all files");
        Ok(Entry { kind, shape: self.shape, begin: place(begin)?, end: place(end)? })
    }
}

/// The types of numbers, by their names in the header.
const KINDS: [(&str, Kind); 10] = [
    ("F64", Kind::Double),
    ("F32", Kind::Float),
    ("F16", Kind::Half),
    ("BF16", Kind::BFloat16),
    ("I64", Kind::Int64),
    ("I32", Kind::Int),
    ("I16", Kind::Int16),
    ("I8", Kind::Int8),
    ("U8", Kind::Uint8),
    ("BOOL", Kind::Bool),
];

/// A file of some tensors of another one, of which `beginning` are the first bytes.
///
/// # Errors
///
/// The first name that the other file does not hold, or if some of the tensors lie behind the beginning.
pub(super) fn write(
    header: &Header,
    names: &[String],
    beginning: &[u8],
    notes: &[(&str, &str)],
) -> Result<Vec<u8>, String> {
    let mut listed = serde_json::Map::new();
    let mut numbers = Vec::new();
    let notes = notes.iter().map(|&(word, text)| (word.to_owned(), Value::from(text)));
    listed.insert("__metadata__".into(), Value::Object(notes.collect()));
    for name in names {
        let entry = header.entry(name).ok_or_else(|| format!("it holds no {name:?}"))?;
        let bytes = beginning.get(entry.begin as usize..entry.end as usize);
        let bytes = bytes.ok_or("some of the base lies behind it")?;
        let place = (numbers.len(), numbers.len() + bytes.len());
        numbers.extend_from_slice(bytes);
        let kind = KINDS.iter().find(|(_, kind)| *kind == entry.kind).map(|(name, _)| *name);
        let tensor = json!({ "dtype": kind, "shape": entry.shape, "data_offsets": place });
        listed.insert(name.clone(), tensor);
    }
    let mut text = Value::Object(listed).to_string();
    // Numbers begin at a multiple of eight.
    text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(text.as_bytes());
    file.extend_from_slice(&numbers);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Three tensors, `a` of 2, `b` of 3 × 2 and `c` of 1 number, in this order.
    fn file() -> Vec<u8> {
        let mut header = br#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
            "b":{"dtype":"F32","shape":[3,2],"data_offsets":[8,32]},
            "c":{"dtype":"F32","shape":[1],"data_offsets":[32,36]}}"#
            .to_vec();
        while !header.len().is_multiple_of(8) {
            header.push(b' ');
        }
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend((0..9).flat_map(|i| (i as f32).to_le_bytes()));
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Header, String> {
        Header::read(&mut &bytes[..], bytes.len() as u64)
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let mut bytes = file();
        bytes.pop();
        assert!(read(&bytes).unwrap_err().contains("its header speaks of"));
        assert!(read(b"short").unwrap_err().contains("shorter"));
        assert!(read(&[0xff; 100]).unwrap_err().contains("no safetensors file"));
    }

    #[test]
    fn a_file_of_some_tensors_holds_just_them() {
        let bytes = file();
        let header = read(&bytes).unwrap();
        let names = ["c".to_owned(), "a".to_owned()];
        let small = write(&header, &names, &bytes, &[("from", "here")]).unwrap();
        let error = write(&header, &["x".to_owned()], &bytes, &[]).unwrap_err();
        assert_eq!(error, "it holds no \"x\"");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small");
        std::fs::write(&path, &small).unwrap();
        let tensors: BTreeMap<_, _> =
            tch::Tensor::read_safetensors(&path).unwrap().into_iter().collect();
        assert_eq!(tensors.len(), 2);
        assert_eq!(tensors["a"], tch::Tensor::from_slice(&[0f32, 1.0]));
        assert_eq!(tensors["c"], tch::Tensor::from_slice(&[8f32]));
        assert_eq!(read(&small).unwrap().notes()["from"], "here");
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..300, byte in any::<u8>(), cut in 0usize..400) {
            let mut bytes = file();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(cut);
            let _ = read(&bytes);
        }
    }
}
