//! The competition's name, pages and sizes.

/// The competition's name in addresses and for the client.
pub(super) const COMPETITION: &str = "digit-recognizer";
/// The page that describes its files.
pub(super) const DATA_PAGE: &str = "https://www.kaggle.com/competitions/digit-recognizer/data";
/// The page on which its rules are accepted.
pub(super) const RULES_PAGE: &str = "https://www.kaggle.com/competitions/digit-recognizer/rules";
/// The page that shows the results.
pub(super) const RESULTS_PAGE: &str =
    "https://www.kaggle.com/competitions/digit-recognizer/submissions";
/// The page on which a token is made.
pub(super) const SETTINGS_PAGE: &str = "https://www.kaggle.com/settings/api";
/// The number of images in train.csv.
pub(super) const TRAIN_IMAGES: usize = 42_000;
/// The number of images in test.csv.
pub(super) const TEST_IMAGES: usize = 28_000;
/// The first line of a submission.
pub(super) const HEADER: &str = "ImageId,Label";
