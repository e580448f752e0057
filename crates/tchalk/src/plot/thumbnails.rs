//! Many small images without captions: kernels, feature maps, activation maximization.

use super::canvas::{Area, Canvas, HEADING, TICK};
use super::encoded_image::{jpeg_url, png_url};
use super::figure::{Draw, Panel};
use super::theme::Ink;
use image::imageops::FilterType;
use ndarray::{ArcArray, Ix3, s};

const HEADING_HEIGHT: f64 = 24.0;
const WIDEST: f64 = 80.0;
const GAP: f64 = 5.0;
/// The most values that all images of a panel have together, so that a figure stays small.
const MAX_VALUES: usize = 150_000;
/// The sides of crops that are tried, in pixels: the first with which all crops together, encoded,
/// stay below [`MAX_ENCODED_LENGTH`].
const SIDES: [usize; 5] = [64, 48, 32, 20, 12];
const MAX_ENCODED_LENGTH: usize = 220_000;

/// Images of one size under a heading, `columns` to a row.
#[derive(Debug, Clone)]
pub(crate) struct ThumbnailPanel {
    title: String,
    note: String,
    urls: Vec<String>,
    /// Whether they were scaled down and are drawn interpolated.
    smooth: bool,
    /// Height by width.
    shape: f64,
    columns: usize,
}

impl ThumbnailPanel {
    /// `images` `u8 [height, width, 1 or 3]`, all of one size.
    pub(crate) fn new(
        title: impl Into<String>,
        note: impl Into<String>,
        images: &[ArcArray<u8, Ix3>],
        columns: usize,
    ) -> ThumbnailPanel {
        let (height, width, channels) = images.first().map_or((1, 1, 1), |p| p.dim());
        let most =
            ((MAX_VALUES / (channels * images.len()).max(1)) as f64).sqrt().clamp(8.0, 160.0);
        let shrink = (most / height.max(width) as f64).min(1.0);
        let urls = images.iter().map(|image| encoded(image, shrink)).collect();
        ThumbnailPanel {
            title: title.into(),
            note: note.into(),
            urls,
            smooth: shrink < 1.0,
            shape: height as f64 / width as f64,
            columns,
        }
    }

    /// Images in which single pixels matter: large ones are cropped instead of scaled down, to the
    /// part with the highest variance.
    pub(crate) fn in_detail(
        title: impl Into<String>,
        note: impl Into<String>,
        images: &[ArcArray<u8, Ix3>],
        columns: usize,
    ) -> ThumbnailPanel {
        let whole = images.first().map_or(1, |image| image.dim().0.max(image.dim().1));
        let mut note = note.into();
        let mut parts = images.to_vec();
        let mut urls = Vec::new();
        for side in SIDES {
            parts = images.iter().map(|image| highest_variance_crop(image, side)).collect();
            urls = parts.iter().map(smallest).collect();
            if urls.iter().map(String::len).sum::<usize>() <= MAX_ENCODED_LENGTH {
                break;
            }
        }
        let (height, width, _) = parts.first().map_or((1, 1, 1), |part| part.dim());
        if height.max(width) < whole {
            let said = format!("the liveliest {height} × {width} pixels of each");
            note = if note.is_empty() { said } else { format!("{said}; {note}") };
        }
        let shape = height as f64 / width as f64;
        ThumbnailPanel { title: title.into(), note, urls, smooth: false, shape, columns }
    }

    fn tile(&self, width: f64) -> f64 {
        ((width + GAP) / self.columns as f64 - GAP).min(WIDEST)
    }

    fn head(&self) -> f64 {
        HEADING_HEIGHT + if self.note.is_empty() { 0.0 } else { 16.0 }
    }
}

/// The crop of at most `side` by `side` pixels whose values have the highest variance; the center
/// is preferred.
fn highest_variance_crop(image: &ArcArray<u8, Ix3>, side: usize) -> ArcArray<u8, Ix3> {
    let (height, width, _) = image.dim();
    let (h, w) = (side.min(height), side.min(width));
    if (h, w) == (height, width) {
        return image.clone();
    }
    let part = |top: usize, left: usize| image.slice(s![top..top + h, left..left + w, ..]);
    let life = |top: usize, left: usize| {
        let part = part(top, left);
        let mean = part.iter().map(|&value| f64::from(value)).sum::<f64>() / part.len() as f64;
        part.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>()
    };
    let offsets = |length: usize, part: usize| (0..=length - part).step_by((part / 2).max(1));
    let middle = ((height - h) / 2, (width - w) / 2);
    let mut best = (middle, 1.5 * life(middle.0, middle.1));
    for (top, left) in offsets(height, h).flat_map(|y| offsets(width, w).map(move |x| (y, x))) {
        let life = life(top, left);
        if life > best.1 {
            best = ((top, left), life);
        }
    }
    part(best.0.0, best.0.1).to_owned().into_shared()
}

/// As PNG, or as JPEG where that is smaller.
fn smallest(image: &ArcArray<u8, Ix3>) -> String {
    let (height, width, channels) = image.dim();
    let bytes: Vec<u8> = image.iter().copied().collect();
    let png = png_url(width, height, channels, &bytes);
    let jpeg = jpeg_url(width, height, channels, &bytes);
    if jpeg.len() < png.len() { jpeg } else { png }
}

fn encoded(image: &ArcArray<u8, Ix3>, shrink: f64) -> String {
    let (height, width, channels) = image.dim();
    let bytes: Vec<u8> = image.iter().copied().collect();
    if shrink >= 1.0 {
        return png_url(width, height, channels, &bytes);
    }
    let side = |length: usize| ((length as f64 * shrink).round() as u32).max(1);
    let (w, h) = (side(width), side(height));
    let (rows, columns) = (height as u32, width as u32);
    let smaller = match channels {
        1 => {
            let gray = image::GrayImage::from_raw(columns, rows, bytes).expect("the sizes match");
            image::imageops::resize(&gray, w, h, FilterType::Triangle).into_raw()
        }
        _ => {
            let color = image::RgbImage::from_raw(columns, rows, bytes).expect("the sizes match");
            image::imageops::resize(&color, w, h, FilterType::Triangle).into_raw()
        }
    };
    png_url(w as usize, h as usize, channels, &smaller)
}

impl From<ThumbnailPanel> for Panel {
    fn from(panel: ThumbnailPanel) -> Panel {
        Panel::new(panel)
    }
}

impl Draw for ThumbnailPanel {
    fn width(&self, room: f64) -> f64 {
        let heading = HEADING.width(&self.title).max(TICK.width(&self.note));
        let columns = self.columns.min(self.urls.len().max(1)) as f64;
        ((self.tile(room) + GAP) * columns - GAP).max(heading.min(room))
    }

    fn height(&self, width: f64) -> f64 {
        let rows = self.urls.len().div_ceil(self.columns) as f64;
        self.head() + rows * (self.tile(width) * self.shape + GAP) - GAP
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        canvas.heading(area, &self.title);
        canvas.text(area.x, area.y + 27.0, &TICK.shortened(&self.note, area.width), TICK);
        let width = self.tile(area.width);
        let height = width * self.shape;
        for (i, url) in self.urls.iter().enumerate() {
            let x = area.x + (i % self.columns) as f64 * (width + GAP);
            let y = area.y + self.head() + (i / self.columns) as f64 * (height + GAP);
            let area = Area { x, y, width, height };
            canvas.scaled_image(area, url, self.smooth);
            // A white image needs an outline on white paper.
            canvas.outline(area, 0.0, Ink::Rule, 0.5, false);
        }
    }

    fn description(&self) -> String {
        let note = if self.note.is_empty() { String::new() } else { format!(" ({})", self.note) };
        format!("{}: {} images{note}", self.title, self.urls.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Theme;
    use crate::plot::figure::{Figure, assert_tidy};
    use ndarray::Array3;

    #[test]
    fn few_and_many_images_are_small() {
        let noise = |i: usize, side| {
            Array3::from_shape_fn((side, side, 1), |(y, x, _)| ((i + y * 7 + x * x) % 251) as u8)
        };
        for (count, side) in [(1, 3), (64, 224), (512, 14)] {
            let images: Vec<_> = (0..count).map(|i| noise(i, side).into_shared()).collect();
            let panel = ThumbnailPanel::new("maps", "each by itself", &images, 12);
            let figure = Figure::grid(vec![panel.into()], 1).unwrap();
            assert_tidy(&figure);
            let size = figure.to_svg(&Theme::light()).len();
            assert!(size < 400_000, "{count} of {side}: {size}");
        }
    }
    #[test]
    fn details_are_cut_out_where_there_is_something_to_see() {
        let spot = Array3::from_shape_fn(
            (100, 90, 3),
            |(y, x, _)| {
                if y > 80 && x > 70 { 255 } else { 128 }
            },
        );
        let part = highest_variance_crop(&spot.into_shared(), 32);
        assert_eq!(part.dim(), (32, 32, 3));
        assert!(part.iter().any(|&value| value == 255));
        let noise = |i: usize| {
            Array3::from_shape_fn((224, 224, 3), |(y, x, c)| {
                ((i * 7919 + y * 104_729 + x * 1_299_709 + c * 15_485_863) ^ (x * y)) as u8
            })
        };
        for count in [1, 96, 256] {
            let images: Vec<_> = (0..count).map(|i| noise(i).into_shared()).collect();
            let panel = ThumbnailPanel::in_detail("responses", "", &images, 12);
            let figure = Figure::grid(vec![panel.into()], 1).unwrap();
            assert_tidy(&figure);
            let size = figure.to_svg(&Theme::light()).len();
            assert!(size < 300_000, "{count}: {size}");
        }
    }
}
