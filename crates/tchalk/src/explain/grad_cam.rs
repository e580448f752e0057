//! Grad-CAM: where in the image the evidence for a class is (Selvaraju et al. 2017).
//!
//! The weight of a feature map for a class is the mean gradient of the class's logit with respect to the
//! map. The weighted sum of the maps, without its negative part, shows where the class is seen. All classes
//! are computed in one pass: the layer's output is repeated for each class, and the gradient of each copy
//! belongs to another class.

use super::input::{AsInput, batch_of_one, class_count};
use super::layer_step::{after_activation, convolution_step};
use super::pixels::{to_f64_vec, to_image};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Figure, HeatGrid, HeatMap, figure_content};
use ndarray::{ArcArray, Array2, Array3, Axis, Ix3};
use tch::{Device, Kind, Tensor};

/// With more classes than this, only the most probable ones are shown.
const MANY_CLASSES: usize = 12;
const SHOWN_CLASSES: usize = 10;
const COLUMNS: usize = 6;

/// For each class a map of where in the image the evidence for it is.
#[derive(Clone)]
pub struct GradCam {
    layer: String,
    image: ArcArray<u8, Ix3>,
    maps: Array3<f32>,
    classes: Vec<usize>,
    probabilities: Vec<f64>,
    class_names: Vec<String>,
}

/// Where in the image the evidence for each class is, from the feature maps of a convolution layer. With
/// more than 12 classes, only for the 10 most probable ones.
///
/// # Errors
///
/// If there is no layer of that path, its output is not maps or does not reach the network's output, the
/// image does not fit, or the network is not a classifier.
pub fn grad_cam(model: &Model, layer: &str, image: &impl AsInput) -> Result<GradCam> {
    const OP: &str = "explain::grad_cam";
    class_maps(OP, model, layer, &batch_of_one(OP, model, image)?, None)
}

/// The maps of these classes, or of those that [`grad_cam`] shows, for a batch of one image.
pub(super) fn class_maps(
    op: &str,
    model: &Model,
    layer: &str,
    x: &Tensor,
    classes: Option<&[usize]>,
) -> Result<GradCam> {
    let count = class_count(op, model)?;
    let step = after_activation(model, convolution_step(op, model, layer)?);
    let program = &model.inner().program;
    let mut found = model.run_steps(op, &[x], &[step, program.outputs[0]])?;
    if !program.needed(&[], &[program.logits()])[step] {
        let expected = "a layer on the way to the output";
        return Err(Error::invalid(op, expected, format!("{layer:?}"), ""));
    }
    let probabilities = to_f64_vec(&found.remove(1).get(0))?;
    let classes = classes.map_or_else(|| shown_classes(count, &probabilities), <[usize]>::to_vec);
    Ok(GradCam {
        layer: layer.to_owned(),
        image: to_image(&x.get(0)),
        maps: maps_of(model, x, step, &found.remove(0), &classes)?,
        probabilities: classes.iter().map(|&class| probabilities[class]).collect(),
        class_names: classes.iter().map(|class| format!("class {class}")).collect(),
        classes,
    })
}

/// All classes, or the most probable ones of many.
fn shown_classes(count: usize, probabilities: &[f64]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..count).collect();
    if count > MANY_CLASSES {
        classes.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        classes.truncate(SHOWN_CLASSES);
    }
    classes
}

/// The map of each class, from the output `activation` of a step of the program.
fn maps_of(
    model: &Model,
    x: &Tensor,
    step: usize,
    activation: &Tensor,
    classes: &[usize],
) -> Result<Array3<f32>> {
    let program = &model.inner().program;
    let n = classes.len() as i64;
    let repeat = |tensor: &Tensor| tensor.repeat([n, 1, 1, 1]).detach();
    let copies = repeat(activation).set_requires_grad(true);
    let known = [(program.inputs[0], &repeat(x)), (step, &copies)];
    let logits = program.inference().run(&known, &[program.logits()]).remove(0);
    let indices: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
    let indices = Tensor::from_slice(&indices).to_device(logits.device()).unsqueeze(1);
    let sum = logits.gather(1, &indices, false).sum(Kind::Float);
    let gradient = Tensor::run_backward(&[sum], &[&copies], false, false).remove(0);
    let weights = gradient.mean_dim([2i64, 3].as_slice(), true, Kind::Float);
    let maps = (weights * copies.detach()).sum_dim_intlist(1i64, false, Kind::Float).relu();
    let size: Vec<usize> = maps.size().iter().map(|&n| n as usize).collect();
    let values = Vec::<f32>::try_from(maps.detach().to_device(Device::Cpu).contiguous().view(-1))?;
    Ok(Array3::from_shape_vec((size[0], size[1], size[2]), values).expect("a map for each class"))
}

impl GradCam {
    /// The names of all classes, for the titles.
    pub fn class_names(mut self, names: &[impl AsRef<str>]) -> GradCam {
        for (name, &class) in self.class_names.iter_mut().zip(&self.classes) {
            if let Some(given) = names.get(class) {
                *name = given.as_ref().to_owned();
            }
        }
        self
    }

    /// The maps `[classes, height, width]` in the size of the layer's output, not negative, in the order of
    /// [`GradCam::classes`].
    pub fn maps(&self) -> Array3<f32> {
        self.maps.clone()
    }

    /// The classes of the maps.
    pub fn classes(&self) -> Vec<usize> {
        self.classes.clone()
    }

    /// The indices of the maps, the most probable class first.
    pub(super) fn ranking(&self) -> Vec<usize> {
        let mut indices: Vec<usize> = (0..self.classes.len()).collect();
        indices.sort_by(|&a, &b| self.probabilities[b].total_cmp(&self.probabilities[a]));
        indices
    }

    pub(super) fn map_at(&self, index: usize) -> Array2<f32> {
        self.maps.index_axis(Axis(0), index).to_owned()
    }

    /// `cat 0.93`.
    pub(super) fn title_at(&self, index: usize) -> String {
        format!("{} {:.2}", self.class_names[index], self.probabilities[index])
    }

    pub(super) fn image(&self) -> ArcArray<u8, Ix3> {
        self.image.clone()
    }

    pub(super) fn layer(&self) -> &str {
        &self.layer
    }

    /// The network's output for each of these classes.
    pub fn probabilities(&self) -> Vec<f64> {
        self.probabilities.clone()
    }

    /// The image, and each class's map over the image, all with the same scale.
    ///
    /// # Errors
    ///
    /// None for a result of [`grad_cam`].
    pub fn figure(&self) -> Result<Figure> {
        let columns = COLUMNS.min(self.classes.len() + 1);
        let grid = HeatGrid::new(columns).image("the image", self.image.clone());
        let grid = (0..self.classes.len()).fold(grid, |grid, index| {
            let map = HeatMap::new(self.title_at(index), self.map_at(index));
            grid.map(map.over(self.image.clone()))
        });
        let highest = f64::from(self.maps.iter().copied().fold(0.0, f32::max));
        let grid = grid.range(0.0, if highest > 0.0 { highest } else { 1.0 });
        let figure = grid.label("evidence for the class").figure()?;
        Ok(figure.title(format!("Grad-CAM at {}", self.layer)))
    }
}

impl std::fmt::Debug for GradCam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let titles: Vec<String> = (0..self.classes.len()).map(|i| self.title_at(i)).collect();
        write!(f, "Grad-CAM at {}: {}", self.layer, titles.join(", "))
    }
}

impl Show for GradCam {
    fn content(&self) -> Content {
        figure_content(format!("{self:?}"), self.figure())
    }
}
