//! A single image.

use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Caption, Figure, image_grid};
use ndarray::{ArcArray, ArrayView1, Ix3};

/// One image, with its label if that is known.
#[derive(Clone, PartialEq)]
pub struct Image {
    pub(super) pixels: ArcArray<u8, Ix3>,
    pub(super) label: Option<usize>,
    pub(super) class_name: Option<String>,
}

impl Image {
    /// The pixels, `u8 [height, width, channels]`.
    pub fn pixels(&self) -> ArcArray<u8, Ix3> {
        self.pixels.clone()
    }

    /// How bright each pixel is, from 0 (black) to 1 (white), row by row: the mean of its channels.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let rows = datasets::shapes()?.test.image(0).gray();
    /// assert_eq!((rows.len(), rows[0].len()), (32, 32));
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn gray(&self) -> Vec<Vec<f64>> {
        let channels = self.pixels.dim().2 as f64;
        let bright = |pixel: ArrayView1<'_, u8>| {
            pixel.iter().map(|&byte| f64::from(byte)).sum::<f64>() / (255.0 * channels)
        };
        let rows = self.pixels.outer_iter();
        rows.map(|row| row.outer_iter().map(bright).collect()).collect()
    }

    /// A gray image of any numbers, row by row: the smallest is black, the largest white.
    ///
    /// # Errors
    ///
    /// If there are no numbers, or the rows are not of the same length.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let ramp = vec![vec![0.0, 1.0, 2.0], vec![1.0, 2.0, 3.0]];
    /// assert_eq!(Image::of_numbers("a ramp", &ramp)?.pixels()[[1, 2, 0]], 255);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn of_numbers(name: &str, rows: &[Vec<f64>]) -> Result<Image> {
        let width = rows.first().map_or(0, Vec::len);
        if width == 0 || rows.iter().any(|row| row.len() != width) {
            let lengths: Vec<usize> = rows.iter().map(Vec::len).take(4).collect();
            let got = format!("{} rows of {lengths:?}, …", rows.len());
            return Err(Error::invalid("Image::of_numbers", "rows of one length", got, ""));
        }
        let all = || rows.iter().flatten().copied().filter(|number| number.is_finite());
        let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::MIN, f64::max));
        let range = if high > low { high - low } else { 1.0 };
        let gray =
            |(y, x, _): (usize, usize, usize)| ((rows[y][x] - low) / range * 255.0).round() as u8;
        let pixels = ArcArray::from_shape_fn((rows.len(), width, 1), gray);
        Ok(Image { pixels, label: None, class_name: Some(name.to_owned()) })
    }

    /// Images beside one another, the name of its class below each.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub fn side_by_side(images: &[&Image]) -> Result<Figure> {
        let pixels: Vec<_> = images.iter().map(|image| image.pixels()).collect();
        let names = images.iter().map(|image| image.class_name.clone().unwrap_or_default());
        image_grid(&pixels, &names.map(Caption::new).collect::<Vec<_>>(), images.len())
    }

    /// The label: an index into the class names.
    pub fn label(&self) -> Option<usize> {
        self.label
    }

    /// The name of the class.
    pub fn class_name(&self) -> Option<String> {
        self.class_name.clone()
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (height, width, channels) = self.pixels.dim();
        let class = self.class_name.as_deref().unwrap_or("without a label");
        write!(f, "an image, {height} × {width} × {channels}, {class}")
    }
}

impl Show for Image {
    fn content(&self) -> Content {
        let caption = Caption::new(self.class_name.clone().unwrap_or_default());
        match image_grid(std::slice::from_ref(&self.pixels), &[caption], 1) {
            Ok(figure) => figure.content(),
            Err(error) => Content::text(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_gray_from_the_least_to_the_largest() {
        let image = Image::of_numbers("three", &[vec![-1.0, 0.0, 1.0]]).unwrap();
        assert_eq!(image.pixels().iter().copied().collect::<Vec<_>>(), [0, 128, 255]);
        assert_eq!(image.gray(), [[0.0, 128.0 / 255.0, 1.0]]);
        let flat = Image::of_numbers("flat", &[vec![3.0, 3.0]]).unwrap();
        assert_eq!(flat.pixels().iter().copied().collect::<Vec<_>>(), [0, 0]);
        let both = Image::side_by_side(&[&image, &flat]).unwrap();
        assert!(both.overlaps().is_empty());
        let ragged = Image::of_numbers("ragged", &[vec![1.0], vec![1.0, 2.0]]).unwrap_err();
        assert!(ragged.to_string().contains("[1, 2]"), "{ragged}");
    }
}
