//! Random shift.

use super::affine::matrices;
use super::transform::check_range;
use super::{Change, RandomStream, Transform};
use crate::error::Result;

/// Shifts images vertically and horizontally. The edge pixels are repeated outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomShift {
    fraction: f64,
}

impl RandomShift {
    /// By up to this fraction of height and width, such as 0.1.
    pub fn new(fraction: f64) -> RandomShift {
        RandomShift { fraction }
    }
}

impl Transform for RandomShift {
    fn describe(&self) -> String {
        format!("shift by up to {:.0} %", 100.0 * self.fraction)
    }

    fn check(&self, _height: usize, _width: usize) -> Result<()> {
        check_range(format!("RandomShift::new({:?})", self.fraction), self.fraction, 0.0, 1.0)
    }

    fn draw(&self, random: &mut RandomStream, height: usize, width: usize) -> Change {
        let by = |length: usize| self.fraction * length as f64;
        let x = random.uniform(-by(width), by(width));
        let y = random.uniform(-by(height), by(height));
        Change::Affine(matrices([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], &[(0, 2, &x), (1, 2, &y)], &x))
    }
}

#[cfg(test)]
mod tests {
    use crate::data::Augmentation;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn images_move_evenly_in_both_directions() {
        // On a slope, moving by so many pixels adds as much to every pixel.
        let slope = Tensor::arange(40, (Kind::Float, Device::Cpu)).view([1, 1, 1, 40]);
        let x = slope.repeat([2000, 1, 40, 1]);
        let moved = Augmentation::new().random_shift(0.1).apply(&x, 1).unwrap();
        let by = moved.select(1, 0).select(1, 20).select(1, 20) - 20.0;
        assert!(by.abs().max().double_value(&[]) <= 4.0001);
        assert!(by.mean(Kind::Double).double_value(&[]).abs() < 0.2);
        // Even between -4 and 4: the standard deviation is 8 / √12.
        assert!((by.std(true).double_value(&[]) - 8.0 / 12f64.sqrt()).abs() < 0.1);
    }
}
