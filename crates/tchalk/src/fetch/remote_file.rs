//! Where a file is published, and which size and checksums it has.

use super::checksum::sums_of_file;
use crate::error::{Error, Result};
use std::path::Path;

/// A published file: its name, its URLs in the order in which they are tried, and its published size and
/// checksums. Where no checksum was published there is none.
#[derive(Debug, Clone)]
pub(crate) struct RemoteFile {
    name: String,
    urls: Vec<String>,
    size: Option<u64>,
    checksums: Vec<Checksum>,
}

/// A published checksum, in hexadecimal digits, and who published it.
#[derive(Debug, Clone)]
struct Checksum {
    kind: ChecksumKind,
    /// All digits, or only the first ones if no more were published.
    digits: String,
    publisher: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChecksumKind {
    Md5,
    Sha256,
}

impl ChecksumKind {
    fn name(self) -> &'static str {
        match self {
            ChecksumKind::Md5 => "MD5",
            ChecksumKind::Sha256 => "SHA-256",
        }
    }
}

/// The largest file that is accepted, whatever a server says.
const MAX_SIZE: u64 = 8 << 30;

impl RemoteFile {
    /// A file that is stored as `name`, without folders, and downloaded from `url`.
    pub(crate) fn new(name: impl Into<String>, url: impl Into<String>) -> RemoteFile {
        let (name, urls) = (name.into(), vec![url.into()]);
        RemoteFile { name, urls, size: None, checksums: Vec::new() }
    }

    /// Another URL of the same file, tried after those before it.
    pub(crate) fn mirror(mut self, url: impl Into<String>) -> RemoteFile {
        self.urls.push(url.into());
        self
    }

    /// The published size, in bytes.
    pub(crate) fn size(mut self, bytes: u64) -> RemoteFile {
        self.size = Some(bytes);
        self
    }

    /// The MD5 that `publisher` names. It detects damage, but no forgery.
    pub(crate) fn md5(self, digits: &str, publisher: &str) -> RemoteFile {
        self.add_checksum(ChecksumKind::Md5, digits, publisher)
    }

    /// The SHA-256 that `publisher` names.
    pub(crate) fn sha256(self, digits: &str, publisher: &str) -> RemoteFile {
        self.add_checksum(ChecksumKind::Sha256, digits, publisher)
    }

    /// The first digits of the SHA-256, which some publishers put into the file name.
    pub(crate) fn sha256_prefix(self, digits: &str, publisher: &str) -> RemoteFile {
        self.add_checksum(ChecksumKind::Sha256, digits, publisher)
    }

    fn add_checksum(mut self, kind: ChecksumKind, digits: &str, publisher: &str) -> RemoteFile {
        let (digits, publisher) = (digits.to_lowercase(), publisher.to_owned());
        self.checksums.push(Checksum { kind, digits, publisher });
        self
    }

    /// The name of the file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is available, the official URL first.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The published size, in bytes.
    pub(crate) fn published_size(&self) -> Option<u64> {
        self.size
    }

    /// The largest size that is accepted, in bytes.
    pub(crate) fn max_size(&self) -> u64 {
        self.size.unwrap_or(MAX_SIZE)
    }

    /// Whether a checksum was published.
    pub(crate) fn has_checksum(&self) -> bool {
        !self.checksums.is_empty()
    }

    /// The published checksums in words: "the SHA-256 that TensorFlow Datasets publishes".
    pub(crate) fn checksum_source(&self) -> Option<String> {
        let sums = self.checksums.iter();
        let texts: Vec<String> = sums
            .map(|sum| format!("the {} that {} publishes", sum.kind.name(), sum.publisher))
            .collect();
        (!texts.is_empty()).then(|| texts.join(" and "))
    }

    /// How the file at `path` differs from what was published; `None` if it does not.
    pub(crate) fn mismatch(&self, path: &Path) -> Result<Option<String>> {
        let length = std::fs::metadata(path).map_err(|error| Error::io(path, error, ""))?.len();
        if let Some(size) = self.size.filter(|&size| size != length) {
            return Ok(Some(format!("it has {length} bytes, but the published size is {size}")));
        }
        if self.checksums.is_empty() {
            return Ok(None);
        }
        let wanted = |kind| self.checksums.iter().any(|sum| sum.kind == kind);
        let (md5, sha256) =
            sums_of_file(path, wanted(ChecksumKind::Md5), wanted(ChecksumKind::Sha256))?;
        for sum in &self.checksums {
            let found = if sum.kind == ChecksumKind::Md5 { &md5 } else { &sha256 };
            if !found.starts_with(&sum.digits) {
                let (kind, publisher) = (sum.kind.name(), &sum.publisher);
                let expected = &sum.digits;
                return Ok(Some(format!(
                    "its {kind} is {found}, but {publisher} publishes {expected}"
                )));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5_OF_ABC: &str = "900150983cd24fb0d6963f7d28e17f72";
    const SHA256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_size_and_every_checksum_have_to_match() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let source = || RemoteFile::new("abc", "http://localhost/abc");
        let good = source().size(3).md5(MD5_OF_ABC, "a page").sha256(SHA256_OF_ABC, "a list");
        assert_eq!(good.mismatch(&path).unwrap(), None);
        let fault = source().size(4).mismatch(&path).unwrap().unwrap();
        assert_eq!(fault, "it has 3 bytes, but the published size is 4");
        let fault = good.md5(&"0".repeat(32), "another").mismatch(&path).unwrap().unwrap();
        assert!(fault.starts_with("its MD5 is 9001") && fault.contains("another publishes 0000"));
        assert_eq!(source().mismatch(&path).unwrap(), None, "nothing published, nothing to check");
    }

    #[test]
    fn the_source_of_a_checksum_names_its_publisher() {
        let source = RemoteFile::new("abc", "").md5(MD5_OF_ABC, "its page");
        assert_eq!(source.checksum_source().unwrap(), "the MD5 that its page publishes");
        assert_eq!(RemoteFile::new("abc", "").checksum_source(), None);
    }
}
