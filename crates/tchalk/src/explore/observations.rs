//! What can be explored: images, tensors, arrays, points; all of them rows of numbers.

use crate::data::{Split, TensorSet, to_bytes};
use crate::error::{Error, Result};
use ndarray::{ArcArray, Array2, Ix4};
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

/// Numbers that can be explored, a row for each example: a [`Split`], a [`TensorSet`], an
/// [`Embedding`](super::Embedding), an `Array2<f32>`, a [`Tensor`] `[n, …]`.
///
/// An image is one row, pixel by pixel and, within a pixel, channel by channel, with values in
/// \[0, 1\].
pub trait Observations {
    /// The rows.
    ///
    /// # Errors
    ///
    /// If they are no rows of numbers.
    fn to_rows(&self) -> Result<Rows>;
}

/// A table of numbers on a device, and what is known about its rows.
pub struct Rows {
    /// `[n, d]`, bytes or `f32`.
    pub(super) matrix: Tensor,
    /// What a byte or a number is multiplied with.
    pub(super) scale: f64,
    pub(super) metadata: Metadata,
}

/// What is known about rows besides their numbers.
#[derive(Clone, Default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) labels: Arc<Vec<usize>>,
    pub(super) classes: Arc<Vec<String>>,
    /// Height, width and channels, where a row is an image.
    pub(super) shape: Option<[usize; 3]>,
    /// The images themselves, to be shown beside the points.
    pub(super) images: Option<ArcArray<u8, Ix4>>,
}

/// Images of a tensor set are turned into bytes again only where there are at most so many.
const MAX_IMAGES: usize = 20_000;

impl Rows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.matrix.size()[0] as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many numbers a row has.
    pub fn width(&self) -> usize {
        self.matrix.size()[1] as usize
    }

    /// Some rows as `f32`, before scaling.
    pub(super) fn chunk(&self, start: usize, count: usize) -> Tensor {
        self.matrix.narrow(0, start as i64, count as i64).to_kind(Kind::Float)
    }

    /// Where parts begin, and how many rows they have: small enough to need little memory,
    /// large enough to keep the device busy.
    pub(super) fn chunks(&self) -> Vec<(usize, usize)> {
        let numbers = if self.matrix.device().is_cuda() { 1 << 26 } else { 3 << 20 };
        // Sums of up to 65,000 bytes are exact in f32.
        let rows = (numbers / self.width().max(1)).clamp(64, 65_000);
        (0..self.len()).step_by(rows).map(|start| (start, rows.min(self.len() - start))).collect()
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows of {} numbers", self.len(), self.width())
    }
}

impl Observations for Split {
    fn to_rows(&self) -> Result<Rows> {
        let images = self.images();
        let (n, height, width, channels) = images.dim();
        let layout = images.as_standard_layout();
        let bytes = layout.as_slice().expect("the standard layout is contiguous");
        let matrix = Tensor::from_slice(bytes)
            .view([n as i64, (height * width * channels) as i64])
            .to_device(Device::cuda_if_available());
        let metadata = Metadata {
            name: self.name(),
            labels: Arc::new(self.labels()),
            classes: Arc::new(self.class_names()),
            shape: Some([height, width, channels]),
            images: matches!(channels, 1 | 3).then_some(images),
        };
        Ok(Rows { matrix, scale: 1.0 / 255.0, metadata })
    }
}

impl Observations for TensorSet {
    fn to_rows(&self) -> Result<Rows> {
        let (x, n) = (self.x(), self.len());
        let metadata = Metadata::of(self)?;
        let x = if metadata.shape.is_some() { x.permute([0, 2, 3, 1]) } else { x };
        let numbers = x.size()[1..].iter().product::<i64>();
        Ok(Rows { matrix: x.reshape([n as i64, numbers]), scale: 1.0, metadata })
    }
}

impl Metadata {
    /// What is known about a set, its images included where they are not too many.
    pub(super) fn of(set: &TensorSet) -> Result<Metadata> {
        let n = set.len();
        let shape = match set.example_shape()[..] {
            [channels, height, width] => Some([height, width, channels]),
            _ => None,
        };
        let images = match shape {
            Some([height, width, channels @ (1 | 3)]) if n <= MAX_IMAGES => {
                let bytes = to_bytes(&set.x().permute([0, 2, 3, 1]));
                ArcArray::from_shape_vec((n, height, width, channels), bytes).ok()
            }
            _ => None,
        };
        Ok(Metadata {
            name: set.name(),
            labels: Arc::new(set.label_vec().unwrap_or_default()),
            classes: Arc::new(set.class_names()),
            shape,
            images,
        })
    }
}

impl Observations for Array2<f32> {
    fn to_rows(&self) -> Result<Rows> {
        let layout = self.as_standard_layout();
        let numbers = layout.as_slice().expect("the standard layout is contiguous");
        let matrix = Tensor::from_slice(numbers).view([self.nrows() as i64, self.ncols() as i64]);
        let matrix = matrix.to_device(Device::cuda_if_available());
        Ok(Rows { matrix, scale: 1.0, metadata: Metadata::default() })
    }
}

impl Observations for Tensor {
    fn to_rows(&self) -> Result<Rows> {
        let size = self.size();
        if size.len() < 2 || !matches!(self.kind(), Kind::Float | Kind::Double | Kind::Uint8) {
            let got = format!("{:?} {size:?}", self.kind());
            return Err(Error::invalid("observations", "a tensor Float [n, …]", got, ""));
        }
        let matrix = self.detach().reshape([size[0], size[1..].iter().product()]);
        let matrix =
            if matrix.kind() == Kind::Uint8 { matrix } else { matrix.to_kind(Kind::Float) };
        Ok(Rows { matrix, scale: 1.0, metadata: Metadata::default() })
    }
}

/// The rows of something that has at least `least` rows, and a column.
pub(super) fn rows_of(op: &str, observations: &impl Observations, least: usize) -> Result<Rows> {
    let rows = observations.to_rows()?;
    if rows.len() < least || rows.width() == 0 {
        let (expected, got) = (
            format!("at least {least} examples"),
            format!("{} of {} numbers", rows.len(), rows.width()),
        );
        return Err(Error::invalid(op, expected, got, ""));
    }
    Ok(rows)
}
