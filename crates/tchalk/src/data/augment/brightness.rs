//! Random brightness.

use super::transform::check_range;
use super::{Change, RandomStream, Transform};
use crate::error::Result;

/// Adds the same number to all pixels of an image; the result is clamped to \[0, 1\].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomBrightness {
    fraction: f64,
}

impl RandomBrightness {
    /// By up to this fraction of the range from black to white, such as 0.2.
    pub fn new(fraction: f64) -> RandomBrightness {
        RandomBrightness { fraction }
    }
}

impl Transform for RandomBrightness {
    fn describe(&self) -> String {
        format!("brightness by up to {:.0} %", 100.0 * self.fraction)
    }

    fn check(&self, _height: usize, _width: usize) -> Result<()> {
        check_range(format!("RandomBrightness::new({:?})", self.fraction), self.fraction, 0.0, 1.0)
    }

    fn draw(&self, random: &mut RandomStream, _height: usize, _width: usize) -> Change {
        let offset = random.uniform(-self.fraction, self.fraction).view([-1, 1, 1, 1]);
        Change::Pixels(Box::new(move |mut x| x.g_add_(&offset).clamp_(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use crate::data::Augmentation;
    use tch::{Kind, Tensor};

    #[test]
    fn all_pixels_of_an_image_change_alike_and_stay_in_range() {
        let x =
            Tensor::from_slice(&[0.5f32, 0.9, 0.5, 0.1]).view([1, 1, 2, 2]).repeat([2000, 1, 1, 1]);
        let bright = Augmentation::new().random_brightness(0.2).apply(&x, 1).unwrap();
        let at = |y: i64, x: i64| bright.select(1, 0).select(1, y).select(1, x);
        assert!((at(0, 0) - at(1, 0)).abs().max().double_value(&[]) < 1e-6);
        assert_eq!(
            (at(0, 1).max().double_value(&[]), at(1, 1).min().double_value(&[])),
            (1.0, 0.0)
        );
        let by = at(0, 0) - 0.5;
        assert!(by.mean(Kind::Double).double_value(&[]).abs() < 0.01);
        assert!((by.abs().max().double_value(&[]) - 0.2).abs() < 0.002);
    }
}
