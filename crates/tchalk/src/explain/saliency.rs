//! Saliency: the gradient of a logit with respect to the pixels.

use super::attribution::Attribution;
use super::input::{AsInput, batch_of_one, class_count, target_class};
use super::pixels::to_image;
use crate::error::Result;
use crate::explore::to_array;
use crate::model::Model;
use tch::Tensor;

/// How strongly each pixel would change the logit of a class (the output before the softmax): the largest
/// absolute gradient of its channels. Simonyan et al., *Deep Inside Convolutional Networks* (2013).
///
/// `class` is a number, or `None` for the class with the highest output.
///
/// # Errors
///
/// If the image does not fit, the network is not a classifier, or there is no class of that number.
pub fn saliency(
    model: &Model,
    image: &impl AsInput,
    class: impl Into<Option<usize>>,
) -> Result<Attribution> {
    const OP: &str = "explain::saliency";
    let x = batch_of_one(OP, model, image)?.set_requires_grad(true);
    let classes = class_count(OP, model)?;
    let logits = model.inner().program.inference().logits(&x);
    let class = target_class(OP, classes, class.into(), &logits)?;
    let logit = logits.get(0).get(class as i64);
    let gradient = Tensor::run_backward(&[&logit], &[&x], false, false).remove(0);
    let map = gradient.get(0).abs().amax(0i64, false);
    let logit = logit.double_value(&[]);
    Ok(Attribution {
        title: "saliency".into(),
        label: "how much the pixel would change the logit".into(),
        image: to_image(&x.get(0)),
        map: to_array(&map),
        class,
        class_name: format!("class {class}"),
        signed: false,
        outputs: (logit, logit),
        note: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{image, model};
    use super::*;
    use tch::no_grad;

    #[test]
    fn the_gradient_is_the_difference_quotient() {
        let (model, x) = (model(), image());
        let found = saliency(&model, &x, 1).unwrap();
        let logit = |x: &Tensor| {
            no_grad(|| model.inner().program.inference().logits(&x.unsqueeze(0)))
                .double_value(&[0, 1])
        };
        let step = 1e-3;
        let largest = (0..3)
            .map(|channel| {
                let mut up = x.copy();
                let pixel = up.get(channel).get(5).get(6);
                let _ = pixel.shallow_clone().fill_(pixel.double_value(&[]) + step);
                up = up.shallow_clone();
                ((logit(&up) - logit(&x)) / step).abs()
            })
            .fold(0.0, f64::max);
        let ours = f64::from(found.map()[[5, 6]]);
        assert!((ours - largest).abs() < 0.02 * largest.max(0.01), "{ours} {largest}");
    }
}
