//! The feature maps of an image: the output of each kernel.

use super::input::{AsInput, batch_of_one};
use super::layer_step::{after_activation, convolution_step};
use super::pixels::to_gray;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Figure, Panel, ThumbnailPanel};
use tch::Device;

const COLUMNS: usize = 10;

/// The feature maps of a convolution layer for an image, after the activation, 10 to a row. Each map has
/// its own range, from its lowest value (black) to its highest (white). A constant map is black.
///
/// # Errors
///
/// If there is no layer of that path, its output is not maps, or the image does not fit the network.
pub fn feature_maps(model: &Model, layer: &str, image: &impl AsInput) -> Result<Figure> {
    feature_maps_of(model, &[layer], image)
}

/// The feature maps of several layers, one layer below the other; the network runs once.
///
/// # Errors
///
/// As [`feature_maps`], or if there are no layers.
pub fn feature_maps_of(
    model: &Model,
    layers: &[impl AsRef<str>],
    image: &impl AsInput,
) -> Result<Figure> {
    const OP: &str = "explain::feature_maps";
    if layers.is_empty() {
        return Err(Error::invalid(OP, "at least one layer", "none", ""));
    }
    let x = batch_of_one(OP, model, image)?;
    let steps = layers.iter().map(|layer| {
        convolution_step(OP, model, layer.as_ref()).map(|step| after_activation(model, step))
    });
    let outputs = model.run_steps(OP, &[&x], &steps.collect::<Result<Vec<_>>>()?)?;
    let panels = layers.iter().zip(outputs).map(|(layer, maps)| {
        let maps = maps.get(0).to_device(Device::Cpu);
        let size = maps.size();
        let images: Vec<_> = (0..size[0]).map(|map| to_gray(&maps.get(map))).collect();
        let title = format!("{}: {} maps of {} × {}", layer.as_ref(), size[0], size[1], size[2]);
        Panel::from(ThumbnailPanel::new(title, "", &images, COLUMNS))
    });
    Figure::grid(panels.collect(), 1)
}
