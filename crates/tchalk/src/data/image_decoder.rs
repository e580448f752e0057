//! Decodes JPEG and PNG files, and brings images of any size to the size that a network takes.

use crate::error::{Error, Result};
use crate::fetch::bundle::Bundle;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits, RgbImage};
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

/// What happens to an image whose aspect ratio is not that of the wanted size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AspectRatio {
    /// The image is resized until it fills the wanted size, and cropped at the center. It is not
    /// distorted, but parts of it are lost.
    #[default]
    Crop,
    /// The image is resized until it fits into the wanted size, and padded with black bars on two
    /// sides. It is not distorted and nothing is lost, but it is smaller.
    Pad,
    /// Width and height are resized separately. Nothing is lost, but the image is distorted.
    Stretch,
}

/// Larger images are refused before they are decoded.
const MAX_SIDE: u32 = 20_000;
/// The memory that decoding one image may take.
const MAX_BYTES: u64 = 1 << 30;

/// Reads image files as pixels of one size.
#[derive(Clone)]
pub(super) struct ImageDecoder {
    /// Height and width.
    pub(super) size: [usize; 2],
    pub(super) aspect_ratio: AspectRatio,
    /// The bundle whose checksums the files have to match.
    pub(super) bundle: Option<Arc<Bundle>>,
}

impl ImageDecoder {
    /// The pixels of one file.
    pub(super) fn decode_file(&self, path: &Path) -> Result<Vec<u8>> {
        let bytes = std::fs::read(path)
            .map_err(|error| Error::io(path, error, "Check that you may read it."))?;
        if let Some(bundle) = &self.bundle {
            let inside = path.strip_prefix(bundle.folder()).unwrap_or(path);
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            bundle.check(&parts.join("/"), &bytes)?;
        }
        decode(&bytes, self.size, self.aspect_ratio, path)
    }
}

/// The image in the bytes of a JPEG or PNG file, upright, as `height × width × 3` bytes.
pub(crate) fn decode(
    bytes: &[u8],
    [height, width]: [usize; 2],
    aspect_ratio: AspectRatio,
    path: &Path,
) -> Result<Vec<u8>> {
    let broken = |error: &dyn std::fmt::Display| {
        let hint = "Remove it from the folder, or get it again.";
        Error::bad_file(path, format!("this is no image that can be read: {error}"), hint)
    };
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| broken(&error))?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| broken(&error))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| broken(&error))?;
    // Cameras store how they were held instead of turning the pixels.
    image.apply_orientation(orientation);
    Ok(resized(&image.to_rgb8(), height as u32, width as u32, aspect_ratio).into_raw())
}

fn resized(image: &RgbImage, height: u32, width: u32, aspect_ratio: AspectRatio) -> RgbImage {
    // Antialiased bilinear, as in torchvision.
    let resize = |width: u32, height: u32| {
        if image.dimensions() == (width, height) {
            image.clone()
        } else {
            image::imageops::resize(image, width, height, FilterType::Triangle)
        }
    };
    let (across, down) = (
        f64::from(width) / f64::from(image.width()),
        f64::from(height) / f64::from(image.height()),
    );
    let scaled = |scale: f64| {
        let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
        (side(image.width()), side(image.height()))
    };
    match aspect_ratio {
        AspectRatio::Stretch => resize(width, height),
        AspectRatio::Crop => {
            let (wide, high) = scaled(across.max(down));
            let whole = resize(wide.max(width), high.max(height));
            let (left, top) = ((whole.width() - width) / 2, (whole.height() - height) / 2);
            image::imageops::crop_imm(&whole, left, top, width, height).to_image()
        }
        AspectRatio::Pad => {
            let (wide, high) = scaled(across.min(down));
            let whole = resize(wide.min(width), high.min(height));
            let (left, top) = ((width - whole.width()) / 2, (height - whole.height()) / 2);
            let mut frame = RgbImage::new(width, height);
            image::imageops::replace(&mut frame, &whole, i64::from(left), i64::from(top));
            frame
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// Twice as wide as high: red on the left, blue on the right, white in the middle.
    fn wide() -> RgbImage {
        RgbImage::from_fn(80, 40, |x, _| match x {
            0..20 => Rgb([255, 0, 0]),
            20..60 => Rgb([255, 255, 255]),
            _ => Rgb([0, 0, 255]),
        })
    }

    fn pixel(image: &RgbImage, x: u32, y: u32) -> [u8; 3] {
        image.get_pixel(x, y).0
    }

    #[test]
    fn cropping_loses_the_sides_and_padding_adds_bars() {
        let crop = resized(&wide(), 20, 20, AspectRatio::Crop);
        assert_eq!(pixel(&crop, 1, 10), [255; 3]);
        assert_eq!(pixel(&crop, 18, 10), [255; 3]);
        let pad = resized(&wide(), 20, 20, AspectRatio::Pad);
        assert_eq!((pixel(&pad, 10, 2), pixel(&pad, 10, 17)), ([0; 3], [0; 3]));
        assert_eq!((pixel(&pad, 1, 10), pixel(&pad, 18, 10)), ([255, 0, 0], [0, 0, 255]));
        let stretch = resized(&wide(), 20, 20, AspectRatio::Stretch);
        assert_eq!((pixel(&stretch, 1, 1), pixel(&stretch, 18, 18)), ([255, 0, 0], [0, 0, 255]));
    }

    #[test]
    fn every_size_comes_out_as_asked_for() {
        for (width, height) in [(1, 1), (1, 300), (299, 2), (33, 57), (224, 224)] {
            let image = RgbImage::new(width, height);
            for aspect_ratio in [AspectRatio::Crop, AspectRatio::Pad, AspectRatio::Stretch] {
                assert_eq!(resized(&image, 17, 31, aspect_ratio).dimensions(), (31, 17));
            }
        }
    }

    #[test]
    fn what_is_no_image_is_told_and_large_claims_are_not_believed() {
        let refuse = |bytes: &[u8]| {
            decode(bytes, [8, 8], AspectRatio::Crop, Path::new("cat.jpg")).unwrap_err().to_string()
        };
        assert!(refuse(b"").contains("cat.jpg: this is no image"), "{}", refuse(b""));
        // A PNG header that claims 100,000 by 100,000 pixels.
        let mut header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        header.extend([0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0, 8, 2, 0, 0, 0]);
        header.extend([0; 40]);
        assert!(refuse(&header).contains("no image that can be read"));
    }
}
