//! Images inside figures, encoded as PNG or JPEG in a data URL.

use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use ndarray::{ArcArray, Ix3};

/// Up to this side an image keeps every pixel; larger ones are photos, and kept as JPEG.
const LARGEST_EXACT: usize = 96;
const JPEG_QUALITY: u8 = 85;

/// How far apart images in a grid are.
pub(super) const GAP: f64 = 8.0;
/// A single image of a grid is not drawn wider than this.
const WIDEST: f64 = 168.0;

/// How wide each of `columns` images is in a panel of this width.
pub(super) fn tile_width(columns: usize, width: f64) -> f64 {
    ((width + GAP) / columns as f64 - GAP).min(WIDEST)
}

/// The height of the highest image at this width; shapes are height by width.
pub(super) fn tile_height(shapes: impl Iterator<Item = (usize, usize)>, tile_width: f64) -> f64 {
    tile_width * shapes.map(|(h, w)| h as f64 / w as f64).fold(0.0, f64::max).min(2.0)
}

/// Refuses what is no image.
pub(super) fn check_image(op: &str, image: &ArcArray<u8, Ix3>) -> Result<()> {
    match image.dim() {
        (1.., 1.., 1 | 3) => Ok(()),
        (height, width, channels) => {
            let got = format!("[{height}, {width}, {channels}]");
            Err(Error::invalid(op, "images [height, width, 1 or 3]", got, ""))
        }
    }
}

/// An image `u8 [height, width, 1 or 3]` in a URL, and whether it may be smoothed when enlarged.
pub(super) fn image_url(image: &ArcArray<u8, Ix3>) -> (String, bool) {
    let (height, width, channels) = image.dim();
    let bytes: Vec<u8> = image.iter().copied().collect();
    if height.max(width) <= LARGEST_EXACT {
        return (png_url(width, height, channels, &bytes), false);
    }
    (jpeg_url(width, height, channels, &bytes), true)
}

/// Pixels of one or three bytes as a JPEG in a URL.
pub(super) fn jpeg_url(width: usize, height: usize, channels: usize, bytes: &[u8]) -> String {
    let color = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .encode(bytes, width as u32, height as u32, color)
        .expect("the sizes match");
    format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg))
}

/// Pixels as a PNG in a URL: one, three, or, with opacity, four bytes each.
pub(super) fn png_url(width: usize, height: usize, channels: usize, bytes: &[u8]) -> String {
    let color = match channels {
        1 => ExtendedColorType::L8,
        4 => ExtendedColorType::Rgba8,
        _ => ExtendedColorType::Rgb8,
    };
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
        .write_image(bytes, width as u32, height as u32, color)
        .expect("the sizes match");
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn small_images_are_exact_and_large_ones_small() {
        let gray = |side| Array3::from_elem((side, side, 3), 128u8).into_shared();
        let (url, smooth) = image_url(&gray(32));
        assert!(url.starts_with("data:image/png") && !smooth);
        let (url, smooth) = image_url(&gray(224));
        assert!(url.starts_with("data:image/jpeg") && smooth && url.len() < 20_000);
    }
}
