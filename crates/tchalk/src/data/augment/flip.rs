//! Random flips.

use super::transform::check_range;
use super::{Change, RandomStream, Rearrangement, Transform};
use crate::error::Result;

/// Flips some of the images horizontally.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomFlip {
    probability: f64,
    vertical: bool,
}

impl RandomFlip {
    /// Flips half of the images horizontally.
    #[allow(clippy::new_without_default)]
    pub fn new() -> RandomFlip {
        RandomFlip { probability: 0.5, vertical: false }
    }

    /// Flips vertically instead.
    pub fn vertical(mut self) -> RandomFlip {
        self.vertical = true;
        self
    }

    /// The probability that an image is flipped; 0.5 by default.
    pub fn probability(mut self, probability: f64) -> RandomFlip {
        self.probability = probability;
        self
    }
}

impl Transform for RandomFlip {
    fn describe(&self) -> String {
        let how = if self.vertical { "upside down" } else { "left and right" };
        format!("flip {how}, {:.0} % of the images", 100.0 * self.probability)
    }

    fn check(&self, _height: usize, _width: usize) -> Result<()> {
        check_range("RandomFlip::probability".into(), self.probability, 0.0, 1.0)
    }

    fn draw(&self, random: &mut RandomStream, height: usize, width: usize) -> Change {
        let mirrored = random.bernoulli(self.probability);
        let old = |length: usize, is_axis: bool| {
            let mirrored = &mirrored;
            move |n: usize, new: usize| {
                let new = new as i64;
                if is_axis && mirrored[n] { length as i64 - 1 - new } else { new }
            }
        };
        Change::Index(Rearrangement::new(
            mirrored.len(),
            [height, width],
            old(height, self.vertical),
            old(width, !self.vertical),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Augmentation;
    use tch::Tensor;

    #[test]
    fn known_pixels_change_sides() {
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]).view([1, 1, 2, 3]);
        let flip = |flip| {
            Vec::<f32>::try_from(Augmentation::new().add(flip).apply(&x, 1).unwrap().view(-1))
                .unwrap()
        };
        assert_eq!(flip(RandomFlip::new().probability(1.0)), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
        let vertical = RandomFlip::new().vertical().probability(1.0);
        assert_eq!(flip(vertical), [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]);
        assert_eq!(flip(RandomFlip::new().probability(0.0)), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn half_of_the_images_are_mirrored() {
        let x = Tensor::from_slice(&[0f32, 1.0]).view([1, 1, 1, 2]).repeat([4000, 1, 1, 1]);
        let flipped = Augmentation::new().random_flip().apply(&x, 5).unwrap();
        let share = flipped.select(3, 0).mean(tch::Kind::Double).double_value(&[]);
        assert!((share - 0.5).abs() < 0.03, "{share}");
    }
}
