//! Where in the image does an answer come from: class activation maps by gradients.
//!
//! Selvaraju et al., *Grad-CAM* (2017). How much a map of the layer matters for a class is the mean
//! gradient of the class's score with respect to it; the maps, weighted so and added up, show where
//! the class was seen. The scores are those before the softmax. All classes are done in one pass:
//! the layer's output is repeated once for each, and each copy is asked for another class.

use super::{
    AsInput, after_activation, batch_of_one, class_count, convolution_step, to_f64_vec, to_image,
};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Figure, HeatGrid, HeatMap, drawn};
use ndarray::{Array2, Array3, Axis};
use tch::{Device, Kind, Tensor};

/// Of more classes only the most probable ones are looked at.
const MAX_CLASSES: usize = 10;
const MANY: usize = 12;
const COLUMNS: usize = 6;

/// For each class a map of where in the image it was seen.
#[derive(Clone)]
pub struct GradCam {
    layer: String,
    image: ndarray::ArcArray<u8, ndarray::Ix3>,
    maps: Array3<f32>,
    classes: Vec<usize>,
    probabilities: Vec<f64>,
    class_names: Vec<String>,
}

/// Where in the image the classes were seen, by the output of a convolution layer: one map for
/// each class; for the ten most probable ones where there are more than twelve.
///
/// # Errors
///
/// If there is no layer of that path, it gives no maps, nothing of it reaches the output, the image
/// does not fit, or the network gives no classes.
pub fn grad_cam(model: &Model, layer: &str, image: &impl AsInput) -> Result<GradCam> {
    const OP: &str = "explain::grad_cam";
    class_maps(OP, model, layer, &batch_of_one(OP, model, image)?, None)
}

/// The maps of these classes, or of those that [`grad_cam`] chooses, for a batch of one image.
pub(super) fn class_maps(
    op: &str,
    model: &Model,
    layer: &str,
    x: &Tensor,
    chosen: Option<&[usize]>,
) -> Result<GradCam> {
    let count = class_count(op, model)?;
    let place = after_activation(model, convolution_step(op, model, layer)?);
    let program = &model.inner().program;
    let (input, scores) = (program.inputs[0], program.scores());
    let (activation, outputs) = {
        let found = model.run_steps(op, &[x], &[place, scores, program.outputs[0]])?;
        (found[0].shallow_clone(), found[2].get(0))
    };
    if !program.needed(&[], &[scores])[place] {
        let expected = "a layer on the way to the output";
        return Err(Error::invalid(op, expected, format!("{layer:?}"), ""));
    }
    let probabilities = to_f64_vec(&outputs)?;
    let mut shown: Vec<usize> = (0..count).collect();
    if let Some(chosen) = chosen {
        shown = chosen.to_vec();
    } else if count > MANY {
        shown.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        shown.truncate(MAX_CLASSES);
    }
    let n = shown.len() as i64;
    let repeat = |tensor: &Tensor| tensor.repeat([n, 1, 1, 1]).detach();
    let copies = repeat(&activation).set_requires_grad(true);
    let access = program.inference();
    let found = access.run(&[(input, &repeat(x)), (place, &copies)], &[scores]).remove(0);
    let wanted: Vec<i64> = shown.iter().map(|&class| class as i64).collect();
    let wanted = Tensor::from_slice(&wanted).to_device(found.device()).unsqueeze(1);
    let sum = found.gather(1, &wanted, false).sum(Kind::Float);
    let gradient = Tensor::run_backward(&[sum], &[&copies], false, false).remove(0);
    let weights = gradient.mean_dim([2i64, 3].as_slice(), true, Kind::Float);
    let maps = (weights * copies.detach()).sum_dim_intlist(1i64, false, Kind::Float).relu();
    let size = maps.size();
    let values: Vec<f32> =
        Vec::try_from(maps.detach().to_device(Device::Cpu).contiguous().view(-1))?;
    let maps =
        Array3::from_shape_vec((size[0] as usize, size[1] as usize, size[2] as usize), values)
            .expect("a map for each class");
    Ok(GradCam {
        layer: layer.to_owned(),
        image: to_image(&x.get(0)),
        maps,
        probabilities: shown.iter().map(|&class| probabilities[class]).collect(),
        class_names: shown.iter().map(|class| format!("class {class}")).collect(),
        classes: shown,
    })
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

    /// The maps `[classes, height, width]` at the size of the layer's output, not negative, in the
    /// order of [`GradCam::classes`].
    pub fn maps(&self) -> Array3<f32> {
        self.maps.clone()
    }

    /// Which classes the maps are for.
    pub fn classes(&self) -> Vec<usize> {
        self.classes.clone()
    }

    /// The places of the maps, from the most probable class on.
    pub(super) fn ranking(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.classes.len()).collect();
        places.sort_by(|&a, &b| self.probabilities[b].total_cmp(&self.probabilities[a]));
        places
    }

    /// The map at a place.
    pub(super) fn map_at(&self, place: usize) -> Array2<f32> {
        self.maps.index_axis(Axis(0), place).to_owned()
    }

    /// What is written above the map at a place.
    pub(super) fn title_at(&self, place: usize) -> String {
        format!("{} {:.2}", self.class_names[place], self.probabilities[place])
    }

    pub(super) fn image(&self) -> ndarray::ArcArray<u8, ndarray::Ix3> {
        self.image.clone()
    }

    pub(super) fn layer(&self) -> &str {
        &self.layer
    }

    /// What the network gives for each of these classes.
    pub fn probabilities(&self) -> Vec<f64> {
        self.probabilities.clone()
    }

    /// The image, and beside it each class's map over it, all on the same scale.
    ///
    /// # Errors
    ///
    /// None for what [`grad_cam`] made.
    pub fn figure(&self) -> Result<Figure> {
        let columns = COLUMNS.min(self.classes.len() + 1);
        let grid = HeatGrid::new(columns).image("the image", self.image.clone());
        let grid = (0..self.classes.len()).fold(grid, |grid, place| {
            let map = HeatMap::new(self.title_at(place), self.map_at(place));
            grid.map(map.over(self.image.clone()))
        });
        let most = f64::from(self.maps.iter().copied().fold(0.0, f32::max));
        let grid = grid.range(0.0, if most > 0.0 { most } else { 1.0 });
        let figure = grid.label("how much it speaks for the class").figure()?;
        Ok(figure.title(format!("Grad-CAM at {}", self.layer)))
    }
}

impl std::fmt::Debug for GradCam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = self.class_names.iter().zip(&self.probabilities);
        let said: Vec<String> = said.map(|(name, p)| format!("{name} {p:.2}")).collect();
        write!(f, "Grad-CAM at {}: {}", self.layer, said.join(", "))
    }
}

impl Show for GradCam {
    fn content(&self) -> Content {
        drawn(format!("{self:?}"), self.figure())
    }
}
