//! The weights of a convolution layer: its kernels as images.

use super::layer_step::convolution_step;
use super::pixels::{to_gray, to_image};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Figure, ThumbnailPanel};
use tch::{Device, no_grad};

const COLUMNS: usize = 12;

/// The kernels of a convolution layer as images, 12 to a row: in color if the layer has three input
/// channels, else the weights for the first input channel in gray. Each kernel has its own range, from its
/// lowest weight (black) to its highest (white).
///
/// # Errors
///
/// If there is no layer of that path, or it has no kernels.
pub fn kernels(model: &Model, layer: &str) -> Result<Figure> {
    const OP: &str = "explain::kernels";
    convolution_step(OP, model, layer)?;
    let weight = model.weight(&format!("{layer}.weight")).map_err(|_| {
        let hint = format!("conv_layers() lists them: {}", model.conv_layers().join(", "));
        Error::invalid(format!("{OP}({layer:?})"), "a layer with kernels", "one without", hint)
    })?;
    let weight = weight.to_device(Device::Cpu);
    let size = weight.size();
    if size.len() != 4 {
        let (op, got) = (format!("{OP}({layer:?})"), format!("weights {size:?}"));
        return Err(Error::invalid(op, "two-dimensional kernels", got, ""));
    }
    let color = size[1] == 3;
    let images: Vec<_> = (0..size[0])
        .map(|filter| {
            no_grad(|| {
                let kernel = weight.get(filter);
                if !color {
                    return to_gray(&kernel.get(0));
                }
                let (low, high) = (kernel.min(), kernel.max());
                let range = (&high - &low).clamp_min(1e-12);
                to_image(&((kernel - low) / range))
            })
        })
        .collect();
    let note = match color {
        true => "red, green and blue as the weights of the three channels".to_owned(),
        false if size[1] == 1 => String::new(),
        false => format!("the first of {} input channels", size[1]),
    };
    let title = format!("{layer}: {} kernels of {} × {}", size[0], size[2], size[3]);
    Figure::grid(vec![ThumbnailPanel::new(title, note, &images, COLUMNS).into()], 1)
}
