//! Kaggle's competition *Digit Recognizer*: MNIST's digits in CSV files, those to be guessed without
//! their labels.

use crate::data::folder::file_name;
use crate::data::places::{Places, Search, Wanted};
use crate::data::source::Source;
use crate::data::{Dataset, Split, digits_csv};
use crate::datasets;
use crate::error::{Error, Result};
use crate::runtime::seed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::path::Path;

/// What the order of digits that are not Kaggle's starts from: fixed, so that it is one set.
const SEED: u64 = 0x6b61_6767_6c65;

/// The competition's digits: 42,000 with labels in `train`, 28,000 without in `test`.
///
/// From `digit-recognizer/train.csv` and `test.csv` in `TCHALK_DATA_DIR` or in the cache. Without
/// them the set is made in the same form from [`datasets::mnist`], whose digits are the same 70,000,
/// in a fixed random order; or, without MNIST, from [`datasets::strokes`], 4,200 and 2,800. The source
/// says so.
///
/// # Errors
///
/// If a file is damaged: the message names row and column. And as for [`datasets::mnist`].
///
/// ```no_run
/// let digits = tchalk::kaggle::digit_recognizer()?;
/// assert_eq!(digits.train.labels().len(), digits.train.len());
/// assert!(digits.test.labels().is_empty());
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn digit_recognizer() -> Result<Dataset> {
    digit_recognizer_from(&Places::from_env()?)
}

/// The digits in a CSV file of the competition's form, with or without labels.
///
/// # Errors
///
/// If the file cannot be read, its header is another, or a cell is no number from 0 to 255: the message
/// names row and column.
///
/// ```no_run
/// let train = tchalk::kaggle::read_digits("digit-recognizer/train.csv")?;
/// assert_eq!(train.images().shape(), [42_000, 28, 28, 1]);
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn read_digits(path: impl AsRef<Path>) -> Result<Split> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error, ""))?;
    let (images, labels) = digits_csv::digits(&bytes, path)?;
    Split::new(file_name(path), images, labels, datasets::digit_classes())
}

fn digit_recognizer_from(places: &Places) -> Result<Dataset> {
    // To download them takes an account, and no sums are published.
    let page = "https://www.kaggle.com/competitions/digit-recognizer/data";
    let files = ["train.csv", "test.csv"].map(|name| Source::new(name, page)).to_vec();
    match places.look(&Wanted { folder: "digit-recognizer", files })? {
        Search::Found(files, source) => {
            let (images, labels) = digits_csv::digits(&files[0].bytes, &files[0].path)?;
            if labels.is_empty() {
                let hint = "Kaggle's train.csv begins with the column label.";
                return Err(Error::bad_file(&files[0].path, "it has no labels", hint));
            }
            let train = split("train", images, labels)?;
            let (images, labels) = digits_csv::digits(&files[1].bytes, &files[1].path)?;
            if !labels.is_empty() {
                let hint = "Kaggle's test.csv has none: is this a copy of train.csv?";
                return Err(Error::bad_file(&files[1].path, "it has labels", hint));
            }
            Ok(Dataset::new("digit-recognizer", source, train, split("test", images, labels)?))
        }
        Search::Missing(why) => made_from(&datasets::mnist_from(places)?, &why),
    }
}

fn split(
    part: &str,
    images: impl Into<ndarray::ArcArray<u8, ndarray::Ix4>>,
    labels: Vec<usize>,
) -> Result<Split> {
    Split::new(format!("digit-recognizer {part}"), images, labels, datasets::digit_classes())
}

/// The same form from another set of digits: three fifths to learn from, the rest without labels.
fn made_from(digits: &Dataset, why: &str) -> Result<Dataset> {
    let all = digits.train.concatenate(&digits.test)?;
    let order = seed::choose(all.len(), all.len(), &mut ChaCha8Rng::seed_from_u64(SEED));
    let (known, unknown) = order.split_at(all.len() * 3 / 5);
    let (known, unknown) = (all.pick(known), all.pick(unknown));
    let source = format!(
        "Made by the library from {} in a fixed random order, because {why}: these are not Kaggle's \
         files, and a submission made with them would be worth nothing there. {}",
        digits.name(),
        digits.source()
    );
    let train = split("train", known.images(), known.labels())?;
    Ok(Dataset::new("digit-recognizer", source, train, split("test", unknown.images(), vec![])?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::bundle::Bundle;

    fn csv(labelled: bool, rows: usize) -> String {
        let pixels = (0..784).map(|i| format!("pixel{i}")).collect::<Vec<_>>().join(",");
        let label = if labelled { "label," } else { "" };
        let row = |i: usize| {
            format!("{}{}", if labelled { "3," } else { "" }, vec![i.to_string(); 784].join(","))
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        format!("{label}{pixels}\n{}\n", rows.join("\n"))
    }

    #[test]
    fn kaggles_files_are_read_and_mixed_up_ones_refused() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("digit-recognizer");
        std::fs::create_dir(&folder).unwrap();
        let put = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        let read = || {
            let bundle = Bundle::open(home.path()).unwrap();
            digit_recognizer_from(&Places::only(Some(bundle)))
        };
        put("train.csv", csv(true, 3));
        put("test.csv", csv(false, 2));
        let digits = read().unwrap();
        assert_eq!((digits.train.labels(), digits.test.labels()), (vec![3; 3], vec![]));
        assert_eq!(digits.test.images()[[1, 27, 0, 0]], 1);
        assert!(digits.source().contains("no sum vouches"), "{}", digits.source());
        put("test.csv", csv(true, 2));
        assert!(read().unwrap_err().to_string().contains("test.csv: it has labels"));
        put("train.csv", csv(false, 2));
        assert!(read().unwrap_err().to_string().contains("train.csv: it has no labels"));
    }

    #[test]
    fn without_files_it_is_made_from_other_digits_and_says_so() {
        let digits = digit_recognizer_from(&Places::only(None)).unwrap();
        assert_eq!((digits.train.len(), digits.test.len()), (4_200, 2_800));
        assert_eq!((digits.train.labels().len(), digits.test.labels().len()), (4_200, 0));
        let source = digits.source();
        assert!(source.starts_with("Made by the library from strokes"), "{source}");
        assert!(source.contains("not Kaggle's files") && source.contains("not MNIST"), "{source}");
        let again = digit_recognizer_from(&Places::only(None)).unwrap();
        assert_eq!(again.train.labels(), digits.train.labels(), "the same whenever it is made");
    }
}
