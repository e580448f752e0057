//! Tensors as images and numbers.

use crate::data::to_bytes;
use crate::error::Result;
use ndarray::{ArcArray, Ix3};
use tch::{Device, Kind, Tensor};

/// A plane of numbers as an image, from black (the lowest) to white (the highest); black where all are
/// equal.
pub(super) fn to_gray(plane: &Tensor) -> ArcArray<u8, Ix3> {
    let (low, high) = (plane.min().double_value(&[]), plane.max().double_value(&[]));
    let range = if high > low { high - low } else { 1.0 };
    to_image(&((plane - low) / range).unsqueeze(0))
}

/// `f32 [1 or 3, height, width]` in \[0, 1\] as an image.
pub(super) fn to_image(x: &Tensor) -> ArcArray<u8, Ix3> {
    let size = x.size();
    let bytes = to_bytes(&x.permute([1, 2, 0]));
    let shape = (size[1] as usize, size[2] as usize, size[0] as usize);
    ArcArray::from_shape_vec(shape, bytes).expect("a byte for each pixel and channel")
}

/// A tensor of one dimension as numbers.
pub(super) fn to_f64_vec(row: &Tensor) -> Result<Vec<f64>> {
    Ok(Vec::try_from(row.detach().to_kind(Kind::Double).to_device(Device::Cpu))?)
}
