//! Images with their rows and columns in another order.

use tch::{Device, Kind, Tensor};

/// The index of the old row for each new row and of the old column for each new column, for each image
/// of a batch: flips and shifts by whole pixels, without interpolation. A negative index stands for black.
#[derive(Debug, Clone, PartialEq)]
pub struct Rearrangement {
    height: usize,
    width: usize,
    /// `height` numbers for each image.
    rows: Vec<i32>,
    /// `width` numbers for each image.
    columns: Vec<i32>,
}

impl Rearrangement {
    /// `rows` and `columns` give the old index for the index of an image and a new index. A negative index
    /// stands for black.
    ///
    /// # Panics
    ///
    /// If an old index is outside the image.
    pub fn new(
        images: usize,
        [height, width]: [usize; 2],
        rows: impl Fn(usize, usize) -> i64,
        columns: impl Fn(usize, usize) -> i64,
    ) -> Rearrangement {
        let all = |length: usize, old: &dyn Fn(usize, usize) -> i64| -> Vec<i32> {
            let indices = (0..images).flat_map(|n| (0..length).map(move |index| (n, index)));
            indices
                .map(|(n, index)| {
                    let old = old(n, index);
                    assert!(old < length as i64, "index {old} of an image of {length}");
                    old as i32
                })
                .collect()
        };
        Rearrangement { height, width, rows: all(height, &rows), columns: all(width, &columns) }
    }

    /// This rearrangement followed by another one.
    pub(super) fn then(mut self, next: &Rearrangement) -> Rearrangement {
        let follow = |old: &mut Vec<i32>, new: &[i32], length: usize| {
            for (old, new) in old.chunks_exact_mut(length).zip(new.chunks_exact(length)) {
                let through: Vec<i32> =
                    new.iter().map(|&at| if at < 0 { at } else { old[at as usize] }).collect();
                old.copy_from_slice(&through);
            }
        };
        follow(&mut self.rows, &next.rows, self.height);
        follow(&mut self.columns, &next.columns, self.width);
        self
    }

    /// The images `f32 [n, channels, height, width]` in the new order.
    pub(super) fn apply(&self, x: &Tensor) -> Tensor {
        if x.device() == Device::Cpu { self.on_cpu(x) } else { self.on_device(x) }
    }

    fn on_cpu(&self, x: &Tensor) -> Tensor {
        let from = x.contiguous();
        let to = Tensor::empty(x.size(), (Kind::Float, Device::Cpu));
        let (height, width) = (self.height, self.width);
        let one = x.size()[1] as usize * height * width;
        let old = super::pixels::pixels(&from);
        super::pixels::for_each_image(&to, one, |n, new| {
            let rows = &self.rows[n * height..][..height];
            let columns = &self.columns[n * width..][..width];
            let old = &old[n * one..][..one];
            let planes = new.chunks_exact_mut(height * width).zip(old.chunks_exact(height * width));
            for (new, old) in planes {
                for (new, &row) in new.chunks_exact_mut(width).zip(rows) {
                    if row < 0 {
                        new.fill(0.0);
                        continue;
                    }
                    let old = &old[row as usize * width..][..width];
                    for (new, &column) in new.iter_mut().zip(columns) {
                        // As an unsigned number, a negative index is beyond the end.
                        *new = old.get(column as u32 as usize).copied().unwrap_or(0.0);
                    }
                }
            }
        });
        to
    }

    fn on_device(&self, x: &Tensor) -> Tensor {
        let (height, width) = (self.height as i64, self.width as i64);
        let on_device = |indices: &[i32]| Tensor::from_slice(indices).to_device(x.device());
        let rows = on_device(&self.rows).view([-1, 1, height, 1]).to_kind(Kind::Int64);
        let columns = on_device(&self.columns).view([-1, 1, 1, width]).to_kind(Kind::Int64);
        let options = (Kind::Int64, x.device());
        let n = Tensor::arange(x.size()[0], options).view([-1, 1, 1, 1]);
        let channels = Tensor::arange(x.size()[1], options).view([1, -1, 1, 1]);
        let (inside_rows, inside_columns) = (rows.clamp_min(0), columns.clamp_min(0));
        let new = x.index(&[Some(n), Some(channels), Some(inside_rows), Some(inside_columns)]);
        let black = |indices: &[i32]| indices.iter().any(|&index| index < 0);
        if black(&self.rows) || black(&self.columns) {
            new.masked_fill(&rows.lt(0).logical_or(&columns.lt(0)), 0.0)
        } else {
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_and_device_give_the_same_images() {
        let x = Tensor::arange(2 * 3 * 4 * 5, (Kind::Float, Device::Cpu)).view([2, 3, 4, 5]) + 1.0;
        let rows = |n: usize, y: usize| y as i64 - n as i64;
        let columns = |n: usize, x: usize| if n == 0 { 4 - x as i64 } else { x as i64 - 2 };
        let moved = Rearrangement::new(2, [4, 5], rows, columns);
        assert!(moved.on_cpu(&x).equal(&moved.on_device(&x)));
        assert_eq!(moved.on_cpu(&x).double_value(&[0, 1, 2, 0]), x.double_value(&[0, 1, 2, 4]));
        assert_eq!(moved.on_cpu(&x).double_value(&[1, 1, 2, 3]), x.double_value(&[1, 1, 1, 1]));
        assert_eq!(moved.on_cpu(&x).double_value(&[1, 1, 0, 3]), 0.0);
    }

    #[test]
    fn two_combined_are_one_after_the_other() {
        let x = Tensor::arange(30, (Kind::Float, Device::Cpu)).view([1, 1, 5, 6]) + 1.0;
        let one = Rearrangement::new(1, [5, 6], |_, y| y as i64 - 1, |_, x| 5 - x as i64);
        let two = Rearrangement::new(1, [5, 6], |_, y| 4 - y as i64, |_, x| x as i64 - 2);
        assert!(one.clone().then(&two).apply(&x).equal(&two.apply(&one.apply(&x))));
    }

    #[test]
    #[should_panic(expected = "index 5 of an image of 5")]
    fn an_index_outside_the_image_panics() {
        Rearrangement::new(1, [5, 6], |_, y| y as i64 + 1, |_, x| x as i64);
    }
}
