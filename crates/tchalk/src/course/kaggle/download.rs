//! The competition's files, fetched by Kaggle's client with the reader's account.

use super::client::Client;
use super::failure::{failure, unusable};
use super::output::Output;
use super::surroundings::Surroundings;
use super::{COMPETITION, DATA_PAGE, KNOWN, UNKNOWN, archive};
use crate::data::digits_csv;
use crate::error::{Error, Result};
use crate::fetch::remote_file::Source;
use crate::fetch::{cache, download as files};
use crate::runtime::progress::{Progress, Unit};
use crate::text::bytes;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const OP: &str = "kaggle::download";

/// Fetches the competition's files with Kaggle's client into the cache, where
/// [`digit_recognizer`](super::digit_recognizer) finds them, and gives their folder. What is there
/// already and whole is not fetched again.
///
/// A file gets its name only after it has the header and the number of rows that it should have.
///
/// # Errors
///
/// If there are no credentials or no client, the rules are not accepted, the network is away or
/// forbidden, or what came is damaged: each time the message says what to do. And after the stop
/// button, which ends the client.
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
        let surroundings = Surroundings::from_env();
        let client = Client::usable(&surroundings)
            .map_err(|why| unusable(COMPETITION, &why, &surroundings))?;
        download_into(&folder, &client)?;
    }
    Ok(folder)
}

/// A file of the competition: its name, whether it has labels, and how many rows.
struct Part {
    name: &'static str,
    rows: usize,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Known,
    Unknown,
    Sample,
}

fn source(name: &str) -> Source {
    Source::new(name, DATA_PAGE)
}

/// Whether both files of digits are there, undamaged.
fn are_kept(folder: &Path) -> Result<bool> {
    for name in ["train.csv", "test.csv"] {
        if files::kept(&source(name), folder)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Fetches the files into `folder`, all of them whole or none.
pub(super) fn download_into(folder: &Path, client: &Client) -> Result<()> {
    download_rows(folder, client, KNOWN, UNKNOWN)
}

/// The same for files with so many rows.
fn download_rows(folder: &Path, client: &Client, known: usize, unknown: usize) -> Result<()> {
    let refused = |error| {
        let hint = "Downloads are kept in this folder; TCHALK_HOME names another one.";
        Error::io(folder, error, hint)
    };
    let work = Work(folder.join(format!(".kaggle-{}", std::process::id())));
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
    let parts = [
        Part { name: "sample_submission.csv", rows: unknown, kind: Kind::Sample },
        Part { name: "test.csv", rows: unknown, kind: Kind::Unknown },
        Part { name: "train.csv", rows: known, kind: Kind::Known },
    ];
    if !output.is_success() {
        return Err(failure(COMPETITION, &output));
    }
    let mut found = Vec::new();
    for part in parts {
        match find(&work.0, part.name)? {
            Some(bytes) => {
                check(&part, &bytes, &work.0)?;
                found.push((part.name, bytes));
            }
            // It is only looked at; the library can make one.
            None if part.kind == Kind::Sample => {}
            None => return Err(missing(part.name, &output, &work.0)),
        }
    }
    for (name, bytes) in &found {
        files::keep(&source(name), folder, bytes)?;
    }
    let size: usize = found.iter().map(|(_, bytes)| bytes.len()).sum();
    progress.finish(&format!("fetched and unpacked, {}", bytes(size as u64)));
    Ok(())
}

/// A folder that is removed with what is in it.
struct Work(PathBuf);

impl Drop for Work {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file that the client brought: as it is, or in an archive.
fn find(work: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let path = work.join(name);
    if path.is_file() {
        return std::fs::read(&path).map(Some).map_err(|error| Error::io(&path, error, ""));
    }
    // The client names an archive after the address it came from: its beginning tells more.
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

/// What is said where the client brought something else.
fn missing(name: &str, output: &Output, work: &Path) -> Error {
    match entries(work).next() {
        // Older clients end as if all were well when they were refused.
        None => failure(COMPETITION, output),
        Some(_) => {
            let problem = format!("what Kaggle's client brought holds no {name}");
            Error::download(COMPETITION, problem, format!("Fetch it by hand: {DATA_PAGE}"))
        }
    }
}

/// Refuses a file that is not what its name promises.
fn check(part: &Part, bytes: &[u8], work: &Path) -> Result<()> {
    let path = work.join(part.name);
    let bad = |problem: String| {
        let hint = format!("Nothing was kept. Run this again, or fetch it by hand: {DATA_PAGE}");
        Error::bad_file(part.name, problem, hint)
    };
    let rows = match part.kind {
        Kind::Sample => {
            std::fs::write(&path, bytes).map_err(|error| Error::io(&path, error, ""))?;
            let sample = super::Submission::read(&path)?;
            if sample.labels().is_none() {
                return Err(bad("it is no submission".into()));
            }
            sample.len()
        }
        _ => {
            let (images, labels) = digits_csv::digits(bytes, Path::new(part.name))?;
            if labels.is_empty() == (part.kind == Kind::Known) {
                let has = if labels.is_empty() { "no" } else { "a" };
                return Err(bad(format!("it has {has} column of labels")));
            }
            images.len_of(ndarray::Axis(0))
        }
    };
    match rows == part.rows {
        true => Ok(()),
        false => Err(bad(format!("expected {} rows, got {rows}", part.rows))),
    }
}

#[cfg(all(test, unix))]
mod tests;
