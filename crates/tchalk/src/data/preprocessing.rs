//! Preprocessing of whole sets: size, channels, normalization.

use super::TensorSet;
use crate::error::{Error, Result};
use tch::{Kind, Tensor, no_grad};

impl TensorSet {
    /// Gray images with three equal channels; color images stay as they are. No memory is copied.
    ///
    /// # Errors
    ///
    /// If the examples are not images of one or three channels.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let x = Tensor::rand([5, 1, 28, 28], (Kind::Float, Device::Cpu));
    /// let y = Tensor::zeros([5], (Kind::Int64, Device::Cpu));
    /// let digits = TensorSet::new(&x, &y, &["zero"])?;
    /// // For a network that was made for CIFAR-10:
    /// assert_eq!(digits.to_rgb()?.pad_to([32, 32])?.x().size(), [5, 3, 32, 32]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn to_rgb(&self) -> Result<TensorSet> {
        match self.image_shape("TensorSet::to_rgb")? {
            [1, ..] => Ok(self.with_x(self.x().expand([-1, 3, -1, -1], false))),
            [3, ..] => Ok(self.clone()),
            [channels, ..] => Err(Error::invalid(
                "TensorSet::to_rgb",
                "images of 1 or 3 channels",
                channels.to_string(),
                "",
            )),
        }
    }

    /// Images padded with black to this height and width. An odd pixel is added below or to the right.
    ///
    /// # Errors
    ///
    /// If the examples are no images, or larger already.
    pub fn pad_to(&self, [height, width]: [usize; 2]) -> Result<TensorSet> {
        let [_, h, w] = self.image_shape("TensorSet::pad_to")?;
        if h > height || w > width {
            let op = format!("TensorSet::pad_to([{height}, {width}])");
            let hint = format!("Try resize([{height}, {width}]).");
            let expected = format!("images of at most {height} × {width}");
            return Err(Error::invalid(op, expected, format!("{h} × {w}"), hint));
        }
        let (down, right) = ((height - h) as i64, (width - w) as i64);
        let around = [right / 2, right - right / 2, down / 2, down - down / 2];
        Ok(self.with_x(no_grad(|| self.x().constant_pad_nd(around))))
    }

    /// Images resized to this height and width, by antialiased bilinear interpolation.
    ///
    /// # Errors
    ///
    /// If the examples are no images, or a length is zero.
    pub fn resize(&self, [height, width]: [usize; 2]) -> Result<TensorSet> {
        self.image_shape("TensorSet::resize")?;
        if height == 0 || width == 0 {
            let got = format!("{height} × {width}");
            return Err(Error::invalid("TensorSet::resize", "at least 1 × 1", got, ""));
        }
        let size = [height as i64, width as i64];
        // A thousand at a time, to limit the memory.
        let parts = self.x().split(1024, 0);
        let resized = no_grad(|| -> Result<Tensor> {
            let parts = parts.iter().map(|part| {
                Ok(part.f_internal_upsample_bilinear2d_aa(size, false, None::<f64>, None::<f64>)?)
            });
            Ok(Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0))
        })?;
        Ok(self.with_x(resized))
    }

    /// The mean and the standard deviation of each channel: what [`TensorSet::normalize`] takes.
    /// Take those of the training set for both sets.
    ///
    /// # Errors
    ///
    /// If the examples are no images, or there are none.
    pub fn channel_statistics(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        const OP: &str = "TensorSet::channel_statistics";
        let [channels, ..] = self.image_shape(OP)?;
        if self.is_empty() {
            return Err(Error::invalid(OP, "at least one image", "none", ""));
        }
        no_grad(|| {
            let axes = [0i64, 2, 3];
            let (mut sum, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
            for part in self.x().split(4096, 0) {
                let part = part.to_kind(Kind::Double);
                let add = |to: &mut Vec<f64>, what: Tensor| -> Result<()> {
                    let what = what.sum_dim_intlist(axes.as_slice(), false, Kind::Double);
                    let what = Vec::<f64>::try_from(what.to_device(tch::Device::Cpu))?;
                    to.iter_mut().zip(what).for_each(|(to, what)| *to += what);
                    Ok(())
                };
                add(&mut sum, part.shallow_clone())?;
                add(&mut squares, part.square())?;
            }
            let count = (self.x().numel() / channels) as f64;
            let mean: Vec<f64> = sum.iter().map(|sum| sum / count).collect();
            let deviation = squares.iter().zip(&mean);
            let deviation = deviation.map(|(s, mean)| (s / count - mean * mean).max(0.0).sqrt());
            Ok((mean.clone(), deviation.collect()))
        })
    }

    /// Subtracts the `mean` of each channel and divides by its `deviation`, as many pretrained networks
    /// expect. This is not a part of an [`Augmentation`](super::Augmentation): the test set needs the same.
    ///
    /// # Errors
    ///
    /// If there are not as many numbers as channels, or a deviation is not above zero.
    pub fn normalize(&self, mean: &[f64], deviation: &[f64]) -> Result<TensorSet> {
        const OP: &str = "TensorSet::normalize";
        let [channels, ..] = self.image_shape(OP)?;
        if mean.len() != channels || deviation.len() != channels {
            let got = format!("{} and {}", mean.len(), deviation.len());
            return Err(Error::invalid(OP, format!("{channels} numbers each"), got, ""));
        }
        if let Some(wrong) = deviation.iter().find(|&&d| d.is_nan() || d <= 0.0) {
            let hint = "A channel in which all pixels are equal cannot be normalized.";
            return Err(Error::invalid(OP, "deviations above 0", wrong.to_string(), hint));
        }
        let column = |numbers: &[f64]| {
            let numbers = Tensor::from_slice(numbers).to_kind(Kind::Float);
            numbers.view([1, -1, 1, 1]).to_device(self.x().device())
        };
        Ok(self.with_x(no_grad(|| (self.x() - column(mean)) / column(deviation))))
    }

    /// Channels, height and width.
    fn image_shape(&self, op: &str) -> Result<[usize; 3]> {
        <[usize; 3]>::try_from(self.example_shape()).map_err(|shape| {
            Error::invalid(op, "images [channels, height, width]", format!("{shape:?}"), "")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn set(shape: [i64; 4]) -> TensorSet {
        let numbers = shape.iter().product::<i64>();
        let x = Tensor::arange(numbers, (Kind::Float, Device::Cpu)).view(shape) / numbers as f64;
        TensorSet::new(&x, &Tensor::zeros([shape[0]], (Kind::Int64, Device::Cpu)), &["a"]).unwrap()
    }

    #[test]
    fn gray_images_become_rgb_and_larger() {
        let small = set([2, 1, 4, 5]);
        let large = small.to_rgb().unwrap().pad_to([7, 8]).unwrap().x();
        assert_eq!(large.size(), [2, 3, 7, 8]);
        for channel in 0..3 {
            let inside = large.select(1, channel).narrow(1, 1, 4).narrow(2, 1, 5);
            assert!(inside.equal(&small.x().select(1, 0)));
        }
        let sum = |x: &Tensor| x.sum(Kind::Double).double_value(&[]);
        assert!((sum(&large) - 3.0 * sum(&small.x())).abs() < 1e-5, "all else is black");
        let error = small.pad_to([3, 9]).unwrap_err().to_string();
        assert!(error.contains("at most 3 × 9, got 4 × 5") && error.contains("resize"), "{error}");
        assert!(set([2, 2, 4, 5]).to_rgb().is_err());
    }

    #[test]
    fn resizing_to_a_smaller_size_averages() {
        let x = set([3, 2, 4, 6]);
        let flat = x.with_x(x.x().zeros_like() + 0.25).resize([2, 3]).unwrap();
        assert!((flat.x() - 0.25).abs().max().double_value(&[]) < 1e-6);
        assert_eq!(x.resize([8, 5]).unwrap().x().size(), [3, 2, 8, 5]);
        let mean = |x: &Tensor| x.mean(Kind::Double).double_value(&[]);
        assert!((mean(&x.resize([2, 3]).unwrap().x()) - mean(&x.x())).abs() < 1e-3);
        assert!(x.resize([0, 3]).is_err());
    }

    #[test]
    fn normalized_channels_have_mean_0_and_deviation_1() {
        let set = set([5, 3, 4, 4]);
        let (mean, deviation) = set.channel_statistics().unwrap();
        let (mean, deviation) =
            set.normalize(&mean, &deviation).unwrap().channel_statistics().unwrap();
        assert!(mean.iter().all(|mean| mean.abs() < 1e-5), "{mean:?}");
        assert!(deviation.iter().all(|deviation| (deviation - 1.0).abs() < 1e-4));
        assert!(set.normalize(&[0.5], &[0.5]).unwrap_err().to_string().contains("3 numbers each"));
        assert!(set.normalize(&[0.5; 3], &[0.5, 0.0, 1.0]).is_err());
    }
}
