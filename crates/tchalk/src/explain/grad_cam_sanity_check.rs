//! A sanity check for Grad-CAM: its maps beside those of a network with shuffled weights.
//!
//! Adebayo et al., *Sanity Checks for Saliency Maps* (2018): a map that looks the same with shuffled weights
//! shows the edges of the image, and not what the network has learned.

use super::grad_cam::{GradCam, class_maps};
use super::input::{AsInput, batch_of_one};
use crate::display::{Content, Show};
use crate::error::Result;
use crate::model::Model;
use crate::plot::{Figure, HeatGrid, HeatMap, figure_content};
use crate::runtime;
use tch::{Device, Kind, Tensor};

/// How many of the most probable classes are drawn.
const SHOWN_CLASSES: usize = 3;

/// Grad-CAM of a network, and of the same network with its weights shuffled.
#[derive(Clone)]
pub struct GradCamSanityCheck {
    trained: GradCam,
    shuffled: GradCam,
}

/// The maps of [`grad_cam`](super::grad_cam), and those of a copy of the network in which the values of each
/// weight tensor are shuffled. The network itself is not changed.
///
/// # Errors
///
/// As for [`grad_cam`](super::grad_cam), or if there is no memory for a second network.
///
/// ```
/// use tchalk::prelude::*;
/// let layers = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(4, 3)).add(Relu);
/// let model = layers.add(Flatten).add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
/// let photo = datasets::shapes()?.test.image(0);
/// let check = explain::grad_cam_sanity_check(&model, "conv2d", &photo)?;
/// assert_eq!(check.trained().classes(), check.shuffled().classes());
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn grad_cam_sanity_check(
    model: &Model,
    layer: &str,
    image: &impl AsInput,
) -> Result<GradCamSanityCheck> {
    const OP: &str = "explain::grad_cam_sanity_check";
    let x = batch_of_one(OP, model, image)?;
    let learned = class_maps(OP, model, layer, &x, None)?;
    let classes = learned.classes();
    let shuffled = class_maps(OP, &shuffled(model)?, layer, &x, Some(&classes))?;
    Ok(GradCamSanityCheck { trained: learned, shuffled })
}

/// A copy of a network with the values of each weight tensor in random order.
fn shuffled(model: &Model) -> Result<Model> {
    let copy = model.copy()?;
    tch::manual_seed(runtime::seed::derive("shuffled weights"));
    for name in copy.weight_names() {
        let weight = copy.weight(&name)?;
        let order = Tensor::randperm(weight.numel() as i64, (Kind::Int64, Device::Cpu));
        let values = weight.reshape([-1]).index_select(0, &order.to_device(weight.device()));
        copy.set_weight(&name, &values.view(weight.size().as_slice()))?;
    }
    Ok(copy)
}

impl GradCamSanityCheck {
    /// The names of all classes, for the titles.
    pub fn class_names(self, names: &[impl AsRef<str>]) -> GradCamSanityCheck {
        GradCamSanityCheck {
            trained: self.trained.class_names(names),
            shuffled: self.shuffled.class_names(names),
        }
    }

    /// The maps of the trained network.
    pub fn trained(&self) -> GradCam {
        self.trained.clone()
    }

    /// The maps of the network with its weights shuffled, of the same classes.
    pub fn shuffled(&self) -> GradCam {
        self.shuffled.clone()
    }

    /// The correlation of the two maps of the most probable class, -1 to 1; `None` if one of them is
    /// constant.
    pub fn similarity(&self) -> Option<f64> {
        let class = self.trained.ranking().first().copied()?;
        let (a, b) = (self.trained.map_at(class), self.shuffled.map_at(class));
        let centered = |map: &ndarray::Array2<f32>| {
            let map = map.mapv(f64::from);
            let mean = map.mean().unwrap_or(0.0);
            map - mean
        };
        let (a, b) = (centered(&a), centered(&b));
        let norms = ((&a * &a).sum() * (&b * &b).sum()).sqrt();
        (norms > 0.0).then(|| (&a * &b).sum() / norms)
    }

    /// Above, the image and the maps of the most probable classes; below, the maps with shuffled weights.
    /// Each network's maps have their own scale, since the size of a shuffled network's output means
    /// nothing.
    ///
    /// # Errors
    ///
    /// None for a result of [`grad_cam_sanity_check`].
    pub fn figure(&self) -> Result<Figure> {
        let classes = self.trained.ranking();
        let shown = &classes[..SHOWN_CLASSES.min(classes.len())];
        let mut grid = HeatGrid::new(shown.len() + 1);
        for (what, cam) in
            [("trained weights", &self.trained), ("shuffled weights", &self.shuffled)]
        {
            grid = grid.image(what, cam.image());
            let maps: Vec<_> = shown.iter().map(|&class| cam.map_at(class)).collect();
            let highest = maps.iter().flatten().copied().fold(0.0, f32::max);
            let highest = if highest > 0.0 { highest } else { 1.0 };
            for (&class, map) in shown.iter().zip(maps) {
                grid = grid.map(HeatMap::new(cam.title_at(class), map / highest).over(cam.image()));
            }
        }
        let figure = grid.range(0.0, 1.0).label("fraction of the highest value").figure()?;
        Ok(figure.title(format!("Grad-CAM at {}{}", self.trained.layer(), self.similarity_text())))
    }

    fn similarity_text(&self) -> String {
        match self.similarity() {
            Some(similarity) => format!(": similarity to shuffled weights {similarity:.2}"),
            None => ", and with shuffled weights".into(),
        }
    }
}

impl std::fmt::Debug for GradCamSanityCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}{}", self.trained, self.similarity_text())
    }
}

impl Show for GradCamSanityCheck {
    fn content(&self) -> Content {
        figure_content(format!("{self:?}"), self.figure())
    }
}

#[cfg(test)]
mod tests {
    use super::super::grad_cam;
    use super::super::testing::{image, model};
    use super::*;

    #[test]
    fn the_network_is_not_changed_and_the_copy_has_the_same_weights_in_another_order() {
        let (model, x) = (model(), image());
        let before: Vec<Tensor> =
            model.weight_names().iter().map(|name| model.weight(name).unwrap()).collect();
        let check = grad_cam_sanity_check(&model, "conv2d_1", &x).unwrap();
        for (name, before) in model.weight_names().iter().zip(&before) {
            assert_eq!(&model.weight(name).unwrap(), before);
        }
        assert_eq!(check.trained().maps(), grad_cam(&model, "conv2d_1", &x).unwrap().maps());
        assert_ne!(check.trained().maps(), check.shuffled().maps());
        let other = shuffled(&model).unwrap();
        let sorted =
            |model: &Model| model.weight("dense.weight").unwrap().reshape([-1]).sort(0, false).0;
        assert_eq!(sorted(&other), sorted(&model));
        assert!(check.figure().unwrap().overlaps().is_empty());
        assert!(check.similarity().is_none_or(|similarity| similarity.abs() <= 1.0 + 1e-9));
    }
}
