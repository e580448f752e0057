//! Random zoom.

use super::affine::matrices;
use super::transform::check_range;
use super::{Change, RandomStream, Transform};
use crate::error::Result;

/// Makes images larger or smaller about their center, the same in height and width. The edge pixels are
/// repeated outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomZoom {
    fraction: f64,
}

impl RandomZoom {
    /// By up to this fraction, such as 0.1: from 0.9 to 1.1 times the size.
    pub fn new(fraction: f64) -> RandomZoom {
        RandomZoom { fraction }
    }
}

impl Transform for RandomZoom {
    fn describe(&self) -> String {
        format!("zoom by up to {:.0} %", 100.0 * self.fraction)
    }

    fn check(&self, _height: usize, _width: usize) -> Result<()> {
        check_range(format!("RandomZoom::new({:?})", self.fraction), self.fraction, 0.0, 0.9)
    }

    fn draw(&self, random: &mut RandomStream, _height: usize, _width: usize) -> Change {
        let step = random.uniform(1.0 - self.fraction, 1.0 + self.fraction).reciprocal();
        Change::Affine(matrices([[0.0; 3]; 2], &[(0, 0, &step), (1, 1, &step)], &step))
    }
}

#[cfg(test)]
mod tests {
    use crate::data::Augmentation;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn a_slope_becomes_steeper_or_flatter_about_the_middle() {
        let slope = Tensor::arange(41, (Kind::Float, Device::Cpu)).view([1, 1, 1, 41]);
        let x = slope.repeat([500, 1, 3, 1]);
        let zoomed = Augmentation::new().random_zoom(0.2).apply(&x, 1).unwrap();
        let row = zoomed.select(1, 0).select(1, 1);
        assert!((row.select(1, 20) - 20.0).abs().max().double_value(&[]) < 1e-4);
        let size = (row.select(1, 21) - row.select(1, 20)).reciprocal();
        let (low, high) = (size.min().double_value(&[]), size.max().double_value(&[]));
        assert!((0.8..0.82).contains(&low) && (1.18..1.2001).contains(&high), "{low} {high}");
    }
}
