//! The outputs of a layer for many images, as points.

use super::input::{check_single_input, chunk_size};
use super::layer_step::after_activation;
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::explore::Embedding;
use crate::model::Model;
use crate::runtime::progress::Progress;
use crate::runtime::{Budget, interrupt};
use crate::text::thousands;
use ndarray::Array2;
use tch::{Device, Kind, Tensor, no_grad};

/// The outputs of a layer for the images of a set, after its activation: a point for each image. If the
/// outputs are maps, the mean of each map. [`Pca`](crate::explore::Pca) and
/// [`Tsne`](crate::explore::Tsne) project such points into a plane; images that are close together there
/// are similar to the layer. With the budgets `class` and `ci`, the first images of the set.
///
/// # Errors
///
/// If there is no layer of that path, the images do not fit the network, or the reader interrupts.
///
/// ```
/// use tchalk::prelude::*;
/// let layers = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(4, 3)).add(Relu);
/// let model = layers.add(Flatten).add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
/// let test = datasets::shapes()?.test.take(60).to_tensors(Device::Cpu);
/// let points = explain::embedding(&model, "dense", &test)?;
/// assert_eq!(points.points().shape(), [60, 10]);
/// Pca::new(2).fit_transform(&points)?.scatter();
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn embedding(model: &Model, layer: &str, set: &TensorSet) -> Result<Embedding> {
    const OP: &str = "explain::embedding";
    check_single_input(OP, model)?;
    let step = after_activation(model, model.step_index(OP, layer)?);
    let (shape, given) = (model.input_shape(), set.example_shape());
    if shape != given || set.is_empty() {
        let expected = format!("at least one example of {shape:?}");
        return Err(Error::invalid(OP, expected, format!("{} of {given:?}", set.len()), ""));
    }
    let (all, device) = (set.len(), model.device());
    let set = set.first(Budget::current()?.evaluation_examples(all, device));
    let mut progress = Progress::of(format!("outputs of {layer}"), "examples", set.len());
    let (mut numbers, mut rows) = (Vec::new(), 0);
    for (x, _) in set.batches(chunk_size(device, &shape), device) {
        interrupt::check(OP)?;
        let y = no_grad(|| feature_rows(&model.inner().program.inference().run_to(&x, step)));
        rows += y.size()[0] as usize;
        let row = y.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1);
        numbers.extend(Vec::<f32>::try_from(row)?);
        progress.done(rows);
    }
    let width = numbers.len() / rows;
    let points =
        Array2::from_shape_vec((rows, width), numbers).expect("every example gives one row");
    let note = match rows < all {
        true => format!("{} of {} images", thousands(rows), thousands(all)),
        false => String::new(),
    };
    Embedding::of_set(points, &set, format!("{}, outputs of {layer}", set.name()), note)
}

/// A row of numbers for each example: the means of its maps, or its outputs unchanged.
fn feature_rows(y: &Tensor) -> Tensor {
    match y.dim() {
        4 => y.mean_dim([2i64, 3].as_slice(), false, Kind::Float),
        _ => y.flatten(1, -1),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::model;
    use super::*;

    fn set(side: i64) -> TensorSet {
        let x = crate::testing::random_tensor(&[70, 3, side, side], 5);
        let y = Tensor::from_slice(&[0i64, 1].repeat(35));
        TensorSet::new(&x, &y, &["a", "b"]).unwrap()
    }

    #[test]
    fn points_are_the_layer_s_outputs_in_the_order_of_the_set() {
        let (model, set) = (model(), set(12));
        let found = embedding(&model, "conv2d", &set).unwrap();
        assert_eq!((found.len(), found.dimensions()), (70, 4));
        assert_eq!(found.labels()[..3], [0, 1, 0]);
        let maps = model.activations(&["relu"], &set.x().narrow(0, 66, 1)).unwrap().remove(0);
        let mean = maps.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        for map in 0..4 {
            let expected = mean.double_value(&[0, map]) as f32;
            assert!((found.points()[[66, map as usize]] - expected).abs() < 1e-5);
        }
        assert_eq!(embedding(&model, "flatten", &set).unwrap().dimensions(), 6 * 3 * 3);
    }

    #[test]
    fn a_set_that_does_not_fit_is_refused() {
        let error = embedding(&model(), "dense", &set(10)).unwrap_err().to_string();
        assert!(error.contains("[3, 12, 12]") && error.contains("70 of [3, 10, 10]"), "{error}");
        assert!(embedding(&model(), "dense_9", &set(12)).is_err());
    }
}
