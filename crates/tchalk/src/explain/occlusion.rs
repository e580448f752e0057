//! What happens when a part is covered.

use super::{
    AsInput, Attribution, batch_of_one, chunk_size, class_count, target_class, to_array, to_image,
};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::runtime::interrupt;
use crate::runtime::progress::Progress;
use tch::{Kind, Tensor, no_grad};

/// How much the probability of a class falls when a square of `patch` by `patch` pixels is covered
/// with the image's mean color, for squares half a square apart. Each pixel has the mean over the
/// squares that cover it; where it is above zero, the network needs what is there. Zeiler and Fergus,
/// *Visualizing and Understanding Convolutional Networks* (2014).
///
/// `class` is a number or `None` for the most probable one.
///
/// # Errors
///
/// If the image does not fit, the patch is no smaller than the image, the network gives no
/// classes, has none of that number, or the reader pressed stop.
pub fn occlusion(
    model: &Model,
    image: &impl AsInput,
    class: impl Into<Option<usize>>,
    patch: usize,
) -> Result<Attribution> {
    const OP: &str = "explain::occlusion";
    let x = batch_of_one(OP, model, image)?;
    let count = class_count(OP, model)?;
    let size = x.size();
    let (height, width) = (size[2], size[3]);
    if patch == 0 || patch as i64 >= height.min(width) {
        let expected = format!("a patch of 1 to {} pixels", height.min(width) - 1);
        return Err(Error::invalid(OP, expected, patch.to_string(), ""));
    }
    let patch = patch as i64;
    let whole = model.call(&x)?;
    let class = target_class(OP, count, class.into(), &whole)?;
    let probability = whole.double_value(&[0, class as i64]);
    let places = |length: i64| {
        let step = (patch / 2).max(1);
        let mut places: Vec<i64> = (0..=length - patch).step_by(step as usize).collect();
        if places.last() != Some(&(length - patch)) {
            places.push(length - patch);
        }
        places
    };
    let squares: Vec<(i64, i64)> = places(height)
        .into_iter()
        .flat_map(|y| places(width).into_iter().map(move |x| (y, x)))
        .collect();
    let mean = x.mean_dim([2i64, 3].as_slice(), true, Kind::Float);
    let options = (Kind::Float, x.device());
    let (sum, covered) =
        (Tensor::zeros([height, width], options), Tensor::zeros([height, width], options));
    let mut progress = Progress::of("occlusion", "squares", squares.len());
    let mut done = 0;
    for part in squares.chunks(4 * chunk_size(model.device(), &model.input_shape()) as usize) {
        interrupt::check(OP)?;
        let batch = no_grad(|| {
            let batch = x.repeat([part.len() as i64, 1, 1, 1]);
            for (i, &(top, left)) in part.iter().enumerate() {
                let square =
                    batch.narrow(0, i as i64, 1).narrow(2, top, patch).narrow(3, left, patch);
                square.shallow_clone().copy_(&mean.expand_as(&square));
            }
            batch
        });
        let answers = model.call(&batch)?;
        for (i, &(top, left)) in part.iter().enumerate() {
            let fall = probability - answers.double_value(&[i as i64, class as i64]);
            let square = |of: &Tensor| of.narrow(0, top, patch).narrow(1, left, patch);
            let _ = no_grad(|| square(&sum).g_add_scalar_(fall));
            let _ = no_grad(|| square(&covered).g_add_scalar_(1.0));
        }
        done += part.len();
        progress.done(done);
    }
    Ok(Attribution {
        title: format!("occlusion by {patch} × {patch}"),
        label: "how far the probability falls".into(),
        image: to_image(&x.get(0)),
        map: to_array(&(sum / covered)),
        class,
        class_name: format!("class {class}"),
        signed: true,
        scores: (probability, probability),
        note: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{image, model};
    use super::*;

    #[test]
    fn a_covered_square_counts_where_it_is() {
        // One square that covers nearly everything: four of them, at the corners.
        let (model, x) = (model(), image());
        let found = occlusion(&model, &x, 0, 11).unwrap();
        let covered = x.copy();
        let square = covered.narrow(1, 0, 11).narrow(2, 0, 11);
        let mean = x.mean_dim([1i64, 2].as_slice(), true, Kind::Float);
        square.shallow_clone().copy_(&mean.expand_as(&square));
        let p = |x: &Tensor| model.call(&x.unsqueeze(0)).unwrap().double_value(&[0, 0]);
        let fall = p(&x) - p(&covered);
        let corner = f64::from(found.map()[[0, 0]]);
        assert!((corner - fall).abs() < 1e-6, "{corner} {fall}: only one square covers the corner");
    }
}
