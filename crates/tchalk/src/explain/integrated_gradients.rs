//! Integrated gradients: how much each pixel contributes to a logit, compared with a black image.

use super::attribution::Attribution;
use super::input::{AsInput, batch_of_one, chunk_size, class_count, target_class};
use super::pixels::{to_f64_vec, to_image};
use crate::error::{Error, Result};
use crate::explore::to_array;
use crate::model::Model;
use crate::runtime::progress::Progress;
use crate::runtime::{interrupt, memory};
use tch::{Kind, Tensor, no_grad};

/// The path is first divided into this number of equal segments.
const SEGMENTS: usize = 64;
/// At most this number of gradients is computed.
const MAX_GRADIENTS: usize = 832;
/// The tolerated error of the sum of all contributions, as a fraction of the difference of the logits.
const TOLERANCE: f64 = 0.01;

/// How much each pixel contributes to the logit of a class (the output before the softmax), compared with a
/// black image: the mean gradient on the straight path from the black image to the image, times the pixel,
/// summed over the channels. The contributions sum to the difference of the two logits (completeness).
/// Sundararajan et al., *Axiomatic Attribution for Deep Networks* (2017).
///
/// The path is divided into 64 segments, with the gradient at the midpoint of each. If the sum is not
/// within 1 % of the difference, the logits at the ends of each segment tell its error. The segments with
/// the largest errors are divided into three, until the sum is close enough.
///
/// `class` is a number, or `None` for the class with the highest output.
///
/// # Errors
///
/// If the image does not fit, the network is not a classifier, there is no class of that number, or the
/// reader interrupts.
pub fn integrated_gradients(
    model: &Model,
    image: &impl AsInput,
    class: impl Into<Option<usize>>,
) -> Result<Attribution> {
    const OP: &str = "explain::integrated_gradients";
    let _kept = memory::keep_freed_memory();
    let x = batch_of_one(OP, model, image)?;
    let classes = class_count(OP, model)?;
    let both = Tensor::cat(&[&x, &x.zeros_like()], 0);
    let logits = no_grad(|| model.inner().program.inference().logits(&both));
    let class = target_class(OP, classes, class.into(), &logits)?;
    let logit = |row: i64| logits.get(row).get(class as i64).double_value(&[]);
    let (of_image, of_black) = (logit(0), logit(1));
    let mut path = PathIntegral::new(OP, model, &x, class);
    let error = path.integrate(of_black, of_image)?;
    let map = (&path.mean * &x).get(0).sum_dim_intlist(0i64, false, Kind::Float);
    Ok(Attribution {
        title: "integrated gradients".into(),
        label: "contribution to the logit".into(),
        image: to_image(&x.get(0)),
        map: to_array(&map),
        class,
        class_name: format!("class {class}"),
        signed: true,
        outputs: (of_image, of_black),
        note: completeness_note(error, of_image - of_black, path.gradient_count),
    })
}

/// A note if the contributions do not sum to the difference of the logits.
fn completeness_note(error: f64, difference: f64, gradients: usize) -> String {
    if error.abs() <= TOLERANCE * difference.abs() {
        return String::new();
    }
    let percent = 100.0 * error.abs() / difference.abs();
    match percent.is_finite() {
        true => format!(
            "after {gradients} gradients the sum of the contributions is {percent:.1} % off"
        ),
        false => format!("after {gradients} gradients the contributions do not sum to zero"),
    }
}

/// A point on the path, from 0 (black) to 1 (the image), and the logit there.
type PathPoint = (f64, f64);

/// A segment of the path.
#[derive(Debug, Clone, Copy)]
struct Segment {
    from: PathPoint,
    to: PathPoint,
    /// The change of the logit along the segment, as the gradient at its midpoint predicts it.
    contribution: f64,
}

impl Segment {
    fn width(&self) -> f64 {
        self.to.0 - self.from.0
    }

    /// The predicted change minus the true change of the logit.
    fn error(&self) -> f64 {
        self.contribution - (self.to.1 - self.from.1)
    }
}

/// The mean gradient on the path from the black image to the image.
struct PathIntegral<'a> {
    op: &'a str,
    model: &'a Model,
    x: &'a Tensor,
    class: usize,
    mean: Tensor,
    /// How many gradients have been computed.
    gradient_count: usize,
    progress: Progress,
}

impl<'a> PathIntegral<'a> {
    fn new(op: &'a str, model: &'a Model, x: &'a Tensor, class: usize) -> PathIntegral<'a> {
        let progress = Progress::of("integrated gradients", "gradients", SEGMENTS);
        PathIntegral { op, model, x, class, mean: x.zeros_like(), gradient_count: 0, progress }
    }

    /// Computes the mean gradient, between the logits of the black image and of the image. The result is
    /// the error of the sum of all contributions.
    fn integrate(&mut self, black: f64, image: f64) -> Result<f64> {
        let (difference, width) = (image - black, 1.0 / SEGMENTS as f64);
        let tolerance = TOLERANCE * difference.abs();
        let midpoints: Vec<(f64, f64)> =
            (0..SEGMENTS).map(|i| ((i as f64 + 0.5) * width, width)).collect();
        let slopes = self.gradients(&midpoints)?;
        let mut error = width * slopes.iter().sum::<f64>() - difference;
        if error.abs() <= tolerance {
            return Ok(error);
        }
        let inner: Vec<f64> = (1..SEGMENTS).map(|i| i as f64 * width).collect();
        let logits = self.logits(&inner)?;
        let inner = inner.into_iter().zip(logits);
        let ends: Vec<PathPoint> =
            [(0.0, black)].into_iter().chain(inner).chain([(1.0, image)]).collect();
        let segment = |(ends, slope): (&[PathPoint], f64)| Segment {
            from: ends[0],
            to: ends[1],
            contribution: width * slope,
        };
        let mut segments: Vec<Segment> = ends.windows(2).zip(slopes).map(segment).collect();
        while error.abs() > tolerance && self.gradient_count + 3 <= MAX_GRADIENTS {
            let limit = (MAX_GRADIENTS - self.gradient_count) / 3;
            let worst = split_off_worst(&mut segments, error, tolerance / 2.0, limit);
            segments.extend(self.subdivide(&worst)?);
            error = segments.iter().map(|one| one.contribution).sum::<f64>() - difference;
        }
        Ok(error)
    }

    /// Divides each segment into three, and corrects the mean gradient.
    fn subdivide(&mut self, segments: &[Segment]) -> Result<Vec<Segment>> {
        self.progress.set_total(Some((self.gradient_count + 3 * segments.len()) as u64));
        let at = |segment: &Segment, sixths: f64| segment.from.0 + segment.width() * sixths / 6.0;
        let inner: Vec<f64> =
            segments.iter().flat_map(|segment| [at(segment, 2.0), at(segment, 4.0)]).collect();
        let logits = self.logits(&inner)?;
        // So far the gradient at the midpoint has counted for the whole segment, and now for a third.
        let midpoints = segments.iter().flat_map(|segment| {
            let third = segment.width() / 3.0;
            [(at(segment, 1.0), third), (at(segment, 3.0), -2.0 * third), (at(segment, 5.0), third)]
        });
        let slopes = self.gradients(&midpoints.collect::<Vec<_>>())?;
        let thirds = segments.iter().enumerate().flat_map(|(i, segment)| {
            let [first, second] = [2 * i, 2 * i + 1].map(|end| (inner[end], logits[end]));
            let ends = [(segment.from, first), (first, second), (second, segment.to)];
            let third = segment.width() / 3.0;
            let slopes = &slopes[3 * i..3 * i + 3];
            let thirds = ends.into_iter().zip(slopes);
            thirds.map(move |((from, to), slope)| Segment { from, to, contribution: third * slope })
        });
        Ok(thirds.collect())
    }

    /// Adds the gradients at some points of the path to the mean, each with its weight `(point, weight)`.
    /// The result is the slope of the logit along the path at these points.
    fn gradients(&mut self, points: &[(f64, f64)]) -> Result<Vec<f64>> {
        let mut slopes = Vec::with_capacity(points.len());
        for part in points.chunks(self.chunk_size()) {
            interrupt::check(self.op)?;
            let (at, weights): (Vec<f64>, Vec<f64>) = part.iter().copied().unzip();
            let x = self.interpolate(&at).set_requires_grad(true);
            let total = self.logit(&x).sum(Kind::Float);
            let gradient = Tensor::run_backward(&[total], &[&x], false, false).remove(0);
            no_grad(|| {
                let flat = gradient.flatten(1, -1);
                slopes.extend(to_f64_vec(&flat.mv(&self.x.flatten(0, -1)))?);
                let weights = Tensor::from_slice(&weights).to_kind(Kind::Float);
                let sum = flat.tr().mv(&weights.to_device(flat.device()));
                self.mean += sum.view_as(&self.mean);
                Ok::<(), Error>(())
            })?;
            self.gradient_count += part.len();
            self.progress.done(self.gradient_count);
        }
        Ok(slopes)
    }

    fn logits(&self, points: &[f64]) -> Result<Vec<f64>> {
        let mut logits = Vec::with_capacity(points.len());
        for part in points.chunks(self.chunk_size()) {
            interrupt::check(self.op)?;
            logits.extend(to_f64_vec(&no_grad(|| self.logit(&self.interpolate(part))))?);
        }
        Ok(logits)
    }

    /// The images at some points of the path.
    fn interpolate(&self, points: &[f64]) -> Tensor {
        let points = Tensor::from_slice(points).to_kind(Kind::Float).to_device(self.x.device());
        (self.x * points.view([-1, 1, 1, 1])).detach()
    }

    fn logit(&self, x: &Tensor) -> Tensor {
        self.model.inner().program.inference().logits(x).select(1, self.class as i64)
    }

    fn chunk_size(&self) -> usize {
        chunk_size(self.model.device(), &self.model.input_shape()) as usize
    }
}

/// Takes out the segments with the largest errors, at least one and at most `limit`, until the error of the
/// others is at most `tolerance`. `error` is the error of all segments.
fn split_off_worst(
    segments: &mut Vec<Segment>,
    error: f64,
    tolerance: f64,
    limit: usize,
) -> Vec<Segment> {
    segments.sort_by(|a, b| a.error().abs().total_cmp(&b.error().abs()));
    let (mut rest, mut kept) = (error, segments.len());
    let fewest = segments.len().saturating_sub(limit);
    while kept > fewest && (kept == segments.len() || rest.abs() > tolerance) {
        kept -= 1;
        rest -= segments[kept].error();
    }
    segments.split_off(kept)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{image, model};
    use super::*;

    #[test]
    fn contributions_sum_to_the_difference_of_the_logits() {
        let found = integrated_gradients(&model(), &image(), 3).unwrap();
        let (logit, black) = found.outputs();
        let sum = f64::from(found.map().sum());
        let difference = logit - black;
        assert!((sum - difference).abs() < 0.01 * difference.abs(), "{sum} {difference}");
    }

    #[test]
    fn thirds_of_segments_are_finer_segments_of_the_same_path() {
        let (model, x) = (model(), image().unsqueeze(0));
        let mut coarse = PathIntegral::new("test", &model, &x, 3);
        let ends = coarse.logits(&[0.0, 0.5, 1.0]).unwrap();
        let slopes = coarse.gradients(&[(0.25, 0.5), (0.75, 0.5)]).unwrap();
        let half = |i: usize| {
            let end = |i: usize| (0.5 * i as f64, ends[i]);
            Segment { from: end(i), to: end(i + 1), contribution: 0.5 * slopes[i] }
        };
        let thirds = coarse.subdivide(&[half(0), half(1)]).unwrap();
        let mut fine = PathIntegral::new("test", &model, &x, 3);
        let midpoints: Vec<_> = (0..6).map(|i| ((f64::from(i) + 0.5) / 6.0, 1.0 / 6.0)).collect();
        let slopes = fine.gradients(&midpoints).unwrap();
        assert!(coarse.mean.allclose(&fine.mean, 1e-4, 1e-6, false));
        for (third, slope) in thirds.iter().zip(slopes) {
            assert!((third.contribution - slope / 6.0).abs() < 1e-5, "{third:?} {slope}");
            assert!((third.width() - 1.0 / 6.0).abs() < 1e-12, "{third:?}");
        }
        let ends: f64 = thirds.iter().map(|third| third.to.1 - third.from.1).sum();
        assert!((ends - (coarse.logits(&[1.0]).unwrap()[0] - thirds[0].from.1)).abs() < 1e-5);
    }

    #[test]
    fn a_note_says_if_the_contributions_do_not_sum_to_the_difference() {
        assert_eq!(completeness_note(0.009, -1.0, 64), "");
        assert!(completeness_note(0.02, 1.0, 576).contains("2.0 % off"));
        assert!(completeness_note(0.02, 0.0, 576).contains("do not sum to zero"));
        let mut found = integrated_gradients(&model(), &image(), 3).unwrap();
        assert!(found.note().is_empty(), "{found:?}");
        found.note = completeness_note(0.02, 1.0, 576);
        assert!(format!("{found:?}").ends_with("2.0 % off"), "{found:?}");
        assert!(found.figure().unwrap().overlaps().is_empty());
    }
}
