//! Ways to look at an image once more.

use crate::error::{Error, Result};
use tch::Tensor;

/// A way to look at an image that leaves its class what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestTimeAugmentation {
    /// The image itself.
    Identity,
    /// In the mirror, left and right exchanged. Not for digits and letters.
    HorizontalFlip,
    /// Moved by so many pixels, to the right and down where positive; what is uncovered repeats the
    /// edge.
    Shift(i32, i32),
}

impl TestTimeAugmentation {
    /// The image itself and its four neighbors, `pixels` to each side.
    pub fn shifts(pixels: i32) -> Vec<TestTimeAugmentation> {
        let moves = [(0, 0), (pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels)];
        moves.iter().map(|&(x, y)| TestTimeAugmentation::shift(x, y)).collect()
    }

    fn shift(x: i32, y: i32) -> TestTimeAugmentation {
        if (x, y) == (0, 0) {
            TestTimeAugmentation::Identity
        } else {
            TestTimeAugmentation::Shift(x, y)
        }
    }

    /// How messages and tables call it.
    pub(super) fn name(self) -> String {
        match self {
            TestTimeAugmentation::Identity => "as it is".into(),
            TestTimeAugmentation::HorizontalFlip => "flipped".into(),
            TestTimeAugmentation::Shift(x, y) => format!("shifted by ({x}, {y})"),
        }
    }

    /// Refuses what is no image, and shifts that leave nothing of it.
    pub(super) fn check(self, op: &str, shape: &[usize]) -> Result<()> {
        let &[_, height, width] = shape else {
            let expected = "a network that takes images [channels, height, width]";
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

    /// The images `[n, channels, height, width]` seen in this way.
    pub(super) fn apply(self, x: &Tensor) -> Tensor {
        match self {
            TestTimeAugmentation::Identity => x.shallow_clone(),
            TestTimeAugmentation::HorizontalFlip => x.flip([3]),
            TestTimeAugmentation::Shift(right, down) => {
                let (right, down) = (i64::from(right), i64::from(down));
                let size = x.size();
                let more = |n: i64| n.max(0);
                let padded =
                    x.replication_pad2d([more(right), more(-right), more(down), more(-down)]);
                padded.narrow(2, more(-down), size[2]).narrow(3, more(-right), size[3])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn a_shift_moves_and_repeats_the_edge() {
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
    fn shifts_that_leave_nothing_are_refused() {
        assert!(TestTimeAugmentation::Shift(31, 0).check("op", &[3, 32, 32]).is_ok());
        assert!(TestTimeAugmentation::Shift(0, -32).check("op", &[3, 32, 32]).is_err());
        assert!(TestTimeAugmentation::Shift(i32::MIN, 0).check("op", &[3, 32, 32]).is_err());
        assert!(TestTimeAugmentation::HorizontalFlip.check("op", &[784]).is_err());
        assert_eq!(TestTimeAugmentation::shifts(2).len(), 5);
    }
}
