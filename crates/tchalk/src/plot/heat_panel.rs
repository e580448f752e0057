//! The panel that draws images and heat maps: tiles in rows, a legend below.

use super::canvas::{Anchor, Area, Canvas, LABEL, TICK, TextStyle};
use super::encoded_image::{GAP, tile_height, tile_width};
use super::figure::Draw;
use super::font;
use super::theme::Ink;

const LINE: f64 = 13.0;
const LEGEND: f64 = 34.0;
const BAR: (f64, f64) = (180.0, 9.0);

/// An image or a map, encoded.
#[derive(Debug)]
pub(super) struct EncodedTile {
    pub(super) title: String,
    /// Height by width.
    pub(super) shape: (usize, usize),
    /// Its index in the list of images.
    pub(super) image: Option<usize>,
    pub(super) map: Option<(String, bool)>,
}

/// What the colors stand for.
#[derive(Debug)]
pub(super) struct Legend {
    pub(super) url: String,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) label: String,
}

impl Legend {
    /// The numbers at both ends.
    fn ends(&self) -> [String; 2] {
        // A value that is tiny beside the other end is written as zero.
        let least = 1e-3 * (self.high - self.low);
        [self.low, self.high].map(|end| number(if end.abs() < least { 0.0 } else { end }))
    }
}

/// Tiles in rows, and the legend below.
#[derive(Debug)]
pub(super) struct HeatPanel {
    pub(super) columns: usize,
    /// All that are different, each encoded, and whether it may be smoothed.
    pub(super) images: Vec<(String, bool)>,
    pub(super) tiles: Vec<EncodedTile>,
    pub(super) legend: Option<Legend>,
}

impl HeatPanel {
    fn tile_width(&self, width: f64) -> f64 {
        tile_width(self.columns, width)
    }

    fn tile_height(&self, tile_width: f64) -> f64 {
        tile_height(self.tiles.iter().map(|tile| tile.shape), tile_width)
    }

    fn title_lines(&self, tile_width: f64) -> usize {
        let lines =
            |tile: &EncodedTile| font::wrapped(&tile.title, LABEL.size, tile_width, 2).len();
        self.tiles.iter().map(lines).max().unwrap_or(0)
    }

    fn row_height(&self, tile_width: f64) -> f64 {
        self.tile_height(tile_width) + LINE * self.title_lines(tile_width) as f64 + 6.0
    }
}

impl Draw for HeatPanel {
    fn width(&self, room: f64) -> f64 {
        let grid = (self.tile_width(room) + GAP) * self.columns as f64 - GAP;
        let legend = self.legend.as_ref().map_or(0.0, |legend| {
            let ends: f64 = legend.ends().iter().map(|end| TICK.width(end) + 7.0).sum();
            let label = TICK.width(&legend.label);
            BAR.0 + ends + if label > 0.0 { label + 15.0 } else { 0.0 }
        });
        grid.max(legend.min(room))
    }

    fn height(&self, width: f64) -> f64 {
        let rows = self.tiles.len().div_ceil(self.columns) as f64;
        let legend = if self.legend.is_some() { LEGEND } else { 0.0 };
        rows * (self.row_height(self.tile_width(width)) + GAP) - GAP + legend
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let width = self.tile_width(area.width);
        let (height, row) = (self.tile_height(width), self.row_height(width));
        let lines = self.title_lines(width) as f64;
        let mut defined: Vec<Option<String>> = Vec::new();
        for (number, (url, smooth)) in self.images.iter().enumerate() {
            let mut over = self.tiles.iter().filter(|tile| tile.image == Some(number));
            let several = over.next().filter(|_| over.next().is_some());
            defined.push(several.map(|tile| canvas.define_image(tile.shape, url, *smooth)));
        }
        for (i, tile) in self.tiles.iter().enumerate() {
            let x = area.x + (i % self.columns) as f64 * (width + GAP);
            let y = area.y + (i / self.columns) as f64 * (row + GAP);
            for (line, text) in font::wrapped(&tile.title, LABEL.size, width, 2).iter().enumerate()
            {
                let baseline = y + 10.0 + LINE * line as f64;
                canvas.text(x + width / 2.0, baseline, text, LABEL.anchor(Anchor::Middle));
            }
            let target = Area { x, y: y + LINE * lines + 6.0, width, height }.fitted(tile.shape);
            if let Some(number) = tile.image {
                let (url, smooth) = &self.images[number];
                match &defined[number] {
                    Some(id) => canvas.use_image(target, tile.shape, id),
                    None => canvas.scaled_image(target, url, *smooth),
                }
            }
            if let Some((url, smooth)) = &tile.map {
                canvas.scaled_image(target, url, *smooth);
            }
        }
        if let Some(legend) = &self.legend {
            let y = area.y + self.height(area.width) - 12.0;
            let [low, high] = legend.ends();
            let mut x = area.x;
            let mut write = |canvas: &mut Canvas, text: &str, set: TextStyle| {
                canvas.text(x, y, text, set);
                x += set.width(text) + 7.0;
            };
            write(canvas, &low, TICK);
            let bar = Area { x, y: y - 8.5, width: BAR.0, height: BAR.1 };
            canvas.scaled_image(bar, &legend.url, true);
            canvas.outline(bar, 0.0, Ink::Rule, 1.0, false);
            x += BAR.0 + 7.0;
            canvas.text(x, y, &high, TICK);
            x += TICK.width(&high) + 14.0;
            let label = TICK.shortened(&legend.label, area.right() - x);
            canvas.text(x, y, &label, TICK);
        }
    }

    fn description(&self) -> String {
        let titles: Vec<&str> =
            self.tiles.iter().map(|tile| tile.title.as_str()).filter(|t| !t.is_empty()).collect();
        let maps = self.tiles.iter().filter(|tile| tile.map.is_some()).count();
        let noun = if maps == 1 { "heat map" } else { "heat maps" };
        format!("{maps} {noun}: {}", titles.join(", "))
    }
}

/// A number with three significant digits.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        size if !(1e-3..1e5).contains(&size) => return format!("{value:.1e}"),
        size => (2 - size.log10().floor() as i32).clamp(0, 5) as usize,
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legends_have_short_numbers() {
        let numbers = [0.0, 1.0, 0.123456, -12.5, 12345.0, 1e-6].map(number);
        assert_eq!(numbers, ["0", "1", "0.123", "-12.5", "12345", "1.0e-6"]);
    }
}
