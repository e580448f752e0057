//! Short fingerprints that tell versions of a part of set-up apart.

use super::files::files_below;
use anyhow::Result;
use std::path::Path;

/// A fingerprint of texts: 16 hexadecimal digits (FNV-1a, which is not meant against forgery).
pub fn fingerprint(parts: &[&str]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

/// The fingerprint of a folder's files: names and contents, sorted by name.
pub fn fingerprint_of_tree(folder: &Path) -> Result<String> {
    let mut parts = Vec::new();
    for path in files_below(folder)? {
        let bytes = std::fs::read(&path)?;
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        parts.push(format!("{name}\0{}", String::from_utf8_lossy(&bytes)));
    }
    parts.sort();
    Ok(fingerprint(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_differ_with_parts_and_stay() {
        assert_eq!(fingerprint(&["a", "b"]), fingerprint(&["a", "b"]));
        assert_ne!(fingerprint(&["a", "b"]), fingerprint(&["ab"]));
        assert_eq!(fingerprint(&[]).len(), 16);
    }

    #[test]
    fn a_tree_s_fingerprint_changes_with_names_and_contents() {
        let folder = tempfile::tempdir().unwrap();
        let of = || fingerprint_of_tree(folder.path()).unwrap();
        std::fs::write(folder.path().join("a"), "1").unwrap();
        let before = of();
        std::fs::write(folder.path().join("a"), "2").unwrap();
        let changed = of();
        std::fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert!(before != changed && changed != of() && before != of());
    }
}
