//! A map of how much each pixel of an image contributes to an answer.

use crate::display::{Content, Show};
use crate::error::Result;
use crate::plot::{ColorScale, Figure, HeatGrid, HeatMap, MAX_MAP_SIDE, figure_content};
use ndarray::{ArcArray, Array2, Ix3, s};

/// A map of how much each pixel of an image contributes to an answer.
#[derive(Clone)]
pub struct Attribution {
    pub(super) title: String,
    pub(super) label: String,
    pub(super) image: ArcArray<u8, Ix3>,
    pub(super) map: Array2<f32>,
    pub(super) class: usize,
    /// `class 3`, or its name.
    pub(super) class_name: String,
    pub(super) signed: bool,
    /// The output for the class: of the image, and of the image that it is compared with.
    pub(super) outputs: (f64, f64),
    /// A limitation of the map; empty if there is none.
    pub(super) note: String,
}

/// A map that is small enough to be drawn, averaged over squares, and the side of the squares.
fn average_pooled(map: &Array2<f32>) -> (Array2<f32>, usize) {
    let (height, width) = map.dim();
    let side = height.max(width).div_ceil(MAX_MAP_SIDE).max(1);
    let means = Array2::from_shape_fn((height.div_ceil(side), width.div_ceil(side)), |(y, x)| {
        let (bottom, right) = ((y * side + side).min(height), (x * side + side).min(width));
        map.slice(s![y * side..bottom, x * side..right]).mean().unwrap_or(0.0)
    });
    (means, side)
}

/// The 99th percentile of the absolute values.
fn percentile_99(map: &Array2<f32>) -> f64 {
    let mut sizes: Vec<f32> = map.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    sizes.get(sizes.len() * 99 / 100).copied().map_or(0.0, f64::from)
}

impl Attribution {
    /// The names of all classes, for the title.
    pub fn class_names(mut self, names: &[impl AsRef<str>]) -> Attribution {
        if let Some(given) = names.get(self.class) {
            self.class_name = given.as_ref().to_owned();
        }
        self
    }

    /// The map `[height, width]`.
    pub fn map(&self) -> Array2<f32> {
        self.map.clone()
    }

    /// The class that is explained.
    pub fn class(&self) -> usize {
        self.class
    }

    /// The output for the class: of the image, and of the image that it is compared with (a black image
    /// for [`integrated_gradients`](super::integrated_gradients), else the image itself). A logit, or a
    /// probability for [`occlusion`](super::occlusion()).
    pub fn outputs(&self) -> (f64, f64) {
        self.outputs
    }

    /// A limitation of the map; empty if there is none. For
    /// [`integrated_gradients`](super::integrated_gradients), that the contributions do not sum to the
    /// difference of the scores, if so.
    pub fn note(&self) -> String {
        self.note.clone()
    }

    /// The image, the map, and the map over the image.
    ///
    /// # Errors
    ///
    /// None for the results of this module's functions.
    pub fn figure(&self) -> Result<Figure> {
        let scale = if self.signed { ColorScale::Signed } else { ColorScale::Heat };
        let (map, side) = average_pooled(&self.map);
        let mut label = self.label.clone();
        if side > 1 {
            label += &format!(", mean of {side} × {side} pixels; the highest 1 % are clipped");
        }
        let over = HeatMap::new("over the image", map.clone()).over(self.image.clone());
        let mut grid = HeatGrid::new(3)
            .scale(scale)
            .image("the image", self.image.clone())
            .map(HeatMap::new(&self.title, map.clone()))
            .map(over)
            .label(label);
        if map.iter().all(|&value| value == 0.0) {
            grid = grid.range(-1.0, 1.0);
        } else if let Some(high) = Some(percentile_99(&map)).filter(|&high| side > 1 && high > 0.0)
        {
            grid = grid.range(if self.signed { -high } else { 0.0 }, high);
        }
        let figure = grid.figure()?;
        let note = if self.note.is_empty() { String::new() } else { format!("; {}", self.note) };
        Ok(figure.title(format!("{} for {}{note}", self.title, self.class_name)))
    }
}

impl std::fmt::Debug for Attribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (height, width) = self.map.dim();
        write!(f, "{} for {}: a map of {height} × {width}", self.title, self.class_name)?;
        if self.note.is_empty() { Ok(()) } else { write!(f, "; {}", self.note) }
    }
}

impl Show for Attribution {
    fn content(&self) -> Content {
        figure_content(format!("{self:?}"), self.figure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_maps_are_averaged() {
        let map =
            Array2::from_shape_fn((161, 100), |(y, x)| if (y, x) == (160, 99) { 9.0 } else { 1.0 });
        let (means, side) = average_pooled(&map);
        assert_eq!((means.dim(), side), ((54, 34), 3));
        assert_eq!((means[[0, 0]], means[[53, 33]]), (1.0, 5.0));
        assert_eq!(percentile_99(&means), 1.0);
        assert_eq!(average_pooled(&means).1, 1);
    }
}
