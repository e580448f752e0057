//! Which pixels change an answer: by gradients.

use super::{AsInput, batch_of_one, chunk, class_of, classes, to_array, to_picture};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{ColourScale, Figure, HeatGrid, HeatMap};
use crate::runtime::interrupt;
use crate::runtime::progress::Progress;
use ndarray::{ArcArray, Array2, Ix3, s};
use tch::{Kind, Tensor, no_grad};

/// How many points of the way integrated gradients look at; the larger numbers where the smaller do
/// not do.
const POINTS: [i64; 3] = [64, 192, 576];
/// How close the sum of all contributions comes to what it stands for, if points can do it.
const CLOSE: f64 = 0.01;

/// Maps of more pixels a side are drawn coarser.
const FINEST: usize = 80;

/// How much each place of a picture has to do with an answer.
#[derive(Clone)]
pub struct Attribution {
    pub(super) title: String,
    pub(super) label: String,
    pub(super) picture: ArcArray<u8, Ix3>,
    pub(super) map: Array2<f32>,
    pub(super) class: usize,
    /// What the class is called: `class 3`.
    pub(super) name: String,
    pub(super) signed: bool,
    /// The score of the class for the picture, and for what it is compared with.
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
/// If the picture does not fit, the network gives no classes, or has none of that number.
pub fn saliency(
    model: &Model,
    picture: &impl AsInput,
    class: impl Into<Option<usize>>,
) -> Result<Attribution> {
    const OP: &str = "explain::saliency";
    let x = batch_of_one(OP, model, picture)?.set_requires_grad(true);
    let count = classes(OP, model)?;
    let access = model.inner().program.using();
    let scores = access.scores(&x);
    let class = class_of(OP, count, class.into(), &scores)?;
    let score = scores.get(0).get(class as i64);
    let gradient = Tensor::run_backward(&[&score], &[&x], false, false).remove(0);
    let map = gradient.get(0).abs().amax(0i64, false);
    let score = score.double_value(&[]);
    Ok(Attribution {
        title: "saliency".into(),
        label: "how much the pixel would change the score".into(),
        picture: to_picture(&x.get(0)),
        map: to_array(&map),
        class,
        name: format!("class {class}"),
        signed: false,
        scores: (score, score),
        note: String::new(),
    })
}

/// How much each pixel contributes to the score of a class (before the softmax), compared with a
/// black picture: the gradients on the way from black to the picture, averaged, times the pixel, added
/// up over the channels. All contributions together are the difference of the two scores.
/// Sundararajan et al., *Axiomatic Attribution for Deep Networks* (2017).
///
/// `class` is a number or `None` for the most probable one.
///
/// # Errors
///
/// If the picture does not fit, the network gives no classes, has none of that number, or the reader
/// pressed stop.
pub fn integrated_gradients(
    model: &Model,
    picture: &impl AsInput,
    class: impl Into<Option<usize>>,
) -> Result<Attribution> {
    const OP: &str = "explain::integrated_gradients";
    let x = batch_of_one(OP, model, picture)?;
    let count = classes(OP, model)?;
    let program = &model.inner().program;
    let black = x.zeros_like();
    let ends = no_grad(|| program.using().scores(&Tensor::cat(&[&x, &black], 0)));
    let class = class_of(OP, count, class.into(), &ends)?;
    let score = |row: i64| ends.get(row).get(class as i64).double_value(&[]);
    let difference = score(0) - score(1);
    let (mut map, mut note) = (Tensor::new(), String::new());
    // More points where the sum of all contributions is not yet the difference of the scores.
    for points in POINTS {
        let gradient = mean_gradient(OP, model, &x, class, points)?;
        map = (gradient * &x).get(0).sum_dim_intlist(0i64, false, Kind::Float);
        let missing = map.sum(Kind::Double).double_value(&[]) - difference;
        note = shortfall(missing, difference, points);
        if note.is_empty() {
            break;
        }
    }
    Ok(Attribution {
        title: "integrated gradients".into(),
        label: "contribution to the score".into(),
        picture: to_picture(&x.get(0)),
        map: to_array(&map),
        class,
        name: format!("class {class}"),
        signed: true,
        scores: (score(0), score(1)),
        note,
    })
}

/// What is said where the contributions do not add up to the difference of the scores to 1 %.
fn shortfall(missing: f64, difference: f64, points: i64) -> String {
    if missing.abs() <= CLOSE * difference.abs() {
        return String::new();
    }
    let off = 100.0 * missing.abs() / difference.abs();
    match off.is_finite() {
        true => {
            format!("after {points} points the contributions are still {off:.1} % off their sum")
        }
        false => format!("after {points} points the contributions do not add up to nothing"),
    }
}

/// The mean gradient of a class's score on the way from black to the picture `x`.
fn mean_gradient(op: &str, model: &Model, x: &Tensor, class: usize, points: i64) -> Result<Tensor> {
    let program = &model.inner().program;
    let size = chunk(model.device(), &model.input_shape());
    let mut progress = Progress::of("integrated gradients", "points", points as usize);
    let mut sum = x.zeros_like();
    for first in (0..points).step_by(size as usize) {
        if interrupt::requested() {
            return Err(Error::Interrupted { op: op.into() });
        }
        let n = size.min(points - first);
        // The middle of each part of the way.
        let part = Tensor::arange_start(first, first + n, (Kind::Float, x.device()));
        let part = ((part + 0.5) / points as f64).view([n, 1, 1, 1]);
        let places = (x * part).detach().set_requires_grad(true);
        let scores = program.using().scores(&places).select(1, class as i64);
        let total = scores.sum(Kind::Float);
        let gradient = Tensor::run_backward(&[total], &[&places], false, false).remove(0);
        sum += gradient.sum_dim_intlist(0i64, true, Kind::Float);
        progress.done((first + n) as usize);
    }
    Ok(sum / points as f64)
}

/// A map of many pixels, its neighbours averaged until it can be drawn; and over squares of which
/// side.
fn pooled(map: &Array2<f32>) -> (Array2<f32>, usize) {
    let (height, width) = map.dim();
    let side = height.max(width).div_ceil(FINEST).max(1);
    let means = Array2::from_shape_fn((height.div_ceil(side), width.div_ceil(side)), |(y, x)| {
        let (bottom, right) = ((y * side + side).min(height), (x * side + side).min(width));
        map.slice(s![y * side..bottom, x * side..right]).mean().unwrap_or(0.0)
    });
    (means, side)
}

/// A size that all but the strongest hundredth of the values stay below.
fn strong(map: &Array2<f32>) -> f64 {
    let mut sizes: Vec<f32> = map.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    sizes.get(sizes.len() * 99 / 100).copied().map_or(0.0, f64::from)
}

impl Attribution {
    /// The names of all classes, for the title.
    pub fn names(mut self, names: &[impl AsRef<str>]) -> Attribution {
        if let Some(given) = names.get(self.class) {
            self.name = given.as_ref().to_owned();
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

    /// The score of the class for the picture, and for what it is compared with (a black picture for
    /// [`integrated_gradients`], else the picture itself).
    pub fn scores(&self) -> (f64, f64) {
        self.scores
    }

    /// What the reader should know about the map; empty if nothing. For [`integrated_gradients`],
    /// that the contributions do not add up to the difference of the scores, if so.
    pub fn note(&self) -> String {
        self.note.clone()
    }

    /// The picture, the map, and the map over the picture.
    ///
    /// # Errors
    ///
    /// None for what the functions of this module made.
    pub fn figure(&self) -> Result<Figure> {
        let scale = if self.signed { ColourScale::Signed } else { ColourScale::Heat };
        let (map, side) = pooled(&self.map);
        let mut label = self.label.clone();
        if side > 1 {
            label += &format!(", mean of {side} × {side} pixels; the strongest 1 % alike");
        }
        let over = HeatMap::new("over the picture", map.clone()).over(self.picture.clone());
        let mut grid = HeatGrid::new(3)
            .scale(scale)
            .picture("the picture", self.picture.clone())
            .map(HeatMap::new(&self.title, map.clone()))
            .map(over)
            .label(label);
        if map.iter().all(|&value| value == 0.0) {
            grid = grid.range(-1.0, 1.0);
        } else if let Some(most) = Some(strong(&map)).filter(|&most| side > 1 && most > 0.0) {
            grid = grid.range(if self.signed { -most } else { 0.0 }, most);
        }
        let figure = grid.figure()?;
        let note = if self.note.is_empty() { String::new() } else { format!("; {}", self.note) };
        Ok(figure.title(format!("{} for {}{note}", self.title, self.name)))
    }
}

impl std::fmt::Debug for Attribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (height, width) = self.map.dim();
        write!(f, "{} for {}: a map of {height} × {width}", self.title, self.name)?;
        if self.note.is_empty() { Ok(()) } else { write!(f, "; {}", self.note) }
    }
}

impl Show for Attribution {
    fn content(&self) -> Content {
        match self.figure() {
            Ok(figure) => {
                Content::html(format!("{self:?}"), figure.content().as_html().unwrap_or_default())
            }
            Err(error) => Content::text(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{model, picture};
    use super::*;

    #[test]
    fn contributions_add_up_to_the_difference_of_the_scores() {
        let found = integrated_gradients(&model(), &picture(), 3).unwrap();
        let (score, black) = found.scores();
        let sum = f64::from(found.map().sum());
        assert!(
            (sum - (score - black)).abs() < 0.01 * (score - black).abs(),
            "{sum} {score} {black}"
        );
    }

    #[test]
    fn large_maps_are_averaged_to_be_drawn() {
        let map =
            Array2::from_shape_fn((161, 100), |(y, x)| if (y, x) == (160, 99) { 9.0 } else { 1.0 });
        let (means, side) = pooled(&map);
        assert_eq!((means.dim(), side), ((54, 34), 3));
        assert_eq!((means[[0, 0]], means[[53, 33]]), (1.0, 5.0));
        assert_eq!(strong(&means), 1.0);
        assert_eq!(pooled(&means).1, 1);
    }

    #[test]
    fn contributions_that_do_not_add_up_say_so() {
        assert_eq!(shortfall(0.009, -1.0, 64), "");
        assert!(shortfall(0.02, 1.0, 576).contains("2.0 % off"));
        assert!(shortfall(0.02, 0.0, 576).contains("add up to nothing"));
        let mut found = integrated_gradients(&model(), &picture(), 3).unwrap();
        assert!(found.note().is_empty(), "{found:?}");
        found.note = shortfall(0.02, 1.0, 576);
        assert!(format!("{found:?}").ends_with("2.0 % off their sum"), "{found:?}");
        assert!(found.figure().unwrap().overlaps().is_empty());
    }

    #[test]
    fn the_gradient_is_that_of_a_small_change() {
        let (model, x) = (model(), picture());
        let found = saliency(&model, &x, 1).unwrap();
        let score = |x: &Tensor| {
            no_grad(|| model.inner().program.using().scores(&x.unsqueeze(0))).double_value(&[0, 1])
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
