//! Images of your own.

use crate::data::{Dataset, ImageFolder, Split};
use crate::error::Result;
use std::path::Path;

/// The images in a folder that holds a folder for each class, brought to `[height, width]`: resized
/// to fill it, and cropped at the center. [`ImageFolder`] has more to choose.
///
/// A path that is not there is also looked for in `TCHALK_DATA_DIR`.
///
/// # Errors
///
/// As for [`ImageFolder::load`].
///
/// ```no_run
/// let ants_bees = tchalk::datasets::image_folder("hymenoptera/val", [224, 224])?;
/// assert_eq!(ants_bees.classes(), ["ants", "bees"]);
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
