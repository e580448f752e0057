//! Paths as a reader writes them.

use std::path::{Path, PathBuf};

/// The path that is meant: a `~` at its beginning stands for the reader's home, as in a shell. A
/// folder of that name would be one that nobody dares to remove.
pub(crate) fn path_of(written: impl AsRef<Path>) -> PathBuf {
    in_home(written.as_ref(), std::env::home_dir())
}

fn in_home(written: &Path, home: Option<PathBuf>) -> PathBuf {
    match (written.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => home,
        (Ok(rest), Some(home)) => home.join(rest),
        _ => written.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_and_only_at_the_beginning() {
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
}
