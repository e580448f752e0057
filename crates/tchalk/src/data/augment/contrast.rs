//! Random contrast.

use super::transform::check_range;
use super::{Change, RandomStream, Transform};
use crate::error::Result;
use tch::Kind;

/// Scales the distance of each pixel from the mean of its channel; the result is clamped to \[0, 1\].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomContrast {
    fraction: f64,
}

impl RandomContrast {
    /// By up to this fraction, such as 0.2: distances from the mean become 0.8 to 1.2 times as
    /// large.
    pub fn new(fraction: f64) -> RandomContrast {
        RandomContrast { fraction }
    }
}

impl Transform for RandomContrast {
    fn describe(&self) -> String {
        format!("contrast by up to {:.0} %", 100.0 * self.fraction)
    }

    fn check(&self, _height: usize, _width: usize) -> Result<()> {
        check_range(format!("RandomContrast::new({:?})", self.fraction), self.fraction, 0.0, 1.0)
    }

    fn draw(&self, random: &mut RandomStream, _height: usize, _width: usize) -> Change {
        let factor = random.uniform(1.0 - self.fraction, 1.0 + self.fraction).view([-1, 1, 1, 1]);
        Change::Pixels(Box::new(move |x| {
            let mean = x.mean_dim([2i64, 3].as_slice(), true, Kind::Float);
            mean.lerp_tensor(&x, &factor).clamp_(0.0, 1.0)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Augmentation;
    use tch::Tensor;

    #[test]
    fn the_mean_stays_and_distances_from_it_change() {
        let x = Tensor::from_slice(&[0.4f32, 0.6]).view([1, 1, 1, 2]).repeat([2000, 1, 1, 1]);
        let changed = Augmentation::new().random_contrast(0.5).apply(&x, 1).unwrap();
        let mean = changed.mean_dim([3i64].as_slice(), false, Kind::Float);
        assert!((mean - 0.5).abs().max().double_value(&[]) < 1e-6);
        let factor = (changed.select(3, 1) - 0.5) / 0.1;
        let (low, high) = (factor.min().double_value(&[]), factor.max().double_value(&[]));
        assert!((0.499..0.51).contains(&low) && (1.49..1.501).contains(&high), "{low} {high}");
    }
}
