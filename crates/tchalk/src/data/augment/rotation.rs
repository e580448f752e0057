//! Random rotation.

use super::affine::matrices;
use super::transform::check_range;
use super::{Change, RandomStream, Transform};
use crate::error::Result;
use tch::Tensor;

/// Rotates images about their center, in both directions. The edge pixels are repeated outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomRotation {
    degrees: f64,
}

impl RandomRotation {
    /// By up to this many degrees, at most 180.
    pub fn new(degrees: f64) -> RandomRotation {
        RandomRotation { degrees }
    }
}

impl Transform for RandomRotation {
    fn describe(&self) -> String {
        format!("rotate by up to {} degrees", self.degrees)
    }

    fn check(&self, _height: usize, _width: usize) -> Result<()> {
        check_range(format!("RandomRotation::new({:?})", self.degrees), self.degrees, 0.0, 180.0)
    }

    fn draw(&self, random: &mut RandomStream, _height: usize, _width: usize) -> Change {
        let most = self.degrees.to_radians();
        Change::Affine(turned(&random.uniform(-most, most)))
    }
}

/// The matrices for a counterclockwise rotation by these angles in radians.
fn turned(angle: &Tensor) -> Tensor {
    let (sin, cos, back) = (angle.sin(), angle.cos(), -angle.sin());
    let entries = [(0, 0, &cos), (0, 1, &back), (1, 0, &sin), (1, 1, &cos)];
    matrices([[0.0; 3]; 2], &entries, angle)
}

#[cfg(test)]
mod tests {
    use super::super::affine;
    use super::*;

    #[test]
    fn a_quarter_turn_against_the_clock_is_known() {
        let x =
            Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]).view([1, 1, 3, 3]);
        let quarter = Tensor::from_slice(&[std::f32::consts::FRAC_PI_2]);
        let turned_once = affine::sample(&x, &turned(&quarter));
        let expected = [3f32, 6.0, 9.0, 2.0, 5.0, 8.0, 1.0, 4.0, 7.0];
        let distance = (turned_once.view(-1) - Tensor::from_slice(&expected)).abs().max();
        assert!(distance.double_value(&[]) < 1e-5, "{distance}");
    }

    #[test]
    fn a_turn_keeps_distances_in_images_that_are_not_square() {
        let x = Tensor::zeros([1, 1, 9, 15], (tch::Kind::Float, tch::Device::Cpu));
        // A pixel three to the right of the middle goes three up.
        let _ = x.get(0).get(0).get(4).get(10).fill_(1.0);
        let quarter = Tensor::from_slice(&[std::f32::consts::FRAC_PI_2]);
        let turned = affine::sample(&x, &turned(&quarter));
        assert!((turned.double_value(&[0, 0, 1, 7]) - 1.0).abs() < 1e-4);
    }
}
