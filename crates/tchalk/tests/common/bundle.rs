//! Official files, where `TCHALK_DATA_DIR` holds them.

use std::path::PathBuf;

/// The bundle's folder, if it has all these files; says which one is missing if not.
pub fn bundle(files: &[&str]) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var("TCHALK_DATA_DIR").unwrap_or_default());
    let missing = |file: &&&str| folder.as_os_str().is_empty() || !folder.join(file).exists();
    match files.iter().find(missing) {
        Some(file) => {
            eprintln!("skipped: TCHALK_DATA_DIR holds no {file}");
            None
        }
        None => Some(folder),
    }
}
