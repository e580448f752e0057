//! Ways to look at a picture once more.

use crate::error::{Error, Result};
use tch::Tensor;

/// A way to look at a picture that leaves its class what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The picture itself.
    AsItIs,
    /// In the mirror, left and right exchanged. Not for digits and letters.
    Flipped,
    /// Moved by so many pixels, to the right and down where positive; what is uncovered repeats the
    /// edge.
    Shifted(i32, i32),
}

impl View {
    /// The picture itself and its four neighbours, `pixels` to each side.
    pub fn shifts(pixels: i32) -> Vec<View> {
        let moves = [(0, 0), (pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels)];
        moves.iter().map(|&(x, y)| View::of_shift(x, y)).collect()
    }

    fn of_shift(x: i32, y: i32) -> View {
        if (x, y) == (0, 0) { View::AsItIs } else { View::Shifted(x, y) }
    }

    /// How messages and tables call it.
    pub(super) fn name(self) -> String {
        match self {
            View::AsItIs => "as it is".into(),
            View::Flipped => "flipped".into(),
            View::Shifted(x, y) => format!("shifted by ({x}, {y})"),
        }
    }

    /// Refuses what is no picture, and shifts that leave nothing of it.
    pub(super) fn check(self, op: &str, shape: &[usize]) -> Result<()> {
        let &[_, height, width] = shape else {
            let expected = "a network that takes pictures [channels, height, width]";
            return Err(Error::invalid(op, expected, format!("{shape:?}"), ""));
        };
        match self {
            View::Shifted(x, y)
                if x.unsigned_abs() as usize >= width || y.unsigned_abs() as usize >= height =>
            {
                let expected = format!("shifts of less than {width} and {height} pixels");
                Err(Error::invalid(op, expected, format!("{x} and {y}"), ""))
            }
            _ => Ok(()),
        }
    }

    /// The pictures `[n, channels, height, width]` seen in this way.
    pub(super) fn of(self, x: &Tensor) -> Tensor {
        match self {
            View::AsItIs => x.shallow_clone(),
            View::Flipped => x.flip([3]),
            View::Shifted(right, down) => {
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
        assert_eq!(row(&View::Shifted(1, 0).of(&x)), [0.0, 0.0, 1.0, 3.0, 3.0, 4.0]);
        assert_eq!(row(&View::Shifted(-1, 0).of(&x)), [1.0, 2.0, 2.0, 4.0, 5.0, 5.0]);
        assert_eq!(row(&View::Shifted(0, 1).of(&x)), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
        assert_eq!(row(&View::Shifted(0, -1).of(&x)), [3.0, 4.0, 5.0, 3.0, 4.0, 5.0]);
        assert_eq!(row(&View::Flipped.of(&x)), [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]);
    }

    #[test]
    fn shifts_that_leave_nothing_are_refused() {
        assert!(View::Shifted(31, 0).check("op", &[3, 32, 32]).is_ok());
        assert!(View::Shifted(0, -32).check("op", &[3, 32, 32]).is_err());
        assert!(View::Shifted(i32::MIN, 0).check("op", &[3, 32, 32]).is_err());
        assert!(View::Flipped.check("op", &[784]).is_err());
        assert_eq!(View::shifts(2).len(), 5);
    }
}
