//! Occlusion: how the probability changes when a part of the image is covered.

use super::attribution::Attribution;
use super::input::{AsInput, batch_of_one, chunk_size, class_count, target_class};
use super::pixels::to_image;
use crate::error::{Error, Result};
use crate::explore::to_array;
use crate::model::Model;
use crate::runtime::interrupt;
use crate::runtime::progress::Progress;
use tch::{Kind, Tensor, no_grad};

/// How much the probability of a class decreases when a square of `patch` by `patch` pixels is covered with
/// the image's mean color. The squares overlap by half. The value of a pixel is the mean over the squares
/// that cover it; where it is positive, the network uses that part of the image. Zeiler and Fergus,
/// *Visualizing and Understanding Convolutional Networks* (2014).
///
/// `class` is a number, or `None` for the most probable one.
///
/// # Errors
///
/// If the image does not fit, the patch is not smaller than the image, the network is not a classifier,
/// there is no class of that number, or the reader interrupts.
pub fn occlusion(
    model: &Model,
    image: &impl AsInput,
    class: impl Into<Option<usize>>,
    patch: usize,
) -> Result<Attribution> {
    const OP: &str = "explain::occlusion";
    let x = batch_of_one(OP, model, image)?;
    let classes = class_count(OP, model)?;
    let size = x.size();
    let (height, width) = (size[2], size[3]);
    if patch == 0 || patch as i64 >= height.min(width) {
        let expected = format!("a patch of 1 to {} pixels", height.min(width) - 1);
        return Err(Error::invalid(OP, expected, patch.to_string(), ""));
    }
    let patch = patch as i64;
    let output = model.call(&x)?;
    let class = target_class(OP, classes, class.into(), &output)?;
    let probability = output.double_value(&[0, class as i64]);
    let squares = squares(height, width, patch);
    let zeros = || Tensor::zeros([height, width], (Kind::Float, x.device()));
    let (sum, count) = (zeros(), zeros());
    let mut progress = Progress::of("occlusion", "squares", squares.len());
    let mut done = 0;
    for part in squares.chunks(4 * chunk_size(model.device(), &model.input_shape()) as usize) {
        interrupt::check(OP)?;
        let answers = model.call(&no_grad(|| covered(&x, part, patch)))?;
        for (i, &(top, left)) in part.iter().enumerate() {
            let decrease = probability - answers.double_value(&[i as i64, class as i64]);
            let square = |of: &Tensor| of.narrow(0, top, patch).narrow(1, left, patch);
            let _ = no_grad(|| square(&sum).g_add_scalar_(decrease));
            let _ = no_grad(|| square(&count).g_add_scalar_(1.0));
        }
        done += part.len();
        progress.done(done);
    }
    Ok(Attribution {
        title: format!("occlusion by {patch} × {patch}"),
        label: "decrease of the probability".into(),
        image: to_image(&x.get(0)),
        map: to_array(&(sum / count)),
        class,
        class_name: format!("class {class}"),
        signed: true,
        outputs: (probability, probability),
        note: String::new(),
    })
}

/// The top left corners of squares that cover an image and overlap by half.
fn squares(height: i64, width: i64, patch: i64) -> Vec<(i64, i64)> {
    let starts = |length: i64| {
        let step = (patch / 2).max(1);
        let mut starts: Vec<i64> = (0..=length - patch).step_by(step as usize).collect();
        if starts.last() != Some(&(length - patch)) {
            starts.push(length - patch);
        }
        starts
    };
    let columns = starts(width);
    starts(height).into_iter().flat_map(|y| columns.iter().map(move |&x| (y, x))).collect()
}

/// A copy of the image for each square, with the square in the image's mean color.
fn covered(x: &Tensor, squares: &[(i64, i64)], patch: i64) -> Tensor {
    let mean = x.mean_dim([2i64, 3].as_slice(), true, Kind::Float);
    let batch = x.repeat([squares.len() as i64, 1, 1, 1]);
    for (i, &(top, left)) in squares.iter().enumerate() {
        let square = batch.narrow(0, i as i64, 1).narrow(2, top, patch).narrow(3, left, patch);
        square.shallow_clone().copy_(&mean.expand_as(&square));
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::super::testing::{image, model};
    use super::*;

    #[test]
    fn a_covered_square_counts_at_its_position() {
        // One square that covers nearly everything: four of them, at the corners.
        let (model, x) = (model(), image());
        let found = occlusion(&model, &x, 0, 11).unwrap();
        let covered = x.copy();
        let square = covered.narrow(1, 0, 11).narrow(2, 0, 11);
        let mean = x.mean_dim([1i64, 2].as_slice(), true, Kind::Float);
        square.shallow_clone().copy_(&mean.expand_as(&square));
        let p = |x: &Tensor| model.call(&x.unsqueeze(0)).unwrap().double_value(&[0, 0]);
        let decrease = p(&x) - p(&covered);
        let corner = f64::from(found.map()[[0, 0]]);
        assert!(
            (corner - decrease).abs() < 1e-6,
            "{corner} {decrease}: only one square covers the corner"
        );
    }
}
