//! Your own images: a folder for each class.

use super::image_decoder::{AspectRatio, ImageDecoder};
use super::stream::{ImageStream, LabeledFiles};
use super::{Dataset, Split};
use crate::error::{Error, Result};
use crate::fetch::bundle::Bundle;
use crate::files::{expand_home, file_name};
use crate::runtime::progress::Progress;
use ndarray::Array4;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder that holds a folder of JPEG or PNG files for each class.
///
/// ```text
/// val/ants/10308379_1b6c72e180.jpg
/// val/bees/72100438_73de9f17af.jpg
/// ```
///
/// The names of the folders are the classes, in alphabetical order. Images may differ in size; the
/// settings say how they are resized: [`AspectRatio::Crop`] by default. All become color images.
///
/// A path that does not exist is also searched in `TCHALK_DATA_DIR`.
///
/// ```no_run
/// use tchalk::prelude::*;
/// let val = ImageFolder::new("hymenoptera/val").size([224, 224]).aspect_ratio(AspectRatio::Pad).load()?;
/// assert_eq!(val.images().shape()[1..], [224, 224, 3]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ImageFolder {
    path: PathBuf,
    size: [usize; 2],
    aspect_ratio: AspectRatio,
}

impl ImageFolder {
    /// The folder at `path`, for images of 224 by 224 pixels.
    pub fn new(path: impl AsRef<Path>) -> ImageFolder {
        ImageFolder { path: expand_home(path), size: [224, 224], aspect_ratio: AspectRatio::Crop }
    }

    /// Height and width of the images, in pixels.
    pub fn size(mut self, size: [usize; 2]) -> ImageFolder {
        self.size = size;
        self
    }

    /// What happens to images of another aspect ratio; [`AspectRatio::Crop`] by default.
    pub fn aspect_ratio(mut self, aspect_ratio: AspectRatio) -> ImageFolder {
        self.aspect_ratio = aspect_ratio;
        self
    }

    /// All images, in memory: `u8 [n, height, width, 3]`, ordered by class and name.
    ///
    /// They are decoded by several threads. For more images than fit into memory there is
    /// [`ImageFolder::stream`].
    ///
    /// # Errors
    ///
    /// If the folder does not exist, or has no class folders with images; if a file is no image (the
    /// message names it); or after an interrupt.
    pub fn load(&self) -> Result<Split> {
        let (path, bundle) = self.resolve()?;
        self.load_from(self.scan(&path)?, bundle)
    }

    /// The images in `train` and those in `val` (or `test`, or `valid`) of this folder, as a set to
    /// learn from and one to be tested on.
    ///
    /// # Errors
    ///
    /// As for [`ImageFolder::load`]; also if the two have different classes.
    pub fn dataset(&self) -> Result<Dataset> {
        let (path, bundle) = self.resolve()?;
        let held_out = ["val", "test", "valid"].into_iter().find(|name| path.join(name).is_dir());
        let (true, Some(held_out)) = (path.join("train").is_dir(), held_out) else {
            let hint = "A folder of class folders alone is read by ImageFolder::load.";
            let expected = "the folders train and val (or test) in it";
            let got = format!("{}, which lacks them", path.display());
            return Err(Error::invalid(self.op(), expected, got, hint));
        };
        let (train, test) = (self.scan(&path.join("train"))?, self.scan(&path.join(held_out))?);
        if train.class_names != test.class_names {
            let expected = format!("the same classes in train and {held_out}");
            let got =
                format!("{} and {}", train.class_names.join(", "), test.class_names.join(", "));
            return Err(Error::invalid(self.op(), expected, got, ""));
        }
        let train = self.load_from(train, bundle.clone())?;
        let test = self.load_from(test, bundle.clone())?;
        let name = file_name(&path);
        let [height, width] = self.size;
        let checked = if bundle.is_some() { ", with the sums that SHA256SUMS lists" } else { "" };
        let source = format!(
            "Read from {}{checked}; resized to {height} × {width} pixels ({:?}).",
            path.display(),
            self.aspect_ratio
        );
        Ok(Dataset::new(name, source, train, test))
    }

    /// The images in batches of `size`, decoded by several threads while you work on the batch
    /// before, never more than a few batches in memory. In order, or in a random order after
    /// [`ImageStream::shuffle`].
    ///
    /// # Errors
    ///
    /// If the folder is not there or has no class folders with images, or `size` is zero.
    pub fn stream(&self, size: usize) -> Result<ImageStream> {
        let (path, bundle) = self.resolve()?;
        if size == 0 {
            let hint = "128 is a good number.";
            return Err(Error::invalid("ImageFolder::stream", "at least 1 image", "0", hint));
        }
        Ok(ImageStream::new(self.scan(&path)?, self.decoder(bundle), size))
    }

    /// The call as it stands in a message.
    fn op(&self) -> String {
        format!("ImageFolder::new({:?})", self.path.display().to_string())
    }

    /// The path of the folder, and the bundle that contains it.
    fn resolve(&self) -> Result<(PathBuf, Option<Arc<Bundle>>)> {
        if self.size.contains(&0) || self.size.iter().any(|&side| side > 10_000) {
            let got = format!("{:?}", self.size);
            return Err(Error::invalid(self.op(), "a size of 1 to 10,000 pixels", got, ""));
        }
        if self.path.is_dir() {
            return Ok((self.path.clone(), None));
        }
        let bundle = Bundle::from_env()?;
        if let Some(bundle) = bundle
            && bundle.folder().join(&self.path).is_dir()
        {
            return Ok((bundle.folder().join(&self.path), Some(Arc::new(bundle))));
        }
        Err(Error::invalid(
            self.op(),
            "an existing folder",
            "none of that name",
            "The path starts where the notebook is, or in the folder that TCHALK_DATA_DIR names.",
        ))
    }

    fn decoder(&self, bundle: Option<Arc<Bundle>>) -> ImageDecoder {
        ImageDecoder { size: self.size, aspect_ratio: self.aspect_ratio, bundle }
    }

    /// The class folders in `path` and the images in them.
    fn scan(&self, path: &Path) -> Result<LabeledFiles> {
        let mut classes = Vec::new();
        let mut files = Vec::new();
        for folder in entries(path)?.into_iter().filter(|entry| entry.is_dir()) {
            let images: Vec<PathBuf> =
                entries(&folder)?.into_iter().filter(|file| is_image(file)).collect();
            if !images.is_empty() {
                files.extend(images.into_iter().map(|file| (file, classes.len())));
                classes.push(file_name(&folder));
            }
        }
        if classes.is_empty() {
            let hint =
                "Make a folder for each class and put its images there: cats/1.jpg, dogs/1.jpg.";
            let got = format!("no such folders in {}", path.display());
            let expected = "a folder of .jpg, .jpeg or .png files for each class";
            return Err(Error::invalid(self.op(), expected, got, hint));
        }
        let parent = path.parent().map(file_name).filter(|parent| !parent.is_empty());
        let name = parent.map_or(file_name(path), |parent| format!("{parent} {}", file_name(path)));
        Ok(LabeledFiles { name, class_names: classes, files })
    }

    fn load_from(&self, files: LabeledFiles, bundle: Option<Arc<Bundle>>) -> Result<Split> {
        let ([height, width], n) = (self.size, files.files.len());
        let mut pixels: Vec<u8> = Vec::new();
        let (name, classes) = (files.name.clone(), files.class_names.clone());
        let labels: Vec<usize> = files.files.iter().map(|file| file.1).collect();
        if pixels.try_reserve_exact(n * height * width * 3).is_err() {
            let gigabytes = (n * height * width * 3) as f64 / 1e9;
            let hint =
                "Ask for a smaller size, or read it piece by piece with ImageFolder::stream.";
            let got = format!("{n} images of {height} × {width}, which take {gigabytes:.1} GB");
            return Err(Error::invalid(self.op(), "images that fit into memory", got, hint));
        }
        let mut progress = Progress::of(format!("reading {name}"), "images", n);
        let stream = ImageStream::new(files, self.decoder(bundle), 16);
        while let Some(part) = stream.next_pixels()? {
            part.into_iter().for_each(|image| pixels.extend(image.1));
            progress.done(pixels.len() / (height * width * 3));
        }
        progress.finish(&format!("{n} images"));
        let images = Array4::from_shape_vec((n, height, width, 3), pixels)
            .expect("every file gave one image");
        Split::new(name, images, labels, classes)
    }
}

/// The entries of a folder without hidden ones, sorted by name.
fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let broken = |error| Error::io(path, error, "Check that you may read it.");
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        if !file_name(&path).starts_with('.') {
            entries.push(path);
        }
    }
    entries.sort();
    Ok(entries)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    matches!(ending.as_deref(), Some("jpg" | "jpeg" | "png")) && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};
    use tempfile::TempDir;

    /// Two classes, `dark` and `light`, with images of different sizes whose red says which it is.
    fn folder(count: usize) -> TempDir {
        let home = tempfile::tempdir().unwrap();
        for (class, base) in [("light", 100), ("dark", 0)] {
            let folder = home.path().join("pets").join(class);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("notes.txt"), "no image").unwrap();
            for i in 0..count {
                let image = RgbImage::from_pixel(20 + i as u32, 30, Rgb([base + i as u8, 0, 0]));
                image.save(folder.join(format!("{i:03}.png"))).unwrap();
            }
        }
        std::fs::create_dir(home.path().join("pets/empty")).unwrap();
        home
    }

    #[test]
    fn folders_become_classes_in_alphabetical_order() {
        let home = folder(3);
        let split = ImageFolder::new(home.path().join("pets")).size([8, 6]).load().unwrap();
        assert_eq!(split.images().shape(), [6, 8, 6, 3]);
        assert_eq!(split.class_names(), ["dark", "light"]);
        assert_eq!(split.labels(), [0, 0, 0, 1, 1, 1]);
        let red: Vec<u8> = (0..6).map(|i| split.images()[[i, 4, 3, 0]]).collect();
        assert_eq!(red, [0, 1, 2, 100, 101, 102]);
    }

    #[test]
    fn a_stream_yields_every_image_once() {
        let home = folder(20);
        let folder = ImageFolder::new(home.path().join("pets")).size([4, 4]);
        let stream = folder.stream(16).unwrap();
        assert_eq!((stream.batches(), stream.len()), (3, 40));
        let mut red = Vec::new();
        let mut sizes = Vec::new();
        while let Some(batch) = stream.next_batch().unwrap() {
            sizes.push(batch.len());
            red.extend(batch.images().outer_iter().map(|image| image[[0, 0, 0]]));
        }
        assert_eq!(sizes, [16, 16, 8]);
        assert_eq!(red, (0..20).chain(100..120).collect::<Vec<u8>>());
        assert!(stream.next_batch().unwrap().is_none());

        let stream = folder.stream(40).unwrap().shuffle();
        let batch = stream.next_batch().unwrap().unwrap();
        let labels = batch.labels();
        let reds: Vec<u8> = batch.images().outer_iter().map(|image| image[[0, 0, 0]]).collect();
        assert!(reds.iter().zip(&labels).all(|(&red, &label)| (red >= 100) == (label == 1)));
        assert!(!reds.is_sorted(), "shuffled");
    }

    #[test]
    fn a_stream_that_is_dropped_early_stops_its_threads() {
        let home = folder(100);
        let folder = ImageFolder::new(home.path().join("pets")).size([4, 4]);
        // Every thread holds the bundle, so its holders tell which still run.
        let bundle = Arc::new(Bundle::open(home.path()).unwrap());
        let files = folder.scan(&home.path().join("pets")).unwrap();
        let stream = ImageStream::new(files, folder.decoder(Some(bundle.clone())), 2);
        stream.next_batch().unwrap();
        drop(stream);
        let begun = std::time::Instant::now();
        while Arc::strong_count(&bundle) > 1 {
            assert!(begun.elapsed().as_secs() < 60, "a thread still runs");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    #[test]
    fn train_and_val_become_a_dataset() {
        let home = folder(2);
        let set = tempfile::tempdir().unwrap();
        std::fs::rename(home.path().join("pets"), set.path().join("train")).unwrap();
        let other = folder(1);
        std::fs::rename(other.path().join("pets"), set.path().join("val")).unwrap();
        let dataset = ImageFolder::new(set.path()).size([4, 4]).dataset().unwrap();
        assert_eq!((dataset.train.len(), dataset.test.len()), (4, 2));
        assert!(dataset.source().contains("4 × 4 pixels (Crop)"), "{}", dataset.source());
        std::fs::remove_dir_all(set.path().join("val/dark")).unwrap();
        let error = ImageFolder::new(set.path()).size([4, 4]).dataset().unwrap_err().to_string();
        assert!(error.contains("the same classes in train and val, got dark, light and light"));
    }

    #[test]
    fn errors_name_the_problem() {
        let home = folder(2);
        let refuse =
            |path: &Path| ImageFolder::new(path).size([4, 4]).load().unwrap_err().to_string();
        let message = refuse(Path::new("no/such/folder"));
        assert!(message.contains("expected an existing folder"), "{message}");
        let message = refuse(home.path());
        assert!(message.contains("expected a folder of .jpg, .jpeg or .png files"), "{message}");
        let path = home.path().join("pets");
        std::fs::write(path.join("dark/001.png"), "<html>").unwrap();
        let message = refuse(&path);
        assert!(message.contains("001.png: this is no image"), "{message}");
        let error = ImageFolder::new(&path).size([0, 4]).load().unwrap_err().to_string();
        assert!(error.contains("1 to 10,000 pixels, got [0, 4]"), "{error}");
        assert!(ImageFolder::new(&path).stream(0).is_err());
    }
}
