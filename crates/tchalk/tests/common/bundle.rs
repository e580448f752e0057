//! Official files, where `TCHALK_DATA_DIR` holds them.

#[path = "skipped.rs"]
mod skipped;

use skipped::skipped;
use std::path::PathBuf;

/// The bundle's folder, if it has all these files; otherwise the test counts as skipped, and says which
/// one is missing. A test asks before it does anything else.
pub fn bundle(files: &[&str]) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var("TCHALK_DATA_DIR").unwrap_or_default());
    let missing = |file: &&&str| folder.as_os_str().is_empty() || !folder.join(file).exists();
    match files.iter().find(missing) {
        Some(file) => {
            skipped(&format!("TCHALK_DATA_DIR holds no {file}"));
            None
        }
        None => Some(folder),
    }
}
