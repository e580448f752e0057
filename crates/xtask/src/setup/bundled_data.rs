//! The data sets that a bundle has brought, where `TCHALK_DATA_DIR` is not set.

use crate::common::files::write_file;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Remembers the data that a bundle has brought, in the cache.
const REMEMBERED: &str = "data-folder";

/// Lets `data` play the part of `TCHALK_DATA_DIR` from now on, wherever that is not set.
pub fn remember_data(home: &Path, data: &Path) -> Result<()> {
    write_file(&home.join(REMEMBERED), &data.to_string_lossy())
}

/// The data that a bundle has brought, if they are still there.
pub fn remembered_data(home: &Path) -> Option<PathBuf> {
    let folder = std::fs::read_to_string(home.join(REMEMBERED)).ok()?;
    Some(PathBuf::from(folder.trim_end())).filter(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_are_gone_are_no_longer_remembered() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(remembered_data(home.path()), None);
        let data = home.path().join("classroom");
        std::fs::create_dir(&data).unwrap();
        remember_data(home.path(), &data).unwrap();
        assert_eq!(remembered_data(home.path()), Some(data.clone()));
        std::fs::remove_dir(&data).unwrap();
        assert_eq!(remembered_data(home.path()), None);
    }
}
