//! A submission as a file.

use super::Submission;
use super::form::HEADER;
use super::stamp::{now, stamp};
use crate::error::{Error, Result};
use crate::files::path_of;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl Submission {
    /// Writes `submission-YYYYMMDD-HHMMSS.csv` into `folder`, which is made where there is none, and
    /// says where it is. The time is the reader's own. No file is ever overwritten, and none is there
    /// before it is complete.
    ///
    /// # Errors
    ///
    /// If a row has faults, or the folder cannot be written to.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let folder = std::env::temp_dir().join("tchalk-submissions");
    /// let path = Submission::from_labels(vec![7, 2, 1])?.save_in(&folder)?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "ImageId,Label\n1,7\n2,2\n3,1\n");
    /// assert_eq!(Submission::latest(&folder)?.labels(), Some(vec![7, 2, 1]));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save_in(&self, folder: impl AsRef<Path>) -> Result<PathBuf> {
        let (folder, text) = (&path_of(folder), self.text("Submission::save_in")?);
        write(folder, &text, now()).map_err(|error| {
            let hint = "May you write to that folder, and is there room on the disk?";
            Error::io(folder, error, hint)
        })
    }

    /// The newest of the submissions that were saved in `folder`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn latest(folder: impl AsRef<Path>) -> Result<Submission> {
        let folder = &path_of(folder);
        match saved(folder).last() {
            Some(path) => Submission::read(path),
            None => {
                let got = format!("no submission-*.csv in {}", folder.display());
                let hint = "submission.save_in(folder)? writes one.";
                Err(Error::invalid("Submission::latest", "a saved submission", got, hint))
            }
        }
    }

    /// What is in the file.
    fn text(&self, op: &str) -> Result<String> {
        let labels = self.sound_labels(op)?;
        let mut text = format!("{HEADER}\n");
        for (place, label) in labels.iter().enumerate() {
            text.push_str(&format!("{},{label}\n", place + 1));
        }
        Ok(text)
    }

    /// The file with these rows: the one they were read from, the newest in `folder`, or a new one.
    pub(super) fn file(&self, folder: &Path) -> Result<PathBuf> {
        if let Some(path) = &self.path {
            return Ok(path.clone());
        }
        let text = self.text("Submission::submit")?;
        match saved(folder).pop() {
            Some(path) if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) => {
                Ok(path)
            }
            _ => self.save_in(folder),
        }
    }
}

/// The submissions in a folder, the newest last.
fn saved(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = crate::files::file_name(path);
            name.starts_with("submission-") && name.ends_with(".csv") && path.is_file()
        })
        .collect();
    paths.sort();
    paths
}

fn write(folder: &Path, text: &str, time: i64) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!(".submission.{}.part", std::process::id()));
    let named = || -> std::io::Result<PathBuf> {
        std::fs::write(&unfinished, text)?;
        // Where that second is taken, the next one: names stay in the order of the files.
        let mut second = time;
        loop {
            let path = folder.join(format!("submission-{}.csv", stamp(second)));
            // A second name for the file cannot be given where one is taken, whoever else is at it.
            match std::fs::hard_link(&unfinished, &path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => second += 1,
                // Some drives have no second names.
                Err(_) if !path.exists() => {
                    return std::fs::rename(&unfinished, &path).map(|()| path);
                }
                Err(_) => second += 1,
            }
        }
    };
    let result = named();
    let _ = std::fs::remove_file(&unfinished);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_unfinished_stays() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("results/kaggle");
        let paths: Vec<PathBuf> =
            (0..3).map(|i| write(&folder, &i.to_string(), 1_700_000_000).unwrap()).collect();
        assert_eq!(names(&folder).len(), 3);
        for (i, path) in paths.iter().enumerate() {
            assert_eq!(std::fs::read_to_string(path).unwrap(), i.to_string());
        }
        assert!(paths.is_sorted(), "by name as by time: {paths:?}");
        assert_eq!(saved(&folder), paths);
    }

    #[test]
    fn the_same_rows_are_saved_once_for_submitting() {
        let folder = tempfile::tempdir().unwrap();
        let submission = Submission::from_labels(vec![1, 2, 3]).unwrap();
        let path = submission.save_in(folder.path()).unwrap();
        assert_eq!(submission.file(folder.path()).unwrap(), path);
        let other = Submission::from_labels(vec![1, 2, 4]).unwrap();
        assert_ne!(other.file(folder.path()).unwrap(), path);
        assert_eq!(Submission::latest(folder.path()).unwrap().labels(), Some(vec![1, 2, 4]));
        assert_eq!(Submission::read(&path).unwrap().file(Path::new("nowhere")).unwrap(), path);
    }

    #[test]
    fn a_faulty_one_is_not_saved_and_an_empty_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let faulty = crate::course::kaggle::testing::read("ImageId,Label\n1,ten\n");
        assert!(faulty.save_in(folder.path()).unwrap_err().to_string().contains("check(&digits)"));
        assert!(names(folder.path()).is_empty());
        let error = Submission::latest(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no submission-*.csv in") && error.contains("save_in"), "{error}");
    }
}
