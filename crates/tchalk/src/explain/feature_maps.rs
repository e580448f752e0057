//! What does it give for an image: the output of each kernel.

use super::{AsInput, after_activation, batch_of_one, convolution_step, to_gray};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Figure, Panel, TilePanel};
use tch::Device;

const COLUMNS: usize = 10;

/// What each kernel of a convolution layer gives for an image, after its activation, 10 to a row.
/// Each map has its own range, from its least value (black) to its largest (white); a map that is
/// the same everywhere is black.
///
/// # Errors
///
/// If there is no layer of that path, it gives no maps, or the image does not fit the network.
pub fn feature_maps(model: &Model, layer: &str, image: &impl AsInput) -> Result<Figure> {
    feature_maps_of(model, &[layer], image)
}

/// The same for several layers, one below the other; the network runs once.
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
    let places = layers.iter().map(|layer| {
        convolution_step(OP, model, layer.as_ref()).map(|place| after_activation(model, place))
    });
    let outputs = model.run_steps(OP, &[&x], &places.collect::<Result<Vec<_>>>()?)?;
    let panels = layers.iter().zip(outputs).map(|(layer, maps)| {
        let maps = maps.get(0).to_device(Device::Cpu);
        let size = maps.size();
        let images: Vec<_> = (0..size[0]).map(|map| to_gray(&maps.get(map))).collect();
        let title = format!("{}: {} maps of {} × {}", layer.as_ref(), size[0], size[1], size[2]);
        Panel::from(TilePanel::new(title, "", &images, COLUMNS))
    });
    Figure::grid(panels.collect(), 1)
}
