//! Affine maps of images: shift, rotation, zoom.

use tch::{Kind, Tensor};

/// A matrix `[n, 3, 3]` for each image: `rows`, with some entries taken from `f32 [n]`.
pub(super) fn matrices(
    rows: [[f32; 3]; 2],
    entries: &[(i64, i64, &Tensor)],
    like: &Tensor,
) -> Tensor {
    let [top, middle] = rows;
    let all = [top, middle, [0.0, 0.0, 1.0]].concat();
    let matrix = Tensor::from_slice(&all).view([1, 3, 3]).to_device(like.device());
    let matrix = matrix.repeat([like.size()[0], 1, 1]);
    for &(row, column, values) in entries {
        matrix.select(1, row).select(1, column).copy_(values);
    }
    matrix
}

/// Images `[n, channels, height, width]`, sampled at the coordinates that the matrices `[n, 3, 3]` give.
/// Interpolation is bilinear; outside the image, the nearest edge pixel counts.
pub(super) fn sample(x: &Tensor, matrices: &Tensor) -> Tensor {
    let size = x.size();
    let (height, width) = (size[2] as f64, size[3] as f64);
    // From pixels to a grid that goes from -1 to 1 between the outer edges, and back.
    let scale = Tensor::from_slice(&[2.0 / width as f32, 2.0 / height as f32, 1.0]);
    let scale = scale.to_device(x.device());
    let theta = matrices * scale.view([1, 3, 1]) / scale.view([1, 1, 3]);
    let theta = theta.narrow(1, 0, 2).to_kind(Kind::Float).contiguous();
    let grid = Tensor::affine_grid_generator(&theta, &size, false);
    const BILINEAR: i64 = 0;
    const BORDER: i64 = 1;
    x.grid_sampler(&grid, BILINEAR, BORDER, false)
}
