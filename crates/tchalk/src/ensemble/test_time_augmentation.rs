//! Test-time augmentation: variants of an image that a network predicts in addition.

use crate::error::{Error, Result};
use tch::Tensor;

/// A change of an image that does not change its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestTimeAugmentation {
    /// The unchanged image.
    Identity,
    /// Left and right exchanged. Not for digits and letters.
    HorizontalFlip,
    /// Moved by `(x, y)` pixels, to the right and down if positive. The edge pixels fill the gap.
    Shift(i32, i32),
}

impl TestTimeAugmentation {
    /// The unchanged image, and four shifted by `pixels`, one in each direction.
    pub fn shifts(pixels: i32) -> Vec<TestTimeAugmentation> {
        let moves = [(0, 0), (pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels)];
        let variant = |(x, y)| match (x, y) {
            (0, 0) => TestTimeAugmentation::Identity,
            (x, y) => TestTimeAugmentation::Shift(x, y),
        };
        moves.map(variant).to_vec()
    }

    /// Refuses shapes that are not images, and shifts as large as the image.
    pub(super) fn check(self, op: &str, shape: &[usize]) -> Result<()> {
        let &[_, height, width] = shape else {
            let expected = "a network for images [channels, height, width]";
            return Err(Error::invalid(op, expected, format!("{shape:?}"), ""));
        };
        match self {
            TestTimeAugmentation::Shift(x, y)
                if x.unsigned_abs() as usize >= width || y.unsigned_abs() as usize >= height =>
            {
                let expected = format!("shifts of less than {width} and {height} pixels");
                Err(Error::invalid(op, expected, format!("{x} and {y}"), ""))
            }
            _ => Ok(()),
        }
    }

    /// The changed images `[n, channels, height, width]`.
    pub(super) fn apply(self, x: &Tensor) -> Tensor {
        match self {
            TestTimeAugmentation::Identity => x.shallow_clone(),
            TestTimeAugmentation::HorizontalFlip => x.flip([3]),
            TestTimeAugmentation::Shift(right, down) => {
                let (right, down) = (i64::from(right), i64::from(down));
                let size = x.size();
                let [left, right] = [right.max(0), (-right).max(0)];
                let [top, bottom] = [down.max(0), (-down).max(0)];
                let padded = x.replication_pad2d([left, right, top, bottom]);
                padded.narrow(2, bottom, size[2]).narrow(3, right, size[3])
            }
        }
    }
}

impl std::fmt::Display for TestTimeAugmentation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TestTimeAugmentation::Identity => f.write_str("identity"),
            TestTimeAugmentation::HorizontalFlip => f.write_str("horizontal flip"),
            TestTimeAugmentation::Shift(x, y) => write!(f, "shift by ({x}, {y})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn a_shift_moves_the_image_and_repeats_its_edge() {
        let x = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([1, 1, 2, 3]);
        let row = |x: &Tensor| Vec::<f32>::try_from(x.contiguous().view(-1)).unwrap();
        assert_eq!(
            row(&TestTimeAugmentation::Shift(1, 0).apply(&x)),
            [0.0, 0.0, 1.0, 3.0, 3.0, 4.0]
        );
        assert_eq!(
            row(&TestTimeAugmentation::Shift(-1, 0).apply(&x)),
            [1.0, 2.0, 2.0, 4.0, 5.0, 5.0]
        );
        assert_eq!(
            row(&TestTimeAugmentation::Shift(0, 1).apply(&x)),
            [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]
        );
        assert_eq!(
            row(&TestTimeAugmentation::Shift(0, -1).apply(&x)),
            [3.0, 4.0, 5.0, 3.0, 4.0, 5.0]
        );
        assert_eq!(
            row(&TestTimeAugmentation::HorizontalFlip.apply(&x)),
            [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]
        );
    }

    #[test]
    fn shifts_as_large_as_the_image_are_refused() {
        assert!(TestTimeAugmentation::Shift(31, 0).check("op", &[3, 32, 32]).is_ok());
        assert!(TestTimeAugmentation::Shift(0, -32).check("op", &[3, 32, 32]).is_err());
        assert!(TestTimeAugmentation::Shift(i32::MIN, 0).check("op", &[3, 32, 32]).is_err());
        assert!(TestTimeAugmentation::HorizontalFlip.check("op", &[784]).is_err());
        assert_eq!(TestTimeAugmentation::shifts(2).len(), 5);
    }
}
