//! The data sets of a bundle, which are used if `TCHALK_DATA_DIR` is not set.

use crate::common::files::write_file;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The file in the cache with the path of the data.
const FILE: &str = "data-folder";

/// Uses this folder from now on if `TCHALK_DATA_DIR` is not set.
pub fn set(home: &Path, data: &Path) -> Result<()> {
    write_file(&home.join(FILE), &data.to_string_lossy())
}

/// The folder of a bundle's data, if it still exists.
pub fn find(home: &Path) -> Option<PathBuf> {
    let folder = std::fs::read_to_string(home.join(FILE)).ok()?;
    Some(PathBuf::from(folder.trim_end())).filter(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_folder_is_not_found() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(find(home.path()), None);
        let data = home.path().join("classroom");
        std::fs::create_dir(&data).unwrap();
        set(home.path(), &data).unwrap();
        assert_eq!(find(home.path()), Some(data.clone()));
        std::fs::remove_dir(&data).unwrap();
        assert_eq!(find(home.path()), None);
    }
}
