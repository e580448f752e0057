//! Your own images.

use crate::data::{Dataset, ImageFolder, Split};
use crate::error::Result;
use std::path::Path;

/// The images in a folder that has a folder for each class, resized to fill `[height, width]` and cropped
/// at the center. [`ImageFolder`] has more settings.
///
/// A path that does not exist is also searched in `TCHALK_DATA_DIR`.
///
/// # Errors
///
/// As for [`ImageFolder::load`].
///
/// ```no_run
/// let ants_bees = tchalk::datasets::image_folder("hymenoptera/val", [224, 224])?;
/// assert_eq!(ants_bees.class_names(), ["ants", "bees"]);
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn image_folder(path: impl AsRef<Path>, size: [usize; 2]) -> Result<Split> {
    ImageFolder::new(path).size(size).load()
}

/// The same for a folder with two such folders in it, `train` and `val` (or `test`).
///
/// # Errors
///
/// As for [`ImageFolder::dataset`].
///
/// ```no_run
/// let ants_bees = tchalk::datasets::image_dataset("hymenoptera", [224, 224])?;
/// println!("{} to learn from, {} to be tested on", ants_bees.train.len(), ants_bees.test.len());
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn image_dataset(path: impl AsRef<Path>, size: [usize; 2]) -> Result<Dataset> {
    ImageFolder::new(path).size(size).dataset()
}
