//! A grid of heat maps, alone or over an image, all on one color scale.

use super::color_scale::ColorScale;
use super::encoded_image::{check_image, image_url, png_url};
use super::figure::{Figure, Panel};
use super::heat_panel::{EncodedTile, HeatPanel, Legend};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use ndarray::{ArcArray, Array2, Ix3};

/// The most pixels that a map is drawn with along a side: enough to look smooth.
pub(crate) const MAX_MAP_SIDE: usize = 80;
/// A map over an image is transparent at its lowest value, and this opaque at its highest.
const MAX_OPACITY: f64 = 0.75;

/// One heat map: values on a grid, with a title.
#[derive(Debug, Clone)]
pub struct HeatMap {
    title: String,
    values: Array2<f32>,
    over: Option<ArcArray<u8, Ix3>>,
}

impl HeatMap {
    /// A map of `values` `[height, width]`.
    pub fn new(title: impl Into<String>, values: Array2<f32>) -> HeatMap {
        HeatMap { title: title.into(), values, over: None }
    }

    /// Drawn over an image `u8 [height, width, 1 or 3]`, stretched to its size: where the map is
    /// low, the image shines through.
    pub fn over(mut self, image: impl Into<ArcArray<u8, Ix3>>) -> HeatMap {
        self.over = Some(image.into());
        self
    }
}

/// Images and heat maps side by side, all maps on the same scale, with a legend.
///
/// ```
/// use tchalk::plot::{HeatGrid, HeatMap};
/// use ndarray::{Array2, Array3};
/// let image = Array3::from_elem((32, 32, 3), 128u8);
/// let map = Array2::from_shape_fn((4, 4), |(y, x)| (y * x) as f32);
/// let figure = HeatGrid::new(2)
///     .image("a gray square", image.clone())
///     .map(HeatMap::new("lower right", map).over(image))
///     .figure()?;
/// assert!(figure.overlaps().is_empty());
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct HeatGrid {
    columns: usize,
    tiles: Vec<Tile>,
    scale: ColorScale,
    range: Option<(f64, f64)>,
    label: String,
    smooth: bool,
}

#[derive(Debug, Clone)]
enum Tile {
    Image(String, ArcArray<u8, Ix3>),
    Map(HeatMap),
}

impl Tile {
    fn image(&self) -> Option<&ArcArray<u8, Ix3>> {
        match self {
            Tile::Image(_, image) => Some(image),
            Tile::Map(map) => map.over.as_ref(),
        }
    }
}

impl Show for HeatGrid {
    fn content(&self) -> Content {
        match self.figure() {
            Ok(figure) => figure.content(),
            Err(error) => Content::text(error.to_string()),
        }
    }
}

impl HeatGrid {
    /// An empty grid with `columns` tiles in a row.
    pub fn new(columns: usize) -> HeatGrid {
        let (tiles, scale) = (Vec::new(), ColorScale::Heat);
        HeatGrid { columns, tiles, scale, range: None, label: String::new(), smooth: true }
    }

    /// An image `u8 [height, width, 1 or 3]` as it is.
    pub fn image(
        mut self,
        title: impl Into<String>,
        image: impl Into<ArcArray<u8, Ix3>>,
    ) -> HeatGrid {
        self.tiles.push(Tile::Image(title.into(), image.into()));
        self
    }

    /// One more map.
    pub fn map(mut self, map: HeatMap) -> HeatGrid {
        self.tiles.push(Tile::Map(map));
        self
    }

    /// The color scale; the default is [`ColorScale::Heat`].
    pub fn scale(mut self, scale: ColorScale) -> HeatGrid {
        self.scale = scale;
        self
    }

    /// The values at both ends of the color scale. The default is the smallest and largest value of
    /// all maps; for [`ColorScale::Signed`] the range is symmetric around zero.
    pub fn range(mut self, low: f64, high: f64) -> HeatGrid {
        self.range = Some((low, high));
        self
    }

    /// What the numbers are, written beside the legend.
    pub fn label(mut self, label: impl Into<String>) -> HeatGrid {
        self.label = label.into();
        self
    }

    /// Draws every value as a square instead of interpolating between values.
    pub fn squares(mut self) -> HeatGrid {
        self.smooth = false;
        self
    }

    /// The figure.
    ///
    /// # Errors
    ///
    /// If there is nothing to draw, a map has no values or one that is no number, an image is
    /// neither gray nor color, or the range has no width.
    pub fn figure(&self) -> Result<Figure> {
        const OP: &str = "HeatGrid::figure";
        let refuse = |expected: &str, got: String| Err(Error::invalid(OP, expected, got, ""));
        if self.tiles.is_empty() || self.columns == 0 {
            let got = format!("{} in {} columns", self.tiles.len(), self.columns);
            return refuse("at least one image or map, and one column", got);
        }
        for tile in &self.tiles {
            if let Tile::Map(HeatMap { title, values, .. }) = tile
                && (values.is_empty() || values.iter().any(|value| !value.is_finite()))
            {
                return refuse("maps of numbers", format!("{title:?}"));
            }
            tile.image().map_or(Ok(()), |image| check_image(OP, image))?;
        }
        let (low, high) = self.range.unwrap_or_else(|| self.value_range());
        if !(high > low && (high - low).is_finite()) {
            return refuse("a range that goes upwards", format!("{low} to {high}"));
        }
        // An image under several maps is in the figure once.
        let mut images: Vec<&ArcArray<u8, Ix3>> = Vec::new();
        for image in self.tiles.iter().filter_map(Tile::image) {
            if !images.contains(&image) {
                images.push(image);
            }
        }
        let drawn = self.tiles.iter().map(|tile| {
            let index = |image| images.iter().position(|&known| known == image);
            self.encode(tile, tile.image().and_then(index), low, high)
        });
        let drawn: Vec<EncodedTile> = drawn.collect();
        let has_maps = self.tiles.iter().any(|tile| matches!(tile, Tile::Map(_)));
        let panel = HeatPanel {
            columns: self.columns.min(self.tiles.len()),
            images: images.into_iter().map(image_url).collect(),
            tiles: drawn,
            legend: has_maps.then(|| Legend {
                url: self.legend_url(),
                low,
                high,
                label: self.label.clone(),
            }),
        };
        Figure::grid(vec![Panel::new(panel)], 1)
    }

    /// The smallest and largest value of all maps.
    fn value_range(&self) -> (f64, f64) {
        let maps = self.tiles.iter().filter_map(|tile| match tile {
            Tile::Map(map) => Some(&map.values),
            Tile::Image(..) => None,
        });
        let (low, high) = maps
            .flat_map(|values| values.iter().map(|&value| f64::from(value)))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let (low, high) = match self.scale {
            ColorScale::Signed => (-low.abs().max(high.abs()), low.abs().max(high.abs())),
            _ => (low, high),
        };
        if high > low { (low, high) } else { (low, low + 1.0) }
    }

    /// A tile whose image, if it has one, has this index in the list.
    fn encode(&self, tile: &Tile, image: Option<usize>, low: f64, high: f64) -> EncodedTile {
        match tile {
            Tile::Image(title, pixels) => EncodedTile {
                title: title.clone(),
                shape: (pixels.dim().0, pixels.dim().1),
                image,
                map: None,
            },
            Tile::Map(map) => {
                let (height, width) = map.values.dim();
                let shape =
                    map.over.as_ref().map_or((height, width), |over| (over.dim().0, over.dim().1));
                let values = match self.smooth {
                    true => {
                        // As fine as what it lies over, or finer where that is small; each side
                        // only as fine as can be drawn.
                        let most = shape.0.max(shape.1) as f64;
                        let grown = (most.max(MAX_MAP_SIDE as f64 / 2.0) / most).min(8.0);
                        let side =
                            |n: usize| ((n as f64 * grown).round() as usize).clamp(1, MAX_MAP_SIDE);
                        resize_bilinear(&map.values, side(shape.0), side(shape.1))
                    }
                    false => map.values.clone(),
                };
                let mut bytes = Vec::with_capacity(values.len() * 4);
                for &value in &values {
                    let part = ((f64::from(value) - low) / (high - low)).clamp(0.0, 1.0);
                    bytes.extend(self.scale.rgb(part));
                    if map.over.is_some() {
                        let strength = match self.scale {
                            ColorScale::Signed => 2.0 * (part - 0.5).abs(),
                            _ => part,
                        };
                        bytes.push((255.0 * MAX_OPACITY * strength.powf(0.7)) as u8);
                    }
                }
                let channels = if map.over.is_some() { 4 } else { 3 };
                let (rows, columns) = values.dim();
                EncodedTile {
                    title: map.title.clone(),
                    shape,
                    image,
                    map: Some((png_url(columns, rows, channels, &bytes), self.smooth)),
                }
            }
        }
    }

    fn legend_url(&self) -> String {
        let colors = (0..128).flat_map(|i| self.scale.rgb(f64::from(i) / 127.0));
        png_url(128, 1, 3, &colors.collect::<Vec<u8>>())
    }
}

/// Bilinear interpolation, as in PyTorch's `interpolate` with `align_corners=False`.
fn resize_bilinear(values: &Array2<f32>, height: usize, width: usize) -> Array2<f32> {
    let (rows, columns) = values.dim();
    let source = |to: usize, size: usize, from: usize| {
        let at =
            ((to as f32 + 0.5) * from as f32 / size as f32 - 0.5).clamp(0.0, from as f32 - 1.0);
        let first = (at as usize).min(from - 1);
        (first, (first + 1).min(from - 1), at - first as f32)
    };
    Array2::from_shape_fn((height, width), |(y, x)| {
        let (top, bottom, down) = source(y, height, rows);
        let (left, right, across) = source(x, width, columns);
        let row = |row: usize| values[[row, left]] * (1.0 - across) + values[[row, right]] * across;
        row(top) * (1.0 - down) + row(bottom) * down
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Theme;
    use crate::plot::figure::assert_tidy;
    use ndarray::{Array3, array};

    fn image(side: usize) -> ArcArray<u8, Ix3> {
        Array3::from_shape_fn((side, side, 3), |(y, x, c)| (x * 3 + y * 2 + c * 40) as u8)
            .into_shared()
    }

    fn maps(side: usize, count: usize) -> HeatGrid {
        let values = Array2::from_shape_fn((14, 14), |(y, x)| (y as f32 - x as f32) / 13.0);
        let grid = HeatGrid::new(6).image("an image with a long name", image(side));
        (0..count).fold(grid, |grid, i| {
            let title = format!("class number {i} 0.{i:02}");
            grid.map(HeatMap::new(title, values.clone()).over(image(side)))
        })
    }

    #[test]
    fn many_maps_over_a_photo_are_tidy_and_small() {
        for side in [32, 224] {
            let figure = maps(side, 10).label("how much it matters").figure().unwrap();
            assert_tidy(&figure.clone().title("maps"));
            let size = figure.to_svg(&Theme::light()).len();
            assert!(size < 300_000, "{size} bytes at {side} pixels");
        }
        assert_tidy(&maps(32, 0).figure().unwrap());
        assert_tidy(&maps(32, 1).scale(ColorScale::Signed).squares().figure().unwrap());
    }

    #[test]
    fn the_scale_is_that_of_all_maps_and_signed_ones_have_zero_in_the_middle() {
        let grid = HeatGrid::new(2)
            .map(HeatMap::new("a", array![[0.0, 1.0]]))
            .map(HeatMap::new("b", array![[-3.0, 2.0]]));
        assert_eq!(grid.value_range(), (-3.0, 2.0));
        assert_eq!(grid.scale(ColorScale::Signed).value_range(), (-3.0, 3.0));
        let flat = HeatGrid::new(1).map(HeatMap::new("flat", array![[2.0]]));
        assert!(flat.figure().is_ok());
    }

    #[test]
    fn stretching_is_pytorch_s() {
        // torch.nn.functional.interpolate(torch.tensor([[[[0., 1.]]]]), (1, 4), mode="bilinear")
        let grown = resize_bilinear(&array![[0.0, 1.0]], 1, 4);
        assert_eq!(grown, array![[0.0, 0.25, 0.75, 1.0]]);
        assert_eq!(resize_bilinear(&array![[0.5]], 2, 2), array![[0.5, 0.5], [0.5, 0.5]]);
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let refused = |grid: HeatGrid| grid.figure().unwrap_err().to_string();
        assert!(refused(HeatGrid::new(2)).contains("at least one image"));
        assert!(
            refused(HeatGrid::new(2).map(HeatMap::new("n", array![[f32::NAN]]))).contains("\"n\"")
        );
        let map = HeatMap::new("m", array![[1.0]]);
        assert!(refused(HeatGrid::new(1).map(map).range(1.0, 1.0)).contains("upwards"));
        let odd = Array3::zeros((2, 2, 2));
        assert!(refused(HeatGrid::new(1).image("odd", odd)).contains("[2, 2, 2]"));
    }
}
