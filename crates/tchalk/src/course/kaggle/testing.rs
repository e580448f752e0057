//! What the tests of this module share: a client that answers as Kaggle's does, without Kaggle.

use super::client::Client;
use super::environment::Environment;
use flate2::write::DeflateEncoder;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A home with a key, and a program `kaggle` in its `bin`.
pub(super) struct FakeClient {
    pub(super) home: TempDir,
}

pub(super) const KEY: &str = "s3cr3t-k3y-of-a-reader";

impl FakeClient {
    /// The program is a shell script with this body; its folder for files is `$FOLDER`, the
    /// folder of the home `$HOME`.
    pub(super) fn new(body: &str) -> FakeClient {
        let home = tempfile::tempdir().unwrap();
        let fake = FakeClient { home };
        fake.put(".kaggle/kaggle.json", format!(r#"{{"username":"ada","key":"{KEY}"}}"#), 0o600);
        let body = format!("#!/bin/sh\nFOLDER=\"$6\"\necho \"$@\" > \"$HOME/asked\"\n{body}\n");
        fake.put("bin/kaggle", &body, 0o755);
        fake
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(super) fn put(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The environment of this reader, with more variables.
    pub(super) fn environment(&self, more: &[(&str, &str)]) -> Environment {
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        let mut all = vec![("HOME", self.home.path().as_os_str()), ("PATH", OsStr::new(&path))];
        all.extend(more.iter().map(|(name, value)| (*name, OsStr::new(*value))));
        Environment::of(&all)
    }

    pub(super) fn client(&self) -> Client {
        let mut client = Client::usable(&self.environment(&[])).ok().unwrap();
        client.timeout = Duration::from_secs(60);
        client
    }

    /// The arguments that it was called with.
    pub(super) fn asked(&self) -> String {
        std::fs::read_to_string(self.path("asked")).unwrap_or_default().trim().to_owned()
    }
}

/// A file of digits in the competition's form.
pub(super) fn csv(labeled: bool, rows: usize) -> String {
    let pixels = (0..784).map(|i| format!("pixel{i}")).collect::<Vec<_>>().join(",");
    let label = if labeled { "label," } else { "" };
    let row = |i: usize| {
        format!("{}{}", if labeled { "3," } else { "" }, vec![i.to_string(); 784].join(","))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!("{label}{pixels}\n{}\n", rows.join("\n"))
}

/// A zip archive as Kaggle makes them, written to `path`: each file deflated.
pub(super) fn zip(path: &Path, files: &[(&str, &str)]) {
    let (mut archive, mut list) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let mut packer = DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        let packed = packer.finish().unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0];
        for number in [crc.sum(), packed.len() as u32, text.len() as u32] {
            common.extend(number.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        list.extend(b"PK\x01\x02\x14\x00");
        list.extend(&common);
        list.extend([0; 10]);
        list.extend((archive.len() as u32).to_le_bytes());
        list.extend(name.as_bytes());
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(name.as_bytes());
        archive.extend(packed);
    }
    let (begin, size) = (archive.len() as u32, list.len() as u32);
    archive.extend(list);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([(files.len() as u16).to_le_bytes(); 2].concat());
    archive.extend(size.to_le_bytes());
    archive.extend(begin.to_le_bytes());
    archive.extend([0, 0]);
    std::fs::write(path, archive).unwrap();
}
