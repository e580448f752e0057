//! A photo of any size, brought to the size a network takes.

use crate::error::{Error, Result};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};
use std::io::Cursor;
use std::path::Path;

/// How an image of another shape is brought to one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// Resized until it fills the frame, then what stands out on two sides is cut off. Nothing is
    /// distorted, some of it is lost.
    #[default]
    Crop,
    /// Resized until it lies within the frame, with black bars on two sides. Nothing is distorted
    /// or lost, but it is smaller.
    Pad,
    /// Width and height are resized each for itself. Nothing is lost, but it is distorted.
    Stretch,
}

/// Photos are smaller than this on each side; what claims more is refused before it is decoded.
const MOST_PIXELS: u32 = 20_000;
/// What decoding one photo may take.
const MOST_BYTES: u64 = 1 << 30;

/// The image in the bytes of a JPEG or PNG file, upright, as `height × width × 3` bytes.
pub(crate) fn decode(
    bytes: &[u8],
    [height, width]: [usize; 2],
    framing: Framing,
    path: &Path,
) -> Result<Vec<u8>> {
    let broken = |error: &dyn std::fmt::Display| {
        let hint = "Remove it from the folder, or get it again.";
        Error::bad_file(path, format!("this is no image that can be read: {error}"), hint)
    };
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| broken(&error))?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MOST_PIXELS), Some(MOST_PIXELS));
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| broken(&error))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| broken(&error))?;
    // Cameras store how they were held.
    image.apply_orientation(orientation);
    Ok(framed(&image.to_rgb8(), height as u32, width as u32, framing).into_raw())
}

fn framed(image: &RgbImage, height: u32, width: u32, framing: Framing) -> RgbImage {
    // As PyTorch does it: linear, over all pixels that become one.
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
    match framing {
        Framing::Stretch => resize(width, height),
        Framing::Crop => {
            let (wide, high) = scaled(across.max(down));
            let whole = resize(wide.max(width), high.max(height));
            let (left, top) = ((whole.width() - width) / 2, (whole.height() - height) / 2);
            image::imageops::crop_imm(&whole, left, top, width, height).to_image()
        }
        Framing::Pad => {
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
        let crop = framed(&wide(), 20, 20, Framing::Crop);
        assert_eq!(pixel(&crop, 1, 10), [255; 3]);
        assert_eq!(pixel(&crop, 18, 10), [255; 3]);
        let pad = framed(&wide(), 20, 20, Framing::Pad);
        assert_eq!((pixel(&pad, 10, 2), pixel(&pad, 10, 17)), ([0; 3], [0; 3]));
        assert_eq!((pixel(&pad, 1, 10), pixel(&pad, 18, 10)), ([255, 0, 0], [0, 0, 255]));
        let stretch = framed(&wide(), 20, 20, Framing::Stretch);
        assert_eq!((pixel(&stretch, 1, 1), pixel(&stretch, 18, 18)), ([255, 0, 0], [0, 0, 255]));
    }

    #[test]
    fn every_size_comes_out_as_asked_for() {
        for (width, height) in [(1, 1), (1, 300), (299, 2), (33, 57), (224, 224)] {
            let image = RgbImage::new(width, height);
            for framing in [Framing::Crop, Framing::Pad, Framing::Stretch] {
                assert_eq!(framed(&image, 17, 31, framing).dimensions(), (31, 17));
            }
        }
    }

    #[test]
    fn what_is_no_image_is_told_and_large_claims_are_not_believed() {
        let refuse = |bytes: &[u8]| {
            decode(bytes, [8, 8], Framing::Crop, Path::new("cat.jpg")).unwrap_err().to_string()
        };
        assert!(refuse(b"").contains("cat.jpg: this is no image"), "{}", refuse(b""));
        // A PNG header that claims 100,000 by 100,000 pixels.
        let mut header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        header.extend([0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0, 8, 2, 0, 0, 0]);
        header.extend([0; 40]);
        assert!(refuse(&header).contains("no image that can be read"));
    }
}
