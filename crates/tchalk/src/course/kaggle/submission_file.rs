//! A submission as a file: written, found again, and read.

use super::competition::HEADER;
use super::submission::Submission;
use super::timestamp::{now, timestamp};
use crate::error::{Error, Result};
use crate::files::{expand_home, file_name};
use crate::text::beginning;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// No submission is larger.
const MAX_BYTES: u64 = 1 << 20;

impl Submission {
    /// Reads a file as [`Submission::save_in`] and Kaggle write it: the header `ImageId,Label`, then a
    /// row for each image, in order.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or a line is another one: the message names it.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let path = std::env::temp_dir().join("tchalk-answers.csv");
    /// std::fs::write(&path, "ImageId,Label\n1,7\n2,3\n")?;
    /// assert_eq!(Submission::read(&path)?.labels(), [7, 3]);
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Submission> {
        let path = &expand_home(path);
        let hint = "Check the path; it starts where the notebook is.";
        let refused = |error| Error::io(path, error, hint);
        if std::fs::metadata(path).map_err(refused)?.len() > MAX_BYTES {
            let hint = "A submission has a number and a digit in each row, and no pixels.";
            return Err(Error::bad_file(path, "it is larger than any submission", hint));
        }
        let text = std::fs::read(path).map_err(refused)?;
        let submission = Submission::from_labels(parse(&text, path)?)?;
        Ok(submission.named(file_name(path)).with_path(path))
    }

    /// Writes `submission-YYYYMMDD-HHMMSS.csv` into `folder`, which is made if it does not exist, and
    /// returns its path. The time is local. No file is ever overwritten, and none appears before it is
    /// complete.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let folder = std::env::temp_dir().join("tchalk-submissions");
    /// let path = Submission::from_labels(vec![7, 2, 1])?.save_in(&folder)?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "ImageId,Label\n1,7\n2,2\n3,1\n");
    /// assert_eq!(Submission::latest(&folder)?.labels(), [7, 2, 1]);
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save_in(&self, folder: impl AsRef<Path>) -> Result<PathBuf> {
        let folder = &expand_home(folder);
        write(folder, &self.text(), now()).map_err(|error| {
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
        let folder = &expand_home(folder);
        match saved(folder).last() {
            Some(path) => Submission::read(path),
            None => {
                let got = format!("no submission-*.csv in {}", folder.display());
                let hint = "submission.save_in(folder)? writes one.";
                Err(Error::invalid("Submission::latest", "a saved submission", got, hint))
            }
        }
    }

    fn text(&self) -> String {
        let labels = self.labels().into_iter().enumerate();
        let rows = labels.map(|(row, label)| format!("{},{label}\n", row + 1));
        format!("{HEADER}\n{}", rows.collect::<String>())
    }

    /// The file with these rows: the one they were read from, the newest in `folder`, or a new one.
    pub(super) fn file(&self, folder: &Path) -> Result<PathBuf> {
        if let Some(path) = &self.path {
            return Ok(path.clone());
        }
        let text = self.text();
        match saved(folder).pop() {
            Some(path) if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) => {
                Ok(path)
            }
            _ => self.save_in(folder),
        }
    }
}

/// The digits in a submission file, which errors call `path`.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Vec<usize>> {
    let text = String::from_utf8_lossy(bytes);
    let bad = |line: usize, expected: &str, got: &str| {
        let got = beginning(got, 60);
        let hint = "Submission::save_in writes a file in the right form.";
        Error::bad_file(path, format!("line {line}: expected {expected}, got {got:?}"), hint)
    };
    let mut lines = text.lines();
    match lines.next().unwrap_or_default() {
        HEADER => {}
        other => return Err(bad(1, HEADER, other)),
    }
    let labels = lines.enumerate().map(|(row, line)| {
        let digit = line.strip_prefix(&format!("{},", row + 1)).and_then(|label| {
            let digit = label.parse::<usize>().ok()?;
            (digit < 10 && label.len() == 1).then_some(digit)
        });
        let expected = format!("{} and a digit from 0 to 9", row + 1);
        digit.ok_or_else(|| bad(row + 2, &expected, line))
    });
    let labels = labels.collect::<Result<Vec<usize>>>()?;
    if labels.is_empty() {
        return Err(bad(2, "a row for image 1", ""));
    }
    Ok(labels)
}

/// The submissions in a folder, the newest last.
fn saved(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = file_name(path);
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
        // A taken name makes way for the next second, so names stay in the order of the files.
        let mut second = time;
        loop {
            let path = folder.join(format!("submission-{}.csv", timestamp(second)));
            // A hard link fails where the name is taken, whichever process took it.
            match std::fs::hard_link(&unfinished, &path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => second += 1,
                // Some file systems have no hard links.
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
        assert_eq!(Submission::latest(folder.path()).unwrap().labels(), [1, 2, 4]);
        assert_eq!(Submission::read(&path).unwrap().file(Path::new("nowhere")).unwrap(), path);
    }

    #[test]
    fn an_empty_folder_has_no_latest_submission() {
        let folder = tempfile::tempdir().unwrap();
        let error = Submission::latest(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no submission-*.csv in") && error.contains("save_in"), "{error}");
    }

    #[test]
    fn the_reader_takes_the_right_form_and_names_the_line_of_another() {
        let read = |text: &str| parse(text.as_bytes(), Path::new("mine.csv"));
        let right = [
            "ImageId,Label\n1,4\n2,0\n",
            "ImageId,Label\r\n1,4\r\n2,0\r\n",
            "ImageId,Label\n1,4\n2,0",
        ];
        for text in right {
            assert_eq!(read(text).unwrap(), [4, 0]);
        }
        let wrong = [
            ("", 1),
            ("1,4\n2,0\n", 1),
            ("Label,ImageId\n4,1\n", 1),
            ("\u{feff}ImageId,Label\n1,4\n", 1),
            ("ImageId;Label\n1;4\n", 1),
            ("ImageId,Label\n", 2),
            ("ImageId,Label\n0,4\n1,0\n", 2),
            ("ImageId,Label\n1,4.0\n", 2),
            ("ImageId,Label\n1,4\n2,12\n", 3),
            ("ImageId,Label\n1,4\n2,\n", 3),
            ("ImageId,Label\n1,4\n3,0\n", 3),
            ("ImageId,Label\n1,4\n2,0,1\n", 3),
        ];
        for (text, line) in wrong {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(&format!("line {line}: expected")), "{text:?}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = parse(&bytes, Path::new("x"));
        }
    }
}
