//! Random erasing, also called cutout.

use super::transform::check_range;
use super::{Change, RandomStream, Transform, pixels};
use crate::error::{Error, Result};
use tch::{Device, Kind, Tensor};

/// Makes a random square of each image black (DeVries and Taylor, *Cutout*, 2017), so that the network
/// cannot rely on one part of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomErasing {
    size: usize,
    probability: f64,
    value: f64,
}

impl RandomErasing {
    /// A black square of `size` by `size` pixels inside every image.
    pub fn new(size: usize) -> RandomErasing {
        RandomErasing { size, probability: 1.0, value: 0.0 }
    }

    /// The probability that an image gets a square; 1 by default.
    pub fn probability(mut self, probability: f64) -> RandomErasing {
        self.probability = probability;
        self
    }

    /// The value of the erased pixels; 0 by default.
    pub fn value(mut self, value: f64) -> RandomErasing {
        self.value = value;
        self
    }
}

impl Transform for RandomErasing {
    fn describe(&self) -> String {
        format!("erase {0} by {0} pixels", self.size)
    }

    fn check(&self, height: usize, width: usize) -> Result<()> {
        check_range("RandomErasing::probability".into(), self.probability, 0.0, 1.0)?;
        if self.size > height.min(width) {
            let op = format!("RandomErasing::new({})", self.size);
            let expected = format!("at most {height} by {width} pixels");
            return Err(Error::invalid(op, expected, self.size.to_string(), ""));
        }
        Ok(())
    }

    fn draw(&self, random: &mut RandomStream, height: usize, width: usize) -> Change {
        let tops = random.integers(height - self.size + 1);
        let lefts = random.integers(width - self.size + 1);
        let chosen = random.bernoulli(self.probability);
        let corners = tops.into_iter().zip(lefts).zip(chosen);
        let corners: Vec<Option<[i64; 2]>> =
            corners.map(|((top, left), chosen)| chosen.then_some([top, left])).collect();
        let (size, value) = (self.size, self.value);
        Change::Pixels(Box::new(move |x| match x.device() {
            Device::Cpu => {
                erase_on_cpu(&x, &corners, size, value as f32);
                x
            }
            _ => erase_on_device(&x, &corners, size as i64, value),
        }))
    }
}

/// Fills the square of `size` pixels below and to the right of each image's corner, if it has one.
fn erase_on_cpu(x: &Tensor, corners: &[Option<[i64; 2]>], size: usize, value: f32) {
    let (height, width) = (x.size()[2] as usize, x.size()[3] as usize);
    let image_len = x.size()[1] as usize * height * width;
    pixels::for_each_image(x, image_len, |n, image| {
        let Some([top, left]) = corners[n].map(|corner| corner.map(|at| at as usize)) else {
            return;
        };
        for channel in image.chunks_exact_mut(height * width) {
            for row in channel.chunks_exact_mut(width).skip(top).take(size) {
                row[left..left + size].fill(value);
            }
        }
    });
}

fn erase_on_device(x: &Tensor, corners: &[Option<[i64; 2]>], size: i64, value: f64) -> Tensor {
    let inside = |length: i64, axis: usize| {
        // Without a corner the square lies outside the image.
        let firsts: Vec<i64> =
            corners.iter().map(|corner| corner.map_or(length, |corner| corner[axis])).collect();
        let firsts = Tensor::from_slice(&firsts).to_device(x.device()).unsqueeze(1);
        let all = Tensor::arange(length, (Kind::Int64, x.device()));
        all.ge_tensor(&firsts).logical_and(&all.lt_tensor(&(&firsts + size)))
    };
    let (height, width) = (x.size()[2], x.size()[3]);
    let rows = inside(height, 0).view([-1, 1, height, 1]);
    let columns = inside(width, 1).view([-1, 1, 1, width]);
    x.masked_fill(&rows.logical_and(&columns), value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Augmentation;

    #[test]
    fn a_whole_square_is_erased_in_all_channels() {
        let x = Tensor::ones([200, 3, 6, 7], (Kind::Float, Device::Cpu));
        let erased = Augmentation::new().random_erasing(3).apply(&x, 1).unwrap();
        let left = erased.sum_dim_intlist([1i64, 2, 3].as_slice(), false, Kind::Float);
        assert!(left.equal(&(left.zeros_like() + (3 * (6 * 7 - 9)) as f64)));
        // The corners are reached.
        assert!(erased.select(2, 0).select(2, 0).min().double_value(&[]) == 0.0);
        assert!(erased.select(2, 5).select(2, 6).min().double_value(&[]) == 0.0);
        let half = RandomErasing::new(6).probability(0.5).value(0.25);
        let erased = Augmentation::new().add(half).apply(&x, 1).unwrap();
        let share = erased.select(1, 0).select(1, 3).select(1, 3).eq(0.25);
        let share = share.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        assert!((share - 0.5).abs() < 0.12, "{share}");
    }

    #[test]
    fn a_gpu_erases_the_same_squares_as_the_cpu() {
        let x = Tensor::ones([3, 2, 5, 6], (Kind::Float, Device::Cpu));
        let corners = [Some([0, 4]), None, Some([3, 1])];
        let erased = erase_on_device(&x, &corners, 2, 0.5);
        erase_on_cpu(&x, &corners, 2, 0.5);
        assert!(erased.equal(&x) && erased.double_value(&[2, 1, 4, 2]) == 0.5);
    }
}
