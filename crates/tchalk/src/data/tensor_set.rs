//! An image set as tensors on a device.

use super::Split;
use crate::error::{Error, Result};
use ndarray::{ArcArray, Ix3};
use std::sync::Arc;
use tch::{Device, Kind, Tensor, no_grad};

/// Images and labels as tensors on one device.
///
/// `x` is `f32 [n, channels, height, width]` with values in \[0, 1\], `y` is `i64 [n]`. Cloning
/// shares the tensors.
pub struct TensorSet {
    x: Tensor,
    y: Option<Tensor>,
    name: String,
    class_names: Arc<Vec<String>>,
}

impl Clone for TensorSet {
    fn clone(&self) -> TensorSet {
        TensorSet {
            x: self.x.shallow_clone(),
            y: self.y.as_ref().map(Tensor::shallow_clone),
            name: self.name.clone(),
            class_names: self.class_names.clone(),
        }
    }
}

impl std::fmt::Debug for TensorSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let labels = match &self.y {
            Some(y) => format!("y: i64 {:?}", y.size()),
            None => "no labels".into(),
        };
        write!(
            f,
            "{}: x: f32 {:?} in [0, 1], {labels}, on {:?}",
            self.name,
            self.x.size(),
            self.x.device()
        )
    }
}

impl crate::display::Show for TensorSet {
    fn content(&self) -> crate::display::Content {
        crate::display::Content::text(format!("{self:?}"))
    }
}

impl Split {
    /// The whole set as tensors on `device`: images as `f32 [n, channels, height, width]` in
    /// \[0, 1\], labels as `i64 [n]`.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let train = datasets::shapes()?.train.take(100).to_tensors(Device::Cpu);
    /// assert_eq!(train.x().size(), [100, 3, 32, 32]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn to_tensors(&self, device: Device) -> TensorSet {
        let images = self.images();
        let (n, height, width, channels) = images.dim();
        let sizes = [n as i64, height as i64, width as i64, channels as i64];
        let images = images.as_standard_layout();
        let bytes = images.as_slice().expect("the standard layout is contiguous");
        // Bytes are copied to the device, since floats are four times as large.
        let x = Tensor::from_slice(bytes).view(sizes).to_device(device);
        let x = x.permute([0, 3, 1, 2]).to_kind(Kind::Float).contiguous() / 255.0;
        let labels = (!self.labels().is_empty() || n == 0).then(|| {
            let labels: Vec<i64> = self.labels().iter().map(|&label| label as i64).collect();
            Tensor::from_slice(&labels).to_device(device)
        });
        TensorSet { x, y: labels, name: self.name(), class_names: Arc::new(self.class_names()) }
    }
}

impl TensorSet {
    /// A set of your own: examples `f32 [n, …]`, labels `i64 [n]`, and a name for each class.
    ///
    /// # Errors
    ///
    /// If the numbers of examples and labels differ, or a tensor has another kind.
    pub fn new(x: &Tensor, y: &Tensor, classes: &[&str]) -> Result<TensorSet> {
        let (n, labels) = (x.size().first().copied().unwrap_or(0), y.size());
        if x.kind() != Kind::Float || y.kind() != Kind::Int64 || labels != [n] {
            return Err(Error::invalid(
                "TensorSet::new",
                format!("x: Float [n, …] and y: Int64 [n], here [{n}]"),
                format!("x: {:?} {:?} and y: {:?} {labels:?}", x.kind(), x.size(), y.kind()),
                "to_kind(Kind::Float) and to_kind(Kind::Int64) convert.",
            ));
        }
        let classes = Arc::new(classes.iter().map(|&class| class.to_owned()).collect());
        let (x, y) = (x.shallow_clone(), Some(y.shallow_clone()));
        Ok(TensorSet { x, y, name: "tensors".into(), class_names: classes })
    }

    /// The examples, `f32 [n, channels, height, width]`.
    pub fn x(&self) -> Tensor {
        self.x.shallow_clone()
    }

    /// The labels, `i64 [n]`, if there are any.
    pub fn labels(&self) -> Option<Tensor> {
        self.y.as_ref().map(Tensor::shallow_clone)
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.x.size()[0] as usize
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it is: `CIFAR-10 train`.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// The shape of one example: `[channels, height, width]`.
    pub fn example_shape(&self) -> Vec<usize> {
        self.x.size()[1..].iter().map(|&n| n as usize).collect()
    }

    /// The first `count` examples, or all where there are fewer.
    pub fn first(&self, count: usize) -> TensorSet {
        self.narrow(0, count.min(self.len()))
    }

    /// All but the first `count` examples; none where there are fewer.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::shapes()?.test.take(10).to_tensors(Device::Cpu);
    /// assert_eq!((test.first(4).len(), test.rest(4).len()), (4, 6));
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn rest(&self, count: usize) -> TensorSet {
        let count = count.min(self.len());
        self.narrow(count, self.len() - count)
    }

    /// So many examples from one on.
    fn narrow(&self, from: usize, count: usize) -> TensorSet {
        let part = |tensor: &Tensor| tensor.narrow(0, from as i64, count as i64);
        TensorSet { x: part(&self.x), y: self.y.as_ref().map(part), ..self.clone() }
    }

    /// The same labels for other examples, as many as before.
    pub(super) fn with_x(&self, x: Tensor) -> TensorSet {
        TensorSet { x, ..self.clone() }
    }

    pub(crate) fn class_names(&self) -> Vec<String> {
        self.class_names.to_vec()
    }

    pub(crate) fn label_vec(&self) -> Option<Vec<usize>> {
        let labels = Vec::<i64>::try_from(self.y.as_ref()?.to_device(Device::Cpu)).ok()?;
        Some(labels.into_iter().map(|label| label as usize).collect())
    }

    /// The examples at these indices (`i64` on the set's device), moved to `device`.
    pub(crate) fn pick(&self, indices: &Tensor, device: Device) -> (Tensor, Option<Tensor>) {
        let indices = indices.to_device(self.x.device());
        let pick = |from: &Tensor| no_grad(|| from.index_select(0, &indices).to_device(device));
        (pick(&self.x), self.y.as_ref().map(pick))
    }

    /// All examples in order, `size` at a time, on `device`.
    pub(crate) fn batches(
        &self,
        size: i64,
        device: Device,
    ) -> impl Iterator<Item = (Tensor, Option<Tensor>)> {
        let n = self.len() as i64;
        (0..n).step_by(size as usize).map(move |start| {
            let part = |from: &Tensor| from.narrow(0, start, size.min(n - start)).to_device(device);
            (part(&self.x), self.y.as_ref().map(part))
        })
    }

    /// Some examples as images again: `u8 [height, width, channels]`.
    ///
    /// # Errors
    ///
    /// If the examples are no images of one or three channels.
    pub(crate) fn images(&self, indices: &[usize]) -> Result<Vec<ArcArray<u8, Ix3>>> {
        let shape = self.example_shape();
        let &[channels @ (1 | 3), height, width] = &shape[..] else {
            let got = format!("{shape:?}");
            return Err(Error::invalid("images of a set", "[1 or 3, height, width]", got, ""));
        };
        let indices: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
        let (x, _) = self.pick(&Tensor::from_slice(&indices), Device::Cpu);
        let bytes = to_bytes(&x.permute([0, 2, 3, 1]));
        Ok(bytes
            .chunks_exact(channels * height * width)
            .map(|one| {
                ArcArray::from_shape_vec((height, width, channels), one.to_vec())
                    .expect("a chunk holds one image")
            })
            .collect())
    }
}

/// Values in \[0, 1\] as bytes, in the order of the tensor's axes.
pub(crate) fn to_bytes(x: &Tensor) -> Vec<u8> {
    let bytes = (x.detach().clamp(0.0, 1.0) * 255.0).round().to_kind(Kind::Uint8);
    let bytes = bytes.to_device(Device::Cpu).contiguous().view(-1);
    Vec::try_from(bytes).expect("bytes on the CPU")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> TensorSet {
        let x =
            Tensor::arange(2 * 3 * 4 * 5, (Kind::Float, Device::Cpu)).view([2, 3, 4, 5]) / 255.0;
        TensorSet::new(&x, &Tensor::from_slice(&[1i64, 0]), &["a", "b"]).unwrap()
    }

    #[test]
    fn images_come_back_as_they_went_in() {
        let images = set().images(&[1, 0]).unwrap();
        assert_eq!(images[0][[0, 0, 0]], 60, "the second example starts after 3 × 4 × 5 numbers");
        assert_eq!(images[1][[0, 1, 2]], 41, "channel 2, row 0, column 1");
    }

    #[test]
    fn batches_cover_everything_once() {
        let sizes: Vec<i64> =
            set().first(2).batches(1, Device::Cpu).map(|(x, _)| x.size()[0]).collect();
        assert_eq!(sizes, [1, 1]);
        let (x, y) = set().batches(8, Device::Cpu).next().unwrap();
        assert_eq!((x.size()[0], y.unwrap().size()[0]), (2, 2));
    }

    #[test]
    fn labels_that_do_not_match_are_refused() {
        let error = TensorSet::new(&set().x(), &Tensor::from_slice(&[1i64]), &["a"]).unwrap_err();
        assert!(error.to_string().contains("y: Int64 [n], here [2]"), "{error}");
    }
}
