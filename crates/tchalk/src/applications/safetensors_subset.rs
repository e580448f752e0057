//! Some tensors of a safetensors file as a new file.
//!
//! A safetensors file starts with the length of its header in eight bytes. The header lists the tensors and
//! their offsets in JSON, and their numbers follow. So the beginning of a file is enough for the tensors that
//! lie there.

use safetensors::tensor::{Metadata, TensorView};
use std::collections::HashMap;

/// No header is longer.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// A file of these tensors from a file that begins with `beginning`.
///
/// # Errors
///
/// What is wrong with it, in a few words; also the first missing tensor, or if some of the tensors lie after
/// the beginning.
pub(super) fn extract(
    beginning: &[u8],
    names: &[String],
    metadata: &[(&str, &str)],
) -> Result<Vec<u8>, String> {
    let start = beginning.get(..8).and_then(|start| start.try_into().ok()).map(u64::from_le_bytes);
    let size = match start {
        Some(size) if size <= MAX_HEADER_BYTES => size as usize,
        _ => return Err("it is not a safetensors file".into()),
    };
    let text = beginning.get(8..8 + size).ok_or("it ends too early")?;
    let header: Metadata =
        serde_json::from_slice(text).map_err(|error| format!("its header is damaged: {error}"))?;
    let numbers = &beginning[8 + size..];
    let views = names.iter().map(|name| {
        let info = header.info(name).ok_or_else(|| format!("it holds no {name:?}"))?;
        let (from, to) = info.data_offsets;
        let bytes = numbers.get(from..to).ok_or("some of the tensors lie after it")?;
        let view = TensorView::new(info.dtype, info.shape.clone(), bytes);
        Ok((name, view.map_err(|error| error.to_string())?))
    });
    let views = views.collect::<Result<Vec<_>, String>>()?;
    let metadata = metadata.iter().map(|&(key, text)| (key.to_owned(), text.to_owned()));
    safetensors::serialize(views, Some(metadata.collect::<HashMap<_, _>>()))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::file::TensorFile;
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

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn wrong_files_are_refused() {
        let refused = |bytes: &[u8], name: &str| extract(bytes, &names(&[name]), &[]).unwrap_err();
        let bytes = file();
        assert!(refused(&bytes[..bytes.len() - 1], "c").contains("lie after it"));
        assert!(refused(&bytes[..20], "a").contains("ends too early"));
        assert!(refused(b"short", "a").contains("not a safetensors file"));
        assert!(refused(&[0xff; 100], "a").contains("not a safetensors file"));
        assert_eq!(refused(&bytes, "x"), "it holds no \"x\"");
    }

    #[test]
    fn a_subset_holds_only_its_tensors() {
        let bytes = file();
        // The beginning is enough for the tensors there.
        assert!(extract(&bytes[..bytes.len() - 4], &names(&["a", "b"]), &[]).is_ok());
        let small = extract(&bytes, &names(&["c", "a"]), &[("from", "here")]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small");
        std::fs::write(&path, &small).unwrap();
        let mut open = TensorFile::open(&path).unwrap();
        assert_eq!(open.names().len(), 2);
        assert_eq!(open.read("a").unwrap(), tch::Tensor::from_slice(&[0f32, 1.0]));
        assert_eq!(open.read("c").unwrap(), tch::Tensor::from_slice(&[8f32]));
        assert_eq!(open.note("from"), Some("here"));
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..300, byte in any::<u8>(), length in 0usize..400) {
            let mut bytes = file();
            let whole = bytes.len();
            bytes[at % whole] = byte;
            bytes.truncate(length);
            let _ = extract(&bytes, &names(&["c", "a"]), &[]);
        }
    }
}
