//! A chain of random changes, applied to a batch on its device.

use super::{
    Change, RandomBrightness, RandomContrast, RandomCrop, RandomErasing, RandomFlip,
    RandomRotation, RandomShift, RandomStream, RandomZoom, Transform,
};
use crate::data::Split;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Caption, Figure, image_grid};
use crate::runtime;
use std::sync::Arc;
use tch::{Device, Kind, Tensor, no_grad};

/// Random changes of images that leave their labels as they are. The network sees more variants of the
/// same examples.
///
/// The changes are applied in order, to a whole batch at once, on its device. Shifts, rotations and zooms
/// that follow each other are combined, so that the image is resampled once. The set itself is neither
/// copied nor changed. The same seed gives the same changes on every device.
///
/// Fewer changes are often better: a 6 turned upside down is a 9, and its label is wrong.
///
/// ```
/// use tchalk::prelude::*;
/// let augmentation = Augmentation::new().random_flip().random_crop(4).random_erasing(8);
/// augmentation.preview(&datasets::shapes()?.train)?;
/// assert_eq!(augmentation.len(), 3);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Augmentation {
    transforms: Vec<Arc<dyn Transform>>,
}

impl Augmentation {
    /// A chain without changes.
    pub fn new() -> Augmentation {
        Augmentation::default()
    }

    /// Appends a change.
    #[allow(clippy::should_implement_trait)]
    pub fn add(mut self, transform: impl Transform + 'static) -> Augmentation {
        self.transforms.push(Arc::new(transform));
        self
    }

    /// Half of the images are mirrored, left and right: [`RandomFlip`].
    pub fn random_flip(self) -> Augmentation {
        self.add(RandomFlip::new())
    }

    /// `padding` pixels are added on every side, and a crop of the old size is taken: [`RandomCrop`].
    pub fn random_crop(self, padding: usize) -> Augmentation {
        self.add(RandomCrop::new(padding))
    }

    /// Moved by up to this fraction of height and width: [`RandomShift`].
    pub fn random_shift(self, fraction: f64) -> Augmentation {
        self.add(RandomShift::new(fraction))
    }

    /// Rotated by up to this many degrees: [`RandomRotation`].
    pub fn random_rotation(self, degrees: f64) -> Augmentation {
        self.add(RandomRotation::new(degrees))
    }

    /// Made larger or smaller by up to this fraction: [`RandomZoom`].
    pub fn random_zoom(self, fraction: f64) -> Augmentation {
        self.add(RandomZoom::new(fraction))
    }

    /// A square of `size` by `size` pixels is made black: [`RandomErasing`].
    pub fn random_erasing(self, size: usize) -> Augmentation {
        self.add(RandomErasing::new(size))
    }

    /// Made brighter or darker by up to this fraction of the value range: [`RandomBrightness`].
    pub fn random_brightness(self, fraction: f64) -> Augmentation {
        self.add(RandomBrightness::new(fraction))
    }

    /// Given more or less contrast by up to this fraction: [`RandomContrast`].
    pub fn random_contrast(self, fraction: f64) -> Augmentation {
        self.add(RandomContrast::new(fraction))
    }

    /// The number of changes in the chain.
    pub fn len(&self) -> usize {
        self.transforms.len()
    }

    /// Whether there are no changes.
    pub fn is_empty(&self) -> bool {
        self.transforms.is_empty()
    }

    /// Whether the chain can be applied to images of this height and width. `fit` checks this before
    /// training.
    ///
    /// # Errors
    ///
    /// If one of the changes cannot be applied; the message names it.
    pub fn check(&self, height: usize, width: usize) -> Result<()> {
        self.transforms.iter().try_for_each(|step| step.check(height, width))
    }

    /// The changed images of a batch `f32 [n, channels, height, width]`, on the same device.
    ///
    /// # Errors
    ///
    /// If `x` is not a batch of images, and as for [`Augmentation::check`].
    pub fn apply(&self, x: &Tensor, seed: u64) -> Result<Tensor> {
        let size = x.size();
        let &[n, _, height, width] = &size[..] else {
            let got = format!("{size:?}");
            let expected = "images [n, channels, height, width]";
            return Err(Error::invalid("Augmentation::apply", expected, got, ""));
        };
        if x.kind() != Kind::Float {
            let (got, hint) = (format!("{:?}", x.kind()), "to_kind(Kind::Float) converts.");
            return Err(Error::invalid("Augmentation::apply", "images as Float", got, hint));
        }
        let (height, width) = (height as usize, width as usize);
        self.check(height, width)?;
        if n == 0 || self.is_empty() {
            return Ok(x.shallow_clone());
        }
        Ok(no_grad(|| {
            let mut changes: Vec<Change> = Vec::new();
            for (index, transform) in self.transforms.iter().enumerate() {
                let mut random = RandomStream::new(seed, index, n as usize, x.device());
                let change = transform.draw(&mut random, height, width);
                match changes.pop() {
                    Some(last) => changes.extend(last.then(change)),
                    None => changes.push(change),
                }
            }
            changes.into_iter().fold(x.shallow_clone(), |images, change| change.apply(images, x))
        }))
    }

    /// Eight random images with four variants below each. Each call draws others.
    ///
    /// # Errors
    ///
    /// If the set is empty, or a change cannot be applied to its images.
    pub fn preview(&self, set: &Split) -> Result<Figure> {
        const COLUMNS: usize = 8;
        const VARIANTS: usize = 4;
        let examples = set.sample(COLUMNS.min(set.len()))?.to_tensors(Device::Cpu);
        let indices: Vec<usize> = (0..examples.len()).collect();
        let (classes, labels) = (set.class_names(), examples.label_vec().unwrap_or_default());
        let caption =
            |&i: &usize| Caption::new(labels.get(i).map_or("", |&label| classes[label].as_str()));
        let mut images = examples.images(&indices)?;
        let mut captions: Vec<Caption> = indices.iter().map(caption).collect();
        for _ in 0..VARIANTS {
            let seed = runtime::seed::derive("preview") as u64;
            images.extend(examples.with_x(self.apply(&examples.x(), seed)?).images(&indices)?);
            captions.extend(indices.iter().map(|_| Caption::new("")));
        }
        let title = format!("{} - originals, and variants under them", set.name());
        Ok(image_grid(&images, &captions, examples.len())?.title(title))
    }
}

impl std::fmt::Debug for Augmentation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.transforms.is_empty() {
            return f.write_str("no augmentation");
        }
        let steps: Vec<String> = self.transforms.iter().map(|step| step.describe()).collect();
        write!(f, "augmentation: {}", steps.join("; "))
    }
}

impl Show for Augmentation {
    fn content(&self) -> Content {
        Content::text(format!("{self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::affine;
    use super::*;

    fn x() -> Tensor {
        Tensor::arange(6 * 3 * 8 * 9, (Kind::Float, Device::Cpu)).view([6, 3, 8, 9]) / 1296.0
    }

    fn everything() -> Augmentation {
        Augmentation::new()
            .random_flip()
            .random_crop(2)
            .random_rotation(20.0)
            .random_shift(0.1)
            .random_zoom(0.2)
            .random_brightness(0.2)
            .random_contrast(0.3)
            .random_erasing(3)
    }

    #[test]
    fn the_same_seed_gives_the_same_images_and_the_batch_is_not_changed() {
        let (x, before) = (x(), x());
        let one = everything().apply(&x, 7).unwrap();
        assert_eq!(one.size(), x.size());
        assert!(one.equal(&everything().apply(&x, 7).unwrap()));
        assert!(!one.equal(&everything().apply(&x, 8).unwrap()));
        assert!(x.equal(&before));
        assert!(Augmentation::new().apply(&x, 1).unwrap().equal(&x));
        assert_eq!(everything().apply(&x.narrow(0, 0, 0), 1).unwrap().size(), [0, 3, 8, 9]);
    }

    #[test]
    fn affine_changes_are_combined() {
        // A shift there and back loses nothing at the edges only if both are combined.
        #[derive(Debug)]
        struct Right(f64);
        impl Transform for Right {
            fn describe(&self) -> String {
                "right".into()
            }
            fn check(&self, _: usize, _: usize) -> Result<()> {
                Ok(())
            }
            fn draw(&self, random: &mut RandomStream, _: usize, _: usize) -> Change {
                let by = random.uniform(-self.0, -self.0);
                let rows = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
                Change::Affine(affine::matrices(rows, &[(0, 2, &by)], &by))
            }
        }
        let there_and_back = Augmentation::new().add(Right(5.0)).add(Right(-5.0));
        let distance = (there_and_back.apply(&x(), 1).unwrap() - x()).abs().max();
        assert!(distance.double_value(&[]) < 1e-5);
        let right = Augmentation::new().add(Right(2.0)).apply(&x(), 1).unwrap();
        let distance = (right.narrow(3, 2, 7) - x().narrow(3, 0, 7)).abs().max();
        assert!(distance.double_value(&[]) < 1e-5);
    }

    #[test]
    fn wrong_input_is_an_error() {
        let refused = |augmentation: Augmentation, x: &Tensor| {
            augmentation.apply(x, 1).unwrap_err().to_string()
        };
        assert!(refused(everything(), &x().view([6, -1])).contains("[n, channels, height, width]"));
        assert!(refused(everything(), &x().to_kind(Kind::Double)).contains("to_kind"));
        let large = refused(Augmentation::new().random_erasing(9), &x());
        assert!(large.contains("at most 8 by 9"), "{large}");
        assert!(refused(Augmentation::new().random_zoom(1.5), &x()).contains("from 0 to 0.9"));
        assert!(refused(Augmentation::new().random_crop(8), &x()).contains("below 8"));
    }

    #[test]
    fn it_has_a_description_and_a_preview() {
        let text = format!("{:?}", everything());
        assert!(text.starts_with("augmentation: flip left and right"), "{text}");
        assert_eq!(format!("{:?}", Augmentation::new()), "no augmentation");
        let shapes = crate::datasets::shapes().unwrap().train.take(20);
        assert!(everything().preview(&shapes).is_ok());
        assert!(everything().preview(&shapes.take(3)).is_ok());
    }
}
