//! Paths with `~`, and files that are written completely or not at all.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// The path with the user's home in place of a `~` at its beginning, as in a shell. Otherwise a folder
/// named `~` would be made, which is dangerous to remove.
pub(crate) fn expand_home(written: impl AsRef<Path>) -> PathBuf {
    in_home(written.as_ref(), std::env::home_dir())
}

fn in_home(written: &Path, home: Option<PathBuf>) -> PathBuf {
    match (written.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => home,
        (Ok(rest), Some(home)) => home.join(rest),
        _ => written.to_owned(),
    }
}

/// The last part of a path, or an empty text.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Writes a file completely or not at all: `write` fills a file beside `path`, which then replaces
/// the one at `path`.
pub(crate) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}.part", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    let result = (|| {
        let mut file = BufWriter::new(File::create(&unfinished)?);
        write(&mut file)?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&unfinished, path)
    })();
    if result.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_tilde_is_the_home_only_at_the_beginning() {
        let of = |path: &str| in_home(Path::new(path), Some("/home/a b".into()));
        assert_eq!(of("~"), PathBuf::from("/home/a b"));
        assert_eq!(of("~/"), PathBuf::from("/home/a b"));
        assert_eq!(
            of("~/results/cnn.safetensors"),
            PathBuf::from("/home/a b/results/cnn.safetensors")
        );
        for path in ["results/~/a", "~b/a", "a~", "/~", "", "./~"] {
            assert_eq!(of(path), PathBuf::from(path));
        }
        assert_eq!(in_home(Path::new("~/a"), None), PathBuf::from("~/a"));
    }

    #[test]
    fn a_file_is_replaced_only_by_a_complete_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomically(&path, |file| file.write_all(b"first")).unwrap();
        let error = |_: &mut BufWriter<File>| Err(io::ErrorKind::StorageFull.into());
        write_atomically(&path, error).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    }
}
