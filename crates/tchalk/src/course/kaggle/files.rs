//! The competition's two files, as text and as tables.

use super::digits::{is_made, wanted};
use crate::data::{Dataset, Split};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::fetch::locations::{Locations, SearchResult};
use crate::files::expand_home;
use crate::table::Table;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The folder for a substitute's files, relative to the notebook's.
const WRITTEN_TO: &str = "results/digit-recognizer";

/// The paths of train.csv and test.csv.
#[derive(Clone, PartialEq, Eq)]
pub struct Files {
    train: PathBuf,
    test: PathBuf,
    note: String,
}

impl Files {
    /// The file with labels.
    pub fn train(&self) -> PathBuf {
        self.train.clone()
    }

    /// The file without labels.
    pub fn test(&self) -> PathBuf {
        self.test.clone()
    }

    fn table(&self) -> Table {
        let row = |name: &str, path: &Path| {
            let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
            [name.into(), path.display().to_string(), format!("{:.1} MB", bytes as f64 / 1e6)]
        };
        let rows = [row("train.csv", &self.train), row("test.csv", &self.test)];
        let table = Table::new(["file", "where", "size"]).rows(rows).align_right(2);
        table.footer(self.note.clone())
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.table())
    }
}

impl Show for Files {
    fn content(&self) -> Content {
        self.table().content()
    }
}

/// The files that `digits` were read from. A substitute for Kaggle's digits is written in the same form
/// into `results/digit-recognizer` of the notebook's folder, and the note below the table says so.
///
/// # Errors
///
/// If the files cannot be written, or no longer exist.
///
/// ```no_run
/// use tchalk::prelude::*;
/// let digits = kaggle::digit_recognizer()?;
/// let files = kaggle::files(&digits)?;
/// println!("{:?}", CsvTable::read(files.train())?.head(3));
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn files(digits: &Dataset) -> Result<Files> {
    files_from(digits, &Locations::from_env()?, Path::new(WRITTEN_TO))
}

fn files_from(digits: &Dataset, locations: &Locations, folder: &Path) -> Result<Files> {
    if !is_made(digits)
        && let SearchResult::Found(files, _) = locations.find_locally(&wanted())?
    {
        let [train, test] = [&files[0].path, &files[1].path].map(Clone::clone);
        return Ok(Files { train, test, note: "The digits above were read from these.".into() });
    }
    let [train, test] = ["train.csv", "test.csv"].map(|name| folder.join(name));
    std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error, ""))?;
    write_digits(&digits.train, &train)?;
    write_digits(&digits.test, &test)?;
    let note = "Written by the library in the form of Kaggle's files, with other images.";
    Ok(Files { train, test, note: note.into() })
}

/// Writes digits as a CSV file in the competition's form, which
/// [`read_digits`](super::read_digits) reads. It has a column `label` where they have labels.
///
/// # Errors
///
/// If the images are not gray and 28 by 28, or the file cannot be written.
///
/// ```
/// use tchalk::prelude::*;
/// let some = datasets::strokes()?.train.take(3);
/// let path = std::env::temp_dir().join("tchalk-digits.csv");
/// kaggle::write_digits(&some, &path)?;
/// assert_eq!(kaggle::read_digits(&path)?.labels(), some.labels());
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_digits(split: &Split, path: impl AsRef<Path>) -> Result<()> {
    write(split, &expand_home(path))
}

/// Not generic, so that it is compiled, optimized, with the library: a notebook's cells are not.
fn write(split: &Split, path: &Path) -> Result<()> {
    let (images, labels) = (split.images(), split.labels());
    let (_, height, width, channels) = images.dim();
    if (height, width, channels) != (28, 28, 1) {
        let got = format!("[{height}, {width}, {channels}]");
        return Err(Error::invalid("kaggle::write_digits", "images [28, 28, 1]", got, ""));
    }
    let broken = |error: std::io::Error| Error::io(path, error, "");
    let mut file = BufWriter::new(std::fs::File::create(path).map_err(broken)?);
    let texts: Vec<String> = (0..=u8::MAX).map(|byte| byte.to_string()).collect();
    let mut put = |line: String| writeln!(file, "{line}").map_err(broken);
    let pixels: Vec<String> = (0..784).map(|number| format!("pixel{number}")).collect();
    let label = |text: String| if labels.is_empty() { String::new() } else { text + "," };
    put(label("label".into()) + &pixels.join(","))?;
    for (number, image) in images.outer_iter().enumerate() {
        let mut line = label(labels.get(number).map_or(String::new(), usize::to_string));
        for (pixel, &byte) in image.iter().enumerate() {
            if pixel > 0 {
                line.push(',');
            }
            line.push_str(&texts[usize::from(byte)]);
        }
        put(line)?;
    }
    file.flush().map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::kaggle::read_digits;

    #[test]
    fn a_substitute_is_written_and_read_back() {
        let strokes = crate::datasets::strokes().unwrap();
        let (train, test) = (strokes.train.take(5), strokes.test.take(3));
        let name = "digit-recognizer test, made from strokes";
        let test = Split::new(name, test.images(), vec![], test.class_names()).unwrap();
        let digits = Dataset::new("digits", "drawn", train.clone(), test);
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new");
        let files = files_from(&digits, &Locations::only(None), &folder).unwrap();
        let (back, unknown) =
            (read_digits(files.train()).unwrap(), read_digits(files.test()).unwrap());
        assert_eq!((back.images(), back.labels()), (train.images(), train.labels()));
        assert_eq!((unknown.len(), unknown.labels()), (3, vec![]));
        assert!(format!("{files:?}").contains("with other images"), "{files:?}");
        assert!(write_digits(&crate::datasets::shapes().unwrap().test.take(1), "x.csv").is_err());
    }

    #[test]
    fn kaggle_s_files_stay_where_they_are() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("digit-recognizer");
        std::fs::create_dir(&folder).unwrap();
        let some = crate::datasets::strokes().unwrap().train.take(1);
        let none = Split::new("t", some.images(), vec![], some.class_names()).unwrap();
        write_digits(&some, folder.join("train.csv")).unwrap();
        write_digits(&none, folder.join("test.csv")).unwrap();
        let digits = Dataset::new("digit-recognizer", "From the cache.", some, none);
        let files =
            files_from(&digits, &Locations::in_cache(cache.path()), Path::new("x")).unwrap();
        assert_eq!(files.test(), folder.join("test.csv"));
    }
}
