//! Images in a grid, each with a caption.

use super::canvas::{Anchor, Area, Canvas, LABEL};
use super::encoded_image::{GAP, check_image, png_url, tile_height, tile_width};
use super::figure::{Draw, Figure, Panel};
use super::font;
use super::theme::Ink;
use crate::error::{Error, Result};
use ndarray::{ArcArray, Ix3};

const LINE: f64 = 13.0;
/// A caption has at most so many lines.
const LINES: usize = 4;

/// Whether an answer was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// ✔
    Right,
    /// ✘
    Wrong,
}

/// What is written under an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    text: String,
    mark: Option<Mark>,
}

impl Caption {
    /// A text; it may be empty. A line may be broken with `\n`.
    pub fn new(text: impl Into<String>) -> Caption {
        Caption { text: text.into(), mark: None }
    }

    /// With a ✔ or ✘ before it.
    pub fn mark(mut self, mark: Mark) -> Caption {
        self.mark = Some(mark);
        self
    }

    pub(crate) fn is_right(&self) -> bool {
        self.mark == Some(Mark::Right)
    }

    fn lines(&self, room: f64) -> Vec<String> {
        let text = match self.mark {
            Some(Mark::Right) => format!("✔ {}", self.text),
            Some(Mark::Wrong) => format!("✘ {}", self.text),
            None => self.text.clone(),
        };
        // The mark stays with its word.
        let bound = text.replacen("✔ ", "✔\u{a0}", 1).replacen("✘ ", "✘\u{a0}", 1);
        let lines = font::wrapped(&bound, LABEL.size, room, LINES);
        lines.into_iter().map(|line| line.replace('\u{a0}', " ")).collect()
    }

    fn ink(&self) -> Ink {
        match self.mark {
            Some(Mark::Right) => Ink::Right,
            Some(Mark::Wrong) => Ink::Wrong,
            None => Ink::Text,
        }
    }
}

/// Images `u8 [height, width, 1 or 3]` with a caption each, `columns` to a row.
///
/// # Errors
///
/// If there are no images or no columns, the captions are not as many, or an image is neither
/// gray nor color.
pub fn image_grid(
    images: &[ArcArray<u8, Ix3>],
    captions: &[Caption],
    columns: usize,
) -> Result<Figure> {
    const OP: &str = "image_grid";
    if images.is_empty() || columns == 0 {
        let got = format!("{} images in {columns} columns", images.len());
        return Err(Error::invalid(OP, "at least one of each", got, ""));
    }
    if captions.len() != images.len() {
        let got = format!("{} captions for {} images", captions.len(), images.len());
        return Err(Error::invalid(OP, "a caption for each image", got, ""));
    }
    let tiles = images.iter().zip(captions).map(|(image, caption)| {
        check_image(OP, image)?;
        let (height, width, channels) = image.dim();
        let bytes: Vec<u8> = image.iter().copied().collect();
        let data_url = png_url(width, height, channels, &bytes);
        Ok(Tile { shape: (height, width), data_url, caption: caption.clone() })
    });
    let tiles = tiles.collect::<Result<Vec<_>>>()?;
    let columns = columns.min(tiles.len());
    Figure::grid(vec![Panel::new(ImageGrid { tiles, columns })], 1)
}

#[derive(Debug)]
struct Tile {
    /// Height by width.
    shape: (usize, usize),
    data_url: String,
    caption: Caption,
}

#[derive(Debug)]
struct ImageGrid {
    tiles: Vec<Tile>,
    columns: usize,
}

impl ImageGrid {
    /// The width of one image in a panel of this width.
    fn tile_width(&self, width: f64) -> f64 {
        tile_width(self.columns, width)
    }

    /// The height of the highest image at this width.
    fn tile_height(&self, tile_width: f64) -> f64 {
        tile_height(self.tiles.iter().map(|tile| tile.shape), tile_width)
    }

    /// The height of each row: its images, and the longest of its captions.
    fn row_heights(&self, tile_width: f64) -> Vec<f64> {
        let height = self.tile_height(tile_width);
        let lines =
            |row: &[Tile]| row.iter().map(|tile| tile.caption.lines(tile_width).len()).max();
        let rows = self.tiles.chunks(self.columns);
        rows.map(|row| match lines(row) {
            None | Some(0) => height,
            Some(lines) => height + LINE * lines as f64 + 6.0,
        })
        .collect()
    }
}

impl Draw for ImageGrid {
    fn width(&self, room: f64) -> f64 {
        (self.tile_width(room) + GAP) * self.columns as f64 - GAP
    }

    fn height(&self, width: f64) -> f64 {
        let rows = self.row_heights(self.tile_width(width));
        rows.iter().map(|row| row + GAP).sum::<f64>() - GAP
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let width = self.tile_width(area.width);
        let (height, rows) = (self.tile_height(width), self.row_heights(width));
        let tops: Vec<f64> = rows
            .iter()
            .scan(area.y, |top, row| Some(std::mem::replace(top, *top + row + GAP)))
            .collect();
        for (i, tile) in self.tiles.iter().enumerate() {
            let x = area.x + (i % self.columns) as f64 * (width + GAP);
            let y = tops[i / self.columns];
            canvas.image(Area { x, y, width, height }.fitted(tile.shape), &tile.data_url);
            let set = LABEL.anchor(Anchor::Middle).ink(tile.caption.ink());
            for (line, text) in tile.caption.lines(width).iter().enumerate() {
                let baseline = y + height + 12.0 + LINE * line as f64;
                canvas.text(x + width / 2.0, baseline, text, set);
            }
        }
    }

    fn description(&self) -> String {
        let captions = self.tiles.iter().map(|tile| match tile.caption.mark {
            Some(Mark::Right) => format!("{} (right)", tile.caption.text),
            Some(Mark::Wrong) => format!("{} (wrong)", tile.caption.text),
            None => tile.caption.text.clone(),
        });
        let captions = captions.map(|text| text.replace('\n', " "));
        let captions: Vec<String> = captions.filter(|text| !text.is_empty()).collect();
        let noun = if self.tiles.len() == 1 { "image" } else { "images" };
        match captions.is_empty() {
            true => format!("{} {noun}", self.tiles.len()),
            false => format!("{} {noun}: {}", self.tiles.len(), captions.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::figure::assert_tidy;
    use ndarray::Array3;

    fn images(count: usize, shape: (usize, usize, usize)) -> Vec<ArcArray<u8, Ix3>> {
        vec![Array3::from_elem(shape, 128u8).into_shared(); count]
    }

    #[test]
    fn long_captions_wrap_and_stay_apart() {
        let captions = vec![Caption::new("automobile (airplane)").mark(Mark::Wrong); 40];
        let figure = image_grid(&images(40, (32, 32, 3)), &captions, 10).unwrap();
        assert_tidy(&figure.title("test"));
        let one = image_grid(&images(1, (28, 28, 1)), &[Caption::new("seven")], 10).unwrap();
        assert_tidy(&one.title("a title that is wider than the image by far"));
    }

    #[test]
    fn ten_forty_and_a_hundred_images_are_tidy() {
        let captions = |n: usize| (0..n).map(|i| Caption::new(["automobile", ""][i / 20 % 2]));
        for (count, columns) in [(10, 5), (10, 10), (40, 10), (100, 10), (100, 20), (7, 3)] {
            let captions: Vec<Caption> = captions(count).collect();
            for shape in [(32, 32, 3), (28, 28, 1), (40, 20, 3)] {
                let grid = image_grid(&images(count, shape), &captions, columns).unwrap();
                assert_tidy(&grid.title("a title"));
            }
        }
    }

    #[test]
    fn rows_without_captions_take_no_room_for_them() {
        let height = |captions: &[Caption]| {
            let tiles = images(captions.len(), (8, 8, 1));
            image_grid(&tiles, captions, 2).unwrap().draw(crate::plot::theme::Paint::FollowsPage).2
        };
        let (named, bare) = (Caption::new("cat"), Caption::new(""));
        let all = height(&vec![named.clone(); 4]);
        let half = height(&[named.clone(), named, bare.clone(), bare]);
        assert!(all - half >= LINE, "{all} {half}");
    }

    #[test]
    fn a_mark_stays_with_its_word() {
        let caption = Caption::new("airplane (ship)").mark(Mark::Right);
        assert_eq!(caption.lines(80.0), ["✔ airplane", "(ship)"]);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let refused = |images: Vec<_>, captions, columns| {
            let captions = vec![Caption::new(""); captions];
            image_grid(&images, &captions, columns).unwrap_err().to_string()
        };
        assert!(refused(images(2, (4, 4, 3)), 1, 2).contains("1 captions for 2 images"));
        assert!(refused(images(1, (4, 4, 2)), 1, 2).contains("[4, 4, 2]"));
        assert!(refused(images(0, (4, 4, 3)), 0, 2).contains("0 images"));
    }
}
