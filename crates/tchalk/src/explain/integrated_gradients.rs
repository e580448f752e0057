//! What each pixel contributes to an answer: gradients on the way from black to the image.

use super::{
    AsInput, Attribution, batch_of_one, chunk_size, class_count, target_class, to_array,
    to_f64_vec, to_image,
};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::runtime::progress::Progress;
use crate::runtime::{interrupt, memory};
use tch::{Kind, Tensor, no_grad};

/// The way is first looked at in so many equal parts.
const SEGMENTS: usize = 64;
/// At most so many gradients are worked out.
const MAX_GRADIENTS: usize = 832;
/// How close the sum of all contributions comes to what it stands for, if points can do it.
const TOLERANCE: f64 = 0.01;

/// How much each pixel contributes to the score of a class (before the softmax), compared with a
/// black image: the gradients on the way from black to the image, averaged, times the pixel, added
/// up over the channels. All contributions together are the difference of the two scores.
/// Sundararajan et al., *Axiomatic Attribution for Deep Networks* (2017).
///
/// The way is cut into 64 parts, with a gradient for the middle of each. Where the sum is not yet
/// within 1 % of the difference, the scores at both ends of each part say which parts are to blame:
/// those that are off most are cut into three, until the rest will do.
///
/// `class` is a number or `None` for the most probable one.
///
/// # Errors
///
/// If the image does not fit, the network gives no classes, has none of that number, or the reader
/// pressed stop.
pub fn integrated_gradients(
    model: &Model,
    image: &impl AsInput,
    class: impl Into<Option<usize>>,
) -> Result<Attribution> {
    const OP: &str = "explain::integrated_gradients";
    let _kept = memory::keep();
    let x = batch_of_one(OP, model, image)?;
    let count = class_count(OP, model)?;
    let black = x.zeros_like();
    let ends = no_grad(|| model.inner().program.inference().scores(&Tensor::cat(&[&x, &black], 0)));
    let class = target_class(OP, count, class.into(), &ends)?;
    let score = |row: i64| ends.get(row).get(class as i64).double_value(&[]);
    let difference = score(0) - score(1);
    let mut way = PathIntegral::new(OP, model, &x, class);
    let missing = way.integrate(score(1), score(0))?;
    let map = (&way.mean * &x).get(0).sum_dim_intlist(0i64, false, Kind::Float);
    Ok(Attribution {
        title: "integrated gradients".into(),
        label: "contribution to the score".into(),
        image: to_image(&x.get(0)),
        map: to_array(&map),
        class,
        class_name: format!("class {class}"),
        signed: true,
        scores: (score(0), score(1)),
        note: completeness_note(missing, difference, way.gradient_count),
    })
}

/// What is said where the contributions do not add up to the difference of the scores to 1 %.
fn completeness_note(missing: f64, difference: f64, points: usize) -> String {
    if missing.abs() <= TOLERANCE * difference.abs() {
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

/// A place on the way, from black (0) to the image (1), and the score there.
type PathPoint = (f64, f64);

/// A part of the way.
#[derive(Debug, Clone, Copy)]
struct Segment {
    from: PathPoint,
    to: PathPoint,
    /// By how much the score rises, as the gradient in the middle has it.
    contribution: f64,
}

impl Segment {
    fn width(&self) -> f64 {
        self.to.0 - self.from.0
    }

    /// How far the rise is above what it should be.
    fn error(&self) -> f64 {
        self.contribution - (self.to.1 - self.from.1)
    }
}

/// The way from black to the image.
struct PathIntegral<'a> {
    op: &'a str,
    model: &'a Model,
    x: &'a Tensor,
    class: usize,
    /// The mean gradient.
    mean: Tensor,
    /// How many gradients were worked out.
    gradient_count: usize,
    progress: Progress,
}

impl<'a> PathIntegral<'a> {
    fn new(op: &'a str, model: &'a Model, x: &'a Tensor, class: usize) -> PathIntegral<'a> {
        let progress = Progress::of("integrated gradients", "points", SEGMENTS);
        PathIntegral { op, model, x, class, mean: x.zeros_like(), gradient_count: 0, progress }
    }

    /// Finds the mean gradient between the scores of black and of the image; by how much all rises
    /// together miss the difference.
    fn integrate(&mut self, black: f64, image: f64) -> Result<f64> {
        let (difference, width) = (image - black, 1.0 / SEGMENTS as f64);
        let close = TOLERANCE * difference.abs();
        let middles: Vec<(f64, f64)> =
            (0..SEGMENTS).map(|i| ((i as f64 + 0.5) * width, width)).collect();
        let slopes = self.gradients(&middles)?;
        let mut missing = width * slopes.iter().sum::<f64>() - difference;
        if missing.abs() <= close {
            return Ok(missing);
        }
        let inside: Vec<f64> = (1..SEGMENTS).map(|i| i as f64 * width).collect();
        let scores = self.scores(&inside)?;
        let mut ends = vec![(0.0, black)];
        ends.extend(inside.into_iter().zip(scores));
        ends.push((1.0, image));
        let pairs = ends.windows(2).zip(slopes);
        let mut parts: Vec<Segment> = pairs
            .map(|(pair, slope)| Segment {
                from: pair[0],
                to: pair[1],
                contribution: width * slope,
            })
            .collect();
        while missing.abs() > close && self.gradient_count + 3 <= MAX_GRADIENTS {
            // Those that are off most, until all others together are within half of what is allowed.
            parts.sort_by(|a, b| a.error().abs().total_cmp(&b.error().abs()));
            let (mut rest, mut good) = (missing, parts.len());
            let least = parts.len().saturating_sub((MAX_GRADIENTS - self.gradient_count) / 3);
            while good > least && (good == parts.len() || rest.abs() > close / 2.0) {
                good -= 1;
                rest -= parts[good].error();
            }
            let blamed = parts.split_off(good);
            parts.extend(self.subdivide(&blamed)?);
            missing = parts.iter().map(|part| part.contribution).sum::<f64>() - difference;
        }
        Ok(missing)
    }

    /// Cuts parts into three each, and brings the mean gradient to what it is then.
    fn subdivide(&mut self, parts: &[Segment]) -> Result<Vec<Segment>> {
        self.progress.set_total(Some((self.gradient_count + 3 * parts.len()) as u64));
        let at = |part: &Segment, sixths: f64| part.from.0 + part.width() * sixths / 6.0;
        let inside: Vec<f64> =
            parts.iter().flat_map(|part| [at(part, 2.0), at(part, 4.0)]).collect();
        let scores = self.scores(&inside)?;
        // The middle one's gradient has stood for the whole part so far.
        let middles = parts.iter().flat_map(|part| {
            let third = part.width() / 3.0;
            [(at(part, 1.0), third), (at(part, 3.0), -2.0 * third), (at(part, 5.0), third)]
        });
        let slopes = self.gradients(&middles.collect::<Vec<_>>())?;
        let found = parts.iter().enumerate().flat_map(|(i, part)| {
            let [first, second] = [2 * i, 2 * i + 1].map(|end| (inside[end], scores[end]));
            let ends = [(part.from, first), (first, second), (second, part.to)];
            let third = part.width() / 3.0;
            let slopes = &slopes[3 * i..3 * i + 3];
            let new = ends.into_iter().zip(slopes);
            new.map(move |((from, to), slope)| Segment { from, to, contribution: third * slope })
        });
        Ok(found.collect())
    }

    /// The gradients of the score at some places, each of which counts in the mean with a weight; how
    /// fast the score rises along the way there.
    fn gradients(&mut self, places: &[(f64, f64)]) -> Result<Vec<f64>> {
        let mut slopes = Vec::with_capacity(places.len());
        for part in places.chunks(self.chunk()) {
            interrupt::check(self.op)?;
            let (at, weights): (Vec<f64>, Vec<f64>) = part.iter().copied().unzip();
            let x = self.interpolate(&at).set_requires_grad(true);
            let total = self.score(&x).sum(Kind::Float);
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

    fn scores(&self, places: &[f64]) -> Result<Vec<f64>> {
        let mut scores = Vec::with_capacity(places.len());
        for part in places.chunks(self.chunk()) {
            interrupt::check(self.op)?;
            scores.extend(to_f64_vec(&no_grad(|| self.score(&self.interpolate(part))))?);
        }
        Ok(scores)
    }

    /// The images at some places of the way.
    fn interpolate(&self, at: &[f64]) -> Tensor {
        let at = Tensor::from_slice(at).to_kind(Kind::Float).to_device(self.x.device());
        (self.x * at.view([-1, 1, 1, 1])).detach()
    }

    fn score(&self, x: &Tensor) -> Tensor {
        self.model.inner().program.inference().scores(x).select(1, self.class as i64)
    }

    fn chunk(&self) -> usize {
        chunk_size(self.model.device(), &self.model.input_shape()) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{image, model};
    use super::*;

    #[test]
    fn contributions_add_up_to_the_difference_of_the_scores() {
        let found = integrated_gradients(&model(), &image(), 3).unwrap();
        let (score, black) = found.scores();
        let sum = f64::from(found.map().sum());
        assert!(
            (sum - (score - black)).abs() < 0.01 * (score - black).abs(),
            "{sum} {score} {black}"
        );
    }

    #[test]
    fn parts_in_thirds_are_the_same_way_looked_at_more_closely() {
        let (model, x) = (model(), image().unsqueeze(0));
        let mut coarse = PathIntegral::new("test", &model, &x, 3);
        let ends = coarse.scores(&[0.0, 0.5, 1.0]).unwrap();
        let slopes = coarse.gradients(&[(0.25, 0.5), (0.75, 0.5)]).unwrap();
        let part = |i: usize| {
            let place = |i: usize| (0.5 * i as f64, ends[i]);
            Segment { from: place(i), to: place(i + 1), contribution: 0.5 * slopes[i] }
        };
        let parts = coarse.subdivide(&[part(0), part(1)]).unwrap();
        let mut fine = PathIntegral::new("test", &model, &x, 3);
        let middles: Vec<_> = (0..6).map(|i| ((f64::from(i) + 0.5) / 6.0, 1.0 / 6.0)).collect();
        let slopes = fine.gradients(&middles).unwrap();
        assert!(coarse.mean.allclose(&fine.mean, 1e-4, 1e-6, false));
        for (part, slope) in parts.iter().zip(slopes) {
            assert!((part.contribution - slope / 6.0).abs() < 1e-5, "{part:?} {slope}");
            assert!((part.width() - 1.0 / 6.0).abs() < 1e-12, "{part:?}");
        }
        let ends: f64 = parts.iter().map(|part| part.to.1 - part.from.1).sum();
        assert!((ends - (coarse.scores(&[1.0]).unwrap()[0] - parts[0].from.1)).abs() < 1e-5);
    }

    #[test]
    fn contributions_that_do_not_add_up_say_so() {
        assert_eq!(completeness_note(0.009, -1.0, 64), "");
        assert!(completeness_note(0.02, 1.0, 576).contains("2.0 % off"));
        assert!(completeness_note(0.02, 0.0, 576).contains("add up to nothing"));
        let mut found = integrated_gradients(&model(), &image(), 3).unwrap();
        assert!(found.note().is_empty(), "{found:?}");
        found.note = completeness_note(0.02, 1.0, 576);
        assert!(format!("{found:?}").ends_with("2.0 % off their sum"), "{found:?}");
        assert!(found.figure().unwrap().overlaps().is_empty());
    }
}
