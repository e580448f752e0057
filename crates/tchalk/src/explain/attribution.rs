//! How much each place of an image has to do with an answer; and by gradients, which pixels would
//! change it.

use super::{AsInput, batch_of_one, class_count, target_class, to_array, to_image};
use crate::display::{Content, Show};
use crate::error::Result;
use crate::model::Model;
use crate::plot::{ColorScale, FINEST, Figure, HeatGrid, HeatMap, drawn};
use ndarray::{ArcArray, Array2, Ix3, s};
use tch::Tensor;

/// How much each place of an image has to do with an answer.
#[derive(Clone)]
pub struct Attribution {
    pub(super) title: String,
    pub(super) label: String,
    pub(super) image: ArcArray<u8, Ix3>,
    pub(super) map: Array2<f32>,
    pub(super) class: usize,
    /// What the class is called: `class 3`.
    pub(super) class_name: String,
    pub(super) signed: bool,
    /// The score of the class for the image, and for what it is compared with.
    pub(super) scores: (f64, f64),
    /// What the reader should know about the map; empty if nothing.
    pub(super) note: String,
}

/// How strongly each pixel would change the score of a class (before the softmax): the largest
/// gradient of its channels. Simonyan et al., *Deep Inside Convolutional Networks* (2013).
///
/// `class` is a number or `None` for the most probable one.
///
/// # Errors
///
/// If the image does not fit, the network gives no classes, or has none of that number.
pub fn saliency(
    model: &Model,
    image: &impl AsInput,
    class: impl Into<Option<usize>>,
) -> Result<Attribution> {
    const OP: &str = "explain::saliency";
    let x = batch_of_one(OP, model, image)?.set_requires_grad(true);
    let count = class_count(OP, model)?;
    let access = model.inner().program.inference();
    let scores = access.scores(&x);
    let class = target_class(OP, count, class.into(), &scores)?;
    let score = scores.get(0).get(class as i64);
    let gradient = Tensor::run_backward(&[&score], &[&x], false, false).remove(0);
    let map = gradient.get(0).abs().amax(0i64, false);
    let score = score.double_value(&[]);
    Ok(Attribution {
        title: "saliency".into(),
        label: "how much the pixel would change the score".into(),
        image: to_image(&x.get(0)),
        map: to_array(&map),
        class,
        class_name: format!("class {class}"),
        signed: false,
        scores: (score, score),
        note: String::new(),
    })
}

/// A map of many pixels, its neighbors averaged until it can be drawn; and over squares of which
/// side.
fn average_pooled(map: &Array2<f32>) -> (Array2<f32>, usize) {
    let (height, width) = map.dim();
    let side = height.max(width).div_ceil(FINEST).max(1);
    let means = Array2::from_shape_fn((height.div_ceil(side), width.div_ceil(side)), |(y, x)| {
        let (bottom, right) = ((y * side + side).min(height), (x * side + side).min(width));
        map.slice(s![y * side..bottom, x * side..right]).mean().unwrap_or(0.0)
    });
    (means, side)
}

/// A size that all but the strongest hundredth of the values stay below.
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

    /// The class whose score it is about.
    pub fn class(&self) -> usize {
        self.class
    }

    /// The score of the class for the image, and for what it is compared with (a black image for
    /// [`integrated_gradients`](super::integrated_gradients), else the image itself).
    pub fn scores(&self) -> (f64, f64) {
        self.scores
    }

    /// What the reader should know about the map; empty if nothing. For [`integrated_gradients`](super::integrated_gradients),
    /// that the contributions do not add up to the difference of the scores, if so.
    pub fn note(&self) -> String {
        self.note.clone()
    }

    /// The image, the map, and the map over the image.
    ///
    /// # Errors
    ///
    /// None for what the functions of this module made.
    pub fn figure(&self) -> Result<Figure> {
        let scale = if self.signed { ColorScale::Signed } else { ColorScale::Heat };
        let (map, side) = average_pooled(&self.map);
        let mut label = self.label.clone();
        if side > 1 {
            label += &format!(", mean of {side} × {side} pixels; the strongest 1 % alike");
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
        } else if let Some(most) = Some(percentile_99(&map)).filter(|&most| side > 1 && most > 0.0)
        {
            grid = grid.range(if self.signed { -most } else { 0.0 }, most);
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
        drawn(format!("{self:?}"), self.figure())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{image, model};
    use super::*;
    use tch::no_grad;

    #[test]
    fn large_maps_are_averaged_to_be_drawn() {
        let map =
            Array2::from_shape_fn((161, 100), |(y, x)| if (y, x) == (160, 99) { 9.0 } else { 1.0 });
        let (means, side) = average_pooled(&map);
        assert_eq!((means.dim(), side), ((54, 34), 3));
        assert_eq!((means[[0, 0]], means[[53, 33]]), (1.0, 5.0));
        assert_eq!(percentile_99(&means), 1.0);
        assert_eq!(average_pooled(&means).1, 1);
    }

    #[test]
    fn the_gradient_is_that_of_a_small_change() {
        let (model, x) = (model(), image());
        let found = saliency(&model, &x, 1).unwrap();
        let score = |x: &Tensor| {
            no_grad(|| model.inner().program.inference().scores(&x.unsqueeze(0)))
                .double_value(&[0, 1])
        };
        let step = 1e-3;
        let largest = (0..3)
            .map(|channel| {
                let mut up = x.copy();
                let pixel = up.get(channel).get(5).get(6);
                let _ = pixel.shallow_clone().fill_(pixel.double_value(&[]) + step);
                up = up.shallow_clone();
                ((score(&up) - score(&x)) / step).abs()
            })
            .fold(0.0, f64::max);
        let ours = f64::from(found.map()[[5, 6]]);
        assert!((ours - largest).abs() < 0.02 * largest.max(0.01), "{ours} {largest}");
    }
}
