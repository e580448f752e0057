//! Random crops of a padded image.

use super::{Change, RandomStream, Rearrangement, Transform};
use crate::error::{Error, Result};

/// Adds pixels on every side, and takes a random crop of the old size: the image is shifted by whole
/// pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomCrop {
    padding: usize,
    black: bool,
}

impl RandomCrop {
    /// `padding` pixels on every side, which mirror the image at its edges.
    pub fn new(padding: usize) -> RandomCrop {
        RandomCrop { padding, black: false }
    }

    /// With black pixels around the image, for images with a black background such as digits.
    pub fn black(mut self) -> RandomCrop {
        self.black = true;
        self
    }
}

impl Transform for RandomCrop {
    fn describe(&self) -> String {
        let around = if self.black { "black" } else { "mirrored" };
        format!("crop after {} {around} pixels on every side", self.padding)
    }

    fn check(&self, height: usize, width: usize) -> Result<()> {
        let most = height.min(width);
        if !self.black && self.padding >= most {
            let op = format!("RandomCrop::new({})", self.padding);
            let expected = format!("fewer pixels than the image has: below {most}");
            return Err(Error::invalid(op, expected, self.padding.to_string(), ""));
        }
        Ok(())
    }

    fn draw(&self, random: &mut RandomStream, height: usize, width: usize) -> Change {
        let padding = self.padding as i64;
        let down = random.integers(2 * self.padding + 1);
        let right = random.integers(2 * self.padding + 1);
        let old = |length: usize, by: Vec<i64>| {
            let (black, length) = (self.black, length as i64);
            move |n: usize, new: usize| {
                let old = new as i64 + by[n] - padding;
                match black {
                    true if old >= length => -1,
                    true => old,
                    // Mirrored at the edge pixel, which is not repeated.
                    false if old < 0 => -old,
                    false if old >= length => 2 * (length - 1) - old,
                    false => old,
                }
            }
        };
        let images = down.len();
        let (rows, columns) = (old(height, down), old(width, right));
        Change::Index(Rearrangement::new(images, [height, width], rows, columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Augmentation;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn a_crop_is_a_shift_by_whole_pixels() {
        let x = Tensor::arange_start(1, 21, (Kind::Float, Device::Cpu)).view([1, 1, 4, 5]);
        let x = x.repeat([300, 2, 1, 1]);
        let cropped = Augmentation::new().add(RandomCrop::new(1).black()).apply(&x, 3).unwrap();
        let mut seen = [[0; 3]; 3];
        for n in 0..300 {
            let one = cropped.get(n);
            assert!(one.get(0).equal(&one.get(1)), "channels move together");
            // The middle pixel (2, 2) of the image is 13; neighbors differ by 5 down and 1 right.
            let moved = one.double_value(&[0, 2, 2]) as i64 - 13;
            let (down, right) = ((moved + 6) / 5, (moved + 6) % 5);
            seen[down as usize][right as usize] += 1;
            if (down, right) == (2, 2) {
                let row = |y: i64| Vec::<f32>::try_from(one.get(0).get(y)).unwrap();
                assert_eq!(row(0), [7.0, 8.0, 9.0, 10.0, 0.0]);
                assert_eq!(row(3), [0.0; 5]);
            }
        }
        assert!(seen.iter().flatten().all(|&count| (15..60).contains(&count)), "{seen:?}");
    }

    #[test]
    fn the_image_is_mirrored_at_its_edges() {
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0]).view([1, 1, 1, 3]).repeat([50, 1, 3, 1]);
        let cropped = Augmentation::new().random_crop(1).apply(&x, 1).unwrap();
        for n in 0..50 {
            let row = Vec::<f32>::try_from(cropped.get(n).get(0).get(0)).unwrap();
            assert!(
                [[2.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 2.0]]
                    .contains(&[row[0], row[1], row[2]]),
                "{row:?}"
            );
        }
    }
}
