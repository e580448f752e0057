//! The competition's digits, or a substitute for them.

use super::client::{Client, Unusable};
use super::competition::{COMPETITION, DATA_PAGE};
use super::download::download_into;
use super::environment::Environment;
use crate::data::{Dataset, Split, digits_csv};
use crate::datasets;
use crate::error::{Error, Result};
use crate::fetch::bundle::LoadedFile;
use crate::fetch::locations::{FileSet, Locations, SearchResult};
use crate::fetch::remote_file::RemoteFile;
use crate::files::{expand_home, file_name};
use crate::runtime::seed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::path::Path;

/// The seed of the substitute's order: fixed, so that it is always the same set.
const SEED: u64 = 0x6b61_6767_6c65;
/// How the substitute's source begins, and what the names of its splits hold.
const MADE: &str = "Made by the library";
const MADE_FROM: &str = "made from";

/// The competition's digits: 42,000 with labels in `train`, 28,000 without in `test`.
///
/// They are read from `digit-recognizer/train.csv` and `test.csv` in `TCHALK_DATA_DIR` or in the cache,
/// or fetched into the cache by Kaggle's own client, where there are
/// [`credentials`](super::credentials()) for it (not with `TCHALK_OFFLINE`, nor in the budget `ci`).
/// Otherwise a substitute in the same form is made from [`datasets::mnist`], whose digits are the same
/// 70,000, in a fixed random order; or, without MNIST, from [`datasets::strokes`], 4,200 and 2,800.
/// [`Dataset::source`] says which, and why.
///
/// # Errors
///
/// If a file is damaged: the message names row and column; after an interrupt; and as for
/// [`datasets::mnist`]. A client that cannot fetch the files is the reason for a substitute, not an
/// error.
///
/// ```no_run
/// let digits = tchalk::kaggle::digit_recognizer()?;
/// assert_eq!(digits.train.labels().len(), digits.train.len());
/// assert!(digits.test.labels().is_empty());
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn digit_recognizer() -> Result<Dataset> {
    let environment = Environment::from_env();
    digit_recognizer_from(&Locations::from_env()?, Client::usable(&environment))
}

/// The digits in a CSV file of the competition's form, with or without labels.
///
/// # Errors
///
/// If the file cannot be read, its header is another one, or a cell is not a number from 0 to 255: the
/// message names row and column.
///
/// ```no_run
/// let train = tchalk::kaggle::read_digits("digit-recognizer/train.csv")?;
/// assert_eq!(train.images().shape(), [42_000, 28, 28, 1]);
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn read_digits(path: impl AsRef<Path>) -> Result<Split> {
    let path = &expand_home(path);
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error, ""))?;
    let (images, labels) = digits_csv::digits(&bytes, path)?;
    Split::new(file_name(path), images, labels, datasets::digit_classes())
}

/// The files that are to be had, train.csv and test.csv.
pub(super) fn wanted() -> FileSet {
    // A download takes an account, and no checksums are published.
    let files = ["train.csv", "test.csv"].map(|name| RemoteFile::new(name, DATA_PAGE)).to_vec();
    FileSet { folder: COMPETITION, files }
}

/// The digits from a bundle or the cache, or through the client, or a substitute.
fn digit_recognizer_from(
    locations: &Locations,
    client: Result<Client, Unusable>,
) -> Result<Dataset> {
    let why = match locations.find_locally(&wanted())? {
        SearchResult::Found(files, source) => return from_files(&files, source),
        SearchResult::Missing(why) => why,
    };
    let why_no_client = match (client, locations.cache_folder(COMPETITION)) {
        (Err(why), _) => why.to_string(),
        (Ok(_), None) => "so nothing can be kept".into(),
        (Ok(client), Some(folder)) => match download_into(&folder, &client) {
            Ok(()) => {
                if let SearchResult::Found(files, _) = locations.find_locally(&wanted())? {
                    let folder = folder.display();
                    let source = format!("Fetched by Kaggle's client into {folder}. ({why}.)");
                    return from_files(&files, source);
                }
                "what Kaggle's client fetched is gone".into()
            }
            Err(error @ Error::Interrupted { .. }) => return Err(error),
            Err(error) => error.short_message(),
        },
    };
    made_from(&datasets::mnist_from(locations)?, &format!("{why}, {why_no_client}"))
}

fn from_files(files: &[LoadedFile], source: String) -> Result<Dataset> {
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
    Ok(Dataset::new(COMPETITION, source, train, split("test", images, labels)?))
}

fn split(
    part: &str,
    images: impl Into<ndarray::ArcArray<u8, ndarray::Ix4>>,
    labels: Vec<usize>,
) -> Result<Split> {
    Split::new(format!("{COMPETITION} {part}"), images, labels, datasets::digit_classes())
}

/// A substitute in the same form from another set of digits: three fifths to learn from, the rest
/// without labels.
fn made_from(digits: &Dataset, why: &str) -> Result<Dataset> {
    let all = digits.train.concatenate(&digits.test)?;
    let order = seed::choose(all.len(), all.len(), &mut ChaCha8Rng::seed_from_u64(SEED));
    let (known, unknown) = order.split_at(all.len() * 3 / 5);
    let (known, unknown) = (all.select(known), all.select(unknown));
    let source = format!(
        "{MADE} from {} in a fixed random order, because {why}: these are not Kaggle's \
         files, and a submission made with them would be worth nothing there. {}",
        digits.name(),
        digits.source()
    );
    // The names say it wherever the splits are shown.
    let part = |part: &str| format!("{part}, {MADE_FROM} {}", digits.name());
    let train = split(&part("train"), known.images(), known.labels())?;
    let test = split(&part("test"), unknown.images(), vec![])?;
    Ok(Dataset::new(COMPETITION, source, train, test))
}

/// Whether these are a substitute for Kaggle's images.
pub(super) fn is_made(digits: &Dataset) -> bool {
    is_made_name(&digits.test.name())
}

/// The same by the name of the test split.
pub(super) fn is_made_name(name: &str) -> bool {
    name.starts_with(COMPETITION) && name.contains(MADE_FROM)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::course::kaggle::testing::{FakeClient, csv, zip};
    use crate::fetch::bundle::Bundle;

    #[test]
    fn kaggles_files_are_read_and_swapped_ones_refused() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("digit-recognizer");
        std::fs::create_dir(&folder).unwrap();
        let put = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        let read = || {
            let bundle = Bundle::open(home.path()).unwrap();
            digit_recognizer_from(&Locations::only(Some(bundle)), Err(Unusable::NotInstalled))
        };
        put("train.csv", csv(true, 3));
        put("test.csv", csv(false, 2));
        let digits = read().unwrap();
        assert_eq!((digits.train.labels(), digits.test.labels()), (vec![3; 3], vec![]));
        assert_eq!(digits.test.images()[[1, 27, 0, 0]], 1);
        assert!(digits.source().contains("no checksum verifies"), "{}", digits.source());
        put("test.csv", csv(true, 2));
        assert!(read().unwrap_err().to_string().contains("test.csv: it has labels"));
        put("train.csv", csv(false, 2));
        assert!(read().unwrap_err().to_string().contains("train.csv: it has no labels"));
    }

    fn made() -> Dataset {
        digit_recognizer_from(&Locations::only(None), Err(Unusable::NotInstalled)).unwrap()
    }

    #[test]
    fn without_files_a_substitute_is_made_that_says_so() {
        let digits = made();
        assert_eq!((digits.train.len(), digits.test.len()), (4_200, 2_800));
        assert_eq!((digits.train.labels().len(), digits.test.labels().len()), (4_200, 0));
        let source = digits.source();
        assert!(source.starts_with("Made by the library from strokes"), "{source}");
        assert!(source.contains("not Kaggle's files") && source.contains("not MNIST"), "{source}");
        let again = made();
        assert_eq!(again.train.labels(), digits.train.labels(), "the same whenever it is made");
    }

    #[test]
    fn a_substitute_says_so_in_its_names() {
        let digits = made();
        assert_eq!(digits.test.name(), "digit-recognizer test, made from strokes");
        assert!(is_made(&digits));
        let other = datasets::strokes().unwrap();
        assert!(!is_made(&other));
    }

    #[test]
    fn what_the_client_cannot_fetch_is_a_reason_and_not_an_error() {
        let (cache, bundle) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let source = |client| {
            digit_recognizer_from(&Locations::in_cache(cache.path()), client).unwrap().source()
        };
        let fake = FakeClient::new("echo '403 - Forbidden'; exit 1");
        let text = source(Ok(fake.client()));
        assert!(text.starts_with("Made by the library from strokes"), "{text}");
        assert!(
            text.contains("has no complete copy, digit-recognizer: Kaggle refuses (403)"),
            "{text}"
        );
        // Kaggle's files have more than two rows, so these are not kept.
        let fake = FakeClient::new("cp \"$HOME/a.zip\" \"$FOLDER/digit-recognizer.zip\"");
        zip(&fake.path("a.zip"), &[("test.csv", &csv(false, 2)), ("train.csv", &csv(true, 2))]);
        let text = source(Ok(fake.client()));
        assert!(text.contains("test.csv: expected 28000 rows, got 2"), "{text}");
        // With a bundle the client is not asked.
        let folder = bundle.path().join(COMPETITION);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("test.csv"), csv(false, 1)).unwrap();
        std::fs::write(folder.join("train.csv"), csv(true, 1)).unwrap();
        let (fake, bundle) = (FakeClient::new("exit 1"), Bundle::open(bundle.path()).unwrap());
        digit_recognizer_from(&Locations::only(Some(bundle)), Ok(fake.client())).unwrap();
        assert!(fake.asked().is_empty());
    }
}
