//! The sample submission: the right form, with 0 for every answer.

use super::competition::{COMPETITION, DATA_PAGE};
use super::digits::is_made;
use super::submission::Submission;
use crate::data::Dataset;
use crate::error::Result;
use crate::fetch::locations::{FileSet, Locations, SearchResult};
use crate::fetch::remote_file::RemoteFile;

/// A submission for `digits.test` with 0 for every answer: Kaggle's `sample_submission.csv` from where
/// the digits came from, or the same for as many images.
///
/// # Errors
///
/// If `digits.test` is empty, or the file exists and cannot be read.
///
/// ```
/// use tchalk::prelude::*;
/// let strokes = datasets::strokes()?;
/// let digits = Dataset::new("digits", "drawn", strokes.train, strokes.test);
/// let sample = kaggle::sample_submission(&digits)?;
/// assert_eq!(sample.labels(), vec![0; 1_000]);
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn sample_submission(digits: &Dataset) -> Result<Submission> {
    sample_from(digits, &Locations::from_env()?)
}

fn sample_from(digits: &Dataset, locations: &Locations) -> Result<Submission> {
    let files = vec![RemoteFile::new("sample_submission.csv", DATA_PAGE)];
    let wanted = FileSet { folder: COMPETITION, files };
    if !is_made(digits)
        && let SearchResult::Found(files, _) = locations.find_locally(&wanted)?
    {
        let sample = Submission::read(&files[0].path)?;
        if sample.len() == digits.test.len() {
            return Ok(sample);
        }
    }
    let sample = Submission::from_labels(vec![0; digits.test.len()])?;
    Ok(sample.named("a sample in Kaggle's form"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kaggle_s_sample_is_taken_where_it_fits() {
        let strokes = crate::datasets::strokes().unwrap();
        let digits = |n| Dataset::new("d", "", strokes.train.take(1), strokes.test.take(n));
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join(COMPETITION);
        std::fs::create_dir(&folder).unwrap();
        let text = "ImageId,Label\r\n1,0\r\n2,0\r\n";
        std::fs::write(folder.join("sample_submission.csv"), text).unwrap();
        let sample = |n| sample_from(&digits(n), &Locations::in_cache(cache.path())).unwrap();
        assert_eq!(sample(2).name(), "sample_submission.csv");
        assert_eq!((sample(3).name().as_str(), sample(3).len()), ("a sample in Kaggle's form", 3));
    }
}
