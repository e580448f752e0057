//! The competition's files, fetched by Kaggle's client with the reader's account.

use super::client::Client;
use super::client_error::{client_error, unusable};
use super::competition::{COMPETITION, DATA_PAGE, TEST_IMAGES, TRAIN_IMAGES};
use super::environment::Environment;
use super::subprocess::Output;
use super::{archive, submission_file};
use crate::data::digits_csv;
use crate::error::{Error, Result};
use crate::fetch::remote_file::RemoteFile;
use crate::fetch::{cache, download as files};
use crate::runtime::progress::{Progress, Unit};
use crate::text::bytes;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const OP: &str = "kaggle::download";

/// Fetches the competition's files with Kaggle's client into the cache, where
/// [`digit_recognizer`](super::digit_recognizer) finds them, and returns their folder. Files that are
/// there and undamaged are not fetched again.
///
/// A file gets its name only after it has the header and the number of rows that it should have.
///
/// # Errors
///
/// If there are no credentials or no client, the rules are not accepted, the network is missing or
/// forbidden, or a file is damaged: each time the message says what to do. And after an interrupt,
/// which ends the client.
///
/// ```no_run
/// # use tchalk::prelude::*;
/// let folder = kaggle::download()?;
/// let head = CsvTable::read(folder.join("train.csv"))?.head(5);
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn download() -> Result<PathBuf> {
    let Some(cache) = cache::folder("data") else {
        let hint = "Let TCHALK_HOME name one.";
        return Err(Error::invalid(OP, "a folder for the cache", "none", hint));
    };
    let folder = cache.join(COMPETITION);
    if !are_kept(&folder)? {
        let client = Client::usable(&Environment::from_env());
        let client = client.map_err(|why| unusable(COMPETITION, why))?;
        download_into(&folder, &client)?;
    }
    Ok(folder)
}

/// A file of the competition.
struct CompetitionFile {
    name: &'static str,
    rows: usize,
    content: FileContent,
}

#[derive(PartialEq)]
enum FileContent {
    Labeled,
    Unlabeled,
    Sample,
}

fn source(name: &str) -> RemoteFile {
    RemoteFile::new(name, DATA_PAGE)
}

/// Whether both files of digits are there and undamaged.
fn are_kept(folder: &Path) -> Result<bool> {
    for name in ["train.csv", "test.csv"] {
        if files::cached(&source(name), folder)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Fetches the files into `folder`: all of them, or none.
pub(super) fn download_into(folder: &Path, client: &Client) -> Result<()> {
    download_rows(folder, client, TRAIN_IMAGES, TEST_IMAGES)
}

/// The same for files with these numbers of rows.
fn download_rows(folder: &Path, client: &Client, train: usize, test: usize) -> Result<()> {
    let refused = |error| {
        let hint = "Downloads are kept in this folder; TCHALK_HOME names another one.";
        Error::io(folder, error, hint)
    };
    let work = TemporaryFolder(folder.join(format!(".kaggle-{}", std::process::id())));
    let _ = std::fs::remove_dir_all(&work.0);
    std::fs::create_dir_all(&work.0).map_err(refused)?;
    let mut progress = Progress::new(format!("{COMPETITION}.zip"), Unit::Bytes);
    let arguments = ["competitions", "download", "-c", COMPETITION, "-p"].map(OsStr::new);
    let arguments = [&arguments[..], &[work.0.as_os_str()]].concat();
    let output = client.run(OP, &arguments, || {
        let size = size_of(&work.0);
        progress.done(size as usize);
        size
    })?;
    let files_to_fetch = [
        CompetitionFile { name: "sample_submission.csv", rows: test, content: FileContent::Sample },
        CompetitionFile { name: "test.csv", rows: test, content: FileContent::Unlabeled },
        CompetitionFile { name: "train.csv", rows: train, content: FileContent::Labeled },
    ];
    if !output.is_success() {
        return Err(client_error(COMPETITION, &output));
    }
    let mut found = Vec::new();
    for file in files_to_fetch {
        match find(&work.0, file.name)? {
            Some(bytes) => {
                check(&file, &bytes)?;
                found.push((file.name, bytes));
            }
            // The library can make one.
            None if file.content == FileContent::Sample => {}
            None => return Err(missing(file.name, &output, &work.0)),
        }
    }
    for (name, bytes) in &found {
        files::store(&source(name), folder, bytes)?;
    }
    let size: usize = found.iter().map(|(_, bytes)| bytes.len()).sum();
    progress.finish(&format!("fetched and unpacked, {}", bytes(size as u64)));
    Ok(())
}

/// A folder that is removed when this is dropped.
struct TemporaryFolder(PathBuf);

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file that the client fetched: as it is, or in an archive.
fn find(work: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let path = work.join(name);
    if path.is_file() {
        return std::fs::read(&path).map(Some).map_err(|error| Error::io(&path, error, ""));
    }
    // The client names an archive after its address, so its first bytes tell more than its name.
    for archive in entries(work).filter(|path| archive::is_archive(path)) {
        if let Some(bytes) = archive::unpack(&archive, name)? {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn size_of(folder: &Path) -> u64 {
    entries(folder).filter_map(|path| path.metadata().ok()).map(|data| data.len()).sum()
}

/// The error for a client that fetched something else.
fn missing(name: &str, output: &Output, work: &Path) -> Error {
    match entries(work).next() {
        // Older clients end with status 0 when they were refused.
        None => client_error(COMPETITION, output),
        Some(_) => {
            let problem = format!("what Kaggle's client fetched holds no {name}");
            Error::download(COMPETITION, problem, format!("Fetch it by hand: {DATA_PAGE}"))
        }
    }
}

/// Refuses a file that does not hold what its name says.
fn check(file: &CompetitionFile, bytes: &[u8]) -> Result<()> {
    let bad = |problem: String| {
        let hint = format!("Nothing was kept. Run this again, or fetch it by hand: {DATA_PAGE}");
        Error::bad_file(file.name, problem, hint)
    };
    let rows = match file.content {
        FileContent::Sample => submission_file::parse(bytes, Path::new(file.name))?.len(),
        _ => {
            let (images, labels) = digits_csv::digits(bytes, Path::new(file.name))?;
            if labels.is_empty() == (file.content == FileContent::Labeled) {
                let has = if labels.is_empty() { "no" } else { "a" };
                return Err(bad(format!("it has {has} column of labels")));
            }
            images.len_of(ndarray::Axis(0))
        }
    };
    match rows == file.rows {
        true => Ok(()),
        false => Err(bad(format!("expected {} rows, got {rows}", file.rows))),
    }
}

#[cfg(all(test, unix))]
mod tests;
