//! Images with a hole.

use super::augmentation::check_range;
use super::{Draws, Transform, pixels};
use crate::error::{Error, Result};
use tch::{Device, Kind, Tensor};

/// Blacks out a square somewhere in each image (DeVries and Taylor, *Cutout*, 2017): the network
/// has to look at the rest, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomErasing {
    size: usize,
    probability: f64,
    value: f64,
}

impl RandomErasing {
    /// A square of `size` by `size` black pixels in every image, all of it inside.
    pub fn new(size: usize) -> RandomErasing {
        RandomErasing { size, probability: 1.0, value: 0.0 }
    }

    /// How likely an image gets one, from 0 to 1.
    pub fn probability(mut self, probability: f64) -> RandomErasing {
        self.probability = probability;
        self
    }

    /// Another value than 0.
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

    fn apply(&self, x: Tensor, draws: &mut Draws) -> Tensor {
        let (height, width) = (x.size()[2] as usize, x.size()[3] as usize);
        let tops = draws.places(height - self.size + 1);
        let lefts = draws.places(width - self.size + 1);
        let chosen = draws.chances(self.probability);
        if x.device() == Device::Cpu {
            let one = x.size()[1] as usize * height * width;
            pixels::for_each_image(&x, one, |n, image| {
                if chosen[n] {
                    let (top, left) = (tops[n] as usize, lefts[n] as usize);
                    for channel in image.chunks_exact_mut(height * width) {
                        for row in channel.chunks_exact_mut(width).skip(top).take(self.size) {
                            row[left..left + self.size].fill(self.value as f32);
                        }
                    }
                }
            });
            return x;
        }
        let inside = |length: usize, firsts: &[i64]| {
            let first = Tensor::from_slice(firsts).to_device(x.device()).unsqueeze(1);
            let all = Tensor::arange(length as i64, (Kind::Int64, x.device()));
            all.ge_tensor(&first).logical_and(&all.lt_tensor(&(&first + self.size as i64)))
        };
        // Squares that are not chosen lie outside.
        let tops: Vec<i64> = tops
            .iter()
            .zip(&chosen)
            .map(|(&top, &chosen)| if chosen { top } else { height as i64 })
            .collect();
        let rows = inside(height, &tops).view([-1, 1, height as i64, 1]);
        let columns = inside(width, &lefts).view([-1, 1, 1, width as i64]);
        x.masked_fill(&rows.logical_and(&columns), self.value)
    }
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
}
