//! A sprite sheet: many small images in one, from which single ones are shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, imageops};
use ndarray::{ArcArray, Ix3};

/// Larger images are made smaller.
const LONGEST: u32 = 32;
/// The most bytes of an encoded sheet.
const MOST_BYTES: usize = 100_000;
const QUALITY: u8 = 80;

/// A sheet of images, each `cell` pixels wide and high.
#[derive(Debug, Clone)]
pub(super) struct SpriteSheet {
    pub(super) data_url: String,
    /// Width and height, of the sheet and of an image on it.
    pub(super) size: (usize, usize),
    pub(super) cell: (usize, usize),
    pub(super) columns: usize,
    /// How many images fit, counted from the first.
    pub(super) count: usize,
}

impl SpriteSheet {
    /// As many of the images as fit, all of one shape, `u8 [height, width, 1 or 3]`.
    pub(super) fn new(images: &[ArcArray<u8, Ix3>]) -> Option<SpriteSheet> {
        let mut count = images.len();
        while count > 0 {
            let (sprite, bytes) = encode(&images[..count])?;
            if bytes <= MOST_BYTES {
                return Some(sprite);
            }
            count = (count * MOST_BYTES / bytes).min(count - 1);
        }
        None
    }

    /// Where on the sheet an image begins.
    pub(super) fn cell_origin(&self, number: usize) -> (usize, usize) {
        (number % self.columns * self.cell.0, number / self.columns * self.cell.1)
    }
}

/// All images on one sheet: gray ones as PNG, colored ones as JPEG, which is smaller.
fn encode(images: &[ArcArray<u8, Ix3>]) -> Option<(SpriteSheet, usize)> {
    let (height, width, channels) = images.first()?.dim();
    let longest = height.max(width) as u32;
    let scale = f64::from(LONGEST.min(longest)) / f64::from(longest);
    let scaled = |length: usize| ((length as f64 * scale).round() as u32).max(1);
    let (w, h) = (scaled(width), scaled(height));
    let columns = (images.len() as f64).sqrt().ceil() as u32;
    let rows = (images.len() as u32).div_ceil(columns);
    let mut sheet = image::RgbImage::new(columns * w, rows * h);
    for (number, image) in images.iter().enumerate() {
        let color = |x: u32, y: u32| {
            let value = |c: usize| image.get([y as usize, x as usize, c.min(channels - 1)]);
            image::Rgb([0, 1, 2].map(|c| value(c).copied().unwrap_or_default()))
        };
        let mut one = image::RgbImage::from_fn(width as u32, height as u32, color);
        if scale < 1.0 {
            one = imageops::thumbnail(&one, w, h);
        }
        let (column, row) = (number as u32 % columns, number as u32 / columns);
        imageops::replace(&mut sheet, &one, i64::from(column * w), i64::from(row * h));
    }
    let (kind, bytes) = if channels == 1 {
        let gray = imageops::grayscale(&sheet);
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&gray, gray.width(), gray.height(), ExtendedColorType::L8)
            .ok()?;
        ("png", png)
    } else {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&sheet).ok()?;
        ("jpeg", jpeg)
    };
    let size = (sheet.width() as usize, sheet.height() as usize);
    let sprite = SpriteSheet {
        data_url: format!("data:image/{kind};base64,{}", STANDARD.encode(&bytes)),
        size,
        cell: (w as usize, h as usize),
        columns: columns as usize,
        count: images.len(),
    };
    Some((sprite, bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn images_stand_in_rows_and_a_sheet_stays_small() {
        let noisy = |seed: usize| {
            Array3::from_shape_fn((32, 32, 3), |(y, x, c)| {
                (seed * 7919 + y * 104_729 + x * 1_299_709 + c * 15_485_863) as u8 ^ (x * y) as u8
            })
            .into_shared()
        };
        let few: Vec<_> = (0..5).map(noisy).collect();
        let sprite = SpriteSheet::new(&few).unwrap();
        assert_eq!((sprite.count, sprite.columns, sprite.size), (5, 3, (96, 64)));
        assert_eq!(sprite.cell_origin(4), (32, 32));
        let many: Vec<_> = (0..300).map(noisy).collect();
        let sprite = SpriteSheet::new(&many).unwrap();
        assert!(sprite.count < 300 && sprite.count > 20, "{}", sprite.count);
        assert!(sprite.data_url.len() < 140_000);
        assert!(SpriteSheet::new(&[]).is_none());
    }

    #[test]
    fn large_images_become_small() {
        let large = Array3::from_elem((60, 120, 1), 9u8).into_shared();
        let sprite = SpriteSheet::new(&[large]).unwrap();
        assert_eq!(sprite.cell, (32, 16));
        assert!(sprite.data_url.starts_with("data:image/png"));
    }
}
